/*
** Reports: the context of an error, and the loop's exception handler.
*/
#include "report.h"

#include "callback.h"
#include "context.h"
#include "error.h"
#include "task.h"
#include "traceback.h"
#include "transport.h"

static int report(lua_State *L);


/* {====== Tracebacks outside of tasks ====== */

/* Registry key of the error that was met last, and its traceback. */
static const char last_key = 0;


/* The level of the frame that only calls a callback or a handler; below it is
** the loop. -1 when there is none. */
static int find_end(lua_State *L) {
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_CFunction f;
    lua_getinfo(L, "f", &ar);
    f = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    if (f == asy_callback_call || f == report)
      return level;
  }
  return -1;
}


int asy_report_msgh(lua_State *L) {
  asy_rt *rt = asy_rt_of(L);
  lua_settop(L, 1);
  asy_error_nonil(L);
  asy_traceback(L, L, 1, find_end(L));
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, 3, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, 3, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &last_key);
  if (asy_error_isany(L, rt, 1)) {
    lua_pushliteral(L, "traceback");
    lua_insert(L, 2);
    lua_rawset(L, 1);
  }
  lua_settop(L, 1);
  return 1;
}


/* Pushes the traceback of the error at 'err' if it was the last one met, else
** nil. */
static void take_traceback(lua_State *L, int err) {
  lua_pushnil(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &last_key) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 1);
    if (lua_rawequal(L, -1, err)) {
      lua_rawgeti(L, -2, 2);
      lua_replace(L, -4);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &last_key);
  }
  lua_pop(L, 1);
}

/* }====== */


/* {====== The handler ====== */

/* The handler raised the error on the top for the context at 'context': both
** are written, the second error first. */
static void handler_failed(lua_State *L, int context) {
  int err = lua_gettop(L);
  lua_createtable(L, 0, 3);
  lua_pushliteral(L, "the exception handler failed");
  lua_setfield(L, -2, "message");
  lua_pushvalue(L, err);
  lua_setfield(L, -2, "exception");
  take_traceback(L, err);
  lua_setfield(L, -2, "traceback");
  asy_report_write(L, -1);
  asy_report_write(L, context);
}


/* Calls the loop's handler, or the default one, with the loop at 1 and the
** context on the top. When the handler raises a KeyboardInterrupt, returns
** true, and that is on the top. */
static bool call_handler(lua_State *L) {
  asy_rt *rt = ((asy_loop *)lua_touserdata(L, 1))->rt;
  int context = lua_gettop(L);
  if (lua_getiuservalue(L, 1, ASY_LOOP_HANDLER) == LUA_TNIL) {
    asy_report_write(L, context);
    return false;
  }
  lua_pushcfunction(L, asy_report_msgh);
  lua_insert(L, -2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, context);
  if (lua_pcall(L, 2, 0, context + 1) == LUA_OK)
    return false;
  if (asy_error_is(L, rt, -1, ASY_KEYBOARD_INTERRUPT))
    return true;
  handler_failed(L, context);
  return false;
}


/* Enters the context of the object at 'idx', if that is a task; for
** asy_context_leave. */
static int enter_context(lua_State *L, asy_rt *rt, int idx) {
  int previous = rt->context;
  if (rt->contexts && asy_tokind(L, rt, idx, ASY_TASK) != NULL) {
    asy_context_pushtask(L, idx);
    rt->context = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return previous;
}


/* Sets the field for the object at 'obj' in the context on the top. */
static void set_object(lua_State *L, int obj) {
  const asy_object *o = (const asy_object *)lua_touserdata(L, obj);
  lua_pushvalue(L, obj);
  if (o->kind == ASY_TASK) {
    lua_setfield(L, -2, "task");
  } else if (o->kind == ASY_TRANSPORT || o->kind == ASY_DGRAM) {
    lua_setfield(L, -2, "transport");
    lua_getiuservalue(L, obj, ASY_TRANSPORT_PROTOCOL);
    lua_setfield(L, -2, "protocol");
  } else {
    lua_setfield(L, -2, asy_isfuture(o) ? "future" : "handle");
  }
}


/* Pushes the traceback of the error at 'err', which the object at 'obj', or
** nil, met. */
static void push_origin(lua_State *L, asy_rt *rt, int err, int obj) {
  const asy_future *f = asy_tofuture(L, rt, obj);
  if (f != NULL && f->state == ASY_FAILED)
    asy_future_gettraceback(L, obj);
  else
    take_traceback(L, err);
}


/* report(loop, message as a pointer, error, object or nil) */
static int report(lua_State *L) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, 1);
  asy_rt *rt = loop->rt;
  int previous;
  lua_createtable(L, 0, 4);
  lua_pushstring(L, (const char *)lua_touserdata(L, 2));
  lua_setfield(L, 5, "message");
  lua_pushvalue(L, 3);
  lua_setfield(L, 5, "exception");
  push_origin(L, rt, 3, 4);
  lua_setfield(L, 5, "traceback");
  if (!lua_isnil(L, 4))
    set_object(L, 4);
  previous = enter_context(L, rt, 4);
  if (call_handler(L))
    asy_loop_fail(L, loop);
  asy_context_leave(L, rt, previous);
  return 0;
}


void asy_report_error(lua_State *L, asy_loop *loop, const char *message,
                      int obj) {
  int err = lua_gettop(L);
  if (!lua_checkstack(L, LUA_MINSTACK)) {
    lua_pop(L, 1);
    return;
  }
  lua_pushcfunction(L, report);
  asy_loop_push(L, loop);
  lua_pushlightuserdata(L, (void *)message);
  lua_pushvalue(L, err);
  if (obj == 0)
    lua_pushnil(L);
  else
    lua_pushvalue(L, obj);
  if (lua_pcall(L, 4, 0, 0) != LUA_OK)
    lua_pop(L, 1);
  lua_settop(L, err - 1);
}

/* }====== */


/* {====== Lua's view ====== */

/* Checks the loop and the context, a table with a message. */
static void check_arguments(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_argcheck(L, lua_getfield(L, 2, "message") != LUA_TNIL, 2,
                "field 'message' is missing");
  lua_settop(L, 2);
}


/* loop:default_exception_handler(context) */
static int default_exception_handler(lua_State *L) {
  check_arguments(L);
  asy_report_write(L, 2);
  return 0;
}


/* loop:call_exception_handler(context) */
static int call_exception_handler(lua_State *L) {
  check_arguments(L);
  if (call_handler(L))
    return lua_error(L);
  return 0;
}


void asy_report_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"default_exception_handler", default_exception_handler},
      {"call_exception_handler", call_exception_handler},
      {NULL, NULL},
  };
  lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_of(L)->meta[ASY_LOOP]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
  asy_lost_open(L);
}

/* }====== */
