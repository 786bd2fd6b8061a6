/*
** Watchers that are not pinned are found as weak references are (weak.c): each
** is a key of a table with weak keys, its number the value. But their finalizers
** do not free these numbers, for they have none: when no number is free, it is
** looked whose watchers have gone.
*/
#include "anchor.h"

#include <stdlib.h>

#define GROUP 8 /* watchers of a table */
#define FEW 8   /* watchers of a future: so many are not looked through */


/* {====== Numbers ====== */

static void push_group(lua_State *L, const asy_rt *rt, uint32_t number) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->anchors.tables);
  lua_rawgeti(L, -1, (number - 1) / GROUP + 1);
  lua_remove(L, -2);
}


static void free_number(asy_anchors *a, uint32_t number) {
  asy_anchor *e = &a->entry[number - 1];
  e->slot = 0;
  e->next = a->free;
  a->free = number;
  a->used--;
}


/* Frees the numbers of a group whose watchers have gone, and their slots. */
static void sweep_group(lua_State *L, asy_rt *rt, uint32_t first) {
  asy_anchors *a = &rt->anchors;
  unsigned there = 0;
  push_group(L, rt, first);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
    there |= 1U << ((uint32_t)lua_tointeger(L, -1) - first);
  lua_pop(L, 1);
  for (uint32_t i = 0; i < GROUP; i++) {
    asy_anchor *e = &a->entry[first + i - 1];
    if (e->slot != 0 && !(there & 1U << i)) {
      asy_unpin(L, rt, &e->slot);
      free_number(a, first + i);
    }
  }
}


/* Makes room in C for more numbers. */
static void reserve(lua_State *L, asy_anchors *a) {
  uint32_t size = a->size == 0 ? 2 * GROUP : 2 * a->size;
  asy_anchor *entry =
      (asy_anchor *)realloc(a->entry, size * sizeof(asy_anchor));
  if (entry == NULL) {
    luaL_error(L, "not enough memory");
    return; /* never */
  }
  a->entry = entry;
  a->size = size;
}


/* Adds a table, and numbers that are free. A finalizer that runs as the table is
** made may do so, too. */
static void add_group(lua_State *L, asy_rt *rt) {
  asy_anchors *a = &rt->anchors;
  lua_rawgeti(L, LUA_REGISTRYINDEX, a->tables);
  lua_createtable(L, 0, GROUP);
  if (a->count == a->size)
    reserve(L, a);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->weak.meta);
  lua_setmetatable(L, -2);
  lua_rawseti(L, -2, a->count / GROUP + 1);
  lua_pop(L, 1);
  for (int i = 0; i < GROUP; i++) {
    a->entry[a->count].slot = 0;
    a->entry[a->count++].next = a->free;
    a->free = a->count;
  }
}


/* Sees to it that a number is free. All are looked through when there are twice
** as many as were left the last time. */
static void find_free(lua_State *L, asy_rt *rt) {
  asy_anchors *a = &rt->anchors;
  if (a->free != 0)
    return;
  if (a->used >= a->limit) {
    for (uint32_t n = 1; n <= a->count; n += GROUP)
      sweep_group(L, rt, n);
    a->limit = 2 * a->used + 2 * GROUP;
  }
  if (a->free == 0)
    add_group(L, rt);
}

/* }====== */


/* {====== Slots ====== */

/* Without memory for the key the number counts as that of a watcher that has
** gone. */
uint32_t asy_anchor_new(lua_State *L, asy_rt *rt, int idx) {
  asy_anchors *a = &rt->anchors;
  uint32_t number, slot;
  if (rt->over)
    return asy_pin(L, rt, idx);
  idx = lua_absindex(L, idx);
  find_free(L, rt);
  number = a->free;
  lua_pushinteger(L, number);
  slot = asy_pin(L, rt, -1);
  lua_pop(L, 1);
  a->free = a->entry[number - 1].next;
  a->entry[number - 1].slot = slot;
  a->used++;
  push_group(L, rt, number);
  lua_pushvalue(L, idx);
  lua_pushinteger(L, number);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return slot;
}


