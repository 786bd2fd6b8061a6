/*
** Tasks: making them, and the only lua_resume there is.
**
** A task is unfinished from its making to the end of its body, and pinned as
** long. Its thread is made at the first step, so that a task that waits for
** its turn is one block of memory. In between it is always one of:
**   ready    in its loop's queue; ASY_TASK_CANCEL says that it wakes to an error
**   running  rt->task
**   parked   ASY_TASK_PARKED; 'how' knows what ends the wait
*/
#include "task.h"

#include "context.h"
#include "coroutine.h"
#include "debug.h"
#include "error.h"
#include "garbage.h"
#include "inner.h"
#include "pin.h"
#include "report.h"
#include "timeout.h"


/* {====== The body ====== */

/* There is room for so many in any stack. */
#define FEW_ARGS 8

static int body_done(lua_State *co, int status, lua_KContext ctx) {
  asy_task *t;
  (void)ctx;
  if (asy_likely(status == LUA_OK || status == LUA_YIELD))
    return lua_gettop(co) - 1;
  lua_getupvalue(co, 1, 1); /* of the handler: the runtime */
  t = asy_task_of(co, (asy_rt *)lua_touserdata(co, -1));
  lua_pop(co, 1);
  if (t != NULL)
    t->tflags |= ASY_TASK_BODYFAILED;
  return 1;
}


/* What a task's thread runs: the message handler, the body, its arguments. The
** protected call takes the traceback where the error is, and lets <close>
** variables suspend while it unwinds. */
static int body_main(lua_State *co) {
  int status = lua_pcallk(co, lua_gettop(co) - 2, LUA_MULTRET, 1, 0, body_done);
  return body_done(co, status, 0);
}


static void drop_value(lua_State *L, int idx, int n) {
  lua_pushnil(L);
  lua_setiuservalue(L, idx, n);
}


/* Pushes the function and its arguments of the task at 'idx', which keeps none
** of these; returns how many values these are. */
static int push_body(lua_State *L, asy_task *t, int idx) {
  if (lua_getiuservalue(L, idx, ASY_FUT_VALUE) == LUA_TUSERDATA) {
    int n = asy_coroutine_start(L, -1);
    lua_remove(L, -1 - n);
    return n;
  }
  if (asy_unlikely(t->nargs > FEW_ARGS))
    luaL_checkstack(L, t->nargs + LUA_MINSTACK, "too many arguments");
  for (int i = 1; i <= t->nargs; i++) {
    int n = asy_task_values(t) + i;
    if (lua_getiuservalue(L, idx, n) >= LUA_TSTRING)
      drop_value(L, idx, n);
  }
  return 1 + t->nargs;
}


/* Makes the thread, ready to be resumed with *nargs arguments. */
static lua_State *task_start(lua_State *L, asy_task *t, int *nargs) {
  int task = lua_gettop(L) + 1, n;
  lua_State *co;
  lua_rawgeti(L, ASY_PINS, t->fut.slot);
  lua_pushvalue(L, ASY_MSGH);
  n = push_body(L, t, task);
  co = lua_newthread(L);
  lua_setiuservalue(L, task, ASY_FUT_VALUE);
  lua_pushcfunction(co, body_main);
  if (asy_unlikely(n > FEW_ARGS) && !lua_checkstack(co, n + LUA_MINSTACK))
    luaL_error(L, "stack overflow (too many arguments)");
  lua_xmove(L, co, 1 + n);
  lua_settop(L, task - 1);
  *nargs = 1 + n;
  t->co = co;
  t->fut.rt->threads++;
  return co;
}

/* }====== */


/* {====== Steps ====== */

static bool stays_pinned(const asy_task *t) {
  return asy_unlikely(t->fut.flags & (ASY_KEPT | ASY_LEFT));
}


static void task_unpin(lua_State *L, asy_task *t) {
  if (!stays_pinned(t))
    asy_unpin(L, t->fut.rt, &t->fut.slot);
}


