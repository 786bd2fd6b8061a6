/*
** What other threads have for a loop: a queue that they fill, and that the loop
** empties when it is woken. One wake-up is enough for all that came meanwhile.
*/
#ifndef asy_inbox_h
#define asy_inbox_h

#include "handle.h"

struct asy_letter;

typedef struct asy_inbox {
  asy_handle *h; /* the loop's end; NULL once that is closed */
  uv_mutex_t mutex;
  bool shut;        /* no more letters */
  asy_list letters; /* that came since the loop looked */
  /* The loop's thread's alone: */
  asy_list ready;    /* those in the loop's queue */
  asy_list expected; /* those to come */
  int refs;          /* changed by atomic operations only */
  unsigned forks;    /* when it was made (thread.h) */
} asy_inbox;

/* What is posted: the first member of a struct in C memory. */
typedef struct asy_letter {
  asy_list link;     /* in the inbox, before in a queue of the sender */
  asy_list expected; /* in the inbox' list, while the loop waits for it */
  asy_ready ready;   /* runs it on the loop, which then owns it */
  asy_inbox *to;     /* counted */
  /* Called instead in the sender's thread when the loop is closed: frees it. */
  void (*refused)(struct asy_letter *m);
  /* The loop closes while it is expected: to be no longer. Runs no Lua. */
  void (*forget)(struct asy_letter *m);
} asy_letter;

/* The loop's inbox, made on first use. May raise. */
asy_inbox *asy_inbox_of(lua_State *L, asy_loop *loop);

/* Addresses a zeroed letter; asy_letter_drop undoes it. Neither raises. */
void asy_letter_address(asy_letter *m, asy_inbox *to);
void asy_letter_drop(asy_letter *m);

/* The loop waits for the letter: it does not end before. */
void asy_letter_expect(asy_letter *m);
void asy_letter_unexpect(asy_letter *m);

/* Sends it, from any thread. Never raises. */
void asy_letter_post(asy_letter *m);

/* The same, but false when the loop takes none any more: it stays the caller's. */
bool asy_letter_offer(asy_letter *m);

/* Wakes the loop, if it is not closed, from any thread. Never raises. */
void asy_inbox_wake(asy_inbox *box);

/* Whether the loop takes letters; its answer may be old already. */
bool asy_inbox_isopen(asy_inbox *box);

/* The loop, for its own thread, while it is not closed. */
asy_loop *asy_inbox_loop(const asy_inbox *box);

/* The loop is about to close, expects nothing any more, and takes no more: those
** that came are in its queue. Nothing when it has no inbox. */
void asy_inbox_shut(asy_loop *loop);

#endif
