/*
** StreamReader: the received bytes, handed out as Lua strings.
*/
#include <string.h>

#include "error.h"
#include "stream.h"
#include "weak.h"


asy_reader *asy_reader_new(lua_State *L, asy_rt *rt, size_t limit) {
  asy_reader *r = (asy_reader *)asy_new(L, rt, ASY_READER, sizeof(asy_reader),
                                        ASY_READER_VALUES);
  r->limit = limit;
  return r;
}


/* {====== Waiting for data ====== */

static void stop_waiting(asy_reader *r) {
  r->task = NULL;
  if (r->stream != NULL)
    r->stream->awaited = NULL;
}


void asy_reader_wake(asy_reader *r) {
  asy_task *t = r->task;
  if (t == NULL || (asy_buf_length(&r->buf) < r->need && !r->eof && !r->failed))
    return;
  stop_waiting(r);
  asy_unpark(t);
}


static asy_future *read_abort(asy_task *t) {
  asy_reader *r = (asy_reader *)t->on;
  stop_waiting(r);
  r->user = NULL;
  if (r->stream != NULL)
    asy_stream_flow(r->stream);
  return NULL;
}


static const asy_wait read_wait = {"data from a stream", read_abort};


/* Suspends until there are 'need' bytes or there will be no more. */
static int wait_data(lua_State *L, asy_reader *r, size_t need,
                     const char *fname, lua_KContext ctx, lua_KFunction k) {
  asy_stream *s = r->stream;
  asy_task *t = s != NULL ? asy_task_hereon(L, s->h.loop, "stream", fname)
                          : asy_task_here(L, r->rt, fname);
  r->need = need;
  r->task = t;
  if (asy_likely(s != NULL)) {
    s->awaited = r;
    if (!s->reading)
      asy_stream_flow(s);
  } else if (asy_unlikely(r->held)) {
    asy_feed_resume(r);
  }
  if (asy_unlikely(r->task == NULL)) /* reading could not even start */
    return k(L, LUA_OK, ctx);
  r->user = t;
  return asy_park(L, t, &read_wait, r, ctx, k);
}


/* The program has said that the reader, at 1, fails. */
static int raise_exception(lua_State *L) {
  lua_getiuservalue(L, 1, ASY_READER_EXCEPTION);
  return lua_error(L);
}


/* Begins or continues a read. Between its wake-up and its continuation, too, it
** relies on the buffer: what it has looked at already must still be there. */
static asy_reader *enter(lua_State *L, int status, const char *fname) {
  asy_reader *r = (asy_reader *)lua_touserdata(L, 1);
  if (status == LUA_YIELD) {
    asy_task *t = r->rt->task;
    if (r->user == t)
      r->user = NULL;
    asy_woken(L, t);
  } else if (asy_unlikely(r->user != NULL)) {
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "%s: another task is reading this stream already", fname);
  }
  if (asy_unlikely(r->failed))
    raise_exception(L);
  return r;
}


static asy_reader *check_reader(lua_State *L) {
  return (asy_reader *)asy_checkkind(L, 1, ASY_READER);
}


/* Pushes the first 'n' bytes and takes them out of the buffer. */
static int take(lua_State *L, asy_reader *r, size_t n) {
  lua_pushlstring(L, n > 0 ? asy_buf_bytes(&r->buf) : "", n);
  asy_buf_consume(&r->buf, n);
  if (r->stream != NULL && !r->stream->reading)
    asy_stream_flow(r->stream);
  else if (asy_unlikely(r->held) && asy_buf_length(&r->buf) <= r->limit)
    asy_feed_resume(r);
  return 1;
}


void asy_reader_pusherror(lua_State *L, int idx, const asy_reader *r) {
  lua_getiuservalue(L, idx, ASY_READER_WRITER);
  asy_writer_pusherror(L, (asy_writer *)lua_touserdata(L, -1), r->error,
                       "read");
  lua_remove(L, -2);
}