static void drop_thread(asy_task *t) {
  if (t->co != NULL)
    t->fut.rt->threads--;
  t->co = NULL;
}


/* The task ended where entries run: nothing points to it any more but what the
** user holds, or who keeps it. */
static void task_release(lua_State *L, asy_task *t) {
  drop_thread(t);
  t->fut.loop->tasks--;
  if (!stays_pinned(t))
    asy_unpin_from(L, t->fut.rt, ASY_PINS, &t->fut.slot);
}


/* Ends the task on the top of L with the error at the top of 'co'. */
static void task_failed(lua_State *L, lua_State *co, asy_task *t) {
  asy_rt *rt = t->fut.rt;
  int idx = lua_gettop(L);
  lua_xmove(co, L, 1);
  asy_error_nonil(L);
  task_release(L, t);
  if (asy_error_is(L, rt, -1, ASY_CANCELLED_ERROR)) {
    lua_setiuservalue(L, idx, ASY_FUT_VALUE);
    asy_future_done(&t->fut, ASY_CANCELLED);
    return;
  }
  if (asy_error_is(L, rt, -1, ASY_KEYBOARD_INTERRUPT)) {
    lua_pushvalue(L, -1);
    asy_loop_fail(L, t->fut.loop);
    t->fut.flags |= ASY_RETRIEVED;
  }
  asy_future_seterror(L, idx);
}


