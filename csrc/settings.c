/*
** The settings of workers' states.
*/
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "thread.h"


/* {====== Taking ====== */

static void *alloc(lua_State *L, size_t size) {
  void *block = malloc(size);
  if (block == NULL)
    asy_error_memory(L);
  return block;
}


/* A copy of package[name], which is on the top, or NULL. */
static char *copy_field(lua_State *L, const char *name) {
  char *copy = NULL;
  if (lua_getfield(L, -1, name) == LUA_TSTRING) {
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    copy = (char *)alloc(L, len + 1);
    memcpy(copy, text, len + 1);
  }
  lua_pop(L, 1);
  return copy;
}


/* Adds the C function on the top, whose name, a string, is below. */
static void add_c(lua_State *L, asy_settings *s) {
  size_t len;
  const char *name = lua_tolstring(L, -2, &len);
  asy_preload *p = (asy_preload *)alloc(L, sizeof(asy_preload) + len + 1);
  memcpy(p->name, name, len + 1);
  p->open = lua_tocfunction(L, -1);
  p->next = s->c;
  s->c = p;
}


/* Whether the function, the first argument, can cross; the second is whether to
** another process. */
static int try_pack(lua_State *L) {
  const asy_packing how = {"function", 1, lua_toboolean(L, 2)};
  asy_parcel_free(asy_parcel_pack(L, 1, 1, &how));
  return 0;
}


/* Adds the preload function on the top, with its name below, where it can cross:
** to the list, or to the table at 'lua'. */
static void add_preload(lua_State *L, asy_settings *s, int lua, bool flat) {
  if (lua_type(L, -2) != LUA_TSTRING || !lua_isfunction(L, -1))
    return;
  if (lua_iscfunction(L, -1)) {
    if (lua_getupvalue(L, -1, 1) == NULL)
      add_c(L, s);
    else
      lua_pop(L, 1);
    return;
  }
  lua_pushcfunction(L, try_pack);
  lua_pushvalue(L, -2);
  lua_pushboolean(L, flat);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    return;
  }
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_rawset(L, lua);
}


/* Takes what is in package.preload, on the top. */
static void take_preload(lua_State *L, asy_settings *s, bool flat) {
  const asy_packing how = {"preload", 1, flat};
  int from = lua_gettop(L), lua = from + 1;
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, from) != 0; lua_pop(L, 1))
    add_preload(L, s, lua, flat);
  lua_pushnil(L);
  if (lua_next(L, lua) != 0) {
    lua_pop(L, 2);
    s->preload = asy_parcel_pack(L, lua, 1, &how);
  }
  lua_pop(L, 1);
}


void asy_settings_take(lua_State *L, asy_settings *s, bool flat) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE) {
    s->path = copy_field(L, "path");
    s->cpath = copy_field(L, "cpath");
  }
  lua_pop(L, 2);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  take_preload(L, s, flat);
  lua_pop(L, 1);
}

/* }====== */


/* {====== Applying ====== */

/* Wraps the function of the library's table, so that the children it starts do
** not begin with the signals blocked. */
static void unblock(lua_State *L, const char *library, const char *name) {
  if (lua_getfield(L, -1, library) == LUA_TTABLE) {
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, asy_thread_callunblocked, 1);
    lua_setfield(L, -2, name);
  }
  lua_pop(L, 1);
}


static void set_field(lua_State *L, const char *name, const char *value) {
  if (value == NULL)
    return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}


void asy_settings_apply(lua_State *L, const asy_settings *s) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  unblock(L, "os", "execute");
  unblock(L, "io", "popen");
  if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE) {
    set_field(L, "path", s->path);
    set_field(L, "cpath", s->cpath);
  }
  lua_pop(L, 2);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  for (const asy_preload *p = s->c; p != NULL; p = p->next) {
    lua_pushcfunction(L, p->open);
    lua_setfield(L, -2, p->name);
  }
  lua_pop(L, 1);
  if (s->preload != NULL)
    asy_settings_preload(L, s->preload);
}


void asy_settings_preload(lua_State *L, const asy_parcel *p) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  asy_parcel_unpack(L, p);
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 2);
}


void asy_settings_free(asy_settings *s) {
  asy_preload *next;
  free(s->path);
  free(s->cpath);
  for (asy_preload *p = s->c; p != NULL; p = next) {
    next = p->next;
    free(p);
  }
  asy_parcel_free(s->preload);
  asy_parcel_free(s->initializer);
  free(s->executable);
  free(s->code);
}

/* }====== */


/* {====== Functions by name ====== */

bool asy_settings_isfn(lua_State *L, int idx) {
  const char *name;
  if (lua_type(L, idx) != LUA_TSTRING)
    return lua_isfunction(L, idx);
  name = strrchr(lua_tostring(L, idx), ':');
  return name != NULL && name[1] != '\0';
}


void asy_settings_checkfn(lua_State *L, int arg) {
  if (asy_settings_isfn(L, arg))
    return;
  luaL_argcheck(L, lua_type(L, arg) != LUA_TSTRING, arg,
                "a function or \"module:function\" expected");
  luaL_checktype(L, arg, LUA_TFUNCTION);
}


void asy_settings_resolve(lua_State *L, int idx) {
  const char *full, *name;
  if (lua_type(L, idx) != LUA_TSTRING)
    return;
  full = lua_tostring(L, idx);
  name = strrchr(full, ':');
  if (name == NULL)
    luaL_error(L, "'%s' names no function", full);
  lua_getglobal(L, "require");
  lua_pushlstring(L, full, (size_t)(name - full));
  lua_call(L, 1, 1);
  if (!lua_istable(L, -1))
    luaL_error(L, "the module of '%s' is not a table", full);
  if (lua_getfield(L, -1, name + 1) == LUA_TNIL)
    luaL_error(L, "the module of '%s' has no such function", full);
  lua_replace(L, idx);
  lua_pop(L, 1);
}

/* }====== */
