/*
** Timeouts: a deadline for what a task does inside a scope.
*/
#ifndef asy_timeout_h
#define asy_timeout_h

#include "task.h"

/* The task ends: its scopes that are still open are over. Never raises. */
void asy_timeout_dropall(asy_task *t);

/* Frees the scopes of all wait_for, those in use included: the state closes. */
void asy_timeout_freeall(asy_rt *rt);

void asy_timeout_open(lua_State *L);

#endif
