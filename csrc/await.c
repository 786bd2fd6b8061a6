/*
** Awaiting: the function and method 'await', and what else is awaitable.
*/
#include "await.h"

#include "coroutine.h"
#include "debug.h"
#include "error.h"


/* {====== Awaiting a future ====== */

static void future_done(asy_watch *w, asy_future *f) {
  (void)f;
  asy_unpark(asy_of(w, asy_task, watch));
}


/* Cancelling a task cancels the future that it awaits. */
static asy_future *future_abort(asy_task *t) {
  return (asy_future *)t->on;
}


const asy_wait asy_wait_future = {"future", future_abort};


/* Raises the cancellation of the future at 'idx' in the task that awaited it:
** where the task's own cancellation was the cause, with its message. */
static int raise_cancelled(lua_State *L, asy_task *t, int idx) {
  int top = lua_gettop(L) + 1;
  asy_future_pusherror(L, idx);
  if (t->cancels > 0 && lua_getfield(L, -1, "message") == LUA_TNIL) {
    asy_task_pushcancelled(L, t);
    if (asy_unlikely(t->fut.loop->debug))
      asy_debug_cancelled(L, t);
    return lua_error(L);
  }
  lua_settop(L, top);
  return lua_error(L);
}


int asy_await_values(lua_State *L, asy_task *t, asy_future *f, int idx) {
  if (asy_likely(f->state == ASY_FINISHED))
    return asy_future_takefrom(L, f, idx);
  if (f->state == ASY_CANCELLED && t != NULL)
    return raise_cancelled(L, t, idx);
  asy_task_crossing(L, idx);
  return asy_future_raise(L, idx);
}


/* 'ctx' is the future at 1. */
static int await_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_future *f = (asy_future *)ctx;
  asy_task *t = f->rt->task;
  (void)status;
  asy_woken(L, t);
  return asy_await_values(L, t, f, 1);
}


/* Refuses to wait for what waits for the task itself. Longer rings than these
** are found when the loop has nothing else to do. */
static void check_ring(lua_State *L, asy_task *t, asy_future *f) {
  asy_future *next = f;
  for (int hops = 0; hops < 16 && next->kind == ASY_TASK; hops++) {
    asy_task *other = (asy_task *)next;
    if (other == t)
      asy_error_raise(L, ASY_RUNTIME_ERROR,
                      hops == 0 ? "a task cannot await itself"
                                : "tasks cannot await each other in a ring");
    if (!(other->tflags & ASY_TASK_PARKED) || other->how != &asy_wait_future ||
        asy_task_isleft(other))
      return;
    next = (asy_future *)other->on;
  }
}


void asy_await_watch(lua_State *L, asy_task *t, asy_future *f) {
  if (f->kind == ASY_TASK)
    check_ring(L, t, f);
  if (f->loop != t->fut.loop)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the future belongs to a different event loop");
  asy_future_watch(f, &t->watch, future_done);
}


int asy_await_future(lua_State *L, asy_rt *rt, asy_future *f,
                     const char *fname) {
  asy_task *t;
  lua_settop(L, 1);
  t = rt->task;
  if (f->state != ASY_PENDING &&
      (t == NULL || asy_likely(!(t->tflags & ASY_TASK_ATOMIC))))
    return asy_await_values(L, NULL, f, 1);
  t = asy_task_here(L, rt, fname);
  asy_await_watch(L, t, f);
  return asy_park(L, t, &asy_wait_future, f, (lua_KContext)f, await_woken);
}

/* }====== */


/* {====== Other awaitables ====== */

/* Whether the value is a Lua thread that has not started. */
static bool is_fresh_thread(lua_State *L, int idx) {
  lua_State *co = lua_tothread(L, idx);
  lua_Debug ar;
  return co != NULL && lua_status(co) == LUA_OK &&
         lua_getstack(co, 0, &ar) == 0 && lua_gettop(co) > 0;
}


