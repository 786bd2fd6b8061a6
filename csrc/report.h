/*
** Errors that nobody took: the loop's exception handler is told of them.
*/
#ifndef asy_report_h
#define asy_report_h

#include "future.h"

/* {====== lost.c: futures whose error nobody took ====== */

/* Pushes the weak set in which a loop keeps its failed futures. */
void asy_report_newset(lua_State *L);

/* Called once when the future at 'idx' failed and nobody took the error yet:
** it will be reported when the future is collected or its loop closes, if the
** error is still not taken then. Without memory it forgoes the report. Never
** raises. */
void asy_report_watch(lua_State *L, int idx);

/* Reports the loop's failed futures whose error nobody took, in the order in
** which they failed. May raise for want of memory. */
void asy_report_lost(lua_State *L, asy_loop *loop);

void asy_lost_open(lua_State *L);

/* }====== */

/* Calls the loop's exception handler with a context of the message, the error
** on the top, which it pops, and the object at 'obj' under its name "task",
** "future" or "handle", by its kind (none when 'obj' is 0). What the
** handler raises goes to the default handler; a KeyboardInterrupt leaves the
** loop. Never raises. */
void asy_report_error(lua_State *L, asy_loop *loop, const char *message,
                      int obj);

/* The message handler of callbacks: keeps the traceback of an error for the
** report that follows. */
int asy_report_msgh(lua_State *L);

/* {====== stderr.c ====== */

/* Writes the context at 'idx', a table, to stderr. Never raises. */
void asy_report_write(lua_State *L, int idx);

/* Writes a line to stderr: "asyncio: ..."; the formats are lua_pushfstring's.
** May raise for want of memory. */
void asy_report_warn(lua_State *L, const char *fmt, ...);

/* }====== */

void asy_report_open(lua_State *L);

#endif
