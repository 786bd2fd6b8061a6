/*
** What stands for shared objects in one Lua state: always the same userdata for
** the same object, as long as it is there.
*/
#include "shared.h"


void asy_shared_open(lua_State *L) {
  asy_rt *rt = asy_rt_of(L);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  rt->proxies = luaL_ref(L, LUA_REGISTRYINDEX);
}


bool asy_shared_pushknown(lua_State *L, asy_rt *rt, const asy_shared *s) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->proxies);
  lua_rawgetp(L, -1, s);
  lua_remove(L, -2);
  if (lua_isuserdata(L, -1))
    return true;
  lua_pop(L, 1);
  return false;
}


void asy_shared_know(lua_State *L, asy_rt *rt, const asy_shared *s) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->proxies);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, s);
  lua_pop(L, 1);
}


void asy_shared_pushproxy(lua_State *L, asy_rt *rt, asy_shared *s,
                          asy_kind kind) {
  asy_proxy *proxy;
  if (asy_shared_pushknown(L, rt, s))
    return;
  proxy = (asy_proxy *)asy_new(L, rt, kind, sizeof(asy_proxy), 0);
  asy_shared_know(L, rt, s);
  proxy->shared = asy_shared_ref(s);
  rt->guests = true;
}


int asy_proxy_gc(lua_State *L) {
  asy_proxy *proxy = (asy_proxy *)lua_touserdata(L, 1);
  asy_shared_unref(proxy->shared);
  proxy->shared = NULL;
  return 0;
}
