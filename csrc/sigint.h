/*
** Ctrl-C while asyncio.run or a Runner runs.
*/
#ifndef asy_sigint_h
#define asy_sigint_h

#include "loop.h"

void asy_sigint_open(lua_State *L);

#endif