/* Moves the 'n' values on the top of 'co' into a table on L. */
static void pack_results(lua_State *L, lua_State *co, int n) {
  lua_createtable(L, n, 1);
  for (int i = n; i >= 1; i--) {
    lua_xmove(co, L, 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
}


static void task_finish(lua_State *L, asy_task *t, int status, int nres) {
  lua_State *co = t->co;
  int base = lua_gettop(L);
  if (t->scopes.next != &t->scopes)
    asy_timeout_dropall(t);
  lua_rawgeti(L, ASY_PINS, t->fut.slot);
  if (status != LUA_OK || (t->tflags & ASY_TASK_BODYFAILED)) {
    task_failed(L, co, t);
    lua_settop(L, base);
    return;
  }
  if (nres > 1) {
    pack_results(L, co, nres);
    t->fut.nresults = 2;
  } else if (nres == 1) {
    lua_xmove(co, L, 1);
    t->fut.nresults = 1;
  } else {
    lua_pushnil(L);
  }
  lua_setiuservalue(L, -2, ASY_FUT_VALUE);
  task_release(L, t);
  lua_settop(L, base);
  asy_future_done(&t->fut, ASY_FINISHED);
}


/* Raises an error at the thread's next instruction. */
static void throw_hook(lua_State *co, lua_Debug *ar) {
  (void)ar;
  lua_sethook(co, NULL, 0, 0);
  asy_error_raise(co, ASY_RUNTIME_ERROR,
                  "a task yielded with coroutine.yield: only asyncio's own "
                  "calls can suspend a task; use asyncio.sleep(0) to give "
                  "others a turn");
}


/* The body called coroutine.yield, which nobody could ever answer. The thread
** goes on at once, and meets an error there. */
static void refuse_yield(asy_task *t, int nres) {
  lua_pop(t->co, nres);
  lua_sethook(t->co, throw_hook, LUA_MASKCOUNT, 1);
  asy_loop_ready(t->fut.loop, &t->ready);
}


/* A task cancelled before its first step never runs. */
static void cancel_start(lua_State *L, asy_task *t) {
  int base = lua_gettop(L);
  lua_rawgeti(L, ASY_PINS, t->fut.slot);
  if (t->tflags & ASY_TASK_HASCORO) {
    lua_getiuservalue(L, -1, ASY_FUT_VALUE);
    asy_coroutine_close(L, -1);
    lua_pop(L, 1);
  }
  for (int i = 1; i <= t->nargs; i++)
    drop_value(L, base + 1, asy_task_values(t) + i);
  lua_pushnil(L);
  lua_setiuservalue(L, -2, ASY_FUT_VALUE);
  task_release(L, t);
  lua_settop(L, base);
  asy_future_done(&t->fut, ASY_CANCELLED);
}


static void task_step(lua_State *L, asy_ready *e) {
  asy_task *t = asy_of(e, asy_task, ready);
  asy_rt *rt = t->fut.rt;
  asy_task *outer = rt->task;
  lua_State *co = t->co, *active = rt->active;
  int nargs = 0, nres = 0, status;
  uint64_t start = t->fut.loop->debug ? asy_loop_now() : 0;
  if (asy_unlikely(co == NULL)) {
    asy_garbage_thread(L, rt);
    if (t->tflags & ASY_TASK_CANCEL) {
      cancel_start(L, t);
      return;
    }
    co = task_start(L, t, &nargs);
  }
  rt->task = t;
  rt->active = co;
  asy_inner_passed(rt, L, co);
  status = lua_resume(co, L, nargs, &nres);
  rt->task = outer;
  rt->active = active;
  if (asy_unlikely(start != 0))
    asy_debug_step(L, t, start);
  if (status != LUA_YIELD) {
    task_finish(L, t, status, nres);
    rt->garbage++;
  } else if (asy_unlikely(!(t->tflags & ASY_TASK_PARKED) &&
                          !asy_ready_queued(&t->ready))) {
    refuse_yield(t, nres);
  }
}


/* The step raised outside of the body: no memory for the thread or for the
** results. The task fails with that error. */
static void task_stepfailed(lua_State *L, asy_ready *e) {
  asy_task *t = asy_of(e, asy_task, ready);
  int err = lua_gettop(L);
  if (t->fut.state != ASY_PENDING) {
    lua_pop(L, 1);
    return;
  }
  asy_timeout_dropall(t);
  asy_pin_push(L, t->fut.rt, t->fut.slot);
  lua_pushvalue(L, err);
  drop_thread(t);
  t->fut.loop->tasks--;
  task_unpin(L, t);
  asy_future_seterror(L, err + 1);
  lua_settop(L, err - 1);
}


/* Closing a loop ends all tasks first, and leaves those pinned that are queued;
** one that could not be ended for want of memory stays so. */
static void task_dropped(lua_State *L, asy_ready *e) {
  asy_task *t = asy_of(e, asy_task, ready);
  if (t->fut.state != ASY_PENDING)
    task_unpin(L, t);
}


static const asy_ready_ops task_ops = {task_step, task_stepfailed,
                                       task_dropped};

/* }====== */


/* {====== Making ====== */

asy_task *asy_task_new(lua_State *L, asy_loop *loop, int nargs) {
  asy_rt *rt = loop->rt;
  int body = lua_gettop(L) - nargs;
  bool coro = lua_type(L, body) == LUA_TUSERDATA;
  bool contexts = rt->contexts; /* a finalizer may change it below */
  asy_task *t;
  if (nargs > ASY_TASK_MAXARGS)
    luaL_error(L, "too many arguments to a task (more than %d)",
               ASY_TASK_MAXARGS);
  asy_loop_checkopen(L, loop);
  asy_garbage_task(L, rt);
  t = (asy_task *)asy_future_new(L, loop, ASY_TASK, sizeof(asy_task),
                                 ASY_FUT_VALUES + contexts + nargs + coro);
  asy_list_init(&t->scopes);
  t->ready.ops = &task_ops;
  t->id = ++rt->last_id;
  t->nargs = (uint8_t)nargs;
  t->tflags = contexts ? ASY_TASK_CONTEXT : 0;
  if (coro) /* the body is used up, the object stays for get_coro */
    t->tflags |= ASY_TASK_HASCORO;
  lua_insert(L, body);
  if (coro) {
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, body, asy_task_values(t) + 1);
  }
  for (int i = nargs; i >= 1; i--)
    lua_setiuservalue(L, body, asy_task_values(t) + i + coro);
  lua_setiuservalue(L, body, ASY_FUT_VALUE);
  if (contexts) {
    asy_context_copy(L, rt);
    lua_setiuservalue(L, body, ASY_TASK_CONTEXT_VALUE);
  }
  if (asy_unlikely(loop->debug)) {
    asy_debug_source(L);
    asy_future_setextra(L, body, "source");
  }
  return t;
}

/* }====== */


/* Arguments: those of an entry, and that. */
static int step_protected(lua_State *L) {
  task_step(L, (asy_ready *)lua_touserdata(L, 3));
  return 0;
}


/* From now on the task at 'idx' is unfinished. */
static void task_begin(lua_State *L, asy_task *t, int idx) {
  t->fut.slot = asy_pin(L, t->fut.rt, idx);
  t->fut.loop->tasks++;
}


void asy_task_schedule(lua_State *L, asy_task *t, int idx) {
  task_begin(L, t, idx);
  asy_loop_ready(t->fut.loop, &t->ready);
}


void asy_task_eager(lua_State *L, int idx) {
  asy_task *t = (asy_task *)lua_touserdata(L, idx);
  asy_loop *loop = t->fut.loop;
  task_begin(L, t, idx);
  if (loop->rt->running != loop) {
    asy_loop_ready(loop, &t->ready);
    return;
  }
  lua_pushcfunction(L, step_protected);
  asy_pin_pushtable(L, loop->rt);
  lua_rawgeti(L, LUA_REGISTRYINDEX, loop->rt->msgh);
  lua_pushlightuserdata(L, &t->ready);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK)
    task_stepfailed(L, &t->ready);
}


