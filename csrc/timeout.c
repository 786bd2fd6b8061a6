/*
** The scope behind timeout() and wait_for(). A scope is in its task's list from
** its entry to its exit, the innermost first:
**   active    the deadline is ahead, or there is none
**   expiring  the deadline has passed: the task was cancelled, once
**   expired   left after that; exited: left before that
*/
#include "timeout.h"

#include <stdlib.h>

#include "await.h"
#include "coroutine.h"
#include "debug.h"
#include "error.h"
#include "pin.h"

/* The user value of a Timeout: where it was made. In debug mode only. */
#define SOURCE 1

typedef enum scope_state { ACTIVE, EXPIRING, EXPIRED, EXITED } scope_state;

typedef struct asy_scope {
  asy_rt *rt;
  uint8_t kind;
  uint8_t state;
  bool pooled;      /* of a wait_for: in C memory, not a userdata */
  bool timed;       /* has a deadline, 'timer.when' */
  uint32_t cancels; /* of the task, at the entry */
  uint32_t slot;    /* pin, while in the task's list: itself, or 'co' */
  asy_task *task;   /* NULL once left */
  lua_State *co;    /* that a wait_for is in, if that is a coroutine's */
  asy_list link;    /* in the task's scopes; in the pool by 'next' */
  asy_timer timer;
  struct asy_scope *made; /* the one of a wait_for that was made before */
  lua_KContext id;        /* of that wait_for, 0 when the scope is free */
} asy_scope;


/* {====== Scopes ====== */

static void scope_expire(asy_scope *s) {
  s->state = EXPIRING;
  asy_task_cancel(s->task);
}


static void scope_due(asy_timer *timer);


/* Sets the deadline; one that has passed takes effect at the next await. */
static void scope_arm(asy_scope *s, uint64_t when, bool passed) {
  asy_loop *loop = s->task->fut.loop;
  asy_loop_unsettimer(loop, &s->timer);
  s->timed = true;
  s->timer.when = when;
  if (passed)
    scope_expire(s);
  else
    asy_loop_settimer(loop, &s->timer, when, scope_due);
}


static void scope_armafter(asy_scope *s, lua_Number delay) {
  scope_arm(s, asy_loop_after(delay), delay <= 0);
}


static void scope_armat(asy_scope *s, lua_Number when) {
  uint64_t at = asy_loop_at(when);
  scope_arm(s, at, at <= asy_loop_now());
}


static void scope_enter(asy_scope *s, asy_task *t) {
  s->task = t;
  s->cancels = t->cancels;
  asy_list_prepend(&t->scopes, &s->link);
}


/* Leaves the scope; true when a CancelledError that leaves with it is its own,
** and shall become a TimeoutError. */
static bool scope_exit(asy_task *t, asy_scope *s) {
  asy_loop_unsettimer(t->fut.loop, &s->timer);
  asy_list_remove(&s->link);
  s->task = NULL;
  if (s->state != EXPIRING) {
    s->state = EXITED;
    return false;
  }
  s->state = EXPIRED;
  return asy_task_uncancel(t) <= s->cancels;
}


static asy_scope *scope_new(asy_rt *rt) {
  asy_scope *s = (asy_scope *)malloc(sizeof(asy_scope));
  if (s == NULL)
    return NULL;
  s->made = rt->scopes_made;
  rt->scopes_made = s;
  return s;
}


/* A scope of the pool; NULL without memory. */
static asy_scope *scope_take(asy_rt *rt) {
  asy_scope *s = rt->scopes;
  if (s != NULL)
    rt->scopes = (asy_scope *)s->link.next;
  else if ((s = scope_new(rt)) == NULL)
    return NULL;
  *s = (asy_scope){.rt = rt,
                   .kind = ASY_TIMEOUT,
                   .pooled = true,
                   .made = s->made,
                   .id = ++rt->last_scope};
  return s;
}


static void scope_give(asy_scope *s) {
  s->id = 0;
  if (asy_unlikely(s->slot != 0))
    asy_unpin(asy_rt_state(s->rt), s->rt, &s->slot);
  s->link.next = (asy_list *)s->rt->scopes;
  s->rt->scopes = s;
}


