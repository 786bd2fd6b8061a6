/*
** Streams: the handle side, the reader that owns what was received, and the
** writer. The reader keeps the writer alive, whose collection closes the stream;
** where one only reads, nobody else has the writer. What differs between TCP,
** pipes, terminals and files is not known here.
*/
#ifndef asy_stream_h
#define asy_stream_h

#include <stdio.h>

#include "buf.h"
#include "handle.h"
#include "waitq.h"

#define ASY_STREAM_LIMIT 65536 /* default of a reader's limit */

struct asy_server;
struct asy_stream;
struct asy_transport;

/* What a stream leads to. */
typedef struct asy_ends {
  struct sockaddr_storage peer, local; /* family 0 when unknown */
  const char *what;                    /* for people, where it has no address */
} asy_ends;

typedef struct asy_reader {
  asy_rt *rt;
  uint8_t kind;
  bool eof;
  bool failed;               /* by set_exception: ASY_READER_EXCEPTION */
  bool greedy;               /* takes all there is, whatever its limit */
  bool held;                 /* it has paused its transport */
  struct asy_stream *stream; /* NULL once closed, and where one only feeds */
  asy_task *task;            /* who waits for data, or NULL */
  const asy_task *user;      /* whose read goes on, until it continues */
  asy_buf buf;
  size_t need; /* how much data it waits for */
  size_t limit;
  struct asy_transport *transport; /* ASY_READER_TRANSPORT, or NULL */
  uint32_t self; /* its number, where it has a stream (weak.h) */
  int error;     /* of the connection, a libuv code, or 0 */
} asy_reader;

/* User values of a reader. */
#define ASY_READER_WRITER 1 /* nil where there is no connection */
#define ASY_READER_EXCEPTION 2
#define ASY_READER_TRANSPORT 3 /* that of the protocol which feeds it */
#define ASY_READER_VALUES 3

typedef struct asy_writer {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self;             /* its number (weak.h) */
  bool ended;                /* after write_eof */
  bool paused;               /* too much is waiting to be sent */
  bool cut;                  /* closed before all was sent */
  int error;                 /* of the connection, a libuv code, or 0 */
  struct asy_stream *stream; /* NULL once closed */
  asy_list drainers;         /* tasks in drain */
  asy_list closers;          /* tasks in wait_closed */
  asy_ends ends;
} asy_writer;

#define ASY_WRITER_LOOP 1 /* user value: the loop */

/* Which ways bytes go. */
#define ASY_STREAM_READS 1
#define ASY_STREAM_WRITES 2
#define ASY_STREAM_BOTH 3

/* How a kind moves bytes. None of these raises. */
typedef struct asy_stream_ops {
  /* Reads from now on, for asy_stream_received; 0 or a libuv error. */
  int (*start)(struct asy_stream *s);
  void (*stop)(struct asy_stream *s);
  /* Sends what can be sent at once: how much that was, or a libuv error, which
  ** is UV_EAGAIN when it was nothing, as whenever bytes wait already. */
  int (*send)(struct asy_stream *s, const char *data, size_t n);
  /* Sends a copy of the bytes when it can, then calls asy_stream_sent; 0 or a
  ** libuv error. */
  int (*later)(struct asy_stream *s, const char *data, size_t n);
  /* Bytes waiting to be sent. */
  size_t (*queued)(const struct asy_stream *s);
} asy_stream_ops;

/* What whoever has a stream is told, and asked for: a reader and a writer
** (pair.c), or a transport. None of these raises or runs Lua. */
typedef struct asy_stream_user {
  /* Whether it is to receive anything. */
  bool (*wants)(const struct asy_stream *s);
  /* Where that goes; NULL when nobody wants it any more, or can. */
  asy_buf *(*buffer)(const struct asy_stream *s);
  void (*received)(struct asy_stream *s); /* there is more in the buffer */
  void (*ended)(struct asy_stream *s);    /* the peer has ended its side */
  void (*sent)(struct asy_stream *s);     /* less waits to be sent */
  void (*lost)(struct asy_stream *s, int error); /* it is about to close */
  void (*detach)(struct asy_stream *s);          /* it closes */
} asy_stream_user;

/* First what each message needs, as in a reader and a transport: with thousands
** of connections all of it comes from far memory, a few members at a time. */
typedef struct asy_stream {
  asy_handle h;
  const asy_stream_ops *ops;
  const asy_stream_user *user; /* NULL before somebody has it */
  uint8_t ways;
  bool reading;
  bool closing;     /* closes when all is written */
  bool lazy;        /* reads only while somebody waits for data */
  bool shared;      /* the descriptor blocks, for others have it, too */
  bool declined;    /* its last read got no buffer, as there was nothing */
  bool offered;     /* waits for somebody who takes it (connections.c) */
  asy_buf *into;    /* where what comes now goes */
  asy_task *waiter; /* who waits for data of the reader, or NULL */
  struct asy_transport *transport; /* pinned, or NULL */
  FILE *before;              /* what is written there comes first, or NULL */
  uint32_t reader, writer;   /* numbers of these (weak.h), or 0 */
  struct asy_server *server; /* whose client it is, or NULL */
  asy_list client;           /* among its clients */
  uv_shutdown_t shutdown;
  const char *what; /* for people, where there is no address */
  int fd;           /* the descriptor that the program knows; -1: libuv's */
} asy_stream;

/* {====== stream.c ====== */

/* The running loop. Raises a RuntimeError that names 'fname' when there is none,
** or it closes. */
asy_loop *asy_stream_loop(lua_State *L, const char *fname);

