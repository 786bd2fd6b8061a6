/*
** A trap in the way of running Lua code, set from a signal handler of the very
** thread: a hook that is called before the next instruction, and may raise.
**
** It reaches coroutines that are resumed by Lua's coroutine library. It does not
** reach a C function that blocks, nor what a C function resumes.
*/
#ifndef asy_trap_h
#define asy_trap_h

#include <signal.h>
#include <stdbool.h>

#include "compat.h"

typedef struct asy_trap {
  volatile sig_atomic_t waits; /* it has not been met yet */
  lua_State *volatile L;       /* the thread it was set in last */
  lua_Hook hook;               /* what was there before */
  int mask, count;
} asy_trap;

/* Sets it in the innermost of the threads that run below L. As in the
** standalone interpreter, this is done in a signal handler, and only reads and
** sets plain fields of the state. */
void asy_trap_set(asy_trap *t, lua_State *L, lua_Hook hook);

/* Sets the hook for good in L and in all threads that run below it, so that none
** can catch what it raises and resume others. In a signal handler, as above. */
void asy_trap_setall(lua_State *L, lua_Hook hook);

/* Called by the hook: puts back what was there before; whether the trap was
** still waiting. */
bool asy_trap_sprung(asy_trap *t, lua_State *L);

/* Nothing is to be trapped any more, also in the thread, if its hook is there. */
void asy_trap_unset(asy_trap *t, lua_State *L, lua_Hook hook);

#endif
