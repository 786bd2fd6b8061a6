/*
** Putting and getting. A put stores the item and then hands over: an item to
** the getter that waits longest, room to the putter that does. Who was woken
** takes what it owns when it runs, or hands it on if it was cancelled
** meanwhile.
*/
#include "queue.h"

#include "error.h"

static const asy_wait get_wait = {"an item of a queue", asy_waitq_abort};
static const asy_wait put_wait = {"room in a queue", asy_waitq_abort};
static const asy_wait join_wait = {"the items of a queue to be done",
                                   asy_waitq_abort};

/* In the place of these in a task that owns an item or room: it is woken, and
** does not wait any more. */
static const asy_wait item_owned = {"", NULL};
static const asy_wait room_owned = {"", NULL};


/* {====== Handing over ====== */

/* Whether no item will come any more. */
static bool is_over(const asy_itemq *q) {
  return q->down && q->promised == 0 && q->owed == 0;
}


/* Wakes those for whom there is something, even if only an error. Never
** raises. */
static void hand_over(asy_itemq *q) {
  for (;;) {
    if (!asy_list_empty(&q->getters) && asy_itemq_size(q) > 0) {
      q->promised++;
      asy_waitq_wake(&q->getters)->how = &item_owned;
    } else if (!asy_list_empty(&q->putters) && !asy_itemq_full(q)) {
      q->owed++;
      asy_waitq_wake(&q->putters)->how = &room_owned;
    } else {
      break;
    }
  }
  if (asy_unlikely(is_over(q)))
    asy_waitq_wakeall(&q->getters);
}


static void return_item(asy_itemq *q) {
  q->promised--;
  hand_over(q);
}


static void return_room(asy_itemq *q) {
  q->owed--;
  hand_over(q);
}


/* Whether the woken task owns an item or room; shutdown may have taken it. */
static bool owns(const asy_task *t, const asy_wait *what, lua_Integer count) {
  return t->how == what && count > 0;
}

/* }====== */


/* {====== Waiting ====== */

/* The running task, which is to wait: the first one to do so binds the queue
** to its loop. */
static asy_task *waiter(lua_State *L, asy_itemq *q, const char *fname) {
  asy_task *t = asy_task_here(L, q->rt, fname);
  if (asy_likely(q->loop == t->fut.loop))
    return t;
  if (q->loop != NULL)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "%s: the queue belongs to a different event loop", fname);
  asy_loop_push(L, t->fut.loop);
  lua_setiuservalue(L, 1, ASY_ITEMQ_LOOP);
  q->loop = t->fut.loop;
  return t;
}


static int raise_shutdown(lua_State *L) {
  return asy_error_raise(L, ASY_QUEUE_SHUTDOWN, "the queue is shut down");
}


static int put_item(lua_State *L) {
  asy_itemq *q = (asy_itemq *)lua_touserdata(L, 1);
  q->ops->put(L, &q->items);
  return 0;
}


static int take_item(lua_State *L) {
  asy_itemq *q = (asy_itemq *)lua_touserdata(L, 1);
  q->ops->take(L, &q->items);
  return 1;
}


/* Calls one of these for a task that owns something, and must hand that on when
** the call fails. Returns whether it did, with the error on the top. */
static bool fails(lua_State *L, lua_CFunction f, int nargs, int nresults) {
  lua_settop(L, nargs);
  lua_pushcfunction(L, asy_task_msgh);
  lua_pushcfunction(L, f);
  for (int i = 1; i <= nargs; i++)
    lua_pushvalue(L, i);
  return lua_pcall(L, nargs, nresults, nargs + 1) != LUA_OK;
}

/* }====== */


/* {====== put ====== */

static int put_woken(lua_State *L, int status, lua_KContext ctx);


/* An item has been stored. */
static int put_done(asy_itemq *q) {
  q->unfinished++;
  hand_over(q);
  return 0;
}


/* Stores the item at index 2, or waits. */
static int put(lua_State *L, asy_itemq *q) {
  asy_task *t;
  if (asy_unlikely(q->down))
    return raise_shutdown(L);
  if (!asy_itemq_full(q)) {
    q->ops->put(L, &q->items);
    return put_done(q);
  }
  t = waiter(L, q, "put");
  return asy_waitq_wait(L, t, &q->putters, &put_wait, q, 0, put_woken);
}


static int put_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_itemq *q = (asy_itemq *)lua_touserdata(L, 1);
  asy_task *t = q->rt->task;
  bool owner;
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  owner = owns(t, &room_owned, q->owed);
  if (asy_unlikely(asy_isending(t))) {
    if (owner)
      return_room(q);
    asy_woken(L, t);
  }
  if (asy_unlikely(!owner))
    return put(L, q);
  if (asy_likely(q->ops != &asy_items_heap && q->items.n < q->items.room)) {
    q->ops->put(L, &q->items); /* needs no memory and compares nothing */
  } else if (fails(L, put_item, 2, 0)) {
    return_room(q);
    return asy_task_rethrow(L, q->rt);
  }
  q->owed--;
  return put_done(q);
}


/* queue:put(item) */
int asy_itemq_put(lua_State *L) {
  asy_itemq *q = asy_itemq_check(L);
  luaL_checkany(L, 2);
  return put(L, q);
}


