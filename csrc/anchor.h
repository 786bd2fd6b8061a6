/*
** Anchors: what keeps the userdata that watches a future (a done callback, a
** gather, a shield) until the future is done. A task or a job will be done, and
** its watchers are pinned. Any other future has to be done by somebody who knows
** it: it keeps its watchers itself, and goes with them when nobody knows it any
** more. A watcher then has a slot in the table of pins all the same, which
** holds only a number, until it is done and must live for its turn.
*/
#ifndef asy_anchor_h
#define asy_anchor_h

#include "future.h"
#include "pin.h"

/* Whether the pending future will be done, whoever knows it. */
static inline bool asy_anchor_issure(const asy_future *f) {
  return f->kind == ASY_TASK || (f->kind == ASY_JOB && f->slot != 0);
}

/* A slot for the watcher at 'idx', which is not kept by it. May raise; then
** there is none. */
uint32_t asy_anchor_new(lua_State *L, asy_rt *rt, int idx);

/* The future at 'fut' keeps the watcher at 'idx', a future itself, until either
** is done. May raise. */
void asy_anchor_keep(lua_State *L, int fut, int idx);

/* Keeps the watcher as a pin does; one that is pinned stays so. Never raises. */
void asy_anchor_hold(asy_rt *rt, uint32_t slot);

/* Frees the slot of a watcher, whether it is pinned or not, and sets it to 0;
** nothing when it is 0. Never raises. */
void asy_anchor_drop(asy_rt *rt, uint32_t *slot);

/* The future at 'idx', which has extras, is done: it keeps its watchers no more.
** Never raises. */
void asy_anchor_clear(lua_State *L, int idx);

/* Frees what the runtime has of them, at its very end. */
void asy_anchor_freeall(asy_rt *rt);

#endif
