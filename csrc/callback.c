/*
** Handles, and everything that schedules one: a callback is pinned from its
** making until it ran or was cancelled; that of a future which might never be
** done is kept by the future, until then.
*/
#include "callback.h"

#include "anchor.h"
#include "context.h"
#include "coroutine.h"
#include "debug.h"
#include "error.h"
#include "pin.h"
#include "report.h"
#include "task.h"

/* Functions of the loop take so many arguments at most. */
#define MAX_ARGS 200


/* {====== Running ====== */

int asy_callback_call(lua_State *L) {
  asy_callback *cb = (asy_callback *)lua_touserdata(L, 1);
  int n = cb->nargs;
  luaL_checkstack(L, n + LUA_MINSTACK, "too many arguments");
  lua_getiuservalue(L, 1, ASY_CB_FUNCTION);
  for (int i = 1; i <= n; i++)
    lua_getiuservalue(L, 1, ASY_CB_VALUES + i);
  lua_call(L, n, 0);
  return 0;
}


static void drop_value(lua_State *L, int idx, int value) {
  lua_pushnil(L);
  lua_setiuservalue(L, idx, value);
}


/* Lets go of the pin of the callback at 'idx', of its function and arguments. */
static void callback_release(lua_State *L, asy_callback *cb, int idx) {
  if (cb->slot == 0)
    return;
  asy_unpin(L, cb->rt, &cb->slot);
  drop_value(L, idx, ASY_CB_FUNCTION);
  if (cb->rt->contexts)
    drop_value(L, idx, ASY_CB_CONTEXT);
  for (int i = 1; i <= cb->nargs; i++)
    drop_value(L, idx, ASY_CB_VALUES + i);
}


static void callback_run(lua_State *L, asy_ready *e) {
  asy_callback *cb = asy_of(e, asy_callback, ready);
  asy_rt *rt = cb->rt;
  uint64_t start = cb->loop->debug ? asy_loop_now() : 0;
  int base = lua_gettop(L), status, context;
  lua_rawgeti(L, ASY_PINS, cb->slot);
  if (cb->cancelled) {
    callback_release(L, cb, base + 1);
    lua_settop(L, base);
    return;
  }
  lua_pushcfunction(L, asy_report_msgh);
  lua_pushcfunction(L, asy_callback_call);
  lua_pushvalue(L, base + 1);
  context = asy_context_enter(L, rt, base + 1, ASY_CB_CONTEXT);
  status = lua_pcall(L, 1, 0, base + 2);
  if (status != LUA_OK) {
    lua_replace(L, base + 2);
    lua_settop(L, base + 2);
    if (asy_error_is(L, rt, -1, ASY_KEYBOARD_INTERRUPT))
      asy_loop_fail(L, cb->loop);
    else
      asy_report_error(L, cb->loop, "error in callback", base + 1);
  }
  asy_context_leave(L, rt, context);
  if (asy_unlikely(start != 0))
    asy_debug_callback(L, cb, base + 1, start);
  if (!cb->repeats)
    callback_release(L, cb, base + 1);
  lua_settop(L, base);
}


static void callback_failed(lua_State *L, asy_ready *e) {
  asy_callback *cb = asy_of(e, asy_callback, ready);
  if (!cb->repeats) /* else whoever registered it points to it */
    asy_callback_cancel(L, cb);
  asy_report_error(L, cb->loop, "error in callback", 0);
}


static void callback_dropped(lua_State *L, asy_ready *e) {
  asy_callback *cb = asy_of(e, asy_callback, ready);
  if (!cb->repeats)
    asy_callback_cancel(L, cb);
}


static const asy_ready_ops callback_ops = {callback_run, callback_failed,
                                           callback_dropped};

/* }====== */


/* {====== Making and cancelling ====== */

void asy_callback_checkfn(lua_State *L, int arg) {
  if (asy_coroutine_isfunction(L, arg))
    luaL_argerror(L, arg,
                  "a coroutine function cannot be a callback: use "
                  "create_task");
  if (lua_isfunction(L, arg))
    return;
  if (luaL_getmetafield(L, arg, "__call") == LUA_TNIL)
    luaL_checktype(L, arg, LUA_TFUNCTION);
  lua_pop(L, 1);
}


/* The same as asy_callback_new, but nothing keeps it. */
static asy_callback *callback_make(lua_State *L, asy_rt *rt, asy_kind kind,
                                   int loopidx, int nargs) {
  int fn = lua_gettop(L) - nargs;
  asy_callback *cb;
  if (nargs > MAX_ARGS)
    luaL_error(L, "too many arguments to a callback (more than %d)", MAX_ARGS);
  cb = (asy_callback *)asy_new(L, rt, kind, sizeof(asy_callback),
                               ASY_CB_VALUES + nargs);
  cb->loop = (asy_loop *)lua_touserdata(L, loopidx);
  cb->ready.ops = &callback_ops;
  cb->nargs = (uint8_t)nargs;
  for (int i = 1; i <= nargs; i++) {
    lua_pushvalue(L, fn + i);
    lua_setiuservalue(L, -2, ASY_CB_VALUES + i);
  }
  lua_pushvalue(L, fn);
  lua_setiuservalue(L, -2, ASY_CB_FUNCTION);
  lua_pushvalue(L, loopidx);
  lua_setiuservalue(L, -2, ASY_CB_LOOP);
  lua_copy(L, -1, fn);
  lua_settop(L, fn);
  if (rt->contexts) {
    asy_context_copy(L, rt);
    lua_setiuservalue(L, fn, ASY_CB_CONTEXT);
  }
  if (asy_unlikely(cb->loop->debug)) {
    asy_debug_source(L);
    lua_setiuservalue(L, fn, ASY_CB_SOURCE);
  }
  asy_loop_checkopen(L, cb->loop); /* a finalizer may have closed it */
  return cb;
}


