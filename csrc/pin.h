/*
** Pins keep a Lua value alive while C points into it. A slot is a place in one
** array-like table; the values are counted.
*/
#ifndef asy_pin_h
#define asy_pin_h

#include "runtime.h"

/* Pins the value at 'idx' and returns its slot, never 0. May raise; then
** nothing is pinned. */
uint32_t asy_pin(lua_State *L, asy_rt *rt, int idx);

/* Lets go of the slot's value and sets the slot to 0; nothing when it is 0.
** Never raises. */
void asy_unpin(lua_State *L, asy_rt *rt, uint32_t *slot);

/* The same where the table of all is at 'pins'. */
void asy_unpin_from(lua_State *L, asy_rt *rt, int pins, uint32_t *slot);

/* Pushes the slot's value. Never raises when the stack has room. */
void asy_pin_push(lua_State *L, asy_rt *rt, uint32_t slot);

/* Pushes the table of all, for those who look up many. */
static inline void asy_pin_pushtable(lua_State *L, asy_rt *rt) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->pins);
}

#endif
