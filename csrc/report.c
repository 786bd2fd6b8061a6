/*
** Reports: the context of an error, the loop's exception handler, and the
** default one, which writes to stderr.
*/
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "callback.h"
#include "context.h"
#include "error.h"
#include "task.h"

/* Registry key of the error that a callback raised last and its traceback. */
static const char last_key = 0;


/* {====== Writing ====== */

void asy_report_warn(lua_State *L, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  lua_writestringerror("asyncio: %s\n", lua_tostring(L, -1));
  lua_pop(L, 1);
}


/* Adds "  <key>: <value>", the lines after the first further to the right; the
** value is the string on the top, which is popped. */
static void add_field(lua_State *L, luaL_Buffer *b, const char *key) {
  lua_pushfstring(L, "\n  %s: ", key);
  lua_insert(L, -2);
  luaL_gsub(L, lua_tostring(L, -1), "\n", "\n  ");
  lua_remove(L, -2);
  lua_concat(L, 2);
  luaL_addvalue(b);
}


/* Whether a key of a context is shown in a way of its own. */
static bool is_special(const char *key) {
  return strcmp(key, "message") == 0 || strcmp(key, "exception") == 0 ||
         strcmp(key, "traceback") == 0;
}


/* Pushes the sorted list of the other keys of the context at 1. */
static lua_Integer push_keys(lua_State *L) {
  lua_Integer n = 0;
  int list;
  lua_newtable(L);
  list = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    lua_Integer at = n;
    if (lua_type(L, -2) != LUA_TSTRING || is_special(lua_tostring(L, -2)))
      continue;
    for (; at > 0; at--) {
      bool sorted;
      lua_rawgeti(L, list, at);
      sorted = lua_compare(L, -1, -3, LUA_OPLT);
      if (sorted) {
        lua_pop(L, 1);
        break;
      }
      lua_rawseti(L, list, at + 1);
    }
    lua_pushvalue(L, -2);
    lua_rawseti(L, list, at + 1);
    n++;
  }
  return n;
}


/* Pushes the traceback of the context at 1, or nil. */
static bool push_traceback(lua_State *L) {
  if (lua_getfield(L, 1, "traceback") == LUA_TSTRING)
    return true;
  lua_pop(L, 1);
  if (lua_getfield(L, 1, "exception") != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_pushnil(L);
    return false;
  }
  lua_pushliteral(L, "traceback");
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return lua_type(L, -1) == LUA_TSTRING;
}


/* write(context) */
static int write_context(lua_State *L) {
  luaL_Buffer b;
  lua_Integer n;
  lua_settop(L, 1);
  n = push_keys(L); /* at 2 */
  lua_getfield(L, 1, "message");
  luaL_tolstring(L, 3, NULL);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, lua_tostring(L, 4));
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    lua_insert(L, -2);
    {
      const char *key = lua_tostring(L, -1); /* the context keeps it */
      lua_pop(L, 1);
      add_field(L, &b, key);
    }
  }
  if (lua_getfield(L, 1, "exception") != LUA_TNIL) {
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    add_field(L, &b, "error");
  } else {
    lua_pop(L, 1);
  }
  if (push_traceback(L)) {
    luaL_addstring(&b, "\n  ");
    luaL_gsub(L, lua_tostring(L, -1), "\n", "\n  ");
    lua_remove(L, -2);
    luaL_addvalue(&b);
  } else {
    lua_pop(L, 1);
  }
  luaL_pushresult(&b);
  asy_report_warn(L, "%s", lua_tostring(L, -1));
  return 0;
}


void asy_report_write(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  lua_pushcfunction(L, write_context);
  lua_pushvalue(L, idx);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    lua_writestringerror("asyncio: %s\n", "an error could not be shown");
    lua_pop(L, 1);
  }
}

/* }====== */


/* {====== Tracebacks of callbacks ====== */

int asy_report_msgh(lua_State *L) {
  asy_rt *rt = asy_rt_of(L);
  lua_settop(L, 1);
  asy_error_nonil(L);
  luaL_traceback(L, L, NULL, 1);
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


/* Pushes the traceback of the error at 'err' if the last callback raised it,
** else nil. */
static void push_last(lua_State *L, int err) {
  lua_pushnil(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &last_key) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 1);
    if (lua_rawequal(L, -1, err)) {
      lua_rawgeti(L, -2, 2);
      lua_replace(L, -4);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &last_key);
}

/* }====== */


/* {====== The handler ====== */

/* Calls the loop's handler, or the default one, with the loop at 'loopidx' and
** the context on the top, which it pops. */
static void call_handler(lua_State *L, int loopidx) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, loopidx);
  int context = lua_gettop(L);
  if (lua_getiuservalue(L, loopidx, ASY_LOOP_HANDLER) == LUA_TNIL) {
    asy_report_write(L, context);
    lua_settop(L, context - 1);
    return;
  }
  lua_pushcfunction(L, asy_report_msgh);
  lua_insert(L, -2);
  lua_pushvalue(L, loopidx);
  lua_pushvalue(L, context);
  if (lua_pcall(L, 2, 0, context + 1) != LUA_OK) {
    if (asy_error_is(L, loop->rt, -1, ASY_KEYBOARD_INTERRUPT)) {
      asy_loop_fail(L, loop);
    } else {
      lua_createtable(L, 0, 3);
      lua_pushliteral(L, "the exception handler itself failed");
      lua_setfield(L, -2, "message");
      push_last(L, lua_gettop(L) - 1);
      lua_setfield(L, -2, "traceback");
      lua_insert(L, -2);
      lua_setfield(L, -2, "exception");
      asy_report_write(L, -1);
      asy_report_write(L, context);
    }
  }
  lua_settop(L, context - 1);
}


/* The name of the object's field in a context. */
static const char *field_of(const asy_object *o) {
  if (o->kind == ASY_TASK)
    return "task";
  return asy_isfuture(o) ? "future" : "handle";
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


/* report(loop, message, error, object or nil) */
static int report(lua_State *L) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, 1);
  int context;
  lua_createtable(L, 0, 4);
  lua_pushvalue(L, 2);
  lua_setfield(L, 5, "message");
  lua_pushvalue(L, 3);
  lua_setfield(L, 5, "exception");
  push_last(L, 3);
  if (!lua_isnil(L, 4)) {
    asy_object *o = (asy_object *)lua_touserdata(L, 4);
    lua_pushvalue(L, 4);
    lua_setfield(L, 5, field_of(o));
    if (asy_isfuture(o) && ((asy_future *)o)->state == ASY_FAILED) {
      asy_future_gettraceback(L, 4);
      lua_replace(L, 6);
    }
  }
  lua_setfield(L, 5, "traceback");
  context = enter_context(L, loop->rt, 4);
  call_handler(L, 1);
  asy_context_leave(L, loop->rt, context);
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
  lua_pushstring(L, message);
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

/* Checks that the argument is a context: a table with a message. */
static void check_context(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  luaL_argcheck(L, lua_getfield(L, arg, "message") != LUA_TNIL, arg,
                "field 'message' is missing");
  lua_pop(L, 1);
}


/* loop:default_exception_handler(context) */
static int default_exception_handler(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  check_context(L, 2);
  asy_report_write(L, 2);
  return 0;
}


/* loop:call_exception_handler(context) */
static int call_exception_handler(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  check_context(L, 2);
  lua_settop(L, 2);
  call_handler(L, 1);
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