void asy_timeout_freeall(asy_rt *rt) {
  while (rt->scopes_made != NULL) {
    asy_scope *s = rt->scopes_made;
    rt->scopes_made = s->made;
    free(s);
  }
  rt->scopes = NULL;
}


static void scope_drop(asy_task *t, asy_scope *s) {
  scope_exit(t, s);
  if (s->pooled) {
    scope_give(s);
    return;
  }
  if (asy_unlikely(t->fut.loop->debug) && !(t->fut.flags & ASY_KILLED))
    asy_debug_unleft(s->rt, s->slot, SOURCE,
                     "a timeout was never left: make it a 'local _ <close>'");
  asy_unpin(asy_rt_state(s->rt), s->rt, &s->slot);
}


void asy_timeout_dropall(asy_task *t) {
  while (!asy_list_empty(&t->scopes))
    scope_drop(t, asy_of(t->scopes.next, asy_scope, link));
}


/* A coroutine that was closed has left its wait_for, which was not told. */
static void scope_due(asy_timer *timer) {
  asy_scope *s = asy_of(timer, asy_scope, timer);
  if (asy_unlikely(s->co != NULL) && lua_status(s->co) != LUA_YIELD &&
      !asy_task_isin(s->co))
    scope_drop(s->task, s);
  else
    scope_expire(s);
}

/* }====== */


/* {====== timeout() and timeout_at() ====== */

static asy_scope *check_scope(lua_State *L) {
  return (asy_scope *)asy_checkkind(L, 1, ASY_TIMEOUT);
}


/* Makes a scope of the running task; 'fname' asks for it. */
static asy_scope *timeout_new(lua_State *L, const char *fname) {
  asy_rt *rt = asy_rt_up(L);
  asy_scope *s;
  bool debug;
  if (rt->task == NULL) {
    asy_error_raise(L, ASY_RUNTIME_ERROR, "'%s' must be called in a task",
                    fname);
    return NULL; /* not reached */
  }
  debug = rt->task->fut.loop->debug;
  s = (asy_scope *)asy_new(L, rt, ASY_TIMEOUT, sizeof(asy_scope),
                           debug ? SOURCE : 0);
  if (asy_unlikely(debug)) {
    asy_debug_source(L);
    lua_setiuservalue(L, -2, SOURCE);
  }
  s->slot = asy_pin(L, rt, -1);
  scope_enter(s, rt->task);
  return s;
}


/* timeout(delay) */
static int timeout(lua_State *L) {
  bool timed = !lua_isnoneornil(L, 1);
  lua_Number delay = timed ? asy_checktime(L, 1) : 0;
  asy_scope *s = timeout_new(L, "timeout");
  if (timed)
    scope_armafter(s, delay);
  return 1;
}


/* timeout_at(when) */
static int timeout_at(lua_State *L) {
  bool timed = !lua_isnoneornil(L, 1);
  lua_Number when = timed ? asy_checktime(L, 1) : 0;
  asy_scope *s = timeout_new(L, "timeout_at");
  if (timed)
    scope_armat(s, when);
  return 1;
}


static int timeout_when(lua_State *L) {
  asy_scope *s = check_scope(L);
  if (s->timed)
    lua_pushnumber(L, (lua_Number)s->timer.when * 1e-9);
  else
    lua_pushnil(L);
  return 1;
}


/* scope:reschedule(when) */
static int reschedule(lua_State *L) {
  static const char *const name[] = {"active", "expiring", "expired",
                                     "finished"};
  asy_scope *s = check_scope(L);
  bool timed = !lua_isnoneornil(L, 2);
  lua_Number when = timed ? asy_checktime(L, 2) : 0;
  if (s->state != ACTIVE)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "cannot reschedule a timeout that is %s",
                           name[s->state]);
  if (timed) {
    scope_armat(s, when);
  } else {
    asy_loop_unsettimer(s->task->fut.loop, &s->timer);
    s->timed = false;
  }
  return 0;
}