/* The connection broke, and what came before is read. */
static void check_error(lua_State *L, asy_reader *r) {
  if (asy_likely(r->error == 0))
    return;
  asy_reader_pusherror(L, 1, r);
  lua_error(L);
}

/* }====== */


/* {====== read ====== */

/* read(n): what there is, up to 'n' bytes, or nil at the end. */
static int read_some(lua_State *L, int status, lua_KContext n) {
  asy_reader *r = enter(L, status, "read");
  size_t length = asy_buf_length(&r->buf);
  if (length > 0)
    return take(L, r, length < (size_t)n ? length : (size_t)n);
  if (!r->eof)
    return wait_data(L, r, 1, "read", n, read_some);
  check_error(L, r);
  lua_pushnil(L);
  return 1;
}


/* read("a"): everything up to the end. */
static int read_all(lua_State *L, int status, lua_KContext ctx) {
  asy_reader *r = enter(L, status, "read");
  if (!r->eof)
    return wait_data(L, r, SIZE_MAX, "read", ctx, read_all);
  check_error(L, r);
  return take(L, r, asy_buf_length(&r->buf));
}


/* Whether the argument asks for everything: nothing, -1, "a" or "*a". */
static bool is_all(lua_State *L, int arg) {
  const char *format;
  if (lua_isnoneornil(L, arg))
    return true;
  if (lua_type(L, arg) != LUA_TSTRING)
    return lua_isinteger(L, arg) && lua_tointeger(L, arg) == -1;
  format = lua_tostring(L, arg);
  luaL_argcheck(L, strcmp(format, "a") == 0 || strcmp(format, "*a") == 0, arg,
                "number or \"a\" expected");
  return true;
}


static lua_Integer check_count(lua_State *L, int arg) {
  lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, n >= 0, arg, "negative number of bytes");
  return n;
}


lua_Integer asy_stream_count(lua_State *L, int arg) {
  return is_all(L, arg) ? -1 : check_count(L, arg);
}


/* reader:read(n) */
static int reader_read(lua_State *L) {
  asy_reader *r = check_reader(L);
  lua_Integer n = asy_stream_count(L, 2);
  lua_settop(L, 1);
  if (n < 0)
    return read_all(L, LUA_OK, 0);
  if (n > 0)
    return read_some(L, LUA_OK, (lua_KContext)n);
  if (r->failed)
    return raise_exception(L);
  lua_pushliteral(L, "");
  return 1;
}

/* }====== */


/* {====== readexactly ====== */

/* Raises an IncompleteReadError with what is left in the buffer, which it
** empties; 'expected' is how much it was to be, -1 if unknown. */
static int incomplete(lua_State *L, asy_reader *r, lua_Integer expected) {
  size_t length = asy_buf_length(&r->buf);
  check_error(L, r);
  if (expected >= 0)
    asy_error_push(L, r->rt, ASY_INCOMPLETE_READ_ERROR,
                   "%d bytes read of %I expected", (int)length,
                   (LUAI_UACINT)expected);
  else
    asy_error_push(L, r->rt, ASY_INCOMPLETE_READ_ERROR,
                   "%d bytes read without a separator", (int)length);
  take(L, r, length);
  lua_setfield(L, -2, "partial");
  if (expected >= 0) {
    lua_pushinteger(L, expected);
    lua_setfield(L, -2, "expected");
  }
  return lua_error(L);
}


static int read_exactly(lua_State *L, int status, lua_KContext n) {
  asy_reader *r = enter(L, status, "readexactly");
  if (asy_buf_length(&r->buf) >= (size_t)n)
    return take(L, r, (size_t)n);
  if (r->eof)
    return incomplete(L, r, (lua_Integer)n);
  return wait_data(L, r, (size_t)n, "readexactly", n, read_exactly);
}


/* reader:readexactly(n) */
static int reader_readexactly(lua_State *L) {
  lua_Integer n;
  check_reader(L);
  n = check_count(L, 2);
  lua_settop(L, 1);
  return read_exactly(L, LUA_OK, (lua_KContext)n);
}

