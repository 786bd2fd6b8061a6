/*
** Debug mode: where things were made, what took long, and what went wrong
** without an error. A loop in debug mode has its flag set; all of this is
** behind it, so that it costs one test when it is off.
*/
#ifndef asy_debug_h
#define asy_debug_h

#include "callback.h"
#include "task.h"

/* Whether the environment asks for debug mode: ASYNCIO_DEBUG is set, and is
** neither empty nor "0". */
bool asy_debug_env(void);

/* Pushes "file:line" of the innermost Lua function on the thread 'co', from
** 'level' on, that is not of this library; or nil, and returns false. */
bool asy_debug_where(lua_State *L, lua_State *co, int level);

/* Pushes "file:line" of the nearest such function that called the C function
** that runs, "?" when there is none. */
void asy_debug_source(lua_State *L);

/* Warns of the scope that is pinned there and whose task ends: what to say, and
** the user value that has the place where it was made. Never raises. */
void asy_debug_unleft(asy_rt *rt, uint32_t slot, int source, const char *text);

/* The task's step that began at 'start' has ended. Says so when it took long,
** and when the task goes on after it swallowed its cancellation. Never
** raises. */
void asy_debug_step(lua_State *L, asy_task *t, uint64_t start);

/* The same for the callback, whose object is at 'idx'. */
void asy_debug_callback(lua_State *L, asy_callback *cb, int idx,
                        uint64_t start);

/* {====== swallow.c: cancellations that a plain pcall took ====== */

/* The CancelledError on the top is about to be raised in the task, which runs
** on L. May raise for want of memory. */
void asy_debug_cancelled(lua_State *L, asy_task *t);

/* A step of such a task has ended. Never raises. */
void asy_debug_swallowed(lua_State *L, asy_task *t);

void asy_swallow_open(lua_State *L);

/* }====== */

void asy_debug_open(lua_State *L);

#endif
