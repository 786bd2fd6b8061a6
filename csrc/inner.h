/*
** The threads that code has resumed and that have not come back yet, so that a
** signal handler knows which one runs: it must not look into a thread's stack,
** which may be about to move, nor at its calls, one of which may be half made.
** Noted is what Lua's coroutine library resumes in a worker (plainco.c), and
** what ours does where asy_rt.active does not tell of it (nest.h).
*/
#ifndef asy_inner_h
#define asy_inner_h

#include "runtime.h"

/* Lies on the C stack, as long as the thread runs: lua_resume and lua_closethread
** do not raise. */
typedef struct asy_inner {
  lua_State *co;
  lua_State *active; /* asy_rt.active then; if it has changed, 'co' is not the
                     ** innermost one */
  struct asy_inner *outer;
} asy_inner;


/* The code has gone on from one thread to another: so must what has just been
** set to interrupt it. To be called when that is noted. */
static inline void asy_inner_passed(asy_rt *rt, lua_State *from,
                                    lua_State *to) {
  if (asy_unlikely(rt->trap.waits))
    asy_trap_move(rt, from, to);
}


static inline void asy_inner_enter(lua_State *L, asy_rt *rt, asy_inner *in,
                                   lua_State *co) {
  in->co = co;
  in->active = rt->active;
  in->outer = rt->inner;
  __atomic_signal_fence(__ATOMIC_RELEASE);
  rt->inner = in;
  asy_inner_passed(rt, L, co);
}


static inline void asy_inner_leave(lua_State *L, asy_rt *rt,
                                   const asy_inner *in) {
  rt->inner = in->outer;
  asy_inner_passed(rt, in->co, L);
}


static inline int asy_inner_resume(lua_State *L, asy_rt *rt, lua_State *co,
                                   int nargs, int *nres) {
  asy_inner in;
  int status;
  asy_inner_enter(L, rt, &in, co);
  status = lua_resume(co, L, nargs, nres);
  asy_inner_leave(L, rt, &in);
  return status;
}


static inline int asy_inner_close(lua_State *L, asy_rt *rt, lua_State *co) {
  asy_inner in;
  int status;
  asy_inner_enter(L, rt, &in, co);
  status = asy_closethread(co, L);
  asy_inner_leave(L, rt, &in);
  return status;
}

#endif
