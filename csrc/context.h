/*
** Contexts: the values of context variables, as a task or a callback sees
** them. A copy costs the same however many variables are set.
*/
#ifndef asy_context_h
#define asy_context_h

#include "runtime.h"

/* Pushes a copy of the current context. */
void asy_context_copy(lua_State *L, asy_rt *rt);

/* Pushes the context of the task at 'idx', made when missing. */
void asy_context_pushtask(lua_State *L, int idx);

/* Makes the context on the top, which it pops, that of the task at 'idx'. */
void asy_context_settask(lua_State *L, int idx);

/* Makes the context in the user value 'uv' of the userdata at 'idx' (nil: an
** empty one) the current one of code outside tasks; returns what
** asy_context_leave takes to undo that. */
int asy_context_enter(lua_State *L, asy_rt *rt, int idx, int uv);
void asy_context_leave(lua_State *L, asy_rt *rt, int previous);

/* Lua's constructor ContextVar(name, default), for a closure with the
** runtime. */
int asy_context_newvar(lua_State *L);

void asy_context_open(lua_State *L);

#endif
