/*
** What the ways of reading share: a read is a C function with the reader at 1,
** which is its own continuation. It enters, looks at the buffer, and takes out
** of that what it returns, or waits for more.
*/
#ifndef asy_reading_h
#define asy_reading_h

#include "stream.h"

/* The argument 1, a reader. */
asy_reader *asy_reading_reader(lua_State *L);

/* Raises what the program has said why the reader, at 1, fails. */
int asy_reading_raise(lua_State *L);

/* Raises a RuntimeError: another task reads. */
int asy_reading_refuse(lua_State *L, const char *fname);

/* Raises the error of the connection of the reader, at 1, if it has one. */
void asy_reading_check(lua_State *L, const asy_reader *r);

/* Raises an IncompleteReadError with what is left in the buffer, which it
** empties; 'expected' is how much it was to be, -1 if unknown. */
int asy_reading_incomplete(lua_State *L, asy_reader *r, lua_Integer expected);

/* Suspends until there are 'need' bytes or there will be no more. */
int asy_reading_wait(lua_State *L, asy_reader *r, size_t need,
                     const char *fname, lua_KContext ctx, lua_KFunction k);

/* Begins or continues a read. Between its wake-up and its continuation, too, it
** relies on the buffer: what it has looked at already must still be there. */
static inline asy_reader *asy_reading_enter(lua_State *L, int status,
                                            const char *fname) {
  asy_reader *r = (asy_reader *)lua_touserdata(L, 1);
  if (status == LUA_YIELD) {
    asy_task *t = r->rt->task;
    if (r->user == t)
      r->user = NULL;
    asy_woken(L, t);
  } else if (asy_unlikely(r->user != NULL)) {
    asy_reading_refuse(L, fname);
  }
  if (asy_unlikely(r->failed))
    asy_reading_raise(L);
  return r;
}

/* Pushes the first 'n' bytes and takes them out of the buffer. */
static inline int asy_reading_take(lua_State *L, asy_reader *r, size_t n) {
  lua_pushlstring(L, n > 0 ? asy_buf_bytes(&r->buf) : "", n);
  asy_buf_consume(&r->buf, n);
  if (r->stream != NULL && !r->stream->reading)
    asy_stream_flow(r->stream);
  else if (asy_unlikely(r->held) && asy_buf_length(&r->buf) <= r->limit)
    asy_feed_resume(r);
  return 1;
}

/* readline.c: adds its methods to the table on the top. */
void asy_readline_add(lua_State *L);

#endif
