/*
** Help for the collector: a task that ends leaves a thread behind, a KiB of
** garbage. Where tasks come and go, the collector would wait until memory has
** doubled; told in time it gives the same memory to the next ones. It is told
** when a thread is about to be made: tasks that only end do not wait for it.
** What tasks take that are not over is no garbage. The collector counts what is
** allocated, and would look for garbage again and again while their number
** grows: it is told how much of that is known to live.
*/
#ifndef asy_garbage_h
#define asy_garbage_h

#include "runtime.h"

/* Lets the collector take a step; it may run finalizers. */
void asy_garbage_collect(lua_State *L, asy_rt *rt);

/* Tells the collector how much more lives than when it was told last. */
void asy_garbage_grown(lua_State *L, asy_rt *rt);

#define ASY_GARBAGE_UNIT 256   /* bytes, about: of a task */
#define ASY_GARBAGE_GROWTH 256 /* of what lives, that is worth telling */

/* What lives, in these: a thread is a KiB. */
static inline uint32_t asy_garbage_living(const asy_rt *rt) {
  return rt->pinned + rt->threads * 4;
}

/* A task is about to be made. Called where finalizers may run. */
static inline void asy_garbage_task(lua_State *L, asy_rt *rt) {
  if (asy_unlikely(asy_garbage_living(rt) >= rt->living + ASY_GARBAGE_GROWTH))
    asy_garbage_grown(L, rt);
}

/* Another thread is about to be made. Called where finalizers may run. */
static inline void asy_garbage_thread(lua_State *L, asy_rt *rt) {
  if (asy_unlikely(rt->garbage >= rt->garbage_limit))
    asy_garbage_collect(L, rt);
  asy_garbage_task(L, rt);
}

#endif
