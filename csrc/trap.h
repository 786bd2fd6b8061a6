/*
** A trap in the way of running Lua code, set from a signal handler of the very
** thread: a hook that is called before the next instruction, and may raise.
**
** It reaches the threads of tasks, and coroutines. It does not reach a C
** function that blocks, nor what a C function of others resumes.
*/
#ifndef asy_trap_h
#define asy_trap_h

#include <signal.h>
#include <stdbool.h>

#include "compat.h"

struct asy_rt;

typedef struct asy_trap {
  volatile sig_atomic_t waits; /* it has not been met yet */
  bool all;                    /* it is in all threads, and stays there */
  lua_State *volatile L;       /* the thread it was set in last */
  lua_Hook raise;              /* the trap itself */
  lua_Hook hook;               /* what was there before */
  int mask, count;
} asy_trap;

/* Sets it in the innermost of the threads that are known to run below L
** (inner.h), which is active, or nothing is. As in the standalone interpreter,
** this is done in a signal handler, and only reads and sets plain fields of the
** state. */
void asy_trap_set(struct asy_rt *rt, lua_State *L, lua_Hook hook);

/* Sets it also one thread further in, in what Lua's own coroutine library has
** resumed; false when there is none. To be called in a signal handler when the
** trap waits although the code had time to meet it: where it was set, a C
** function runs that long, so that its stack can be looked at. (Not so in the
** moment in which the collector makes that stack smaller, which it does once.)
*/
bool asy_trap_deepen(struct asy_rt *rt, lua_State *L);

/* Sets the hook for good in L and in all threads that run below it, so that none
** can catch what it raises and resume others. In a signal handler, as above. */
void asy_trap_setall(struct asy_rt *rt, lua_State *L, lua_Hook hook);

/* Called by the hook: puts back what was there before; whether the trap was
** still waiting. */
bool asy_trap_sprung(struct asy_rt *rt, lua_State *L);

/* Nothing is to be trapped any more, also in the thread, if its hook is there. */
void asy_trap_unset(struct asy_rt *rt, lua_State *L, lua_Hook hook);

/* A trap waits: if it was set in the one thread, it is to be in the other. */
void asy_trap_move(struct asy_rt *rt, lua_State *from, lua_State *to);

#endif
