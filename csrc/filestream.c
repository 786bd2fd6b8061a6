/*
** Reads and writes of such descriptors on libuv's pool, where they may block:
** one at a time each way. What needs no waiting is written at once. POSIX only.
*/
#include "filestream.h"

#include <errno.h>
#include <limits.h>
#include <sys/poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "req.h"

#define READ_SIZE 65536

struct file_stream;

/* A read or a write; it outlives the stream, which is closed without it. */
typedef struct file_req {
  asy_req r;
  asy_list link;             /* among the writes that have not begun */
  struct file_stream *owner; /* NULL once that is closed */
  int fd;
  ssize_t result;
  size_t start, n; /* the bytes still to be written */
  char data[];
} file_req;

typedef struct file_stream {
  asy_stream s;
  file_req *input, *output; /* under way, or NULL */
  asy_list writes;          /* that have not begun */
  size_t queued;            /* bytes in all writes */
  mode_t type;              /* of the file, as in st_mode */
} file_stream;


static int last_error(void) {
  return uv_translate_sys_error(errno);
}


static file_req *file_req_new(file_stream *f, size_t size) {
  file_req *q = (file_req *)asy_req_new(f->s.h.loop, sizeof(file_req) + size);
  if (q != NULL) {
    q->owner = f;
    q->fd = f->s.fd;
  }
  return q;
}


static int file_submit(file_req *q, uv_work_cb work, uv_after_work_cb after) {
  int err = uv_queue_work(q->r.loop->engine->uv, &q->r.uv.work, work, after);
  if (err == 0)
    asy_req_started(&q->r);
  return err;
}


/* Waits on the pool until the descriptor is ready; one that does not block is
** not to be asked in vain. */
static void await_ready(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  while (poll(&p, 1, -1) < 0 && errno == EINTR)
    continue;
}


/* {====== Reading ====== */

static void read_work(uv_work_t *work) {
  file_req *q = asy_of(work, file_req, r.uv.work);
  do {
    await_ready(q->fd, POLLIN);
    q->result = read(q->fd, q->data, READ_SIZE);
  } while (q->result < 0 && (errno == EINTR || errno == EAGAIN));
  if (q->result < 0)
    q->result = last_error();
}


static int file_start(asy_stream *s);


static void read_done(uv_work_t *work, int status) {
  file_req *q = asy_of(work, file_req, r.uv.work);
  file_stream *f = q->owner;
  ssize_t n = status != 0 ? status : q->result == 0 ? UV_EOF : q->result;
  asy_buf *b = f != NULL ? asy_stream_buffer(&f->s) : NULL;
  asy_req_ended(&q->r);
  if (b != NULL) {
    f->input = NULL;
    if (n > 0 && !asy_buf_append(b, q->data, (size_t)n))
      n = UV_ENOMEM;
    asy_stream_received(&f->s, n);
    if (f->s.h.state == ASY_HANDLE_OPEN && f->s.reading) {
      int err = file_start(&f->s);
      if (err != 0)
        asy_stream_lose(&f->s, err);
    }
  } else if (f != NULL) {
    f->input = NULL;
  }
  free(q);
}


static int file_start(asy_stream *s) {
  file_stream *f = (file_stream *)s;
  int err;
  if (f->input != NULL)
    return 0;
  f->input = file_req_new(f, READ_SIZE);
  if (f->input == NULL)
    return UV_ENOMEM;
  err = file_submit(f->input, read_work, read_done);
  if (err != 0) {
    free(f->input);
    f->input = NULL;
  }
  return err;
}


/* What is being read is still taken. */
static void file_stop(asy_stream *s) {
  (void)s;
}

/* }====== */


/* {====== Writing ====== */

/* Writes to a pipe as long as there is room for what it takes as a whole. */
static ssize_t write_pipe(int fd, const char *data, size_t n) {
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  size_t sent = 0;
  while (sent < n && poll(&p, 1, 0) > 0) {
    size_t part = n - sent < PIPE_BUF ? n - sent : PIPE_BUF;
    ssize_t k = write(fd, data + sent, part);
    if (k < 0)
      return sent > 0 ? (ssize_t)sent : k;
    sent += (size_t)k;
  }
  if (sent == 0)
    errno = EAGAIN;
  return sent > 0 ? (ssize_t)sent : -1;
}


