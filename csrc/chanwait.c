/*
** Receiving and sending. A task waits in its loop; where no loop runs, the whole
** thread does, until another one wakes it.
*/
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "error.h"
#include "parcel.h"

/* What a receive is for; the context of its wait. */
#define ONE_ITEM 0
#define ITERATION 1

/* The wait of a task: a userdata, which frees it wherever the task ends. */
typedef struct wait_box {
  asy_rt *rt;
  uint8_t kind;
  asy_chanwait *w;
} wait_box;


static asy_channel *to_channel(lua_State *L, int idx) {
  return asy_of(((asy_proxy *)lua_touserdata(L, idx))->shared, asy_channel,
                shared);
}


asy_channel *asy_channel_check(lua_State *L) {
  asy_proxy *proxy = (asy_proxy *)asy_checkkind(L, 1, ASY_CHANNEL);
  luaL_argcheck(L, proxy->shared != NULL, 1, "the channel is gone");
  return asy_of(proxy->shared, asy_channel, shared);
}


static int raise_closed(lua_State *L) {
  return asy_error_raise(L, ASY_QUEUE_SHUTDOWN, "the channel is closed");
}


static int raise_alone(lua_State *L, const char *fname) {
  return asy_error_raise(L, ASY_DEADLOCK_ERROR,
                         "%s: nobody else has the channel, and no loop runs "
                         "here: it would wait for ever",
                         fname);
}


static int raise_nil(lua_State *L) {
  return asy_error_raise(L, ASY_RUNTIME_ERROR,
                         "the next value is nil, which would end the loop; it "
                         "is still in the channel, for recv");
}


/* {====== Waiting in a task ====== */

/* A loop that is closed by its finalizer comes after the boxes. */
static asy_future *channel_abort(asy_task *t) {
  wait_box *box = (wait_box *)t->on;
  if (box->w == NULL)
    return NULL;
  box->w->task = NULL;
  asy_letter_unexpect(&box->w->letter);
  asy_channel_leave(box->w);
  return NULL;
}


static const asy_wait recv_wait = {"a value of a channel", channel_abort};
static const asy_wait send_wait = {"room in a channel", channel_abort};


static void box_free(wait_box *box) {
  if (box->w != NULL)
    asy_channel_freewait(box->w);
  box->w = NULL;
}


static int box_gc(lua_State *L) {
  box_free((wait_box *)lua_touserdata(L, 1));
  return 0;
}


/* Pushes a new wait of the channel at index 1 for the running task; the light
** userdata at index 2 is the task. */
static int new_wait(lua_State *L) {
  asy_channel *ch = to_channel(L, 1);
  asy_task *t = (asy_task *)lua_touserdata(L, 2);
  asy_rt *rt = t->fut.rt;
  asy_inbox *inbox = asy_inbox_of(L, t->fut.loop);
  wait_box *box = (wait_box *)asy_new(L, rt, ASY_CHANNELWAIT, sizeof(*box), 0);
  asy_chanwait *w = (asy_chanwait *)calloc(1, sizeof(asy_chanwait));
  if (w == NULL)
    return luaL_error(L, "not enough memory");
  w->ch = ch;
  w->rt = rt;
  w->task = t;
  asy_channel_address(w, inbox);
  box->w = w;
  return 1;
}


/* Leaves the channel and the box of a wait for the task as the only values, and
** makes the item the wait's; frees that if it raises. */
static asy_chanwait *box_wait(lua_State *L, asy_task *t, asy_parcel *item) {
  asy_chanwait *w;
  lua_settop(L, 1);
  lua_pushcfunction(L, new_wait);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, t);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
    asy_parcel_free(item);
    lua_error(L);
  }
  w = ((wait_box *)lua_touserdata(L, 2))->w;
  w->item = item;
  return w;
}


