/*
** The one way to suspend: a task parks, and is woken by what it waits for or by
** cancellation. Everything that waits is a thin layer on these few functions.
*/
#include <string.h>

#include "debug.h"
#include "error.h"
#include "task.h"
#include "traceback.h"


/* {====== Where no await is possible ====== */

/* Functions that forward a suspension, so that they are no culprits. */
static bool lets_through(const char *name) {
  static const char *const names[] = {"pcall",    "xpcall", "dofile", "await",
                                      "wait_for", "run",    "catch",  NULL};
  for (const char *const *n = names; *n != NULL; n++)
    if (strcmp(name, *n) == 0)
      return true;
  return false;
}


/* Pushes the name of the innermost function on the thread 'at', below the one
** that runs, that cannot yield; nil when there is none. */
static const char *find_culprit(lua_State *L, lua_State *at) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(at, level, &ar); level++) {
    lua_getinfo(at, "Sn", &ar);
    if (ar.name != NULL && strcmp(ar.name, "__gc") == 0)
      return lua_pushstring(L, ar.name);
    if (*ar.what == 'C' && !(ar.name != NULL && lets_through(ar.name))) {
      if (!asy_traceback_pushname(L, at, &ar))
        lua_pushstring(L, ar.name != NULL ? ar.name : "a C function");
      return lua_tostring(L, -1);
    }
  }
  lua_pushnil(L);
  return NULL;
}


/* No await is possible in L, which cannot yield, or the thread 'at', from which
** the task's code went on to L, cannot. */
static void below_culprit(lua_State *L, lua_State *at, const char *fname) {
  const char *culprit = find_culprit(L, at);
  if (culprit == NULL && at == L)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "'%s' cannot suspend the task in a <close> variable of a "
                    "coroutine that is being closed",
                    fname);
  asy_error_raise(L, ASY_RUNTIME_ERROR,
                  "'%s' cannot suspend the task below '%s', which cannot "
                  "yield: call it before or after that, or in another task",
                  fname, culprit != NULL ? culprit : "a C function");
}


static asy_task *cannot_await(lua_State *L, asy_rt *rt, const char *fname) {
  asy_task *t = rt->task;
  if (t == NULL) {
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "'%s' suspends and must be called in a task: start one "
                    "with asyncio.%s",
                    fname,
                    rt->running == NULL ? "run(main)" : "create_task(fn, ...)");
    return NULL; /* never */
  }
  if (t->fut.flags & ASY_KILLED)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "'%s' cannot suspend the task, whose event loop closes",
                    fname);
  if (t->tflags & ASY_TASK_ATOMIC)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "'%s' suspends, which asyncio.atomic forbids", fname);
  if (!lua_isyieldable(L))
    below_culprit(L, L, fname);
  if (rt->active != NULL && !lua_isyieldable(rt->active))
    below_culprit(L, rt->active, fname);
  asy_error_raise(L, ASY_RUNTIME_ERROR,
                  "'%s' cannot suspend the task from inside a coroutine made "
                  "by the coroutine library: use asyncio.coroutine, which lets "
                  "it pass (or asyncio.coroutine.install()), or run this code "
                  "in a task of its own",
                  fname);
  return NULL;
}


asy_task *asy_task_here(lua_State *L, asy_rt *rt, const char *fname) {
  asy_task *t = asy_task_able(L, rt);
  return asy_likely(t != NULL) ? t : cannot_await(L, rt, fname);
}


asy_task *asy_task_hereon(lua_State *L, const asy_loop *loop, const char *what,
                          const char *fname) {
  asy_task *t = asy_task_here(L, loop->rt, fname);
  if (asy_unlikely(t->fut.loop != loop))
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "%s: the %s belongs to a different event loop", fname,
                    what);
  return t;
}

/* }====== */


/* {====== Interrupted waits ====== */

/* In the place of 'how' until the task runs. */
static const asy_wait interrupted = {"", NULL};


void asy_interrupt(asy_task *t) {
  t->tflags |= ASY_TASK_CANCEL;
  t->how = &interrupted;
  asy_unpark(t);
}


bool asy_isinterrupted(const asy_task *t) {
  return t->how == &interrupted && asy_ready_queued(&t->ready);
}


/* A task that was cancelled before it came to wait stops waiting at once. */
static void abort_now(asy_task *t) {
  asy_future *next = t->how->abort(t);
  if (next == NULL) {
    asy_interrupt(t);
  } else {
    t->tflags &= (uint8_t)~ASY_TASK_CANCEL;
    if (!asy_future_cancel(next)) /* it is about to end by itself */
      t->tflags |= ASY_TASK_CANCEL;
  }
}

/* }====== */


bool asy_task_isin(lua_State *co) {
  lua_Debug ar;
  return lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar);
}


void asy_refuse(lua_State *L) {
  asy_task *t = asy_task_find(L, asy_rt_of(L));
  if (t != NULL && (t->tflags & ASY_TASK_PARKED) && !asy_task_isleft(t)) {
    t->how->abort(t);
    asy_list_remove(&t->watch.link);
    asy_unpark(t);
  }
  asy_error_raise(L, ASY_RUNTIME_ERROR,
                  "the thread of a task was resumed by other code: only its "
                  "event loop can do that");
}


int asy_park(lua_State *L, asy_task *t, const asy_wait *how, void *on,
             lua_KContext ctx, lua_KFunction k) {
  t->how = how;
  t->on = on;
  t->tflags |= ASY_TASK_PARKED;
  if (asy_unlikely(t->tflags & ASY_TASK_CANCEL))
    abort_now(t);
  return lua_yieldk(L, 0, ctx, k);
}


void asy_unpark(asy_task *t) {
  if (!(t->tflags & ASY_TASK_PARKED))
    return;
  t->tflags &= (uint8_t)~ASY_TASK_PARKED;
  t->on = NULL;
  asy_loop_ready(t->fut.loop, &t->ready);
}


int asy_park_turn(lua_State *L, asy_task *t, lua_KContext ctx,
                  lua_KFunction k) {
  static const asy_wait turn = {"sleep(0)", NULL};
  t->how = &turn;
  asy_loop_ready(t->fut.loop, &t->ready);
  return lua_yieldk(L, 0, ctx, k);
}


static void raise_cancelled(lua_State *L, asy_task *t) {
  t->tflags &= (uint8_t)~ASY_TASK_CANCEL;
  asy_task_pushcancelled(L, t);
  if (asy_unlikely(t->fut.loop->debug))
    asy_debug_cancelled(L, t);
  lua_error(L);
}


static int yield_for_good(lua_State *L) {
  return lua_yield(L, 0);
}


static int never(lua_State *L, int status, lua_KContext ctx) {
  (void)L;
  (void)status;
  (void)ctx;
  return 0;
}


/* Suspends the thread inside a protected call without a message handler. Up to
** Lua 5.4.5 closing a suspended thread calls the handler of the innermost
** protected call for errors of <close> variables, when its place on the stack
** may hold anything; now that is none. */
static void suspend_for_good(lua_State *L) {
  lua_pushcfunction(L, yield_for_good);
  lua_pcallk(L, 0, 0, 0, 0, never);
}


void asy_woken(lua_State *L, asy_task *t) {
  asy_resumed(L, t);
  if (asy_unlikely(t->fut.flags & ASY_KILLED))
    suspend_for_good(L);
  if (asy_unlikely(t->tflags & ASY_TASK_CANCEL))
    raise_cancelled(L, t);
}
