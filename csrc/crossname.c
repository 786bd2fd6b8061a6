/*
** What crosses by its name: loaded modules, their fields, registered metatables.
*/
#include "parcel.h"


/* {====== Modules ====== */

void asy_cross_pushloaded(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}


void asy_cross_pushmodule(lua_State *L, const char *name) {
  int top = lua_gettop(L);
  asy_cross_pushloaded(L);
  if (lua_istable(L, -1) && lua_getfield(L, -1, name) != LUA_TNIL) {
    lua_remove(L, -2);
    return;
  }
  lua_settop(L, top);
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}


/* Leaves the value at -3, which stands below a key and the table at -2, for the
** key of the table that has it; false when none has. */
static bool find_key(lua_State *L, int value) {
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, value)) {
      lua_pop(L, 1);
      return true;
    }
  }
  return false;
}


bool asy_cross_modulename(lua_State *L) {
  int value = lua_gettop(L);
  asy_cross_pushloaded(L);
  if (!lua_istable(L, -1) || !find_key(L, value)) {
    lua_settop(L, value);
    return false;
  }
  lua_remove(L, -2);
  return true;
}


/* Looks for the value in the module on the top, whose name is below it; pops
** the module, or replaces it by the key. */
static bool find_member(lua_State *L, int value) {
  if (!lua_istable(L, -1) || !find_key(L, value)) {
    lua_pop(L, 1);
    return false;
  }
  lua_remove(L, -2);
  return true;
}


bool asy_cross_membername(lua_State *L) {
  int value = lua_gettop(L), loaded = value + 1;
  asy_cross_pushloaded(L);
  if (!lua_istable(L, loaded)) {
    lua_settop(L, value);
    return false;
  }
  for (lua_pushnil(L); lua_next(L, loaded) != 0;) {
    if (lua_type(L, -2) == LUA_TSTRING &&
        strcmp(lua_tostring(L, -2), LUA_GNAME) != 0) {
      if (find_member(L, value)) {
        lua_remove(L, loaded);
        return true;
      }
    } else {
      lua_pop(L, 1);
    }
  }
  lua_settop(L, value); /* globals last: whatever is there may be one's own */
  lua_pushliteral(L, LUA_GNAME);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  if (find_member(L, value))
    return true;
  lua_settop(L, value);
  return false;
}

/* }====== */


/* {====== Metatables ====== */

bool asy_cross_metaname(lua_State *L, asy_rt *rt) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->metatables);
  lua_pushvalue(L, -2);
  if (lua_rawget(L, -2) != LUA_TSTRING) {
    lua_pop(L, 2);
    return false;
  }
  lua_remove(L, -2);
  return true;
}


static bool find_meta(lua_State *L, asy_rt *rt, int name) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->metatables);
  lua_pushvalue(L, name);
  if (lua_rawget(L, -2) == LUA_TTABLE) {
    lua_remove(L, -2);
    return true;
  }
  lua_pop(L, 2);
  return false;
}


/* Loads the module that the name of a metatable begins with, if it does. */
static void load_module(lua_State *L, const char *name) {
  const char *colon = strchr(name, ':');
  if (colon == NULL)
    return;
  lua_pushlstring(L, name, (size_t)(colon - name));
  asy_cross_pushmodule(L, lua_tostring(L, -1));
  lua_pop(L, 2);
}


void asy_cross_pushmeta(lua_State *L, asy_rt *rt) {
  int name = lua_gettop(L);
  if (!find_meta(L, rt, name)) {
    load_module(L, lua_tostring(L, name));
    if (!find_meta(L, rt, name))
      luaL_error(L, "no metatable is registered as '%s' in this Lua state",
                 lua_tostring(L, name));
  }
  lua_replace(L, name);
}


/* register_metatable(name, metatable): returns the metatable */
static int register_metatable(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  luaL_checktype(L, 1, LUA_TSTRING);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->metatables);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, 3);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  lua_rawset(L, 3);
  lua_settop(L, 2);
  return 1;
}


void asy_crossname_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"register_metatable", register_metatable},
      {NULL, NULL},
  };
  asy_rt *rt = asy_rt_of(L);
  lua_newtable(L);
  rt->metatables = luaL_ref(L, LUA_REGISTRYINDEX);
  asy_setfuncs(L, funcs);
}

/* }====== */
