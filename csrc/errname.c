/*
** Exception classes by name, for errors that cross to another Lua state: the
** "chain" of a class is its name and those of the classes above it, each after
** a '<': "NotFound<LookupError<Error".
*/
#include "error.h"

#include <string.h>

#define MAX_BASES 100


void asy_error_openchains(lua_State *L, asy_rt *rt) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  rt->chains = luaL_ref(L, LUA_REGISTRYINDEX);
}


void asy_error_pushchain(lua_State *L, int idx) {
  int n = 0;
  luaL_checkstack(L, 2 * MAX_BASES + 4, NULL);
  lua_pushvalue(L, idx);
  while (lua_istable(L, -1) && n < 2 * MAX_BASES) { /* class */
    if (n++ > 0) {
      lua_pushliteral(L, "<");
      lua_insert(L, -2);
      n++;
    }
    lua_pushliteral(L, "name");
    lua_rawget(L, -2);
    if (lua_type(L, -1) != LUA_TSTRING) {
      lua_pop(L, 1);
      lua_pushliteral(L, "Error");
    }
    lua_insert(L, -2);
    lua_pushliteral(L, "__base");
    lua_rawget(L, -2);
    lua_remove(L, -2); /* names, base */
  }
  lua_pop(L, 1);
  lua_concat(L, n);
}


void asy_error_register(lua_State *L, asy_rt *rt) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->chains);
  asy_error_pushchain(L, -2);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}


/* Replaces the chain on the top by its class, or pops it. */
static bool find_class(lua_State *L, int chains) {
  if (lua_rawget(L, chains) == LUA_TTABLE)
    return true;
  lua_pop(L, 1);
  return false;
}


/* Pushes the first class of the chain that is known here, which is found by what
** is left of the chain; returns how much of that comes before. */
static size_t push_known(lua_State *L, asy_rt *rt, const char *chain) {
  const char *rest = chain;
  int chains = lua_gettop(L), n = 0;
  while (rest != NULL && n++ < MAX_BASES) {
    lua_pushstring(L, rest);
    if (find_class(L, chains))
      return rest == chain ? 0 : (size_t)(rest - chain) - 1;
    rest = strchr(rest, '<');
    if (rest != NULL)
      rest++;
  }
  asy_error_class(L, rt, ASY_ERROR);
  return strlen(chain);
}


void asy_error_ofchain(lua_State *L, asy_rt *rt) {
  int base = lua_gettop(L), cls = base + 2;
  const char *chain = lua_tostring(L, base);
  size_t len;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->chains);
  len = push_known(L, rt, chain);
  while (len > 0) { /* those below it are made */
    size_t name = len;
    while (name > 0 && chain[name - 1] != '<')
      name--;
    lua_pushlstring(L, chain + name, len - name);
    asy_error_newclass(L, rt, cls + 1, cls);
    lua_replace(L, cls);
    lua_settop(L, cls);
    len = name > 0 ? name - 1 : 0;
  }
  lua_replace(L, base);
  lua_settop(L, base);
}