/* To be called first by a 'k': the wait is over. Returns whether it owns an
** item or room, with the channel locked; does not return when the task is
** cancelled or ends, or the Lua state does. */
static bool woken(lua_State *L) {
  asy_task *t = asy_rt_up(L)->task;
  asy_chanwait *w = ((wait_box *)lua_touserdata(L, 2))->w;
  asy_resumed(L, t);
  if (asy_unlikely(w == NULL)) { /* its finalizer came first */
    asy_woken(L, t);
    asy_error_raise(L, ASY_RUNTIME_ERROR, "the Lua state is closing");
    return false; /* never */
  }
  asy_letter_unexpect(&w->letter);
  w->task = NULL;
  if (asy_unlikely(asy_isending(t))) {
    asy_channel_leave(w);
    asy_woken(L, t);
  }
  uv_mutex_lock(&w->ch->mutex);
  return asy_channel_claim(w);
}


/* Unlocks the channel, and frees the wait at index 2 if there is one. */
static void settle(lua_State *L, asy_channel *ch) {
  uv_mutex_unlock(&ch->mutex);
  if (lua_gettop(L) < 2)
    return;
  box_free((wait_box *)lua_touserdata(L, 2));
  lua_settop(L, 1);
}

/* }====== */


/* {====== Waiting without a loop ====== */

static void begin_blocked(lua_State *L, asy_chanwait *w, asy_channel *ch) {
  memset(w, 0, sizeof(*w));
  w->ch = ch;
  w->rt = asy_rt_up(L);
  w->block = asy_block_of(L, w->rt);
}


/* Waits in the calling thread, until the time has come; the channel is locked,
** also afterwards. Returns whether the waiter owns an item or room; it is out of
** the list. */
static bool wait_blocked(asy_chanwait *w, uint64_t when) {
  asy_channel_await(w);
  uv_mutex_unlock(&w->ch->mutex);
  asy_block_wait(w->block, when);
  uv_mutex_lock(&w->ch->mutex);
  return asy_channel_claim(w);
}


/* The thread's wait is interrupted: hands on what it owns, unlocks, raises. */
static int end_blocked(lua_State *L, asy_chanwait *w, bool owner) {
  if (owner)
    asy_channel_handon(w->ch, w->rt);
  uv_mutex_unlock(&w->ch->mutex);
  asy_parcel_free(w->item);
  return asy_block_raise(L, w->rt);
}

/* }====== */


/* {====== recv ====== */

static int recv_woken(lua_State *L, int status, lua_KContext ctx);


static bool is_nil_next(const asy_channel *ch, lua_KContext ctx) {
  return ctx == ITERATION && asy_parcel_isnil(ch->first);
}


/* Takes the item that is the caller's or free; the channel is locked. */
static int take(lua_State *L, asy_channel *ch, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  asy_parcel *p;
  if (asy_unlikely(is_nil_next(ch, ctx))) {
    asy_channel_handon(ch, rt);
    settle(L, ch);
    return raise_nil(L);
  }
  p = asy_channel_take(ch, rt);
  settle(L, ch);
  return asy_parcel_take(L, p);
}


/* The same for no item, since none will come. */
static int over(lua_State *L, asy_channel *ch, lua_KContext ctx) {
  settle(L, ch);
  return ctx == ITERATION ? 0 : raise_closed(L);
}


static int recv_blocked(lua_State *L, asy_channel *ch, lua_KContext ctx) {
  asy_chanwait w;
  bool owner = false;
  begin_blocked(L, &w, ch);
  uv_mutex_lock(&ch->mutex);
  while (!owner && asy_channel_size(ch) == 0) {
    if (asy_channel_over(ch))
      return over(L, ch, ctx);
    if (asy_channel_alone(ch)) {
      uv_mutex_unlock(&ch->mutex);
      return raise_alone(L, "recv");
    }
    owner = wait_blocked(&w, ASY_NEVER);
    if (asy_unlikely(asy_block_interrupted(w.block)))
      return end_blocked(L, &w, owner);
  }
  return take(L, ch, ctx);
}


