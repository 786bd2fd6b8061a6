/*
** What is written to stderr: warnings, and the contexts of errors for which
** there is no handler.
**
**   asyncio: Task exception was never retrieved
**     task: <Task failed name='fetch' exception=app.lua:3: boom>
**     error: app.lua:3: boom
**     stack traceback:
**       ...
*/
#include <stdarg.h>
#include <string.h>

#include "error.h"
#include "report.h"
#include "task.h"


void asy_report_warn(lua_State *L, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  lua_writestringerror("asyncio: %s\n", lua_tostring(L, -1));
  lua_pop(L, 1);
}


/* {====== Contexts ====== */

/* Whether a key of a context is shown in a way of its own. */
static bool is_special(const char *key) {
  return strcmp(key, "message") == 0 || strcmp(key, "exception") == 0 ||
         strcmp(key, "traceback") == 0;
}


/* Inserts the string on the top, which it pops, into the sorted list of 'n'
** strings at 'list'. */
static void insert_key(lua_State *L, int list, lua_Integer n) {
  int key = lua_gettop(L);
  for (; n > 0; n--) {
    lua_rawgeti(L, list, n);
    if (lua_compare(L, -1, key, LUA_OPLT)) {
      lua_pop(L, 1);
      break;
    }
    lua_rawseti(L, list, n + 1);
  }
  lua_rawseti(L, list, n + 1);
}


/* Pushes the sorted list of the context's other keys that are strings. */
static lua_Integer push_keys(lua_State *L, int context) {
  lua_Integer n = 0;
  int list;
  lua_newtable(L);
  list = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, context) != 0;) {
    lua_pop(L, 1); /* the value */
    if (lua_type(L, -1) != LUA_TSTRING || is_special(lua_tostring(L, -1)))
      continue;
    lua_pushvalue(L, -1);
    insert_key(L, list, n++);
  }
  return n;
}


/* Adds the string on the top, which it pops, its lines indented. */
static void add_indented(lua_State *L, luaL_Buffer *b) {
  luaL_gsub(L, lua_tostring(L, -1), "\n", "\n  ");
  lua_remove(L, -2);
  luaL_addvalue(b);
}


/* Adds "key: value" on a line of its own; the value is on the top, and is
** popped. Where it is one of our objects, its first line is enough. */
static void add_field(lua_State *L, luaL_Buffer *b, const char *key) {
  const char *text, *end;
  bool whole = lua_type(L, -1) != LUA_TUSERDATA;
  text = asy_error_text(L, -1);
  lua_remove(L, -2);
  end = whole ? NULL : strchr(text, '\n');
  if (end != NULL) {
    lua_pushlstring(L, text, (size_t)(end - text));
    lua_pushfstring(L, "%s ...>", lua_tostring(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
  lua_pushfstring(L, "\n%s: %s", key, lua_tostring(L, -1));
  lua_remove(L, -2);
  add_indented(L, b);
}


/* Pushes the traceback of the context at 1, its own, that of the error or that
** of the task that failed; or nil. */
static bool push_traceback(lua_State *L) {
  int top = lua_gettop(L);
  asy_future *f;
  if (lua_getfield(L, 1, "traceback") == LUA_TSTRING)
    return true;
  if (lua_getfield(L, 1, "exception") == LUA_TTABLE) {
    lua_pushliteral(L, "traceback");
    if (lua_rawget(L, -2) == LUA_TSTRING) {
      lua_replace(L, top + 1);
      lua_settop(L, top + 1);
      return true;
    }
  }
  lua_getfield(L, 1, "task");
  f = asy_tofuture(L, asy_rt_of(L), -1);
  if (f != NULL && f->state == ASY_FAILED)
    asy_future_gettraceback(L, -1);
  else
    lua_pushnil(L);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  return lua_type(L, -1) == LUA_TSTRING;
}


/* write(context) */
static int write_context(lua_State *L) {
  luaL_Buffer b;
  lua_Integer n;
  lua_settop(L, 1);
  n = push_keys(L, 1); /* at 2 */
  lua_getfield(L, 1, "message");
  asy_error_text(L, 3);
  luaL_buffinit(L, &b);
  luaL_addstring(&b, lua_tostring(L, 4));
  for (lua_Integer i = 1; i <= n; i++) {
    const char *key;
    lua_rawgeti(L, 2, i);
    key = lua_tostring(L, -1); /* the list keeps it */
    lua_rawget(L, 1);
    add_field(L, &b, key);
  }
  if (lua_getfield(L, 1, "exception") != LUA_TNIL)
    add_field(L, &b, "error");
  else
    lua_pop(L, 1);
  if (push_traceback(L)) {
    lua_pushfstring(L, "\n%s", lua_tostring(L, -1));
    lua_remove(L, -2);
    add_indented(L, &b);
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
  if (lua_pcall(L, 1, 0, 0) == LUA_OK)
    return;
  lua_writestringerror("asyncio: %s\n", "an error that cannot be shown");
  lua_pop(L, 1);
}

/* }====== */
