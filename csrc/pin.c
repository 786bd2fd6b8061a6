/*
** Free slots of the table hold the number of the next free one.
*/
#include "pin.h"


uint32_t asy_pin(lua_State *L, asy_rt *rt, int idx) {
  uint32_t slot = rt->free_slot;
  idx = lua_absindex(L, idx);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->pins);
  lua_pushvalue(L, idx);
  if (slot == 0) {
    lua_rawseti(L, -2, (lua_Integer)rt->slots + 1);
    slot = ++rt->slots;
  } else {
    lua_rawgeti(L, -2, slot);
    rt->free_slot = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_rawseti(L, -2, slot);
  }
  lua_pop(L, 1); /* the table */
  rt->pinned++;
  return slot;
}


void asy_unpin_from(lua_State *L, asy_rt *rt, int pins, uint32_t *slot) {
  lua_pushinteger(L, rt->free_slot);
  lua_rawseti(L, pins, *slot);
  rt->free_slot = *slot;
  rt->pinned--;
  *slot = 0;
}


void asy_unpin(lua_State *L, asy_rt *rt, uint32_t *slot) {
  if (*slot == 0)
    return;
  asy_pin_pushtable(L, rt);
  asy_unpin_from(L, rt, lua_gettop(L), slot);
  lua_pop(L, 1);
}


void asy_pin_push(lua_State *L, asy_rt *rt, uint32_t slot) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->pins);
  lua_rawgeti(L, -1, slot);
  lua_remove(L, -2);
}
