/*
** Tracebacks as text.
*/
#include "traceback.h"

#include <stdbool.h>
#include <string.h>

#include "nest.h"

/* Of a long stack, so many frames are shown at its ends, as Lua does it. */
#define FIRST_FRAMES 10
#define LAST_FRAMES 11


/* If the value is in the table on the top, pushes its name there. */
static bool push_key(lua_State *L, int value) {
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, value)) {
      lua_pop(L, 1);
      return true;
    }
  }
  return false;
}


bool asy_traceback_pushname(lua_State *L, lua_State *co, lua_Debug *ar) {
  int top = lua_gettop(L);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (L != co && !lua_checkstack(co, 1))
    return false;
  lua_getinfo(co, "f", ar);
  if (L != co)
    lua_xmove(co, L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, top + 2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1) ||
        !push_key(L, top + 1))
      continue;
    if (strcmp(lua_tostring(L, top + 3), "_G") != 0)
      lua_pushfstring(L, "%s.%s", lua_tostring(L, top + 3),
                      lua_tostring(L, -1));
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return true;
  }
  lua_settop(L, top);
  return false;
}


static int count_frames(lua_State *co) {
  lua_Debug ar;
  int low = 0, high = 1;
  while (lua_getstack(co, high, &ar)) {
    low = high;
    high *= 2;
  }
  while (low < high) { /* the level 'high' is not there */
    int middle = (low + high) / 2;
    if (lua_getstack(co, middle, &ar))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}


/* Whether the frame at the level is a C function that nobody called by name. */
static bool is_bottom(lua_State *co, int level) {
  lua_Debug ar;
  if (!lua_getstack(co, level, &ar))
    return false;
  lua_getinfo(co, "Sn", &ar);
  return *ar.what == 'C' && ar.name == NULL;
}


static void add_function(lua_State *L, luaL_Buffer *b, const lua_Debug *ar) {
  if (ar->name != NULL && *ar->namewhat != '\0') {
    bool plain = strcmp(ar->namewhat, "global") == 0 ||
                 strcmp(ar->namewhat, "field") == 0;
    lua_pushfstring(L, "%s '%s'", plain ? "function" : ar->namewhat, ar->name);
  } else if (*ar->what == 'm') {
    lua_pushliteral(L, "main chunk");
  } else if (*ar->what != 'C') {
    lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
  } else {
    lua_pushliteral(L, "?");
  }
  luaL_addvalue(b);
}


static void add_frame(lua_State *L, luaL_Buffer *b, lua_Debug *ar) {
  if (ar->currentline > 0)
    lua_pushfstring(L, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
  else
    lua_pushfstring(L, "\n\t%s: in ", ar->short_src);
  luaL_addvalue(b);
  add_function(L, b, ar);
  if (ar->istailcall)
    luaL_addstring(b, "\n\t(...tail calls...)");
}


/* Adds the frames of the thread from 'level' on; all but a nameless C function
** at its bottom, such as runs a task, if 'end' is negative. */
static void add_frames(lua_State *L, luaL_Buffer *b, lua_State *co, int level,
                       int end) {
  lua_Debug ar;
  int skip_at, skipped;
  if (end < 0) {
    end = count_frames(co);
    if (is_bottom(co, end - 1))
      end--;
  }
  skip_at = level + FIRST_FRAMES;
  skipped = end - LAST_FRAMES - skip_at;
  while (level < end && lua_getstack(co, level, &ar)) {
    if (level == skip_at && skipped > 0) {
      lua_pushfstring(L, "\n\t...\t(skipping %d levels)", skipped);
      luaL_addvalue(b);
      level += skipped;
      continue;
    }
    lua_getinfo(co, "Slnt", &ar);
    add_frame(L, b, &ar);
    level++;
  }
}


void asy_traceback(lua_State *L, lua_State *co, int level, int end) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "stack traceback:");
  add_frames(L, &b, co, level, end);
  luaL_pushresult(&b);
}


static void add_nested(lua_State *L, luaL_Buffer *b, lua_State *co) {
  lua_State *inner = co != L ? asy_nest_inner(co) : NULL;
  if (inner != NULL)
    add_nested(L, b, inner);
  add_frames(L, b, co, co == L ? 1 : 0, -1);
}


void asy_traceback_nested(lua_State *L, lua_State *co) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "stack traceback:");
  add_nested(L, &b, co);
  luaL_pushresult(&b);
}
