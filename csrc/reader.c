/*
** StreamReader: the received bytes, and tasks that wait for them; reading so many
** of them, or all. Reading lines is in readline.c, feeding in feed.c.
*/
#include <string.h>

#include "error.h"
#include "reading.h"
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
    r->stream->waiter = NULL;
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


int asy_reading_wait(lua_State *L, asy_reader *r, size_t need,
                     const char *fname, lua_KContext ctx, lua_KFunction k) {
  asy_stream *s = r->stream;
  asy_task *t = s != NULL ? asy_task_hereon(L, s->h.loop, "stream", fname)
                          : asy_task_here(L, r->rt, fname);
  r->need = need;
  r->task = t;
  if (asy_likely(s != NULL)) {
    if (!s->reading)
      asy_stream_flow(s);
  } else if (asy_unlikely(r->held)) {
    asy_feed_resume(r);
  }
  if (asy_unlikely(r->task == NULL)) /* reading could not even start */
    return k(L, LUA_OK, ctx);
  r->user = t;
  if (asy_likely(s != NULL))
    s->waiter = t;
  return asy_park(L, t, &read_wait, r, ctx, k);
}


int asy_reading_raise(lua_State *L) {
  lua_getiuservalue(L, 1, ASY_READER_EXCEPTION);
  return lua_error(L);
}


int asy_reading_refuse(lua_State *L, const char *fname) {
  return asy_error_raise(L, ASY_RUNTIME_ERROR,
                         "%s: another task is reading this stream already",
                         fname);
}


asy_reader *asy_reading_reader(lua_State *L) {
  return (asy_reader *)asy_checkkind(L, 1, ASY_READER);
}


void asy_reader_pusherror(lua_State *L, int idx, const asy_reader *r) {
  lua_getiuservalue(L, idx, ASY_READER_WRITER);
  asy_writer_pusherror(L, (asy_writer *)lua_touserdata(L, -1), r->error,
                       "read");
  lua_remove(L, -2);
}


/* The connection broke, and what came before is read. */
void asy_reading_check(lua_State *L, const asy_reader *r) {
  if (asy_likely(r->error == 0))
    return;
  asy_reader_pusherror(L, 1, r);
  lua_error(L);
}


int asy_reading_incomplete(lua_State *L, asy_reader *r, lua_Integer expected) {
  size_t length = asy_buf_length(&r->buf);
  asy_reading_check(L, r);
  if (expected >= 0)
    asy_error_push(L, r->rt, ASY_INCOMPLETE_READ_ERROR,
                   "%d bytes read of %I expected", (int)length,
                   (LUAI_UACINT)expected);
  else
    asy_error_push(L, r->rt, ASY_INCOMPLETE_READ_ERROR,
                   "%d bytes read without a separator", (int)length);
  asy_reading_take(L, r, length);
  lua_setfield(L, -2, "partial");
  if (expected >= 0) {
    lua_pushinteger(L, expected);
    lua_setfield(L, -2, "expected");
  }
  return lua_error(L);
}

/* }====== */


/* {====== read ====== */

/* read(n): what there is, up to 'n' bytes, or nil at the end. */
static int read_some(lua_State *L, int status, lua_KContext n) {
  asy_reader *r = asy_reading_enter(L, status, "read");
  size_t length = asy_buf_length(&r->buf);
  if (length > 0)
    return asy_reading_take(L, r, length < (size_t)n ? length : (size_t)n);
  if (!r->eof)
    return asy_reading_wait(L, r, 1, "read", n, read_some);
  asy_reading_check(L, r);
  lua_pushnil(L);
  return 1;
}


/* read("a"): everything up to the end. */
static int read_all(lua_State *L, int status, lua_KContext ctx) {
  asy_reader *r = asy_reading_enter(L, status, "read");
  if (!r->eof)
    return asy_reading_wait(L, r, SIZE_MAX, "read", ctx, read_all);
  asy_reading_check(L, r);
  return asy_reading_take(L, r, asy_buf_length(&r->buf));
}


/* A number of bytes, at least 'min'. */
static lua_Integer check_count(lua_State *L, int arg, lua_Integer min) {
  lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, n >= min, arg, "negative number of bytes");
  return n;
}


lua_Integer asy_stream_count(lua_State *L, int arg) {
  int type = lua_type(L, arg);
  if (type == LUA_TSTRING) {
    const char *format = lua_tostring(L, arg);
    luaL_argcheck(L, strcmp(format, "a") == 0 || strcmp(format, "*a") == 0, arg,
                  "number or \"a\" expected");
    return -1;
  }
  return type <= LUA_TNIL ? -1 : check_count(L, arg, -1);
}


/* reader:read(n) */
static int reader_read(lua_State *L) {
  asy_reader *r = asy_reading_reader(L);
  lua_Integer n = asy_stream_count(L, 2);
  if (n < 0)
    return read_all(L, LUA_OK, 0);
  if (n > 0)
    return read_some(L, LUA_OK, (lua_KContext)n);
  if (r->failed)
    return asy_reading_raise(L);
  lua_pushliteral(L, "");
  return 1;
}

/* }====== */


/* {====== readexactly ====== */

static int read_exactly(lua_State *L, int status, lua_KContext n) {
  asy_reader *r = asy_reading_enter(L, status, "readexactly");
  if (asy_buf_length(&r->buf) >= (size_t)n)
    return asy_reading_take(L, r, (size_t)n);
  if (r->eof)
    return asy_reading_incomplete(L, r, (lua_Integer)n);
  return asy_reading_wait(L, r, (size_t)n, "readexactly", n, read_exactly);
}


/* reader:readexactly(n) */
static int reader_readexactly(lua_State *L) {
  lua_Integer n;
  asy_reading_reader(L);
  n = check_count(L, 2, 0);
  return read_exactly(L, LUA_OK, (lua_KContext)n);
}

/* }====== */


static int reader_ateof(lua_State *L) {
  asy_reader *r = asy_reading_reader(L);
  lua_pushboolean(L, r->eof && asy_buf_length(&r->buf) == 0);
  return 1;
}


/* reader:get_extra_info(key, default) */
static int reader_getextrainfo(lua_State *L) {
  static const asy_ends nowhere;
  const asy_writer *w;
  asy_reading_reader(L);
  lua_settop(L, 3);
  lua_getiuservalue(L, 1, ASY_READER_WRITER);
  w = (const asy_writer *)lua_touserdata(L, 4);
  return asy_ends_push(L, w != NULL ? &w->ends : &nowhere,
                       w != NULL ? w->stream : NULL);
}


/* reader:close(); nothing is left to be sent where one only reads */
static int reader_close(lua_State *L) {
  asy_reader *r = asy_reading_reader(L);
  if (r->stream != NULL)
    asy_stream_close(r->stream);
  return 0;
}


static int reader_gc(lua_State *L) {
  asy_reader *r = asy_reading_reader(L);
  if (r->stream != NULL) {
    r->stream->reader = 0;
    r->stream->waiter = NULL;
    asy_stream_flow(r->stream);
    r->stream = NULL;
  }
  asy_weak_free(r->rt, &r->self);
  asy_buf_free(&r->buf);
  return 0;
}


static int reader_tostring(lua_State *L) {
  asy_reader *r = asy_reading_reader(L);
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
  asy_readline_add(L);
  asy_feed_add(L);
  lua_pop(L, 2);
}
