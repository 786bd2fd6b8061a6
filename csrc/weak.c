/*
** Each userdata is a key of a table with weak keys, its number the value. As a
** value of a weak table it would be gone when the collector has found it, before
** its finalizer has run; as a key it is there as long as its memory is. A table
** has a few of them, which are looked through: a lookup stays short, and the
** collector does not get too many tables to see to.
*/
#include "weak.h"

#include <stdlib.h>

#define GROUP 8 /* userdata of a table */


/* Pushes the list of tables, that of the number, and the userdata, and returns
** true; or only the two tables. */
static bool push_entry(lua_State *L, const asy_rt *rt, uint32_t number) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->weak.tables);
  lua_rawgeti(L, -1, (number - 1) / GROUP + 1);
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    bool is = lua_tointeger(L, -1) == (lua_Integer)number;
    lua_pop(L, 1);
    if (is)
      return true;
  }
  return false;
}


/* Makes room in C for more numbers. */
static void reserve(lua_State *L, asy_weak *w) {
  uint32_t size = w->size == 0 ? 2 * GROUP : 2 * w->size;
  uint32_t *next = (uint32_t *)realloc(w->next, size * sizeof(uint32_t));
  if (next == NULL) {
    luaL_error(L, "not enough memory");
    return; /* never */
  }
  w->next = next;
  w->size = size;
}


/* Adds a table, and numbers that are free. A finalizer that runs as the table is
** made may do so, too. */
static void add_group(lua_State *L, asy_weak *w) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->tables);
  lua_createtable(L, 0, GROUP);
  if (w->count == w->size)
    reserve(L, w);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->meta);
  lua_setmetatable(L, -2);
  lua_rawseti(L, -2, w->count / GROUP + 1);
  lua_pop(L, 1);
  for (int i = 0; i < GROUP; i++) {
    w->next[w->count++] = w->free;
    w->free = w->count;
  }
}


uint32_t asy_weak_new(lua_State *L, asy_rt *rt, int idx) {
  asy_weak *w = &rt->weak;
  uint32_t number;
  idx = lua_absindex(L, idx);
  if (w->free == 0)
    add_group(L, w);
  number = w->free;
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->tables);
  lua_rawgeti(L, -1, (number - 1) / GROUP + 1);
  lua_pushvalue(L, idx);
  lua_pushinteger(L, number);
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
