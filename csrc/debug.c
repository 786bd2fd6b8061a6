/*
** Debug mode: creation sites and slow steps.
*/
#include "debug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pin.h"
#include "report.h"

/* Where in the registry the place of the library's Lua files is kept. */
static const char library_key = 0;


bool asy_debug_env(void) {
  const char *value = getenv("ASYNCIO_DEBUG");
  return value != NULL && *value != '\0' && strcmp(value, "0") != 0;
}


/* {====== Places ====== */

/* Whether the source is one of the library's own Lua files. */
static bool is_library(const char *prefix, const char *source) {
  return prefix != NULL && strncmp(source, prefix, strlen(prefix)) == 0;
}


bool asy_debug_where(lua_State *L, lua_State *co, int level) {
  lua_Debug ar;
  const char *prefix;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &library_key);
  prefix = lua_tostring(L, -1); /* the registry keeps it */
  lua_pop(L, 1);
  for (; lua_getstack(co, level, &ar); level++) {
    lua_getinfo(co, "Sl", &ar);
    if (ar.currentline > 0 && !is_library(prefix, ar.source)) {
      lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
      return true;
    }
  }
  lua_pushnil(L);
  return false;
}


void asy_debug_source(lua_State *L) {
  if (!asy_debug_where(L, L, 1)) {
    lua_pop(L, 1);
    lua_pushliteral(L, "?");
  }
}


/* Pushes the place of the library's Lua files as their sources begin with it:
** this runs below the one that opens the core first. */
static void push_library(lua_State *L) {
  static const char *const names[] = {"asyncio/init.lua", "asyncio/runner.lua",
                                      NULL};
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "S", &ar);
    for (const char *const *n = names; *n != NULL; n++) {
      size_t len = strlen(ar.source), tail = strlen(*n);
      if (len < tail || strcmp(ar.source + len - tail, *n) != 0)
        continue;
      lua_pushlstring(L, ar.source, len - tail + strlen("asyncio/"));
      return;
    }
  }
  lua_pushnil(L);
}

/* }====== */


/* {====== Scopes that were not left ====== */

/* What to say, the scope, and which of its user values has the place. */
static int warn_unleft(lua_State *L) {
  const char *text = (const char *)lua_touserdata(L, 1);
  if (lua_getiuservalue(L, 2, (int)lua_tointeger(L, 3)) == LUA_TSTRING)
    asy_report_warn(L, "%s (created at %s)", text, lua_tostring(L, -1));
  return 0;
}


void asy_debug_unleft(asy_rt *rt, uint32_t slot, int source, const char *text) {
  lua_State *L = asy_rt_state(rt);
  lua_pushcfunction(L, warn_unleft);
  lua_pushlightuserdata(L, (void *)text);
  asy_pin_push(L, rt, slot);
  lua_pushinteger(L, source);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/* }====== */


/* {====== Slow steps ====== */

static lua_Number seconds_since(uint64_t start) {
  return (lua_Number)(asy_loop_now() - start) * 1e-9;
}


/* Says how long the step of the object, the first argument, took. */
static int warn_slow(lua_State *L) {
  char took[32];
  snprintf(took, sizeof(took), "%.3f", (double)lua_tonumber(L, 2));
  luaL_tolstring(L, 1, NULL);
  asy_report_warn(L, "executing %s took %s seconds", lua_tostring(L, -1), took);
  return 0;
}


/* Calls warn_slow with the object on the top, which it pops. */
static void slow(lua_State *L, lua_Number took) {
  lua_pushcfunction(L, warn_slow);
  lua_insert(L, -2);
  lua_pushnumber(L, took);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}


void asy_debug_step(lua_State *L, asy_task *t, uint64_t start) {
  lua_Number took = seconds_since(start);
  if (t->tflags & ASY_TASK_SWALLOWED)
    asy_debug_swallowed(L, t);
  if (took < t->fut.loop->slow)
    return;
  asy_task_push(L, t);
  slow(L, took);
}


void asy_debug_callback(lua_State *L, asy_callback *cb, int idx,
                        uint64_t start) {
  lua_Number took = seconds_since(start);
  if (took < cb->loop->slow)
    return;
  lua_pushvalue(L, idx);
  slow(L, took);
}

/* }====== */


void asy_debug_open(lua_State *L) {
  asy_swallow_open(L);
  push_library(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &library_key);
}
