/*
** Locks, for those who have one inside.
*/
#ifndef asy_lock_h
#define asy_lock_h

#include "sync.h"

/* A lock is always one of:
**   free      no holder, nobody waits
**   held      by one task, or, while its loop closes, perhaps by several
**   handed    to a task that was woken with it, and holds it once it runs */
typedef struct asy_lock {
  asy_sync sync;
  uint32_t holders;
  bool handed;
  uint32_t owner_slot; /* pin and number of who got it last, a task that may */
  uint64_t owner;      /* have ended; only for people */
} asy_lock;

static inline bool asy_lock_isfree(const asy_lock *l) {
  return l->holders == 0 && !l->handed;
}

/* Whether there is one who can release it. */
static inline bool asy_lock_isheld(const asy_lock *l) {
  return l->holders > 0;
}

/* The task has it, or is about to. */
static inline void asy_lock_own(asy_lock *l, const asy_task *t) {
  l->owner_slot = t->fut.slot;
  l->owner = t->id;
}

/* One more holds it, the task. */
static inline void asy_lock_take(asy_lock *l, const asy_task *t) {
  l->holders++;
  asy_lock_own(l, t);
}

/* Pushes who got the lock, which is not free, last, and returns that; or NULL
** if that task has ended, and pushes nothing. */
asy_task *asy_lock_pushowner(lua_State *L, const asy_lock *l);

/* One less holds it; after the last it goes to the task that has waited
** longest. Never raises. */
void asy_lock_drop(asy_lock *l);

/* Acquires the lock, which is on the top, for the running task, and returns
** index 1 of the calling C function to Lua. */
int asy_lock_acquire(lua_State *L, asy_task *t, asy_lock *l);

/* lock:release(); raises a RuntimeError when nobody holds it. */
void asy_lock_release(lua_State *L, asy_lock *l);

/* Parks the running task until the lock on the top, which is not free, is
** handed to it; 'k' finds the lock there. Does not raise once it is bound. */
int asy_lock_wait(lua_State *L, asy_task *t, lua_KContext ctx, lua_KFunction k);

/* For that 'k': whether it was, so that the task holds it now. */
bool asy_lock_came(asy_lock *l, const asy_task *t);

/* Pushes "locked" or "unlocked". */
void asy_lock_pushstate(lua_State *L, const asy_lock *l);

/* Pushes the table of lock:statistics(). */
void asy_lock_statistics(lua_State *L, const asy_lock *l);

#endif