/* }====== */


/* {====== readuntil, readline, lines ====== */

/* Where a separator was found: the bytes before it, and with it. */
typedef struct found {
  size_t before, with;
} found;


/* Looks for the separator in the buffer from 'from' on; keeps the find that
** ends first. */
static bool find_one(const asy_buf *b, size_t from, const char *sep, size_t n,
                     found *f) {
  const char *data = asy_buf_bytes(b), *p = data + from;
  const char *end = data + asy_buf_length(b);
  while ((size_t)(end - p) >= n &&
         (p = (const char *)memchr(p, *sep, (size_t)(end - p) - n + 1)) !=
             NULL) {
    if (memcmp(p, sep, n) == 0) {
      size_t before = (size_t)(p - data);
      if (f->with == 0 || before + n < f->with)
        *f = (found){before, before + n};
      return true;
    }
    p++;
  }
  return false;
}


/* Looks for the separators at index 2, a string or a list of strings. Sets the
** length of the longest. */
static found find_any(lua_State *L, asy_reader *r, size_t from,
                      size_t *longest) {
  found f = {0, 0};
  size_t n;
  if (lua_type(L, 2) == LUA_TSTRING) {
    const char *sep = lua_tolstring(L, 2, longest);
    if (r->buf.data != NULL)
      find_one(&r->buf, from, sep, *longest, &f);
    return f;
  }
  *longest = 0;
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) {
    const char *sep = lua_tolstring(L, -1, &n);
    if (n > *longest)
      *longest = n;
    if (r->buf.data != NULL)
      find_one(&r->buf, from, sep, n, &f);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return f;
}


/* Raises a LimitOverrunError after 'consumed' bytes. */
static int overrun(lua_State *L, asy_reader *r, const char *message,
                   size_t consumed) {
  asy_error_push(L, r->rt, ASY_LIMIT_OVERRUN_ERROR, "%s", message);
  lua_pushinteger(L, (lua_Integer)consumed);
  lua_setfield(L, -2, "consumed");
  return lua_error(L);
}


/* Looks for a separator from *from on. True when it was found, or the data has
** ended; raises a LimitOverrunError, before which a line (a read with 'drop')
** is taken out of the buffer. */
static bool look(lua_State *L, asy_reader *r, lua_KContext *from, bool drop,
                 found *f) {
  size_t longest, length = asy_buf_length(&r->buf), checked;
  *f = find_any(L, r, (size_t)*from, &longest);
  if (f->with != 0) {
    if (f->before <= r->limit)
      return true;
    if (drop)
      asy_buf_consume(&r->buf, f->with);
    overrun(L, r, "separator is found, but the chunk is longer than the limit",
            f->before);
  }
  checked = length + 1 > longest ? length + 1 - longest : 0;
  if (checked > r->limit) {
    if (drop)
      asy_buf_consume(&r->buf, length);
    overrun(L, r, "separator is not found, and the chunk exceeds the limit",
            checked);
  }
  *from = (lua_KContext)checked;
  return r->eof;
}


static int read_until(lua_State *L, int status, lua_KContext from) {
  asy_reader *r = enter(L, status, "readuntil");
  found f;
  if (!look(L, r, &from, false, &f))
    return wait_data(L, r, asy_buf_length(&r->buf) + 1, "readuntil", from,
                     read_until);
  if (f.with == 0)
    return incomplete(L, r, -1);
  return take(L, r, f.with);
}


/* Every separator must be a string, and not empty. */
static void check_separators(lua_State *L) {
  lua_Integer n;
  if (lua_isnil(L, 2)) {
    lua_pushliteral(L, "\n");
    lua_replace(L, 2);
    return;
  }
  if (lua_type(L, 2) == LUA_TSTRING) {
    luaL_argcheck(L, lua_rawlen(L, 2) > 0, 2, "empty separator");
    return;
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  n = (lua_Integer)lua_rawlen(L, 2);
  luaL_argcheck(L, n > 0, 2, "no separators");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) > 0, 2,
                  "separators must be strings that are not empty");
    lua_pop(L, 1);
  }
}


