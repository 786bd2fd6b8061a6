/*
** The reader and the writer of a stream, and the information that there is of
** any stream.
*/
#include <string.h>

#include "address.h"
#include "error.h"
#include "options.h"
#include "stream.h"
#include "weak.h"

/* Less than this waiting to be sent lets those go on who drain. */
#define LOW_WATER 16384


/* {====== What they are told ====== */

/* They may be collected at any time, of which their finalizers tell the stream,
** if Lua calls these. A task that waits has the reader on its stack, unless other
** code has closed its thread. */

static asy_reader *reader_of(const asy_stream *s) {
  const asy_task *t = s->waiter;
  if (asy_likely(t != NULL && t->co != NULL && !asy_task_isleft(t)))
    return (asy_reader *)t->on;
  return (asy_reader *)asy_weak_get(s->h.loop->rt, s->reader);
}


static asy_writer *writer_of(const asy_stream *s) {
  return (asy_writer *)asy_weak_get(s->h.loop->rt, s->writer);
}


/* Above twice its limit a reader takes no more, unless somebody waits for
** more; it starts again at the limit. */
static bool pair_wants(const asy_stream *s) {
  const asy_reader *r = reader_of(s);
  if (r == NULL || r->eof)
    return false;
  if (r->task != NULL || r->greedy)
    return true;
  if (s->lazy)
    return false;
  return asy_buf_length(&r->buf) <= (s->reading ? 2 * r->limit : r->limit);
}


static asy_buf *pair_buffer(const asy_stream *s) {
  asy_reader *r = reader_of(s);
  return r != NULL ? &r->buf : NULL;
}


static void pair_received(asy_stream *s) {
  asy_reader *r = asy_of(s->into, asy_reader, buf);
  asy_reader_wake(r);
  if (s->lazy || asy_buf_length(&r->buf) > 2 * r->limit)
    asy_stream_flow(s);
}


/* What only reads is of no use after the end. */
static void pair_ended(asy_stream *s) {
  asy_reader *r = reader_of(s);
  if (r != NULL)
    r->eof = true;
  asy_stream_flow(s);
  if (r != NULL)
    asy_reader_wake(r);
  if (s->ways == ASY_STREAM_READS)
    asy_handle_close(&s->h);
}


static void pair_sent(asy_stream *s) {
  asy_writer *w = writer_of(s);
  if (w != NULL && w->paused && asy_stream_queued(s) <= LOW_WATER) {
    w->paused = false;
    asy_waitq_wakeall(&w->drainers);
  }
}


static void pair_lost(asy_stream *s, int error) {
  asy_reader *r = reader_of(s);
  asy_writer *w = writer_of(s);
  if (r != NULL && r->error == 0)
    r->error = error;
  if (w != NULL && w->error == 0)
    w->error = error;
}


static void pair_detach(asy_stream *s) {
  asy_reader *r = reader_of(s);
  asy_writer *w = writer_of(s);
  s->reader = s->writer = 0;
  s->waiter = NULL;
  if (r != NULL) {
    r->stream = NULL;
    r->eof = true;
    asy_reader_wake(r);
  }
  if (w != NULL) {
    w->stream = NULL;
    w->cut = asy_stream_queued(s) > 0;
    asy_waitq_wakeall(&w->drainers);
    asy_waitq_wakeall(&w->closers);
  }
}


static const asy_stream_user pair_user = {
    pair_wants, pair_buffer, pair_received, pair_ended,
    pair_sent,  pair_lost,   pair_detach,
};

/* }====== */


/* {====== Making them ====== */

asy_loop *asy_stream_loop(lua_State *L, const char *fname) {
  asy_rt *rt = asy_rt_up(L);
  if (asy_unlikely(rt->running == NULL))
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "'%s' must be called while an event loop runs: start one "
                    "with asyncio.run(main)",
                    fname);
  asy_loop_checkopen(L, rt->running);
  return rt->running;
}


void asy_stream_make(lua_State *L, asy_loop *loop, int ways, size_t limit) {
  asy_writer *w;
  if (ways & ASY_STREAM_READS) {
    asy_reader *r = asy_reader_new(L, loop->rt, limit);
    r->self = asy_weak_new(L, loop->rt, -1);
  }
  w = (asy_writer *)asy_new(L, loop->rt, ASY_WRITER, sizeof(asy_writer), 1);
  asy_list_init(&w->drainers);
  asy_list_init(&w->closers);
  w->self = asy_weak_new(L, loop->rt, -1);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, ASY_WRITER_LOOP);
  if (ways & ASY_STREAM_READS) {
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, -3, ASY_READER_WRITER);
  }
  if (ways == ASY_STREAM_READS)
    lua_pop(L, 1);
}


