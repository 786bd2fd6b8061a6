/*
** Tracebacks as text, in the form of luaL_traceback's. That one looks for each
** function in all loaded modules, which takes longer than all else that an
** error costs.
*/
#ifndef asy_traceback_h
#define asy_traceback_h

#include <stdbool.h>

#include "compat.h"

/* Pushes "stack traceback:" and a line for each frame of the thread 'co', from
** 'level' down to above the level 'end'; to the last with end < 0, and then
** without the C function that a thread begins with. */
void asy_traceback(lua_State *L, lua_State *co, int level, int end);

/* Pushes the traceback of a task's thread and of those inside it, as if they were
** one stack; the function that asks is left out. */
void asy_traceback_nested(lua_State *L, lua_State *co);

/* Pushes the name under which the function of that frame of 'co' stands in a
** loaded module, as "table.sort"; pushes nothing and returns false when it
** stands in none. */
bool asy_traceback_pushname(lua_State *L, lua_State *co, lua_Debug *ar);

#endif