/* Receives, the channel being the only value on the stack, or waits. */
static int receive(lua_State *L, asy_channel *ch, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  asy_task *t = NULL;
  asy_chanwait *w = NULL;
  uv_mutex_lock(&ch->mutex);
  if (asy_channel_size(ch) == 0 && !asy_channel_over(ch)) {
    uv_mutex_unlock(&ch->mutex);
    if (rt->running == NULL)
      return recv_blocked(L, ch, ctx);
    t = asy_task_here(L, rt, "recv");
    w = box_wait(L, t, NULL);
    uv_mutex_lock(&ch->mutex);
  }
  if (asy_channel_size(ch) > 0)
    return take(L, ch, ctx);
  if (asy_channel_over(ch))
    return over(L, ch, ctx);
  asy_channel_await(w);
  uv_mutex_unlock(&ch->mutex);
  return asy_park(L, t, &recv_wait, lua_touserdata(L, 2), ctx, recv_woken);
}


static int recv_woken(lua_State *L, int status, lua_KContext ctx) {
  bool owner = woken(L);
  asy_channel *ch = to_channel(L, 1);
  (void)status;
  if (asy_likely(owner))
    return take(L, ch, ctx);
  settle(L, ch);
  return receive(L, ch, ctx);
}


/* channel:recv() */
int asy_channel_recv(lua_State *L) {
  asy_channel *ch = asy_channel_check(L);
  lua_settop(L, 1);
  return receive(L, ch, ONE_ITEM);
}


/* for value in channel do */
int asy_channel_iterate(lua_State *L) {
  asy_channel *ch = asy_channel_check(L);
  lua_settop(L, 1);
  return receive(L, ch, ITERATION);
}


/* asy_channel_wait(channel, timeout): waits, without a loop, until there is something
** to receive, or none will come; false when the time is over. */
int asy_channel_wait(lua_State *L) {
  asy_channel *ch = asy_channel_check(L);
  uint64_t when = asy_loop_after(asy_checktime(L, 2));
  asy_chanwait w;
  bool ready, owner = false;
  begin_blocked(L, &w, ch);
  uv_mutex_lock(&ch->mutex);
  for (;;) {
    ready = asy_channel_size(ch) > 0 || asy_channel_over(ch) ||
            asy_channel_alone(ch);
    if (ready || asy_loop_now() >= when)
      break;
    owner = wait_blocked(&w, when);
    if (asy_unlikely(asy_block_interrupted(w.block)))
      return end_blocked(L, &w, owner);
  }
  if (owner)
    asy_channel_handon(ch, w.rt);
  uv_mutex_unlock(&ch->mutex);
  lua_pushboolean(L, ready);
  return 1;
}


/* channel:recv_nowait() */
int asy_channel_recvnowait(lua_State *L) {
  asy_channel *ch = asy_channel_check(L);
  uv_mutex_lock(&ch->mutex);
  if (asy_channel_size(ch) > 0)
    return take(L, ch, ONE_ITEM);
  if (asy_channel_over(ch))
    return over(L, ch, ONE_ITEM);
  uv_mutex_unlock(&ch->mutex);
  return asy_error_raise(L, ASY_QUEUE_EMPTY, "the channel is empty");
}

/* }====== */


/* {====== send ====== */

static const asy_packing argument = {"argument", 1, false};

static int send_woken(lua_State *L, int status, lua_KContext ctx);


/* The item is put into the channel, which is locked and has room. */
static int put(lua_State *L, asy_channel *ch, asy_parcel *p) {
  asy_channel_put(ch, asy_rt_up(L), p);
  settle(L, ch);
  return 0;
}


/* The channel, which is locked, was closed before. */
static int refuse(lua_State *L, asy_channel *ch, asy_parcel *p) {
  settle(L, ch);
  asy_parcel_free(p);
  return raise_closed(L);
}


