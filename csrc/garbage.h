/*
** Help for the collector: a task that ends leaves a thread behind, a KiB of
** garbage. Where tasks come and go, the collector would wait until memory has
** doubled; told in time it gives the same memory to the next ones. It is told
** when a thread is about to be made: tasks that only end do not wait for it.
*/
#ifndef asy_garbage_h
#define asy_garbage_h

#include "runtime.h"

/* Lets the collector take a step; it may run finalizers. */
void asy_garbage_collect(lua_State *L, asy_rt *rt);

/* Another thread is about to be made. Called where finalizers may run. */
static inline void asy_garbage_check(lua_State *L, asy_rt *rt) {
  if (asy_unlikely(rt->garbage >= rt->garbage_limit))
    asy_garbage_collect(L, rt);
}

#endif
