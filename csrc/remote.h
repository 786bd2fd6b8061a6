/*
** Workers that are processes: a thread of the pool has one, hands it its jobs,
** and waits for what it gives. The process is started for the first job and
** stays for the next ones; when it has ended there is another. POSIX only.
*/
#ifndef asy_remote_h
#define asy_remote_h

#include "pool.h"

extern const asy_worker_ops asy_worker_processes;

/* Fills in what is started for each worker: a Lua interpreter, or NULL for the
** program that runs, and what it is to do. The paths have been taken. May raise;
** what is there by then is for asy_settings_free. */
void asy_remote_take(lua_State *L, asy_settings *s, const char *executable);

#endif
