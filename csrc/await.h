/*
** Awaitables: whatever can be waited for, made into a future or run in the
** current task.
*/
#ifndef asy_await_h
#define asy_await_h

#include "task.h"

/* The wait of a task for a future, 'on'. */
extern const asy_wait asy_wait_future;

/* Registers the task as a watcher of the pending future, to be followed by
** asy_park. Raises a RuntimeError for a ring of tasks and for a future of
** another loop. */
void asy_await_watch(lua_State *L, asy_task *t, asy_future *f);

/* The values of the done future 'f', which is at 'idx', or its error, as the
** task that awaited it shall see it. */
int asy_await_values(lua_State *L, asy_task *t, asy_future *f, int idx);

/* Suspends the running task until the future 'f', at index 1 of the calling C
** function, is done, and then returns its values or raises. */
int asy_await_future(lua_State *L, asy_rt *rt, asy_future *f,
                     const char *fname);

/* Raises the argument error for what is not awaitable. */
int asy_await_typeerror(lua_State *L, int arg);

/* Makes a future of the awaitable at 'idx' and the arguments (or the options)
** above it, up to the top, on the loop at 'loopidx'; the future takes the
** place of 'idx' and the top is there. What is a future already stays. Raises
** an argument error for 'idx' when it is no awaitable. */
void asy_await_ensure(lua_State *L, asy_rt *rt, int loopidx, int idx);

/* Makes of the awaitable at 'idx' and what is above it a function and its
** arguments that run it, in the same place; a Coroutine object is used up. A
** future, or what is no awaitable, is not changed, and false is returned. */
bool asy_await_function(lua_State *L, asy_rt *rt, int idx);

/* Whether the value is an awaitable. */
bool asy_await_is(lua_State *L, asy_rt *rt, int idx);

void asy_await_open(lua_State *L);

#endif
