/*
** The side of a worker process that is in the process: does the jobs that come,
** until there are no more, or its parent is gone.
*/
#ifndef asy_serve_h
#define asy_serve_h

#include "runtime.h"

/* The descriptor of its end of the wire. */
#define ASY_SERVE_FD 3

void asy_serve_open(lua_State *L);

#endif