/* A handle in state 'new', of a struct of 'size' bytes that begins with an
** asy_stream, for a stream of libuv; NULL without memory. */
void *asy_stream_new(asy_loop *loop, size_t size);

/* Ends the sending side once all is sent; closes what only sends. */
void asy_stream_shutdown(asy_stream *s);

/* Pushes what belongs to a stream of those ways: a reader, a writer or both,
** without a stream yet. May raise. */
void asy_stream_make(lua_State *L, asy_loop *loop, int ways, size_t limit);

/* Gives these objects, which stand from 'idx' on, a connected handle, and starts
** to read. If it has closed meanwhile, they are closed. Never raises. */
void asy_stream_attach(lua_State *L, asy_stream *s, int idx, int ways);

/* Both, for both ways. May raise; then the handle is as it was. */
void asy_stream_push(lua_State *L, asy_stream *s, size_t limit);

/* Opens the handle, a new pipe of libuv, on the descriptor, which is the
** stream's from then on, or is closed. Returns 0 or a libuv error. */
int asy_stream_openfd(asy_stream *s, int fd);

/* Reads if there is reason to, else not. */
void asy_stream_flow(asy_stream *s);

/* The buffer for what comes now, or NULL: then there is none to come. */
asy_buf *asy_stream_buffer(asy_stream *s);

/* 'n' bytes were added to that buffer; or it is a libuv error, UV_EOF among
** them. */
void asy_stream_received(asy_stream *s, ssize_t n);

/* Receives at once what the pipe holds, whatever the limit; whether that was
** all, up to the end. The stream only reads, and is closed then. */
bool asy_stream_drain(asy_stream *s);

/* Sends the bytes: at once what the system takes, the rest from a copy. Returns
** how many bytes wait to be sent then, or a libuv error, after which the
** connection is lost; but for UV_ENOMEM when nothing was sent yet. */
ssize_t asy_stream_write(asy_stream *s, const char *data, size_t n);

/* Some of what was queued is sent, or it could not be: 0 or a libuv error. */
void asy_stream_sent(asy_stream *s, int status);

/* Closes once all is written. */
void asy_stream_close(asy_stream *s);

/* Closes now because of an error. */
void asy_stream_lose(asy_stream *s, int error);

/* Both ends let go of the handle: its 'detach'. */
void asy_stream_detach(asy_handle *h);

/* The loop closes: the handle closes once all is written. A 'finish'. */
void asy_stream_finish(asy_handle *h);

/* The descriptor, or -1. */
int asy_stream_fd(const asy_stream *s);

/* Bytes waiting to be sent. */
static inline size_t asy_stream_queued(const asy_stream *s) {
  return s->ops->queued(s);
}

/* }====== */

/* Pushes a reader without a stream. May raise. */
asy_reader *asy_reader_new(lua_State *L, asy_rt *rt, size_t limit);

/* Wakes the task that waits for data, if it has what it waits for. */
void asy_reader_wake(asy_reader *r);

/* {====== feed.c: readers that a program feeds ====== */

/* Lua's constructor StreamReader(options), for a closure with the runtime. */
int asy_reader_create(lua_State *L);

/* More is wanted, or there is less: its transport may read again. Never raises. */
void asy_feed_resume(asy_reader *r);

/* Adds its methods to the table on the top. */
void asy_feed_add(lua_State *L);

/* }====== */

/* How much a read is to give, the argument: a number of bytes, or -1 for all
** there is, which is asked for by nothing, -1, "a" or "*a". */
lua_Integer asy_stream_count(lua_State *L, int arg);

/* The limit in the options at 'idx', a table or nil. */
size_t asy_stream_limit(lua_State *L, int idx);

/* The same for options of which it is the only one. */
size_t asy_stream_onlylimit(lua_State *L, int idx);

/* Pushes an error of the writer's connection, a libuv code, as one of 'fname'. */
void asy_writer_pusherror(lua_State *L, const asy_writer *w, int err,
                          const char *fname);

/* The same for the connection of the reader at 'idx', when that has one. */
void asy_reader_pusherror(lua_State *L, int idx, const asy_reader *r);

/* The argument, a list of strings, as one, which is pushed. */
const char *asy_stream_join(lua_State *L, int arg, size_t *n);

/* Notes what the open stream leads to. */
void asy_ends_get(asy_ends *e, const asy_stream *s);

/* Where it leads to, for people: the peer's address; that of this end where it
** is a path, which both share; else what the stream is. 'text' has
** ASY_ADDRESS_TEXT bytes. */
const char *asy_ends_format(const asy_ends *e, char *text);

/* Pushes an error of that stream, a libuv code, as one of 'fname'. */
void asy_ends_pusherror(lua_State *L, asy_rt *rt, const asy_ends *e, int err,
                        const char *fname);

/* Lua's get_extra_info(key, default) of any object; 's' is NULL once closed. */
int asy_ends_push(lua_State *L, const asy_ends *e, const asy_stream *s);

void asy_reader_open(lua_State *L);
void asy_writer_open(lua_State *L);
void asy_transport_open(lua_State *L);
void asy_connect_open(lua_State *L);
void asy_tcp_open(lua_State *L);
void asy_unix_open(lua_State *L);
void asy_pipe_open(lua_State *L);
void asy_stdio_open(lua_State *L);
void asy_tty_open(lua_State *L);
void asy_server_open(lua_State *L);

/* Opens all of them. */
void asy_streams_open(lua_State *L);

#endif
