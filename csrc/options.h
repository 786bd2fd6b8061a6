/*
** Options: tables by which a function takes what Python takes as keywords. Each
** function has a list of the names that it knows, and refuses others.
*/
#ifndef asy_options_h
#define asy_options_h

#include "runtime.h"

/* Raises an argument error unless at 'idx' there is nothing, nil, or a table
** whose keys are all among the names, the last of which is followed by NULL. */
void asy_options_check(lua_State *L, int idx, const char *const *names);

/* The same as a message, which is pushed, for the table at 'idx'; NULL when all
** its keys are known, then nothing is pushed. */
const char *asy_options_unknown(lua_State *L, int idx,
                                const char *const *names);

/* The field of the options at 'idx', a table or nil, as a boolean. */
bool asy_optflag(lua_State *L, int idx, const char *name, bool otherwise);

void asy_options_open(lua_State *L);

#endif
