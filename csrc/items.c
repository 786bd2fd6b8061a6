/*
** Items in a ring, first in, first out, and in a stack. All places of the table
** are in its array part from the start, so that setting one never allocates.
*/
#include "items.h"

#define MIN_ROOM 8
#define MAX_ROOM (1u << 29)
#define KEPT_ROOM 1024 /* a table with room for more goes when it is empty */

static const char nil_item = 0; /* its address stands for nil */


/* {====== The table ====== */

void asy_items_clear(lua_State *L, asy_items *it) {
  lua_pushnil(L);
  lua_setiuservalue(L, 1, ASY_ITEMS_TABLE);
  it->n = it->room = it->first = 0;
  it->changes++;
}


void asy_items_taken(lua_State *L, asy_items *it) {
  if (asy_unlikely(it->n == 0 && it->room > KEPT_ROOM))
    asy_items_clear(L, it);
}


/* Copies what is in the table to the one on the top, from its beginning on. */
static void move_items(lua_State *L, asy_items *it, uint32_t width) {
  uint32_t mask = it->room * width - 1;
  lua_getiuservalue(L, 1, ASY_ITEMS_TABLE);
  for (uint32_t i = 0; i < it->n * width; i++) {
    lua_rawgeti(L, -1, 1 + (lua_Integer)((it->first + i) & mask));
    lua_rawseti(L, -3, 1 + (lua_Integer)i);
  }
  lua_pop(L, 1);
}


/* Finalizers run while the new table is made, and may use the queue. */
static void grow(lua_State *L, asy_items *it, uint32_t width) {
  uint32_t room = it->room > 0 ? it->room * 2 : MIN_ROOM;
  if (room > MAX_ROOM)
    luaL_error(L, "too many items in a queue");
  lua_createtable(L, (int)(room * width), 0);
  if (room > it->room) {
    move_items(L, it, width);
    it->first = 0;
    it->room = room;
    lua_setiuservalue(L, 1, ASY_ITEMS_TABLE);
  } else {
    lua_pop(L, 1);
  }
}


void asy_items_reserve(lua_State *L, asy_items *it, uint32_t width) {
  while (asy_unlikely(it->n == it->room))
    grow(L, it, width);
}


void asy_items_pushstored(lua_State *L, int idx) {
  if (asy_unlikely(lua_isnil(L, idx)))
    lua_pushlightuserdata(L, (void *)&nil_item);
  else
    lua_pushvalue(L, idx);
}


void asy_items_tovalue(lua_State *L) {
  if (asy_unlikely(lua_touserdata(L, -1) == &nil_item)) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}


/* Stores the value at index 2 in that place, from 0. */
static void store(lua_State *L, uint32_t place) {
  lua_getiuservalue(L, 1, ASY_ITEMS_TABLE);
  asy_items_pushstored(L, 2);
  lua_rawseti(L, -2, 1 + (lua_Integer)place);
  lua_pop(L, 1);
}


static void push_place(lua_State *L, uint32_t place) {
  lua_getiuservalue(L, 1, ASY_ITEMS_TABLE);
  lua_rawgeti(L, -1, 1 + (lua_Integer)place);
  lua_replace(L, -2);
  asy_items_tovalue(L);
}


/* The same, and empties the place, so that the value can be collected. */
static void take_place(lua_State *L, uint32_t place) {
  lua_getiuservalue(L, 1, ASY_ITEMS_TABLE);
  lua_rawgeti(L, -1, 1 + (lua_Integer)place);
  lua_pushnil(L);
  lua_rawseti(L, -3, 1 + (lua_Integer)place);
  lua_replace(L, -2);
  asy_items_tovalue(L);
}

/* }====== */


/* {====== First in, first out ====== */

static void fifo_put(lua_State *L, asy_items *it) {
  asy_items_reserve(L, it, 1);
  store(L, (it->first + it->n) & (it->room - 1));
  it->n++;
}


static void fifo_peek(lua_State *L, const asy_items *it) {
  push_place(L, it->first);
}


static void fifo_take(lua_State *L, asy_items *it) {
  take_place(L, it->first);
  it->first = (it->first + 1) & (it->room - 1);
  it->n--;
  asy_items_taken(L, it);
}


const asy_items_ops asy_items_fifo = {fifo_put, fifo_peek, fifo_take};

/* }====== */


/* {====== Last in, first out ====== */

static void lifo_put(lua_State *L, asy_items *it) {
  asy_items_reserve(L, it, 1);
  store(L, it->n);
  it->n++;
}


static void lifo_peek(lua_State *L, const asy_items *it) {
  push_place(L, it->n - 1);
}


static void lifo_take(lua_State *L, asy_items *it) {
  take_place(L, it->n - 1);
  it->n--;
  asy_items_taken(L, it);
}


const asy_items_ops asy_items_lifo = {lifo_put, lifo_peek, lifo_take};

/* }====== */
