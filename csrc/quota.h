/*
** How much processor time the control group of the process has, on Linux; libuv
** itself looks at that from 1.49 on.
*/
#ifndef asy_quota_h
#define asy_quota_h

#include "runtime.h"

/* So many processors, perhaps a part of one; 0 when nothing limits it. Never
** raises. 'root' is "", or a directory that has its own /proc and /sys. */
double asy_quota_get(const char *root);

/* How many of 'n' processors are worth using: at least 1. */
unsigned asy_quota_limit(unsigned n);

void asy_quota_open(lua_State *L);

#endif
