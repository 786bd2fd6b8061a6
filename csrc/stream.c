/*
** The handle side of streams: bytes in, bytes out, and the end. Nothing here
** runs Lua, but for the making of the two objects.
*/
#include "stream.h"

#include <errno.h>
#include <sys/poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "error.h"
#include "server.h"

/* More than this waiting to be sent stops those who drain, until it is less
** than that. */
#define HIGH_WATER 65536
#define LOW_WATER 16384

#define MAX_READ ((size_t)1 << 30) /* bytes at once: libuv counts in 32 bits */

/* More than this at once does not come out of a pipe, but from one who goes on
** to write. */
#define MAX_DRAIN ((size_t)1 << 20)

typedef struct stream_write {
  uv_write_t req;
  char data[];
} stream_write;


/* {====== The end ====== */

void asy_stream_detach(asy_handle *h) {
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


void asy_stream_close(asy_stream *s) {
  if (s->closing)
    return;
  s->closing = true;
  asy_stream_flow(s);
  if (asy_stream_queued(s) == 0)
    asy_handle_close(&s->h);
}


void asy_stream_finish(asy_handle *h) {
  asy_stream_close((asy_stream *)h);
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

/* Above twice its limit a reader takes no more, unless somebody waits for
** more; it starts again at the limit. */
static bool wants_data(const asy_stream *s) {
  const asy_reader *r = s->reader;
  if (r == NULL || r->eof || s->closing)
    return false;
  if (r->task != NULL || r->greedy)
    return true;
  if (s->lazy)
    return false;
  return asy_buf_length(&r->buf) <= (s->reading ? 2 * r->limit : r->limit);
}


void asy_stream_flow(asy_stream *s) {
  bool wanted = wants_data(s);
  if (wanted == s->reading)
    return;
  s->reading = wanted;
  if (!wanted) {
    s->ops->stop(s);
  } else {
    int err;
    if (s->before != NULL)
      fflush(s->before); /* a question comes before its answer */
    err = s->ops->start(s);
    if (err != 0)
      asy_stream_lose(s, err);
  }
}


/* What only reads is of no use after the end. */
static void stream_ended(asy_stream *s) {
  s->reader->eof = true;
  asy_stream_flow(s);
  asy_reader_wake(s->reader);
  if (s->ways == ASY_STREAM_READS)
    asy_handle_close(&s->h);
}


void asy_stream_received(asy_stream *s, ssize_t n) {
  asy_reader *r = s->reader;
  if (n > 0) {
    asy_reader_wake(r);
    if (s->lazy || asy_buf_length(&r->buf) > 2 * r->limit)
      asy_stream_flow(s);
  } else if (n == UV_EOF) {
    stream_ended(s);
  } else if (n < 0) {
    asy_stream_lose(s, (int)n);
  }
}


bool asy_stream_drain(asy_stream *s) {
  asy_buf *b = &s->reader->buf;
  size_t left = MAX_DRAIN;
  while (left > 0) {
    size_t room = asy_buf_reserve(b);
    ssize_t n = room == 0 ? -1 : read(asy_stream_fd(s), b->data + b->end, room);
    if (n < 0 && room > 0 && errno == EINTR)
      continue;
    if (n < 0)
      return false; /* there is no more now, or libuv will tell */
    if (n == 0) {
      asy_stream_received(s, UV_EOF);
      return true;
    }
    asy_buf_add(b, (size_t)n);
    asy_stream_received(s, n);
    left -= (size_t)n < left ? (size_t)n : left;
  }
  return false;
}

/* }====== */


/* {====== Writing ====== */

void asy_stream_sent(asy_stream *s, int status) {
  asy_writer *w = s->writer;
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


/* libuv counts the bytes of one write in an unsigned int. */
#define MAX_WRITE ((size_t)1 << 30)

static size_t part_of(size_t n) {
  return n < MAX_WRITE ? n : MAX_WRITE;
}


int asy_stream_write(asy_stream *s, const char *data, size_t n) {
  size_t left = n;
  int err = 0;
  if (s->before != NULL)
    fflush(s->before);
  if (asy_stream_queued(s) == 0 && n > 0) {
    int sent = s->ops->send(s, data, part_of(n));
    if (sent >= 0) {
      data += sent;
      left -= (size_t)sent;
    } else if (sent != UV_EAGAIN) {
      err = sent;
    }
  }
  while (left > 0 && err == 0) {
    size_t part = part_of(left);
    err = s->ops->later(s, data, part);
    if (err == 0) {
      data += part;
      left -= part;
    }
  }
  if (err != 0 && (err != UV_ENOMEM || left < n))
    asy_stream_lose(s, err); /* half a message is none */
  else if (asy_stream_queued(s) > HIGH_WATER)
    s->writer->paused = true;
  return err;
}

/* }====== */


/* {====== The streams of libuv ====== */

/* Whether a read would not wait now. */
static bool is_readable(const asy_stream *s) {
  struct pollfd p = {.events = POLLIN};
  uv_os_fd_t fd;
  if (uv_fileno(&s->h.uv.any, &fd) != 0)
    return true;
  p.fd = fd;
  return poll(&p, 1, 0) != 0;
}


/* libuv reads on until the buffer is not filled or there is nothing, which from
** a blocking descriptor is for too long: it gets no buffer then. */
static void uv_alloc(uv_handle_t *uv, size_t suggested, uv_buf_t *buf) {
  asy_stream *s = (asy_stream *)uv->data;
  asy_reader *r = s->reader;
  size_t room;
  (void)suggested;
  s->declined = s->shared && !is_readable(s);
  if (s->declined) {
    *buf = uv_buf_init(NULL, 0);
    return;
  }
  room = asy_buf_reserve(&r->buf);
  if (room > MAX_READ)
    room = MAX_READ;
  *buf =
      uv_buf_init(room == 0 ? NULL : r->buf.data + r->buf.end, (unsigned)room);
}


static void uv_received(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf) {
  asy_stream *s = (asy_stream *)uv->data;
  if (n == UV_ENOBUFS && s->declined)
    return;
  if (n > 0)
    asy_buf_add(&s->reader->buf, (size_t)n);
  (void)buf;
  asy_stream_received(s, n);
}


static int uv_start(asy_stream *s) {
  return uv_read_start(&s->h.uv.stream, uv_alloc, uv_received);
}


static void uv_stop_reading(asy_stream *s) {
  uv_read_stop(&s->h.uv.stream);
}


static int uv_send(asy_stream *s, const char *data, size_t n) {
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)n);
  return uv_try_write(&s->h.uv.stream, &buf, 1);
}


static void uv_written(uv_write_t *req, int status) {
  asy_stream *s = (asy_stream *)req->handle->data;
  free(req);
  asy_stream_sent(s, status);
}


static int uv_later(asy_stream *s, const char *data, size_t n) {
  stream_write *w = (stream_write *)malloc(sizeof(stream_write) + n);
  uv_buf_t buf;
  int err;
  if (w == NULL)
    return UV_ENOMEM;
  memcpy(w->data, data, n);
  buf = uv_buf_init(w->data, (unsigned)n);
  err = uv_write(&w->req, &s->h.uv.stream, &buf, 1, uv_written);
  if (err != 0)
    free(w);
  return err;
}


static size_t uv_queued(const asy_stream *s) {
  return uv_stream_get_write_queue_size(&s->h.uv.stream);
}


static const asy_stream_ops uv_ops = {uv_start, uv_stop_reading, uv_send,
                                      uv_later, uv_queued};


void *asy_stream_new(asy_loop *loop, size_t size) {
  asy_stream *s = (asy_stream *)asy_handle_new(loop, size);
  if (s != NULL) {
    s->h.detach = asy_stream_detach;
    s->ops = &uv_ops;
    s->what = "?";
    s->fd = -1;
  }
  return s;
}


int asy_stream_openfd(asy_stream *s, int fd) {
  int err = uv_pipe_init(s->h.loop->engine->uv, &s->h.uv.pipe, 0);
  if (err == 0) {
    asy_handle_opened(&s->h);
    err = uv_pipe_open(&s->h.uv.pipe, fd);
  }
  if (err != 0)
    close(fd);
  return err;
}


int asy_stream_fd(const asy_stream *s) {
  uv_os_fd_t fd;
  if (s->fd >= 0)
    return s->fd;
  return uv_fileno(&s->h.uv.any, &fd) == 0 ? (int)fd : -1;
}

/* }====== */


/* {====== The two objects ====== */

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
  if (ways & ASY_STREAM_READS)
    asy_reader_new(L, loop->rt, limit);
  w = (asy_writer *)asy_new(L, loop->rt, ASY_WRITER, sizeof(asy_writer), 1);
  asy_list_init(&w->drainers);
  asy_list_init(&w->closers);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, ASY_WRITER_LOOP);
  if (ways & ASY_STREAM_READS) {
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, -3, ASY_READER_WRITER);
  }
  if (ways == ASY_STREAM_READS)
    lua_pop(L, 1);
}


static asy_writer *writer_of(lua_State *L, int reader) {
  asy_writer *w;
  lua_getiuservalue(L, reader, ASY_READER_WRITER);
  w = (asy_writer *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return w;
}


void asy_stream_attach(lua_State *L, asy_stream *s, int idx, int ways) {
  asy_reader *r = NULL;
  asy_writer *w;
  int fd = asy_stream_fd(s);
  if (ways & ASY_STREAM_READS) {
    r = (asy_reader *)lua_touserdata(L, idx);
    w = writer_of(L, idx);
  } else {
    w = (asy_writer *)lua_touserdata(L, idx);
  }
  asy_address_peer(fd, &w->peer);
  asy_address_local(fd, &w->local);
  w->what = s->what;
  w->stream = s;
  if (r != NULL)
    r->stream = s;
  s->ways = (uint8_t)ways;
  s->reader = r;
  s->writer = w;
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


void asy_streams_open(lua_State *L) {
  asy_reader_open(L);
  asy_writer_open(L);
  asy_connect_open(L);
  asy_tcp_open(L);
  asy_server_open(L);
  asy_unix_open(L);
  asy_pipe_open(L);
  asy_stdio_open(L);
  asy_tty_open(L);
}

/* }====== */
