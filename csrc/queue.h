/*
** Queue, PriorityQueue and LifoQueue: items handed from task to task.
*/
#ifndef asy_queue_h
#define asy_queue_h

#include "items.h"
#include "waitq.h"

/* A task that is woken for an item or for room owns that at once, though it
** comes to take it only when it runs. So these are counted: of the items,
** 'promised' belong to such getters; of the room, 'owed' to such putters. What
** is left is for others, and as long as there is some nobody waits for it:
**   getters wait    only while no item is left: n == promised
**   putters wait    only while no room is left: n - promised + owed >= maxsize
** After shutdown only those put who own room; and getters wait only while an
** item may still come, from these or from a getter that is cancelled. */
typedef struct asy_itemq {
  asy_rt *rt;
  uint8_t kind;
  bool down; /* shut down */
  const asy_items_ops *ops;
  asy_items items;
  lua_Integer maxsize;    /* 0: no limit */
  lua_Integer promised;   /* items of getters that were woken */
  lua_Integer owed;       /* room of putters that were woken */
  lua_Integer unfinished; /* items put, less the calls of task_done */
  asy_loop *loop;         /* the one whose tasks wait here, or NULL so far */
  asy_list getters;
  asy_list putters;
  asy_list joiners;
} asy_itemq;

/* User values of a queue, above those of its items. */
#define ASY_ITEMQ_LOOP (ASY_ITEMS_VALUES + 1)
#define ASY_ITEMQ_VALUES (ASY_ITEMS_VALUES + 1)

/* Items that are for the next who asks. */
static inline lua_Integer asy_itemq_size(const asy_itemq *q) {
  return (lua_Integer)q->items.n - q->promised;
}

static inline bool asy_itemq_full(const asy_itemq *q) {
  return q->maxsize > 0 && asy_itemq_size(q) + q->owed >= q->maxsize;
}

static inline bool asy_itemq_is(const asy_object *o) {
  return o != NULL && o->kind >= ASY_QUEUE && o->kind <= ASY_PRIORITYQUEUE;
}

/* The queue, of any kind, that must be the first argument. */
asy_itemq *asy_itemq_check(lua_State *L);

/* {====== Lua's view: queueapi.c ====== */

void asy_itemq_open(lua_State *L);

/* The constructors, for closures with the runtime; they get the class first. */
int asy_itemq_newfifo(lua_State *L);
int asy_itemq_newlifo(lua_State *L);
int asy_itemq_newheap(lua_State *L);

/* }====== */

/* {====== Methods: queue.c ====== */

int asy_itemq_put(lua_State *L);
int asy_itemq_putnowait(lua_State *L);
int asy_itemq_get(lua_State *L);
int asy_itemq_getnowait(lua_State *L);
int asy_itemq_items(lua_State *L);
int asy_itemq_taskdone(lua_State *L);
int asy_itemq_join(lua_State *L);
int asy_itemq_shutdown(lua_State *L);

/* }====== */

#endif
