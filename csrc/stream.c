/*
** The handle side of streams: bytes in, bytes out, and the end. Nothing here
** runs Lua, but for the making of the two objects.
*/
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "server.h"

/* More than this waiting to be sent stops those who drain, until it is less
** than that. */
#define HIGH_WATER 65536
#define LOW_WATER 16384

#define MAX_READ ((size_t)1 << 30) /* bytes at once: libuv counts in 32 bits */

typedef struct stream_write {
  uv_write_t req;
  char data[];
} stream_write;


/* {====== The end ====== */

/* The handle closes: both ends let go of it. */
static void stream_detach(asy_handle *h) {
  asy_stream *s = (asy_stream *)h;
  asy_reader *r = s->reader;
  asy_writer *w = s->writer;
  s->reader = NULL;
  s->writer = NULL;
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
  if (s->server != NULL)
    asy_server_left(s);
}


void *asy_stream_new(asy_loop *loop, size_t size) {
  asy_stream *s = (asy_stream *)asy_handle_new(loop, size);
  if (s != NULL)
    s->h.detach = stream_detach;
  return s;
}


void asy_stream_close(asy_stream *s) {
  if (s->closing)
    return;
  s->closing = true;
  asy_stream_flow(s);
  if (asy_stream_queued(s) == 0)
    asy_handle_close(&s->h);
}


void asy_stream_lose(asy_stream *s, int error) {
  if (s->reader != NULL && s->reader->error == 0)
    s->reader->error = error;
  if (s->writer != NULL && s->writer->error == 0)
    s->writer->error = error;
  asy_handle_close(&s->h);
}

/* }====== */


/* {====== Reading ====== */

static void stream_alloc(uv_handle_t *uv, size_t suggested, uv_buf_t *buf) {
  asy_reader *r = ((asy_stream *)uv->data)->reader;
  size_t room = asy_buf_reserve(&r->buf);
  (void)suggested;
  if (room > MAX_READ)
    room = MAX_READ;
  *buf =
      uv_buf_init(room == 0 ? NULL : r->buf.data + r->buf.end, (unsigned)room);
}


static void stream_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf) {
  asy_stream *s = (asy_stream *)uv->data;
  asy_reader *r = s->reader;
  (void)buf;
  if (n > 0) {
    asy_buf_add(&r->buf, (size_t)n);
    asy_reader_wake(r);
    if (asy_buf_length(&r->buf) > 2 * r->limit)
      asy_stream_flow(s);
  } else if (n == UV_EOF) {
    r->eof = true;
    asy_stream_flow(s);
    asy_reader_wake(r);
  } else if (n < 0) {
    asy_stream_lose(s, (int)n);
  }
}


/* Above twice its limit a reader takes no more, unless somebody waits for
** more; it starts again at the limit. */
static bool wants_data(const asy_stream *s) {
  const asy_reader *r = s->reader;
  if (r == NULL || r->eof || s->closing)
    return false;
  if (r->task != NULL)
    return true;
  return asy_buf_length(&r->buf) <= (s->reading ? 2 * r->limit : r->limit);
}


void asy_stream_flow(asy_stream *s) {
  bool wanted = wants_data(s);
  if (wanted == s->reading)
    return;
  s->reading = wanted;
  if (!wanted) {
    uv_read_stop(&s->h.uv.stream);
  } else {
    int err = uv_read_start(&s->h.uv.stream, stream_alloc, stream_read);
    if (err != 0)
      asy_stream_lose(s, err);
  }
}

/* }====== */


/* {====== Writing ====== */

static void stream_written(uv_write_t *req, int status) {
  asy_stream *s = (asy_stream *)req->handle->data;
  asy_writer *w = s->writer;
  free(req);
  if (s->h.state == ASY_HANDLE_CLOSING)
    return;
  if (status < 0) {
    asy_stream_lose(s, status);
    return;
  }
  if (w != NULL && w->paused && asy_stream_queued(s) <= LOW_WATER) {
    w->paused = false;
    asy_waitq_wakeall(&w->drainers);
  }
  if (s->closing && asy_stream_queued(s) == 0)
    asy_handle_close(&s->h);
}


static int write_later(asy_stream *s, const char *data, size_t n) {
  stream_write *w = (stream_write *)malloc(sizeof(stream_write) + n);
  uv_buf_t buf;
  int err;
  if (w == NULL)
    return UV_ENOMEM;
  memcpy(w->data, data, n);
  buf = uv_buf_init(w->data, (unsigned)n);
  err = uv_write(&w->req, &s->h.uv.stream, &buf, 1, stream_written);
  if (err != 0)
    free(w);
  else if (asy_stream_queued(s) > HIGH_WATER)
    s->writer->paused = true;
  return err;
}


/* libuv counts the bytes of one write in an unsigned int. */
#define MAX_WRITE ((size_t)1 << 30)


int asy_stream_write(asy_stream *s, const char *data, size_t n) {
  size_t left = n;
  int err = 0;
  if (asy_stream_queued(s) == 0 && n > 0) {
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data,
                               (unsigned)(n < MAX_WRITE ? n : MAX_WRITE));
    int sent = uv_try_write(&s->h.uv.stream, &buf, 1);
    if (sent >= 0) {
      data += sent;
      left -= (size_t)sent;
    } else if (sent != UV_EAGAIN) {
      err = sent;
    }
  }
  while (left > 0 && err == 0) {
    size_t part = left < MAX_WRITE ? left : MAX_WRITE;
    err = write_later(s, data, part);
    if (err == 0) {
      data += part;
      left -= part;
    }
  }
  if (err != 0 && (err != UV_ENOMEM || left < n))
    asy_stream_lose(s, err); /* half a message is none */
  return err;
}

/* }====== */


/* {====== The two objects ====== */

static void get_names(asy_stream *s, asy_writer *w) {
  int n = sizeof(w->peer);
  if (s->h.uv.any.type != UV_TCP)
    return;
  if (uv_tcp_getpeername(&s->h.uv.tcp, (struct sockaddr *)&w->peer, &n) != 0)
    w->peer.ss_family = 0;
  n = sizeof(w->local);
  if (uv_tcp_getsockname(&s->h.uv.tcp, (struct sockaddr *)&w->local, &n) != 0)
    w->local.ss_family = 0;
}


void asy_stream_push(lua_State *L, asy_rt *rt, asy_stream *s, size_t limit) {
  asy_writer *w;
  asy_reader *r;
  r = (asy_reader *)asy_new(L, rt, ASY_READER, sizeof(asy_reader), 1);
  w = (asy_writer *)asy_new(L, rt, ASY_WRITER, sizeof(asy_writer), 1);
  r->limit = limit;
  asy_list_init(&w->drainers);
  asy_list_init(&w->closers);
  asy_loop_push(L, s->h.loop);
  lua_setiuservalue(L, -2, ASY_WRITER_LOOP);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, ASY_READER_WRITER);
  get_names(s, w);
  r->stream = w->stream = s;
  s->reader = r;
  s->writer = w;
  asy_stream_flow(s);
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


void asy_streams_open(lua_State *L) {
  asy_reader_open(L);
  asy_writer_open(L);
  asy_connect_open(L);
  asy_server_open(L);
}

/* }====== */
