/*
** Errors that nobody took: the loop's exception handler is told of them.
*/
#ifndef asy_report_h
#define asy_report_h

#include "future.h"

/* Pushes the weak set in which a loop keeps its failed futures. */
void asy_report_newset(lua_State *L);

/* Called once when the future at 'idx' failed and nobody took the error yet:
** it will be reported when the future is collected or its loop closes, if the
** error is still not taken then. Without memory it forgoes the report. */
void asy_report_watch(lua_State *L, int idx);

/* Reports the loop's failed futures whose error nobody took. */
void asy_report_lost(lua_State *L, asy_loop *loop);

/* Calls the loop's exception handler with a context of the message, the error
** on the top, which it pops, and the object at 'obj' under its name "task",
** "future" or "handle", by its kind (none when 'obj' is 0). What the
** handler raises goes to the default handler. */
void asy_report_error(lua_State *L, asy_loop *loop, const char *message,
                      int obj);

/* Writes a line to stderr: "asyncio: ..."; for warnings of debug mode. */
void asy_report_warn(lua_State *L, const char *fmt, ...);

void asy_report_open(lua_State *L);

#endif
