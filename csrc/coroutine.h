/*
** Coroutine objects: a function and its arguments, to be run once. What an
** asyncio user gets by calling an "async def".
*/
#ifndef asy_coroutine_h
#define asy_coroutine_h

#include "runtime.h"

/* Whether the value is a function made by async(). */
bool asy_coroutine_isfunction(lua_State *L, int idx);

/* Replaces the function on the top by a coroutine function of it. */
void asy_coroutine_wrap(lua_State *L, asy_rt *rt);

/* The upvalue of a coroutine function that is what it was made of. */
#define ASY_COROUTINE_FUNCTION 2

/* Replaces the coroutine function at 'idx' by the function it was made of. */
void asy_coroutine_unwrap(lua_State *L, int idx);

/* Makes a Coroutine of the function and the 'nargs' arguments on the top,
** which it replaces. */
void asy_coroutine_new(lua_State *L, asy_rt *rt, int nargs);

/* Marks the Coroutine at 'idx' as given to a task. Raises a RuntimeError when
** it was used before. */
void asy_coroutine_take(lua_State *L, int idx);

/* Pushes its function and arguments and lets go of them; returns how many
** values these are. */
int asy_coroutine_start(lua_State *L, int idx);

/* It will never run. Never raises. */
void asy_coroutine_close(lua_State *L, int idx);

void asy_coroutine_open(lua_State *L);

#endif
