/*
** Channel: a queue that any number of Lua states share, in C memory. Its values
** are parcels. Who waits is a task of some loop, or a thread that runs none.
**
** Who is woken owns an item, or room for one, at once, as in queue.h: of the
** items 'promised' belong to receivers that have not taken them yet, and of
** the room 'owed' to such senders. So nothing is lost or doubled by those who
** are cancelled in between: they hand on what they own.
*/
#ifndef asy_channel_h
#define asy_channel_h

#include "block.h"
#include "crossing.h"
#include "inbox.h"
#include "task.h"

/* What is known of channels inside of channels (chanring.c). */
typedef struct asy_chanring {
  asy_parcel *first, *last; /* items with other channels in them */
  int inside;               /* references from items of other channels */
  asy_list suspect;         /* in the list of those to be looked at */
  /* While rings are looked for: */
  bool found, alive;
  int count; /* of such references from the channels that were found */
  struct asy_channel *next, *todo;
} asy_chanring;

typedef struct asy_channel {
  asy_shared shared;
  size_t maxsize; /* 0: no limit; never changes */
  uv_mutex_t mutex;
  /* Guarded by the mutex: */
  bool closed;
  asy_parcel *first, *last; /* the items */
  size_t n;
  size_t promised;
  size_t owed;
  asy_list receivers; /* of asy_chanwait */
  asy_list senders;
  /* Guarded by the mutex of all rings: */
  asy_chanring ring;
} asy_channel;

/* How a wait ended. */
typedef enum asy_changot {
  ASY_CHAN_NOTHING, /* it has not */
  ASY_CHAN_OWNER,   /* an item, or room, is the waiter's */
  ASY_CHAN_AGAIN    /* things have changed: to be tried again */
} asy_changot;

/* One who waits. */
typedef struct asy_chanwait {
  asy_letter letter; /* wakes the task from another thread */
  asy_channel *ch;
  asy_rt *rt;
  asy_block *block; /* of a thread without a loop, else NULL */
  asy_parcel *item; /* that is to be sent, or NULL */
  /* Guarded by the channel's mutex: */
  asy_list link; /* in the channel's list */
  asy_changot got;
  bool posted; /* the letter */
  /* The waiting thread's alone: */
  asy_task *task; /* NULL when it waits no more */
  bool arrived;   /* the letter */
  bool left;      /* nobody is there any more: the letter frees it */
} asy_chanwait;

/* A new channel with one reference, or NULL without memory. */
asy_channel *asy_channel_new(size_t maxsize);

/* For all these the caller has locked the channel; 'rt' is its Lua state's. None
** raises. */
bool asy_channel_full(const asy_channel *ch);
bool asy_channel_over(const asy_channel *ch);   /* no item will come any more */
bool asy_channel_alone(const asy_channel *ch);  /* no other state has it */
size_t asy_channel_size(const asy_channel *ch); /* items for who asks next */
void asy_channel_put(asy_channel *ch, asy_rt *rt, asy_parcel *p);
asy_parcel *asy_channel_take(asy_channel *ch, asy_rt *rt);
void asy_channel_close(asy_channel *ch, asy_rt *rt);

/* Takes back what the waiter owns, if it does, for itself: true; else it waits
** no more, and things have changed. */
bool asy_channel_claim(asy_chanwait *w);

/* What was claimed goes to the next. */
void asy_channel_handon(asy_channel *ch, asy_rt *rt);

/* A thread, or the running task 't', is about to wait, for an item or to send
** one. */
void asy_channel_await(asy_chanwait *w);

/* Ends a wait that has not ended, and hands on what it owns. Locks. */
void asy_channel_leave(asy_chanwait *w);

/* The letter of a wait: when it is run or refused. */
void asy_channel_address(asy_chanwait *w, asy_inbox *box);

/* Frees it, or lets the letter do so that is on its way. Locks. */
void asy_channel_freewait(asy_chanwait *w);

/* {====== Receiving and sending: chanwait.c ====== */

/* The first argument, which must be a channel. */
asy_channel *asy_channel_check(lua_State *L);

int asy_channel_recv(lua_State *L);
int asy_channel_iterate(lua_State *L);
int asy_channel_recvnowait(lua_State *L);
int asy_channel_send(lua_State *L);
int asy_channel_sendnowait(lua_State *L);
int asy_channel_wait(lua_State *L);
void asy_channel_openwait(lua_State *L);

/* }====== */

/* {====== channelapi.c ====== */

/* The constructor, for a closure with the runtime; gets the class first. */
int asy_channel_create(lua_State *L);

void asy_channel_open(lua_State *L);

/* }====== */

#endif