/* The writer that the reader keeps. */
static asy_writer *kept_writer(lua_State *L, int reader) {
  asy_writer *w;
  lua_getiuservalue(L, reader, ASY_READER_WRITER);
  w = (asy_writer *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return w;
}


void asy_stream_attach(lua_State *L, asy_stream *s, int idx, int ways) {
  asy_reader *r = NULL;
  asy_writer *w;
  if (ways & ASY_STREAM_READS) {
    r = (asy_reader *)lua_touserdata(L, idx);
    w = kept_writer(L, idx);
  } else {
    w = (asy_writer *)lua_touserdata(L, idx);
  }
  asy_ends_get(&w->ends, s);
  if (s->h.state != ASY_HANDLE_OPEN) {
    if (r != NULL)
      r->eof = true;
    return;
  }
  w->stream = s;
  if (r != NULL)
    r->stream = s;
  s->ways = (uint8_t)ways;
  s->reader = r != NULL ? r->self : 0;
  s->writer = w->self;
  s->user = &pair_user;
  asy_stream_flow(s);
}


void asy_stream_push(lua_State *L, asy_stream *s, size_t limit) {
  asy_stream_make(L, s->h.loop, ASY_STREAM_BOTH, limit);
  asy_stream_attach(L, s, lua_gettop(L) - 1, ASY_STREAM_BOTH);
}


size_t asy_stream_limit(lua_State *L, int idx) {
  lua_Integer limit = ASY_STREAM_LIMIT;
  if (lua_isnoneornil(L, idx))
    return ASY_STREAM_LIMIT;
  luaL_checktype(L, idx, LUA_TTABLE);
  if (lua_getfield(L, idx, "limit") != LUA_TNIL) {
    limit = lua_tointeger(L, -1);
    luaL_argcheck(L, limit > 0 && limit <= INT32_MAX, idx,
                  "field 'limit' must be a positive integer");
  }
  lua_pop(L, 1);
  return (size_t)limit;
}


size_t asy_stream_onlylimit(lua_State *L, int idx) {
  static const char *const names[] = {"limit", NULL};
  asy_options_check(L, idx, names);
  return asy_stream_limit(L, idx);
}

/* }====== */


const char *asy_stream_join(lua_State *L, int arg, size_t *n) {
  lua_Integer count;
  luaL_Buffer b;
  luaL_checktype(L, arg, LUA_TTABLE);
  count = luaL_len(L, arg);
  luaL_buffinit(L, &b);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, arg, i);
    luaL_argcheck(L, lua_isstring(L, -1), arg, "a list of strings expected");
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  return lua_tolstring(L, -1, n);
}


/* {====== Information ====== */

void asy_ends_get(asy_ends *e, const asy_stream *s) {
  int fd = asy_stream_fd(s);
  asy_address_peer(fd, &e->peer);
  asy_address_local(fd, &e->local);
  e->what = s->what;
}


static bool is_known(const struct sockaddr_storage *address) {
  return asy_address_known((const struct sockaddr *)address);
}


/* The address to which it leads, NULL if there is none. */
static const struct sockaddr *address_of(const asy_ends *e) {
  const struct sockaddr_storage *a = &e->peer;
  if (a->ss_family == AF_UNIX && !is_known(a))
    a = &e->local;
  return is_known(a) ? (const struct sockaddr *)a : NULL;
}


const char *asy_ends_format(const asy_ends *e, char *text) {
  const struct sockaddr *a = address_of(e);
  if (a == NULL)
    return e->what != NULL ? e->what : "?";
  asy_address_format(a, text);
  return text;
}


void asy_ends_pusherror(lua_State *L, asy_rt *rt, const asy_ends *e, int err,
                        const char *fname) {
  char text[ASY_ADDRESS_TEXT];
  asy_error_osof(L, rt, err, fname,
                 address_of(e) != NULL ? "address" : "stream",
                 asy_ends_format(e, text));
}


int asy_ends_push(lua_State *L, const asy_ends *e, const asy_stream *s) {
  const char *key = luaL_checkstring(L, 2);
  int fd = s != NULL ? asy_stream_fd(s) : -1;
  bool is_socket = e->local.ss_family != 0;
  lua_settop(L, 3);
  if (strcmp(key, "peername") == 0 && is_known(&e->peer))
    asy_address_push(L, (const struct sockaddr *)&e->peer);
  else if (strcmp(key, "sockname") == 0 && is_known(&e->local))
    asy_address_push(L, (const struct sockaddr *)&e->local);
  else if (fd >= 0 && (strcmp(key, "fd") == 0 ||
                       (strcmp(key, "socket") == 0 && is_socket)))
    lua_pushinteger(L, fd);
  return 1;
}

/* }====== */


void asy_streams_open(lua_State *L) {
  asy_reader_open(L);
  asy_writer_open(L);
  asy_transport_open(L);
  asy_connect_open(L);
  asy_tcp_open(L);
  asy_server_open(L);
  asy_unix_open(L);
  asy_pipe_open(L);
  asy_stdio_open(L);
  asy_tty_open(L);
}