static int expired(lua_State *L) {
  asy_scope *s = check_scope(L);
  lua_pushboolean(L, s->state == EXPIRING || s->state == EXPIRED);
  return 1;
}


/* __close(scope, err) */
static int timeout_close(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_scope *s = check_scope(L);
  asy_task *t = s->task;
  bool own;
  if (t == NULL)
    return 0;
  own = scope_exit(t, s) && t == rt->task;
  asy_unpin(L, rt, &s->slot);
  if (own && asy_error_is(L, rt, 2, ASY_CANCELLED_ERROR))
    return asy_error_raise(L, ASY_TIMEOUT_ERROR, "timed out");
  return 0;
}


static int timeout_tostring(lua_State *L) {
  static const char *const name[] = {"active", "expiring", "expired",
                                     "finished"};
  lua_pushfstring(L, "<Timeout [%s]>", name[check_scope(L)->state]);
  return 1;
}

/* }====== */


/* {====== wait_for() ====== */

static int timed_out(lua_State *L) {
  return asy_error_raise(L, ASY_TIMEOUT_ERROR, "timed out");
}


/* The scope of that wait_for; NULL when the task that it was in has ended: it
** is in a coroutine that goes on elsewhere. As a rule it is the innermost. */
static asy_scope *find_scope(asy_rt *rt, lua_KContext id) {
  asy_task *t = rt->task;
  asy_scope *s = NULL;
  if (t != NULL && !asy_list_empty(&t->scopes))
    s = asy_of(t->scopes.next, asy_scope, link);
  if (asy_unlikely(s == NULL || s->id != id))
    for (s = rt->scopes_made; s != NULL && s->id != id; s = s->made)
      continue;
  return s;
}


/* Leaves the scope of the ending wait_for. */
static bool leave(asy_rt *rt, lua_KContext id) {
  asy_scope *s = find_scope(rt, id);
  bool own = false;
  if (s != NULL) {
    asy_task *t = s->task;
    own = scope_exit(t, s) && t == rt->task;
    scope_give(s);
  }
  return own;
}


/* The awaited future, at 1, ended or the task was cancelled. */
static int future_woken(lua_State *L, int status, lua_KContext id) {
  asy_rt *rt = asy_rt_up(L);
  asy_task *t = rt->task;
  asy_future *f = (asy_future *)lua_touserdata(L, 1);
  bool is_cancel;
  (void)status;
  asy_resumed(L, t);
  if (asy_unlikely(t->fut.flags & ASY_KILLED))
    asy_woken(L, t); /* does not return */
  is_cancel = asy_iscancelled(t) || f->state == ASY_CANCELLED;
  if (leave(rt, id) && is_cancel) {
    t->tflags &= (uint8_t)~ASY_TASK_CANCEL;
    return timed_out(L);
  }
  asy_woken(L, t);
  return asy_await_values(L, t, f, 1);
}


/* The function's results are above the message handler, at 1; or its error. */
static int function_done(lua_State *L, int status, lua_KContext id) {
  asy_rt *rt = asy_rt_up(L);
  bool own = leave(rt, id);
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - 1;
  if (own && asy_error_is(L, rt, -1, ASY_CANCELLED_ERROR))
    return timed_out(L);
  return asy_task_rethrow(L, rt);
}


/* The task must be cancellable by itself here: what it waits for was cancelled
** already, and perhaps takes its time. */
static asy_future *late_abort(asy_task *t) {
  asy_list_remove(&t->watch.link);
  return NULL;
}


static const asy_wait late_wait = {"future", late_abort};


/* The future, 'ctx', at 1, was cancelled because there was no time at all for
** it. */
static int late_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_future *f = (asy_future *)ctx;
  asy_task *t = f->rt->task;
  (void)status;
  asy_woken(L, t);
  if (f->state == ASY_CANCELLED)
    return timed_out(L);
  return asy_await_values(L, t, f, 1);
}