static int file_send(asy_stream *s, const char *data, size_t n) {
  const file_stream *f = (const file_stream *)s;
  ssize_t sent;
  if (f->queued > 0)
    return UV_EAGAIN;
  do {
    switch (f->type) {
    case S_IFSOCK: sent = send(s->fd, data, n, MSG_DONTWAIT); break;
    case S_IFIFO: sent = write_pipe(s->fd, data, n); break;
    default: sent = write(s->fd, data, n); break;
    }
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 ? (int)sent : last_error();
}


static void write_work(uv_work_t *work) {
  file_req *q = asy_of(work, file_req, r.uv.work);
  do {
    await_ready(q->fd, POLLOUT);
    q->result = write(q->fd, q->data + q->start, q->n);
  } while (q->result < 0 && (errno == EINTR || errno == EAGAIN));
  if (q->result < 0)
    q->result = last_error();
}


static void write_done(uv_work_t *work, int status);


/* Goes on with the write under way, or the next one. */
static int write_next(file_stream *f) {
  if (f->output == NULL) {
    if (asy_list_empty(&f->writes))
      return 0;
    f->output = asy_of(f->writes.next, file_req, link);
    asy_list_remove(&f->output->link);
  }
  return file_submit(f->output, write_work, write_done);
}


/* A loop that closes cancels what waits for a thread: it is tried again. */
static void write_done(uv_work_t *work, int status) {
  file_req *q = asy_of(work, file_req, r.uv.work);
  file_stream *f = q->owner;
  int err = 0;
  asy_req_ended(&q->r);
  if (f == NULL) {
    free(q);
    return;
  }
  if (status == 0 && q->result < 0) {
    err = (int)q->result;
  } else if (status == 0) {
    q->start += (size_t)q->result;
    q->n -= (size_t)q->result;
    f->queued -= (size_t)q->result;
  }
  if (q->n == 0 || err != 0) {
    f->output = NULL;
    free(q);
  }
  if (err == 0)
    err = write_next(f);
  asy_stream_sent(&f->s, err);
}


static int file_later(asy_stream *s, const char *data, size_t n) {
  file_stream *f = (file_stream *)s;
  file_req *q = file_req_new(f, n);
  if (q == NULL)
    return UV_ENOMEM;
  memcpy(q->data, data, n);
  q->n = n;
  f->queued += n;
  asy_list_append(&f->writes, &q->link);
  return f->output == NULL ? write_next(f) : 0;
}


static size_t file_queued(const asy_stream *s) {
  return ((const file_stream *)s)->queued;
}

/* }====== */


static void file_detach(asy_handle *h) {
  file_stream *f = (file_stream *)h;
  asy_stream_detach(h);
  if (f->input != NULL)
    f->input->owner = NULL;
  if (f->output != NULL)
    f->output->owner = NULL;
  f->input = f->output = NULL;
  for (asy_list *next, *n = f->writes.next; n != &f->writes; n = next) {
    next = n->next;
    free(asy_of(n, file_req, link));
  }
  asy_list_init(&f->writes);
}


asy_stream *asy_filestream_new(asy_loop *loop, int fd) {
  static const asy_stream_ops ops = {file_start, file_stop, file_send,
                                     file_later, file_queued};
  file_stream *f = (file_stream *)asy_stream_new(loop, sizeof(file_stream));
  struct stat st;
  if (f == NULL)
    return NULL;
  asy_list_init(&f->writes);
  f->s.ops = &ops;
  f->s.fd = fd;
  f->s.h.detach = file_detach;
  f->type = fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : S_IFREG;
  uv_idle_init(loop->engine->uv, &f->s.h.uv.idle);
  asy_handle_opened(&f->s.h);
  return &f->s;
}