/* reader:readuntil(separator or list of separators) */
static int reader_readuntil(lua_State *L) {
  check_reader(L);
  lua_settop(L, 2);
  check_separators(L);
  return read_until(L, LUA_OK, 0);
}


/* The next line of the reader at 1, without its newline if 'strip' is true at
** 3; the separator is at 2. */
static int read_line(lua_State *L, int status, lua_KContext from) {
  asy_reader *r = enter(L, status, "readline");
  size_t length;
  found f;
  if (!look(L, r, &from, true, &f))
    return wait_data(L, r, asy_buf_length(&r->buf) + 1, "readline", from,
                     read_line);
  if (f.with != 0) {
    if (!lua_toboolean(L, 3))
      return take(L, r, f.with);
    lua_pushlstring(L, asy_buf_bytes(&r->buf), f.before);
    take(L, r, f.with);
    lua_pop(L, 1);
    return 1;
  }
  length = asy_buf_length(&r->buf);
  if (length > 0)
    return take(L, r, length);
  check_error(L, r);
  lua_pushnil(L);
  return 1;
}


static int start_line(lua_State *L, bool strip) {
  lua_settop(L, 1);
  lua_pushliteral(L, "\n");
  lua_pushboolean(L, strip);
  return read_line(L, LUA_OK, 0);
}


/* reader:readline() */
static int reader_readline(lua_State *L) {
  check_reader(L);
  return start_line(L, false);
}


static int next_line(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  return start_line(L, true);
}


/* for line in reader:lines() do */
static int reader_lines(lua_State *L) {
  check_reader(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_line, 2);
  return 1;
}

/* }====== */


static int reader_ateof(lua_State *L) {
  asy_reader *r = check_reader(L);
  lua_pushboolean(L, r->eof && asy_buf_length(&r->buf) == 0);
  return 1;
}


/* reader:get_extra_info(key, default) */
static int reader_getextrainfo(lua_State *L) {
  static const asy_ends nowhere;
  const asy_writer *w;
  check_reader(L);
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, ASY_READER_WRITER);
  w = (const asy_writer *)lua_touserdata(L, 4);
  return asy_ends_push(L, w != NULL ? &w->ends : &nowhere,
                       w != NULL ? w->stream : NULL);
}


/* reader:close(); nothing is left to be sent where one only reads */
static int reader_close(lua_State *L) {
  asy_reader *r = check_reader(L);
  if (r->stream != NULL)
    asy_stream_close(r->stream);
  return 0;
}


static int reader_gc(lua_State *L) {
  asy_reader *r = check_reader(L);
  if (r->stream != NULL) {
    r->stream->reader = 0;
    asy_stream_flow(r->stream);
    r->stream = NULL;
  }
  asy_weak_free(r->rt, &r->self);
  asy_buf_free(&r->buf);
  return 0;
}


static int reader_tostring(lua_State *L) {
  asy_reader *r = check_reader(L);
  lua_pushfstring(L, "<StreamReader %d bytes%s%s%s>",
                  (int)asy_buf_length(&r->buf), r->eof ? " eof" : "",
                  r->failed ? " failed" : "",
                  r->task != NULL ? " waiting" : "");
  return 1;
}


void asy_reader_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"read", reader_read},
      {"readexactly", reader_readexactly},
      {"readuntil", reader_readuntil},
      {"readline", reader_readline},
      {"lines", reader_lines},
      {"at_eof", reader_ateof},
      {"close", reader_close},
      {"get_extra_info", reader_getextrainfo},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", reader_close},
      {"__gc", reader_gc},
      {"__tostring", reader_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_READER, "asyncio.StreamReader", methods, meta, 0);
  lua_getfield(L, -1, "__methods");
  asy_feed_add(L);
  lua_pop(L, 2);
}