/* {====== Killing ====== */

/* Closes the task's thread, which runs its <close> variables. The last resume
** only leads it to where no message handler is set (see asy_woken); a thread
** that was refused a coroutine.yield is not waiting in a function of ours, and
** other code may have resumed it and run in it now. */
static int close_thread(lua_State *L, asy_task *t, lua_State *co) {
  asy_rt *rt = t->fut.rt;
  asy_task *outer = rt->task;
  lua_State *active = rt->active;
  int nres, status;
  if (asy_task_isin(co))
    return LUA_OK;
  t->fut.flags |= ASY_KILLED;
  rt->task = t;
  rt->active = co;
  if (lua_gethook(co) == throw_hook)
    lua_sethook(co, NULL, 0, 0);
  else if (lua_status(co) == LUA_YIELD)
    lua_resume(co, L, 0, &nres);
  status = asy_closethread(co, L);
  rt->task = outer;
  rt->active = active;
  return status;
}


void asy_task_kill(lua_State *L, asy_task *t) {
  lua_State *co = t->co;
  int base = lua_gettop(L), status = LUA_OK;
  if (t->fut.state != ASY_PENDING)
    return;
  if (t->tflags & ASY_TASK_PARKED) {
    if (asy_task_isleft(t)) {
      t->fut.flags |= ASY_LEFT;
    } else {
      t->how->abort(t);
      asy_list_remove(&t->watch.link);
    }
    t->tflags &= (uint8_t)~ASY_TASK_PARKED;
  }
  asy_pin_push(L, t->fut.rt, t->fut.slot);
  if (co != NULL)
    status = close_thread(L, t, co);
  asy_timeout_dropall(t);
  drop_thread(t);
  t->fut.loop->tasks--;
  if (!asy_ready_queued(&t->ready)) /* else when it is dropped */
    task_unpin(L, t);
  asy_future_done(&t->fut, ASY_CANCELLED);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    asy_report_error(L, t->fut.loop,
                     "error while a pending task was closed with its loop",
                     base + 1);
  }
  lua_pushnil(L);
  lua_setiuservalue(L, base + 1, ASY_FUT_VALUE);
  lua_settop(L, base);
}

/* }====== */
