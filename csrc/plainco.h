/*
** Lua's own coroutine library in a worker.
*/
#ifndef asy_plainco_h
#define asy_plainco_h

#include "compat.h"

/* Puts ours into the library's table for those functions that run a thread. */
void asy_plainco_open(lua_State *L);

#endif