/* Pushes the watcher with that number, and takes the number from it. */
static void take_watcher(lua_State *L, asy_rt *rt, uint32_t number) {
  push_group(L, rt, number);
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    bool is = lua_tointeger(L, -1) == (lua_Integer)number;
    lua_pop(L, 1);
    if (is)
      break;
  }
  lua_pushvalue(L, -1);
  lua_pushnil(L);
  lua_rawset(L, -4);
  lua_remove(L, -2);
  free_number(&rt->anchors, number);
}


/* Pushes the watcher that has the slot, which has no number any more; false, and
** pushes nothing, if it is pinned. */
static bool take_unpinned(lua_State *L, asy_rt *rt, uint32_t slot) {
  uint32_t number;
  if (rt->over)
    return false;
  asy_pin_push(L, rt, slot);
  number = lua_isinteger(L, -1) ? (uint32_t)lua_tointeger(L, -1) : 0;
  lua_pop(L, 1);
  if (number == 0)
    return false;
  take_watcher(L, rt, number);
  return true;
}


void asy_anchor_hold(asy_rt *rt, uint32_t slot) {
  lua_State *L = asy_rt_state(rt);
  if (!take_unpinned(L, rt, slot))
    return;
  asy_pin_pushtable(L, rt);
  lua_insert(L, -2);
  lua_rawseti(L, -2, slot);
  lua_pop(L, 1);
}


void asy_anchor_drop(asy_rt *rt, uint32_t *slot) {
  lua_State *L = asy_rt_state(rt);
  if (*slot == 0)
    return;
  if (take_unpinned(L, rt, *slot))
    lua_pop(L, 1);
  asy_unpin(L, rt, slot);
}


void asy_anchor_freeall(asy_rt *rt) {
  asy_anchors *a = &rt->anchors;
  free(a->entry);
  a->entry = NULL;
  a->count = a->size = a->free = a->used = 0;
}

/* }====== */


/* {====== What a future keeps ====== */

/* Takes those that are done out of the list on the top; returns how many are
** left. */
static lua_Integer prune(lua_State *L, lua_Integer n) {
  lua_Integer kept = 0;
  for (lua_Integer i = 1; i <= n; i++) {
    const asy_future *f;
    lua_rawgeti(L, -1, i);
    f = (const asy_future *)lua_touserdata(L, -1);
    if (f->slot != 0 || f->state == ASY_PENDING)
      lua_rawseti(L, -2, ++kept);
    else
      lua_pop(L, 1);
  }
  for (lua_Integer i = kept + 1; i <= n; i++) {
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
  return kept;
}


/* They are the list in the future's table of extras, which is pruned when it is
** twice as long as it was after the last time. */
void asy_anchor_keep(lua_State *L, int fut, int idx) {
  lua_Integer n, limit;
  idx = lua_absindex(L, idx);
  asy_future_extra(L, fut);
  n = (lua_Integer)lua_rawlen(L, -1);
  if (n >= FEW) {
    lua_getfield(L, -1, "limit");
    limit = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (n >= limit) {
      n = prune(L, n);
      lua_pushinteger(L, 2 * n + FEW);
      lua_setfield(L, -2, "limit");
    }
  }
  lua_pushvalue(L, idx);
  lua_rawseti(L, -2, n + 1);
  lua_pop(L, 1);
}


void asy_anchor_clear(lua_State *L, int idx) {
  lua_getiuservalue(L, idx, ASY_FUT_EXTRA);
  for (lua_Integer n = (lua_Integer)lua_rawlen(L, -1); n > 0; n--) {
    lua_pushnil(L);
    lua_rawseti(L, -2, n);
  }
  lua_pop(L, 1);
}

/* }====== */
