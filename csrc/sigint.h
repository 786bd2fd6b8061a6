/*
** Ctrl-C while asyncio.run or a Runner runs.
*/
#ifndef asy_sigint_h
#define asy_sigint_h

#include "loop.h"

void asy_sigint_open(lua_State *L);

/* The Lua state closes, perhaps from inside a run: Ctrl-C is what it was. */
void asy_sigint_over(asy_rt *rt);

#endif
