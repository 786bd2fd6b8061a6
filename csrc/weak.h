/*
** Weak references: numbers by which C memory finds a userdata without keeping
** it alive, and without relying on its finalizer. Lua frees a userdata without
** having called that when there is no memory for the call, or no depth left on
** the C stack. A pointer that only a finalizer takes back would dangle then; a
** number just finds nothing any more.
*/
#ifndef asy_weak_h
#define asy_weak_h

#include "runtime.h"

/* The number for the userdata at 'idx', never 0. May raise; then there is none.
** It belongs to the userdata, whose finalizer frees it; if that is not called,
** the number is lost, but harmless. */
uint32_t asy_weak_new(lua_State *L, asy_rt *rt, int idx);

/* The userdata, as long as its memory is there, or NULL; of 0 there is none.
** Never raises. */
void *asy_weak_get(asy_rt *rt, uint32_t number);

/* Frees the number, which nobody uses any more, and sets it to 0; nothing when it
** is 0. Never raises. */
void asy_weak_free(asy_rt *rt, uint32_t *number);

/* Frees what the runtime has of them, at its very end. */
void asy_weak_freeall(asy_rt *rt);

#endif
