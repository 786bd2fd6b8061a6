/*
** A thread that waits outside of a loop: a worker that receives from a channel.
** It is woken by what it waits for, or interrupted by who cancels its work.
*/
#ifndef asy_block_h
#define asy_block_h

#include "runtime.h"

/* Where the thread of one Lua state waits; the runtime's, made on first use. */
typedef struct asy_block {
  uv_mutex_t mutex;
  uv_cond_t cond;
  bool woken;       /* by what it waits for */
  bool interrupted; /* by asy_block_interrupt */
} asy_block;

/* The state's, made when missing. May raise. */
asy_block *asy_block_of(lua_State *L, asy_rt *rt);

/* Frees the state's. */
void asy_block_free(asy_rt *rt);

/* Called by any thread while the state is there: what the state's thread waits
** for outside of a loop, or begins to, ends at once, as often as it tries
** again; it calls 'rt->interrupt', which raises. asy_block_resume ends that.
** Neither raises. */
void asy_block_interrupt(asy_block *b);
void asy_block_resume(asy_block *b);

/* Called by any thread: ends the wait. */
void asy_block_wake(asy_block *b);

/* Waits until it is woken or interrupted, or until the time 'when' (of
** asy_loop_now; ASY_NEVER: no limit) has come; false in the latter case. One
** wake-up that came before counts. Never raises. */
bool asy_block_wait(asy_block *b, uint64_t when);

/* Whether it is interrupted; then the caller detaches what it waited for and
** calls asy_block_raise, which does not return. */
bool asy_block_interrupted(asy_block *b);
int asy_block_raise(lua_State *L, asy_rt *rt);

#endif
