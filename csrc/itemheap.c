/*
** Items in a binary heap, the least first, and of equal ones the oldest. An
** entry is two places of the table: the item, and its number in the order of
** their coming. Comparisons run Lua code, which may raise or use the same
** queue. So all of them come first and change nothing, the moves later; a queue
** that has changed meanwhile is found out after each comparison.
*/
#include "items.h"

#include <stdbool.h>

#include "error.h"

#define TABLE 3 /* the index of the table, above the queue and the item */

/* An entry by its place in the heap, from 1; the children of 'i' are 2i and
** 2i + 1. */
#define ITEM(i) ((lua_Integer)(i)*2 - 1)
#define NUMBER(i) ((lua_Integer)(i)*2)


/* {====== Comparing ====== */

/* Whether the value at 'a' is less than that at 'b', which are indices above 0.
** Raises what the comparison raises. */
static bool is_less(lua_State *L, asy_items *it, int a, int b) {
  uint32_t changes = it->changes;
  bool less;
  if (lua_getiuservalue(L, 1, ASY_ITEMS_LESS) != LUA_TFUNCTION) {
    less = lua_compare(L, a, b, LUA_OPLT);
  } else {
    lua_pushvalue(L, a);
    lua_pushvalue(L, b);
    lua_call(L, 2, 1);
    less = lua_toboolean(L, -1);
  }
  lua_pop(L, 1);
  if (asy_unlikely(it->changes != changes))
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the queue changed while its items were compared");
  return less;
}


/* Pushes the item of an entry; returns its number. */
static lua_Integer push_item(lua_State *L, uint32_t i) {
  lua_Integer number;
  lua_rawgeti(L, TABLE, NUMBER(i));
  number = lua_tointeger(L, -1);
  lua_pop(L, 1);
  lua_rawgeti(L, TABLE, ITEM(i));
  asy_items_tovalue(L);
  return number;
}


/* Whether the entry 'i' comes before the entry 'j': one comparison, asked so
** that the older of equal ones wins. */
static bool is_before(lua_State *L, asy_items *it, uint32_t i, uint32_t j) {
  int top = lua_gettop(L);
  lua_Integer number = push_item(L, i);
  bool before;
  if (number < push_item(L, j))
    before = !is_less(L, it, top + 2, top + 1);
  else
    before = is_less(L, it, top + 1, top + 2);
  lua_settop(L, top);
  return before;
}

/* }====== */


/* {====== Moving ====== */

static void move_entry(lua_State *L, uint32_t to, uint32_t from) {
  lua_rawgeti(L, TABLE, ITEM(from));
  lua_rawseti(L, TABLE, ITEM(to));
  lua_rawgeti(L, TABLE, NUMBER(from));
  lua_rawseti(L, TABLE, NUMBER(to));
}


static void clear_entry(lua_State *L, uint32_t i) {
  lua_pushnil(L);
  lua_rawseti(L, TABLE, ITEM(i));
  lua_pushnil(L);
  lua_rawseti(L, TABLE, NUMBER(i));
}


/* Moves each entry on the path from the root to 'place' one step up, over the
** entry of the root. */
static void shift_up(lua_State *L, uint32_t place) {
  unsigned depth = 0;
  while (place >> depth > 1)
    depth++;
  for (; depth > 0; depth--)
    move_entry(L, place >> depth, place >> (depth - 1));
}

/* }====== */


/* Where the new item belongs on the path from the entry 'last', which is to
** be, to the root. */
static uint32_t find_new(lua_State *L, asy_items *it, uint32_t last) {
  int top = lua_gettop(L);
  uint32_t place = last;
  while (place > 1) {
    bool less;
    push_item(L, place / 2);
    less = is_less(L, it, 2, top + 1);
    lua_settop(L, top);
    if (!less)
      break;
    place /= 2;
  }
  return place;
}


static void heap_put(lua_State *L, asy_items *it) {
  uint32_t place;
  asy_items_reserve(L, it, 2);
  lua_getiuservalue(L, 1, ASY_ITEMS_TABLE);
  lua_insert(L, TABLE);
  place = find_new(L, it, it->n + 1);
  it->changes++;
  it->n++;
  for (uint32_t i = it->n; i > place; i /= 2)
    move_entry(L, i, i / 2);
  asy_items_pushstored(L, 2);
  lua_rawseti(L, TABLE, ITEM(place));
  lua_pushinteger(L, (lua_Integer)it->puts++);
  lua_rawseti(L, TABLE, NUMBER(place));
  lua_remove(L, TABLE);
}


static void heap_peek(lua_State *L, const asy_items *it) {
  (void)it;
  lua_getiuservalue(L, 1, ASY_ITEMS_TABLE);
  lua_rawgeti(L, -1, ITEM(1));
  lua_replace(L, -2);
  asy_items_tovalue(L);
}


/* Where the last entry belongs once the root is gone: down to a leaf by the
** lesser child, then up again as far as the last entry comes before. */
static uint32_t find_last(lua_State *L, asy_items *it) {
  uint32_t last = it->n, place = 1;
  while (place * 2 < last) {
    place *= 2;
    if (place + 1 < last && is_before(L, it, place + 1, place))
      place++;
  }
  while (place > 1 && is_before(L, it, last, place))
    place /= 2;
  return place;
}


static void heap_take(lua_State *L, asy_items *it) {
  uint32_t place;
  lua_settop(L, 2);
  lua_getiuservalue(L, 1, ASY_ITEMS_TABLE);
  place = find_last(L, it);
  push_item(L, 1);
  it->changes++;
  shift_up(L, place);
  if (place != it->n)
    move_entry(L, place, it->n);
  clear_entry(L, it->n);
  it->n--;
  lua_replace(L, TABLE);
  asy_items_taken(L, it);
}


const asy_items_ops asy_items_heap = {heap_put, heap_peek, heap_take};
