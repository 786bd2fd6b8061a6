/*
** Each number has a table with weak keys, whose only key is the userdata. As a
** value of a weak table it would be gone when the collector has found it, before
** its finalizer has run; as a key it is there as long as its memory is.
*/
#include "weak.h"

#include <stdlib.h>


/* Pushes the list, the number's table, the userdata, and returns true; or only
** the two tables. */
static bool push_entry(lua_State *L, const asy_rt *rt, uint32_t number) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->weak.tables);
  lua_rawgeti(L, -1, number);
  lua_pushnil(L);
  if (lua_next(L, -2) == 0)
    return false;
  lua_pop(L, 1);
  return true;
}


/* Makes room in C for one number more. */
static void reserve(lua_State *L, asy_weak *w) {
  uint32_t size = w->size < 16 ? 16 : 2 * w->size;
  uint32_t *next;
  if (w->count < w->size)
    return;
  next = (uint32_t *)realloc(w->next, size * sizeof(uint32_t));
  if (next == NULL) {
    luaL_error(L, "not enough memory");
    return; /* never */
  }
  w->next = next;
  w->size = size;
}


/* Adds a number that is free. */
static void add(lua_State *L, asy_weak *w) {
  reserve(L, w);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->tables);
  lua_createtable(L, 0, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->meta);
  lua_setmetatable(L, -2);
  lua_rawseti(L, -2, (lua_Integer)w->count + 1);
  lua_pop(L, 1);
  w->next[w->count++] = w->free;
  w->free = w->count;
}


uint32_t asy_weak_new(lua_State *L, asy_rt *rt, int idx) {
  asy_weak *w = &rt->weak;
  uint32_t number;
  idx = lua_absindex(L, idx);
  if (w->free == 0)
    add(L, w);
  number = w->free;
  push_entry(L, rt, number);
  lua_pushvalue(L, idx);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 2);
  w->free = w->next[number - 1];
  return number;
}


void *asy_weak_get(asy_rt *rt, uint32_t number) {
  lua_State *L;
  void *p = NULL;
  int top;
  if (number == 0)
    return NULL;
  L = asy_rt_state(rt);
  top = lua_gettop(L);
  if (push_entry(L, rt, number))
    p = lua_touserdata(L, -1);
  lua_settop(L, top);
  return p;
}


void asy_weak_free(asy_rt *rt, uint32_t *number) {
  asy_weak *w = &rt->weak;
  lua_State *L;
  int top;
  if (*number == 0 || w->next == NULL)
    return;
  L = asy_rt_state(rt);
  top = lua_gettop(L);
  if (push_entry(L, rt, *number)) {
    lua_pushnil(L);
    lua_rawset(L, -3);
  }
  lua_settop(L, top);
  w->next[*number - 1] = w->free;
  w->free = *number;
  *number = 0;
}


void asy_weak_freeall(asy_rt *rt) {
  asy_weak *w = &rt->weak;
  free(w->next);
  w->next = NULL;
  w->count = w->size = w->free = 0;
}
