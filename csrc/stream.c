/*
** The handle side of streams: bytes in, bytes out, and the end. Nothing here
** runs Lua.
*/
#include "stream.h"

#include <errno.h>
#include <sys/poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

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
  if (s->user != NULL)
    s->user->detach(s);
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
  if (s->user != NULL)
    s->user->lost(s, error);
  asy_handle_close(&s->h);
}

/* }====== */


/* {====== Reading ====== */

void asy_stream_flow(asy_stream *s) {
  bool wanted = !s->closing && s->user != NULL && s->user->wants(s);
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


asy_buf *asy_stream_buffer(asy_stream *s) {
  s->into = s->user != NULL ? s->user->buffer(s) : NULL;
  return s->into;
}


void asy_stream_received(asy_stream *s, ssize_t n) {
  if (n > 0) {
    s->user->received(s);
  } else if (n == UV_EOF) {
    s->user->ended(s);
  } else if (n < 0) {
    asy_stream_lose(s, (int)n);
  }
}


bool asy_stream_drain(asy_stream *s) {
  asy_buf *b = asy_stream_buffer(s);
  size_t left = b != NULL ? MAX_DRAIN : 0;
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
  if (s->h.state == ASY_HANDLE_CLOSING)
    return;
  if (status < 0) {
    asy_stream_lose(s, status);
    return;
  }
  if (s->user != NULL)
    s->user->sent(s);
  if (s->closing && asy_stream_queued(s) == 0)
    asy_handle_close(&s->h);
}


/* libuv counts the bytes of one write in an unsigned int. */
#define MAX_WRITE ((size_t)1 << 30)

static size_t part_of(size_t n) {
  return n < MAX_WRITE ? n : MAX_WRITE;
}


ssize_t asy_stream_write(asy_stream *s, const char *data, size_t n) {
  size_t left = n;
  int err = 0;
  if (s->before != NULL)
    fflush(s->before);
  if (n > 0) {
    int sent = s->ops->send(s, data, part_of(n));
    if (asy_likely(sent >= 0 && (size_t)sent == n))
      return 0;
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
  if (err == 0)
    return (ssize_t)asy_stream_queued(s);
  if (err != UV_ENOMEM || left < n)
    asy_stream_lose(s, err); /* half a message is none */
  return err;
}


static void shut_down(uv_shutdown_t *req, int status) {
  (void)req;
  (void)status; /* that the peer is gone shows elsewhere */
}


void asy_stream_shutdown(asy_stream *s) {
  if (s->ways == ASY_STREAM_WRITES)
    asy_stream_close(s);
  else
    uv_shutdown(&s->shutdown, &s->h.uv.stream, shut_down);
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
** a blocking descriptor is for too long: it gets no buffer then, nor when there
** is nobody any more whose it would be. */
static void uv_alloc(uv_handle_t *uv, size_t suggested, uv_buf_t *buf) {
  asy_stream *s = (asy_stream *)uv->data;
  asy_buf *b = asy_stream_buffer(s);
  size_t room;
  (void)suggested;
  s->declined = b == NULL || (s->shared && !is_readable(s));
  if (s->declined) {
    *buf = uv_buf_init(NULL, 0);
    return;
  }
  room = asy_buf_reserve(b);
  if (room > MAX_READ)
    room = MAX_READ;
  *buf = uv_buf_init(room == 0 ? NULL : b->data + b->end, (unsigned)room);
}


static void uv_received(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf) {
  asy_stream *s = (asy_stream *)uv->data;
  (void)buf;
  if (n == UV_ENOBUFS && s->declined) {
    if (s->into == NULL)
      asy_stream_flow(s);
    return;
  }
  if (n > 0)
    asy_buf_add(s->into, (size_t)n);
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
