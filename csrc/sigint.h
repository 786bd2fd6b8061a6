/*
** Ctrl-C while asyncio.run or a Runner runs.
*/
#ifndef asy_sigint_h
#define asy_sigint_h

#include "loop.h"

void asy_sigint_open(lua_State *L);

/* The Lua state closes, perhaps from inside a run: Ctrl-C is what it was. */
void asy_sigint_over(asy_rt *rt);

/* The same where a loop closes whose run had no proper end, for want of memory,
** say. */
void asy_sigint_loopclosed(lua_State *L, asy_loop *loop);

#endif
