/*
** The functions of asyncio that wait for others; each adds its own to the
** module table on the top.
*/
#ifndef asy_wait_h
#define asy_wait_h

#include "future.h"

/* The length of the argument, a list of awaitables. */
lua_Integer asy_wait_length(lua_State *L, int arg);

/* Pushes a block of memory for pointers to 'n' futures. */
asy_future **asy_wait_block(lua_State *L, lua_Integer n);

/* Fills the list at 'list', and the block, with futures of the 'n' awaitables of
** the list at 'src', on the loop at index 1; an awaitable that stands there twice
** runs once. An element that is none is an error of argument 'arg', before any
** task is made. */
void asy_wait_children(lua_State *L, asy_rt *rt, int arg, int list,
                       asy_future **futures, int src, lua_Integer n);

/* Leaves each of the 'n' futures of the block once, in order, and returns how
** many these are. A RuntimeError in the name of 'fname' unless they are all on
** one loop. */
uint32_t asy_wait_unique(lua_State *L, asy_future **futures, lua_Integer n,
                         const char *fname);

void asy_sleep_open(lua_State *L);
void asy_shield_open(lua_State *L);
void asy_gather_open(lua_State *L);
void asy_waitset_open(lua_State *L);
void asy_protect_open(lua_State *L);
void asy_colib_open(lua_State *L);
void asy_generator_open(lua_State *L);

#endif