asy_callback *asy_callback_new(lua_State *L, asy_rt *rt, asy_kind kind,
                               int loopidx, int nargs) {
  asy_callback *cb = callback_make(L, rt, kind, loopidx, nargs);
  cb->slot = asy_pin(L, rt, -1);
  return cb;
}


void asy_callback_cancel(lua_State *L, asy_callback *cb) {
  cb->cancelled = true;
  if (asy_list_linked(&cb->timer.link))
    asy_loop_unsettimer(cb->loop, &cb->timer);
  asy_list_remove(&cb->watch.link);
  if (asy_ready_queued(&cb->ready) || cb->slot == 0)
    return; /* released when its turn comes, or before */
  if (cb->kind == ASY_CALLBACK)
    asy_anchor_hold(cb->rt, cb->slot);
  asy_pin_push(L, cb->rt, cb->slot);
  callback_release(L, cb, lua_gettop(L));
  lua_pop(L, 1);
}

/* }====== */


/* {====== Lua's view ====== */

static asy_loop *check_open_loop(lua_State *L) {
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  asy_loop_checkopen(L, loop);
  return loop;
}


/* loop:call_soon(fn, ...) */
static int call_soon(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = check_open_loop(L);
  asy_callback *cb;
  asy_callback_checkfn(L, 2);
  cb = asy_callback_new(L, rt, ASY_HANDLE, 1, lua_gettop(L) - 2);
  asy_loop_ready(loop, &cb->ready);
  return 1;
}


static void timer_due(asy_timer *timer) {
  asy_callback *cb = asy_of(timer, asy_callback, timer);
  asy_loop_ready(cb->loop, &cb->ready);
}


/* Schedules the function at 3 and its arguments; 'when' is absolute. */
static int call_when(lua_State *L, asy_loop *loop, uint64_t when) {
  asy_callback *cb;
  asy_callback_checkfn(L, 3);
  cb = asy_callback_new(L, asy_rt_up(L), ASY_TIMERHANDLE, 1, lua_gettop(L) - 3);
  asy_loop_settimer(loop, &cb->timer, when, timer_due);
  if (when <= asy_loop_now())
    asy_loop_overdue(loop);
  return 1;
}


lua_Number asy_checktime(lua_State *L, int arg) {
  int isnum;
  lua_Number n = lua_tonumberx(L, arg, &isnum);
  if (asy_unlikely(!isnum))
    return luaL_checknumber(L, arg); /* raises */
  luaL_argcheck(L, n == n, arg, "time expected, got nan");
  return n;
}


/* loop:call_later(delay, fn, ...) */
static int call_later(lua_State *L) {
  asy_loop *loop = check_open_loop(L);
  return call_when(L, loop, asy_loop_after(asy_checktime(L, 2)));
}


/* loop:call_at(when, fn, ...) */
static int call_at(lua_State *L) {
  asy_loop *loop = check_open_loop(L);
  return call_when(L, loop, asy_loop_at(asy_checktime(L, 2)));
}


static void done_fire(asy_watch *w, asy_future *f) {
  asy_callback *cb = asy_of(w, asy_callback, watch);
  if (f->kind != ASY_TASK)
    asy_anchor_hold(cb->rt, cb->slot);
  asy_loop_ready(f->loop, &cb->ready);
}