/* queue:put_nowait(item) */
int asy_itemq_putnowait(lua_State *L) {
  asy_itemq *q = asy_itemq_check(L);
  luaL_checkany(L, 2);
  if (asy_unlikely(q->down))
    return raise_shutdown(L);
  if (asy_unlikely(asy_itemq_full(q)))
    return asy_error_raise(L, ASY_QUEUE_FULL, "the queue is full");
  q->ops->put(L, &q->items);
  return put_done(q);
}

/* }====== */


/* {====== get ====== */

/* What a get is for; the context of its wait. */
#define ONE_ITEM 0
#define ITERATION 1

static int get_woken(lua_State *L, int status, lua_KContext ctx);


/* Pushes and removes an item that nobody owns. */
static int take_free(lua_State *L, asy_itemq *q) {
  q->ops->take(L, &q->items);
  hand_over(q);
  return 1;
}


/* A loop would take nil for its end: the item stays where it is. */
static bool is_nil_next(lua_State *L, asy_itemq *q) {
  bool is_nil;
  q->ops->peek(L, &q->items);
  is_nil = lua_isnil(L, -1);
  lua_pop(L, 1);
  return is_nil;
}


static int raise_nil(lua_State *L) {
  return asy_error_raise(L, ASY_RUNTIME_ERROR,
                         "items: the next item is nil, which would end the "
                         "loop; it is still in the queue, for get");
}


/* Pushes the next item, or waits for one. */
static int get(lua_State *L, asy_itemq *q, lua_KContext ctx) {
  asy_task *t;
  if (asy_itemq_size(q) > 0) {
    if (ctx == ITERATION && is_nil_next(L, q))
      return raise_nil(L);
    return take_free(L, q);
  }
  if (asy_unlikely(is_over(q)))
    return ctx == ITERATION ? 0 : raise_shutdown(L);
  t = waiter(L, q, ctx == ITERATION ? "items" : "get");
  return asy_waitq_wait(L, t, &q->getters, &get_wait, q, ctx, get_woken);
}


static int get_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_itemq *q = (asy_itemq *)lua_touserdata(L, 1);
  asy_task *t = q->rt->task;
  bool owner;
  (void)status;
  asy_resumed(L, t);
  owner = owns(t, &item_owned, q->promised);
  if (asy_unlikely(asy_isending(t))) {
    if (owner)
      return_item(q);
    asy_woken(L, t);
  }
  if (asy_unlikely(!owner))
    return get(L, q, ctx);
  if (ctx == ITERATION && is_nil_next(L, q)) {
    return_item(q);
    return raise_nil(L);
  }
  if (asy_likely(q->ops != &asy_items_heap)) {
    q->ops->take(L, &q->items);
  } else if (fails(L, take_item, 1, 1)) {
    return_item(q);
    return asy_task_rethrow(L, q->rt);
  }
  q->promised--;
  if (asy_unlikely(q->down))
    hand_over(q);
  return 1;
}


/* queue:get() */
int asy_itemq_get(lua_State *L) {
  return get(L, asy_itemq_check(L), ONE_ITEM);
}


/* queue:get_nowait() */
int asy_itemq_getnowait(lua_State *L) {
  asy_itemq *q = asy_itemq_check(L);
  if (asy_likely(asy_itemq_size(q) > 0))
    return take_free(L, q);
  if (is_over(q))
    return raise_shutdown(L);
  return asy_error_raise(L, ASY_QUEUE_EMPTY, "the queue is empty");
}


/* The iterator of items(), with the queue as its second upvalue. */
static int next_item(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  return get(L, (asy_itemq *)lua_touserdata(L, 1), ITERATION);
}


/* queue:items() */
int asy_itemq_items(lua_State *L) {
  asy_itemq_check(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_item, 2);
  return 1;
}

/* }====== */


/* {====== join and shutdown ====== */

static int join_woken(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  asy_waitq_woken(L, asy_rt_up(L)->task);
  return 0;
}


/* queue:join() */
int asy_itemq_join(lua_State *L) {
  asy_itemq *q = asy_itemq_check(L);
  asy_task *t;
  if (q->unfinished == 0)
    return 0;
  t = waiter(L, q, "join");
  return asy_waitq_wait(L, t, &q->joiners, &join_wait, q, 0, join_woken);
}


/* So many items more are done. */
static void finish(asy_itemq *q, lua_Integer n) {
  q->unfinished -= n < q->unfinished ? n : q->unfinished;
  if (q->unfinished == 0)
    asy_waitq_wakeall(&q->joiners);
}


/* queue:task_done() */
int asy_itemq_taskdone(lua_State *L) {
  asy_itemq *q = asy_itemq_check(L);
  if (q->unfinished == 0)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "task_done() called too many times");
  finish(q, 1);
  return 0;
}


/* queue:shutdown(immediate). What was handed over before stays so, unless all
** items are dropped: then those who were woken meet the shutdown, too. */
int asy_itemq_shutdown(lua_State *L) {
  asy_itemq *q = asy_itemq_check(L);
  if (!lua_isnoneornil(L, 2))
    luaL_checktype(L, 2, LUA_TBOOLEAN);
  q->down = true;
  q->items.changes++;
  if (lua_toboolean(L, 2)) {
    lua_Integer n = (lua_Integer)q->items.n;
    q->promised = q->owed = 0;
    asy_items_clear(L, &q->items);
    finish(q, n);
  }
  asy_waitq_wakeall(&q->putters);
  hand_over(q);
  return 0;
}

/* }====== */
