/*
** What is done with a job in the Lua state of a worker.
*/
#ifndef asy_work_h
#define asy_work_h

#include "pool.h"

/* Calls what the parcel has, an initializer; false: the job has failed with its
** error. Never raises, as the next two, and leaves values on the stack. */
bool asy_work_initialize(lua_State *L, const asy_parcel *p, asy_job *j);

/* Does the job: its outcome and 'got' are set. Drops all that is on the stack. */
void asy_work_do(lua_State *L, asy_job *j);

/* It has ended: nothing of it stays. */
void asy_work_rest(lua_State *L);

void asy_work_open(lua_State *L);

#endif