/* The future's list of done callbacks, made when missing. */
static void push_callbacks(lua_State *L) {
  if (asy_future_getextra(L, 1, "callbacks") == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  asy_future_setextra(L, 1, "callbacks");
}


/* fut:add_done_callback(fn): fn(fut) is called soon after fut is done */
static int add_done_callback(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_future *f = asy_checkfuture(L, 1);
  asy_callback *cb;
  asy_callback_checkfn(L, 2);
  asy_loop_checkopen(L, f->loop);
  lua_settop(L, 2);
  asy_future_pushloop(L, 1);
  lua_insert(L, 2); /* future, loop, function */
  push_callbacks(L);
  lua_insert(L, 3);    /* future, loop, list, function */
  lua_pushvalue(L, 1); /* its argument */
  cb = callback_make(L, rt, ASY_CALLBACK, 2, 1);
  if (f->state != ASY_PENDING || asy_anchor_issure(f))
    cb->slot = asy_pin(L, rt, -1);
  else
    cb->slot = asy_anchor_new(L, rt, -1);
  if (f->state == ASY_PENDING) {
    lua_rawseti(L, 3, (lua_Integer)lua_rawlen(L, 3) + 1);
    asy_future_watch(f, &cb->watch, done_fire);
  } else {
    asy_anchor_hold(rt, cb->slot);
    asy_loop_ready(f->loop, &cb->ready);
  }
  return 0;
}


/* fut:remove_done_callback(fn) returns how many were removed; those of a future
** that is done are on their way. */
static int remove_done_callback(lua_State *L) {
  asy_future *f = asy_checkfuture(L, 1);
  lua_Integer removed = 0, kept = 0, n;
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  if (f->state != ASY_PENDING ||
      asy_future_getextra(L, 1, "callbacks") != LUA_TTABLE) {
    lua_pushinteger(L, 0);
    return 1;
  }
  n = (lua_Integer)lua_rawlen(L, 3);
  for (lua_Integer i = 1; i <= n; i++) {
    asy_callback *cb;
    lua_rawgeti(L, 3, i);
    cb = (asy_callback *)lua_touserdata(L, 4);
    lua_getiuservalue(L, 4, ASY_CB_FUNCTION);
    if (cb->slot != 0 && !cb->cancelled && lua_rawequal(L, 5, 2)) {
      asy_callback_cancel(L, cb);
      removed++;
    } else {
      lua_pushvalue(L, 4);
      lua_rawseti(L, 3, ++kept);
    }
    lua_settop(L, 3);
  }
  for (lua_Integer i = kept + 1; i <= n; i++) {
    lua_pushnil(L);
    lua_rawseti(L, 3, i);
  }
  lua_pushinteger(L, removed);
  return 1;
}


static asy_callback *check_handle(lua_State *L) {
  asy_object *o = asy_toobject(L, asy_rt_up(L), 1);
  if (o == NULL || (o->kind != ASY_HANDLE && o->kind != ASY_TIMERHANDLE &&
                    o->kind != ASY_CALLBACK))
    asy_typeerror(L, 1, asy_kindname(ASY_HANDLE));
  return (asy_callback *)o;
}


static int handle_cancel(lua_State *L) {
  asy_callback_cancel(L, check_handle(L));
  return 0;
}


static int handle_cancelled(lua_State *L) {
  lua_pushboolean(L, check_handle(L)->cancelled);
  return 1;
}


static int when(lua_State *L) {
  asy_callback *cb = (asy_callback *)asy_checkkind(L, 1, ASY_TIMERHANDLE);
  lua_pushnumber(L, (lua_Number)cb->timer.when * 1e-9);
  return 1;
}


/* Pushes " function file:line" for the function on the top, which it pops; an
** empty string for what is none. */
static void push_place(lua_State *L) {
  lua_Debug ar;
  if (!lua_isfunction(L, -1)) {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    return;
  }
  lua_getinfo(L, ">S", &ar);
  if (ar.linedefined > 0)
    lua_pushfstring(L, " function %s:%d", ar.short_src, ar.linedefined);
  else
    lua_pushfstring(L, " function %s", ar.short_src);
}


static int handle_tostring(lua_State *L) {
  asy_callback *cb = check_handle(L);
  const char *state = cb->cancelled   ? " cancelled"
                      : cb->slot == 0 ? " done"
                                      : "";
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, ASY_CB_FUNCTION);
  push_place(L);
  lua_getiuservalue(L, 1, ASY_CB_SOURCE);
  lua_pushfstring(L, "<%s%s%s%s%s>",
                  cb->kind == ASY_TIMERHANDLE ? "TimerHandle" : "Handle", state,
                  lua_tostring(L, 2), lua_isstring(L, 3) ? " created at " : "",
                  lua_isstring(L, 3) ? lua_tostring(L, 3) : "");
  return 1;
}


static void add_methods(lua_State *L, asy_rt *rt, asy_kind kind,
                        const luaL_Reg *methods) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[kind]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
}


void asy_callback_open(lua_State *L) {
  static const luaL_Reg handle[] = {
      {"cancel", handle_cancel},
      {"cancelled", handle_cancelled},
      {NULL, NULL},
  };
  static const luaL_Reg timer[] = {{"when", when}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__tostring", handle_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg loop[] = {
      {"call_soon", call_soon},
      {"call_soon_threadsafe", call_soon},
      {"call_later", call_later},
      {"call_at", call_at},
      {NULL, NULL},
  };
  static const luaL_Reg future[] = {
      {"add_done_callback", add_done_callback},
      {"remove_done_callback", remove_done_callback},
      {NULL, NULL},
  };
  asy_rt *rt = asy_rt_of(L);
  asy_newmeta(L, ASY_HANDLE, "asyncio.Handle", handle, meta, 0);
  asy_newmeta(L, ASY_TIMERHANDLE, "asyncio.TimerHandle", timer, meta,
              ASY_HANDLE);
  lua_pop(L, 1);
  rt->meta[ASY_CALLBACK] = luaL_ref(L, LUA_REGISTRYINDEX); /* as a Handle */
  add_methods(L, rt, ASY_LOOP, loop);
  add_methods(L, rt, ASY_FUTURE, future);
}

/* }====== */