bool asy_await_is(lua_State *L, asy_rt *rt, int idx) {
  asy_object *o;
  if (lua_isfunction(L, idx) || is_fresh_thread(L, idx))
    return true;
  o = asy_toobject(L, rt, idx);
  if (asy_isfuture(o) || (o != NULL && o->kind == ASY_COROUTINE))
    return true;
  if (luaL_getmetafield(L, idx, "__await") == LUA_TNIL)
    return false;
  lua_pop(L, 1);
  return true;
}


/* Replaces the thread at 'idx' by the function and arguments it holds. */
static void unpack_thread(lua_State *L, int idx) {
  lua_State *co = lua_tothread(L, idx);
  int n = lua_gettop(co);
  luaL_checkstack(L, n, "too many arguments");
  lua_settop(L, idx);
  lua_xmove(co, L, n);
  lua_remove(L, idx);
}


bool asy_await_function(lua_State *L, asy_rt *rt, int idx) {
  if (lua_isfunction(L, idx)) {
    if (asy_coroutine_isfunction(L, idx))
      asy_coroutine_unwrap(L, idx);
    return true;
  }
  if (asy_tokind(L, rt, idx, ASY_COROUTINE) != NULL) {
    lua_settop(L, idx);
    asy_coroutine_take(L, idx);
    asy_coroutine_start(L, idx);
    lua_remove(L, idx);
    return true;
  }
  if (is_fresh_thread(L, idx)) {
    unpack_thread(L, idx);
    return true;
  }
  if (asy_tofuture(L, rt, idx) == NULL &&
      luaL_getmetafield(L, idx, "__await") != LUA_TNIL) {
    lua_insert(L, idx);
    lua_settop(L, idx + 1);
    return true;
  }
  return false;
}


int asy_await_typeerror(lua_State *L, int arg) {
  if (lua_isthread(L, arg))
    return luaL_argerror(L, arg, "cannot await a thread that has started");
  return asy_typeerror(L, arg, "function or awaitable");
}


void asy_await_ensure(lua_State *L, asy_rt *rt, int loopidx, int idx) {
  if (asy_tofuture(L, rt, idx) != NULL)
    lua_settop(L, idx);
  else
    asy_task_create(L, rt, loopidx, idx);
}

/* }====== */


/* {====== Lua's view ====== */

static int return_all(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  return lua_gettop(L);
}


/* await(aw, ...); also the method of futures and Coroutine objects */
static int await(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_future *f = asy_tofuture(L, rt, 1);
  if (asy_likely(f != NULL))
    return asy_await_future(L, rt, f, "await");
  if (!asy_await_is(L, rt, 1))
    return asy_await_typeerror(L, 1);
  asy_task_here(L, rt, "await");
  asy_await_function(L, rt, 1);
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, return_all);
  return lua_gettop(L);
}


/* check_await(fname): raises what an await would raise here if it could not
** suspend */
static int check_await(lua_State *L) {
  asy_task_here(L, asy_rt_up(L), luaL_checkstring(L, 1));
  return 0;
}


static int isawaitable(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, asy_await_is(L, asy_rt_up(L), 1));
  return 1;
}


static int isfuture(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, asy_tofuture(L, asy_rt_up(L), 1) != NULL);
  return 1;
}


/* ensure_future(aw, ...) */
static int ensure_future(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  if (asy_tofuture(L, rt, 1) == NULL) {
    if (!asy_await_is(L, rt, 1))
      return asy_await_typeerror(L, 1);
    asy_loop_get(L, rt);
    lua_insert(L, 1);
    asy_await_ensure(L, rt, 1, 2);
    return 1;
  }
  lua_settop(L, 1);
  return 1;
}


static void add_method(lua_State *L, asy_rt *rt, asy_kind kind) {
  static const luaL_Reg methods[] = {{"await", await}, {NULL, NULL}};
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[kind]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
}


void asy_await_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"await", await},
      {"isawaitable", isawaitable},
      {"isfuture", isfuture},
      {"ensure_future", ensure_future},
      {"check_await", check_await},
      {NULL, NULL},
  };
  asy_rt *rt = asy_rt_of(L);
  asy_setfuncs(L, funcs);
  add_method(L, rt, ASY_FUTURE);
  add_method(L, rt, ASY_COROUTINE);
}

/* }====== */
