/*
** Jobs as the loop sees them: futures of what a worker does.
*/
#ifndef asy_job_h
#define asy_job_h

#include "future.h"
#include "pool.h"

/* Submits the function at 'fn', or the name of one, and the arguments above it up
** to the top, to the pool, and pushes the future of the results. Errors count
** the function as argument 'arg'. With 'fn' 0: the future of the end of all its
** threads. Raises a RuntimeError when the pool takes no jobs. */
void asy_job_submit(lua_State *L, asy_loop *loop, asy_pool *p, int fn, int arg);

/* Cancels the futures of all that are queued. Never raises. */
void asy_job_cancelqueued(asy_pool *p);

void asy_job_open(lua_State *L);

#endif