/* wait_for of a pending future at 1, whose deadline has passed. */
static int wait_late(lua_State *L, asy_task *t, asy_future *f) {
  asy_future_cancel(f);
  if (f->state != ASY_PENDING)
    return late_woken(L, LUA_OK, (lua_KContext)f);
  asy_await_watch(L, t, f);
  return asy_park(L, t, &late_wait, f, (lua_KContext)f, late_woken);
}


/* Enters a scope, whose id is for 'leave'. 'slot' is the pin of L, or 0. */
static asy_scope *enter(lua_State *L, asy_task *t, lua_Number timeout,
                        uint32_t slot) {
  asy_scope *s = scope_take(t->fut.rt);
  if (s == NULL) {
    asy_list_remove(&t->watch.link);
    asy_unpin(L, t->fut.rt, &slot);
    luaL_error(L, "not enough memory");
  }
  s->slot = slot;
  s->co = slot != 0 ? L : NULL;
  scope_enter(s, t);
  scope_armafter(s, timeout);
  return s;
}


/* A cancellation that is due already is an outer one, too, and is delivered by
** this wait. */
static int wait_future(lua_State *L, asy_task *t, asy_future *f,
                       lua_Number timeout) {
  bool due = asy_iscancelled(t) && t->cancels > 0;
  asy_scope *s;
  lua_settop(L, 1);
  if (f->state != ASY_PENDING)
    return asy_await_values(L, t, f, 1);
  if (timeout <= 0)
    return wait_late(L, t, f);
  asy_await_watch(L, t, f);
  s = enter(L, t, timeout, 0);
  s->cancels -= due;
  return asy_park(L, t, &asy_wait_future, f, s->id, future_woken);
}


/* Pins L if it is a coroutine inside the task. */
static uint32_t pin_coroutine(lua_State *L, asy_task *t) {
  uint32_t slot;
  if (asy_likely(t->co == L))
    return 0;
  lua_pushthread(L);
  slot = asy_pin(L, t->fut.rt, -1);
  lua_pop(L, 1);
  return slot;
}


static int wait_function(lua_State *L, asy_rt *rt, lua_Number timeout) {
  lua_KContext id;
  int status;
  if (timeout <= 0) {
    if (asy_tokind(L, rt, 1, ASY_COROUTINE) != NULL)
      asy_coroutine_close(L, 1);
    return timed_out(L);
  }
  lua_remove(L, 2); /* the timeout */
  asy_await_function(L, rt, 1);
  lua_pushcfunction(L, asy_task_msgh);
  lua_insert(L, 1);
  id = enter(L, rt->task, timeout, pin_coroutine(L, rt->task))->id;
  status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, id, function_done);
  return function_done(L, status, id);
}


static int return_all(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return lua_gettop(L);
}


static int wait_forever(lua_State *L, asy_rt *rt, asy_future *f) {
  lua_remove(L, 2);
  if (f != NULL)
    return asy_await_future(L, rt, f, "wait_for");
  asy_await_function(L, rt, 1);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, return_all);
  return lua_gettop(L);
}


/* wait_for(aw, timeout, ...) */
static int wait_for(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  bool timed = !lua_isnoneornil(L, 2);
  lua_Number timeout_ = timed ? asy_checktime(L, 2) : 0;
  asy_future *f = asy_tofuture(L, rt, 1);
  asy_task *t;
  if (f == NULL && !asy_await_is(L, rt, 1))
    return asy_await_typeerror(L, 1);
  if (lua_gettop(L) < 2)
    lua_settop(L, 2);
  t = asy_task_here(L, rt, "wait_for");
  if (!timed)
    return wait_forever(L, rt, f);
  if (f != NULL)
    return wait_future(L, t, f, timeout_);
  return wait_function(L, rt, timeout_);
}

/* }====== */


void asy_timeout_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"when", timeout_when},
      {"reschedule", reschedule},
      {"expired", expired},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", timeout_close},
      {"__tostring", timeout_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"timeout", timeout},
      {"timeout_at", timeout_at},
      {"wait_for", wait_for},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_TIMEOUT, "asyncio.Timeout", methods, meta, 0);
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}
