/*
** Streams: a libuv stream handle, the reader that owns what was received, and
** the writer. The reader keeps the writer alive, whose collection closes the
** connection. What differs between TCP, pipes and terminals is not known here.
*/
#ifndef asy_stream_h
#define asy_stream_h

#include "buf.h"
#include "handle.h"
#include "waitq.h"

#define ASY_STREAM_LIMIT 65536 /* default of a reader's limit */

struct asy_server;
struct asy_stream;

typedef struct asy_reader {
  asy_rt *rt;
  uint8_t kind;
  bool eof;
  int error;                 /* of the connection, a libuv code, or 0 */
  struct asy_stream *stream; /* NULL once closed */
  asy_task *task;            /* who waits for data, or NULL */
  const asy_task *user;      /* whose read goes on, until it continues */
  size_t need;               /* how much data it waits for */
  size_t limit;
  asy_buf buf;
} asy_reader;

#define ASY_READER_WRITER 1 /* user value: the writer */

typedef struct asy_writer {
  asy_rt *rt;
  uint8_t kind;
  bool ended;                /* after write_eof */
  bool paused;               /* too much is waiting to be sent */
  bool cut;                  /* closed before all was sent */
  int error;                 /* of the connection, a libuv code, or 0 */
  struct asy_stream *stream; /* NULL once closed */
  asy_list drainers;         /* tasks in drain */
  asy_list closers;          /* tasks in wait_closed */
  struct sockaddr_storage peer, local; /* family 0 when unknown */
} asy_writer;

#define ASY_WRITER_LOOP 1 /* user value: the loop */

typedef struct asy_stream {
  asy_handle h;
  asy_reader *reader; /* NULL before they are made, and when collected */
  asy_writer *writer;
  struct asy_server *server; /* whose client it is, or NULL */
  asy_list client;           /* among its clients */
  uv_shutdown_t shutdown;
  bool reading;
  bool closing; /* closes when all is written */
} asy_stream;

/* {====== stream.c ====== */

/* A handle in state 'new', of a struct of 'size' bytes that begins with an
** asy_stream; NULL without memory. */
void *asy_stream_new(asy_loop *loop, size_t size);

/* Pushes the reader and the writer of an open, connected handle, and starts to
** read. May raise; then the handle is as it was. */
void asy_stream_push(lua_State *L, asy_rt *rt, asy_stream *s, size_t limit);

/* Reads if there is reason to, else not. */
void asy_stream_flow(asy_stream *s);

/* Sends the bytes: at once what the system takes, the rest from a copy. Returns
** 0 or a libuv error, after which the connection is lost; but for UV_ENOMEM
** when nothing was sent yet. */
int asy_stream_write(asy_stream *s, const char *data, size_t n);

/* Closes once all is written. */
void asy_stream_close(asy_stream *s);

/* Closes now because of an error. */
void asy_stream_lose(asy_stream *s, int error);

/* Bytes waiting to be sent. */
static inline size_t asy_stream_queued(const asy_stream *s) {
  return uv_stream_get_write_queue_size(&s->h.uv.stream);
}

/* }====== */

/* Wakes the task that waits for data, if it has what it waits for. */
void asy_reader_wake(asy_reader *r);

/* How much a read is to give, the argument: a number of bytes, or -1 for all
** there is, which is asked for by nothing, -1, "a" or "*a". */
lua_Integer asy_stream_count(lua_State *L, int arg);

/* The limit in the options at 'idx', a table or nil. */
size_t asy_stream_limit(lua_State *L, int idx);

void asy_reader_open(lua_State *L);
void asy_writer_open(lua_State *L);
void asy_connect_open(lua_State *L);
void asy_server_open(lua_State *L);

/* Opens all of them. */
void asy_streams_open(lua_State *L);

#endif
