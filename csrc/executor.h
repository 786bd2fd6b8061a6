/*
** Executors: ThreadPoolExecutor, ProcessPoolExecutor, and the default one of a loop.
*/
#ifndef asy_executor_h
#define asy_executor_h

#include "loop.h"

/* A C function, called with a loop that closes: its default executor takes no
** more jobs. */
int asy_executor_loopclosed(lua_State *L);

/* Lua's constructors, for a closure with the runtime; get the class first. */
int asy_executor_create(lua_State *L);
int asy_executor_createprocesses(lua_State *L);

void asy_executor_open(lua_State *L);

#endif