static int send_blocked(lua_State *L, asy_channel *ch, asy_parcel *p) {
  asy_chanwait w;
  bool owner = false;
  begin_blocked(L, &w, ch); /* does not raise: the thread has a block */
  w.item = p;
  uv_mutex_lock(&ch->mutex);
  while (!owner && !ch->closed && asy_channel_full(ch)) {
    if (asy_channel_alone(ch)) {
      uv_mutex_unlock(&ch->mutex);
      asy_parcel_free(p);
      return raise_alone(L, "send");
    }
    owner = wait_blocked(&w, ASY_NEVER);
    if (asy_unlikely(asy_block_interrupted(w.block)))
      return end_blocked(L, &w, owner);
  }
  return ch->closed ? refuse(L, ch, p) : put(L, ch, p);
}


/* Sends the parcel, the channel being at index 1, or waits. */
static int send_parcel(lua_State *L, asy_channel *ch, asy_task *t,
                       asy_parcel *p) {
  asy_chanwait *w = NULL;
  uv_mutex_lock(&ch->mutex);
  if (t != NULL && !ch->closed && asy_channel_full(ch)) {
    uv_mutex_unlock(&ch->mutex);
    w = box_wait(L, t, p);
    uv_mutex_lock(&ch->mutex);
    if (!ch->closed && asy_channel_full(ch)) {
      asy_channel_await(w);
      uv_mutex_unlock(&ch->mutex);
      return asy_park(L, t, &send_wait, lua_touserdata(L, 2), 0, send_woken);
    }
    w->item = NULL;
  }
  if (ch->closed)
    return refuse(L, ch, p);
  if (!asy_channel_full(ch))
    return put(L, ch, p);
  uv_mutex_unlock(&ch->mutex);
  if (asy_rt_up(L)->running == NULL)
    return send_blocked(L, ch, p);
  asy_parcel_free(p);
  asy_task_here(L, asy_rt_up(L), "send"); /* raises: there is none */
  return 0;
}


static int send_woken(lua_State *L, int status, lua_KContext ctx) {
  bool owner = woken(L);
  asy_channel *ch = to_channel(L, 1);
  asy_chanwait *w = ((wait_box *)lua_touserdata(L, 2))->w;
  asy_parcel *p = w->item;
  (void)status;
  (void)ctx;
  w->item = NULL;
  if (asy_unlikely(ch->closed))
    return refuse(L, ch, p);
  if (asy_likely(owner))
    return put(L, ch, p);
  settle(L, ch);
  return send_parcel(L, ch, asy_rt_up(L)->task, p);
}


/* channel:send(...) */
int asy_channel_send(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_channel *ch = asy_channel_check(L);
  asy_task *t = NULL;
  asy_parcel *p;
  bool full;
  luaL_checkany(L, 2);
  uv_mutex_lock(&ch->mutex);
  full = !ch->closed && asy_channel_full(ch);
  uv_mutex_unlock(&ch->mutex);
  if (rt->running == NULL)
    asy_block_of(L, rt);
  else if (full)
    t = asy_task_here(L, rt, "send");
  else
    t = asy_task_able(L, rt);
  p = asy_parcel_pack(L, 2, lua_gettop(L) - 1, &argument);
  lua_settop(L, 1);
  return send_parcel(L, ch, t, p);
}


/* channel:send_nowait(...) */
int asy_channel_sendnowait(lua_State *L) {
  asy_channel *ch = asy_channel_check(L);
  asy_parcel *p;
  luaL_checkany(L, 2);
  p = asy_parcel_pack(L, 2, lua_gettop(L) - 1, &argument);
  lua_settop(L, 1);
  uv_mutex_lock(&ch->mutex);
  if (ch->closed)
    return refuse(L, ch, p);
  if (!asy_channel_full(ch))
    return put(L, ch, p);
  uv_mutex_unlock(&ch->mutex);
  asy_parcel_free(p);
  return asy_error_raise(L, ASY_QUEUE_FULL, "the channel is full");
}

/* }====== */


void asy_channel_openwait(lua_State *L) {
  static const luaL_Reg box[] = {
      {"__gc", box_gc},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_CHANNELWAIT, asy_kindname(ASY_CHANNELWAIT), NULL, box, 0);
  lua_pop(L, 1);
}
