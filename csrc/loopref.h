/*
** A loop as other Lua states see it: something to post calls to.
*/
#ifndef asy_loopref_h
#define asy_loopref_h

#include "loop.h"
#include "shared.h"

/* What other states share of the loop, whose it is; made on first use. May
** raise. */
asy_shared *asy_loopref_of(lua_State *L, asy_loop *loop);

/* Whether other states have it, so that they may wake the loop. When they have it
** no more the loop is woken once. */
bool asy_loopref_isheld(const asy_loop *loop);

void asy_loopref_open(lua_State *L);

#endif
