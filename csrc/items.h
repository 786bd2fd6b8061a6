/*
** What a queue holds: Lua values in a table, which is a user value of the queue
** and has room for more than there are, so that most puts and takes allocate
** nothing. The table is made by the first put and doubled by the one that finds
** it full. Here the queue is at index 1 of the stack.
*/
#ifndef asy_items_h
#define asy_items_h

#include "compat.h"

#include <stdint.h>

/* User values of the queue. */
#define ASY_ITEMS_TABLE 1
#define ASY_ITEMS_LESS 2 /* of a heap: the comparison, or nil for '<' */
#define ASY_ITEMS_VALUES 2

typedef struct asy_items {
  uint32_t n;       /* how many there are */
  uint32_t room;    /* how many the table can take: a power of two, or 0 */
  uint32_t first;   /* of a ring: the place of the first, from 0 */
  uint32_t changes; /* of a heap: to notice changes under a comparison */
  uint64_t puts;    /* of a heap: so many were put, ever */
} asy_items;

/* An order. 'put' adds the value at index 2; it may raise, and then nothing has
** changed. 'peek' pushes the item that is next, 'take' does and removes it;
** these need an item. Only a heap's raises in 'take', with the same promise. */
typedef struct asy_items_ops {
  void (*put)(lua_State *L, asy_items *it);
  void (*peek)(lua_State *L, const asy_items *it);
  void (*take)(lua_State *L, asy_items *it);
} asy_items_ops;

extern const asy_items_ops asy_items_fifo;
extern const asy_items_ops asy_items_lifo;
extern const asy_items_ops asy_items_heap; /* itemheap.c */

/* Removes all items and the table. Never raises. */
void asy_items_clear(lua_State *L, asy_items *it);

/* {====== For the orders ====== */

/* Makes room for one more, each item taking 'width' places of the table; the
** values in them move with it. May raise, and run finalizers before. */
void asy_items_reserve(lua_State *L, asy_items *it, uint32_t width);

/* Pushes a value as it is stored: nil has a substitute in the table. */
void asy_items_pushstored(lua_State *L, int idx);

/* Replaces the substitute by nil, if it is on the top. */
void asy_items_tovalue(lua_State *L);

/* An item was taken: lets a large table go that is empty. */
void asy_items_taken(lua_State *L, asy_items *it);

/* }====== */

#endif
