/*
** pipe and socketpair: streams whose both ends are here; and transports on the
** ends of the program's own pipes.
*/
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "callback.h"
#include "error.h"
#include "file.h"
#include "pin.h"
#include "poll.h"
#include "transport.h"


/* Makes open handles of both descriptors, or closes both. Returns 0 or a libuv
** error. */
static int ends_open(asy_loop *loop, const int *fds, asy_stream **ends,
                     const char *what) {
  int err = 0;
  for (int i = 0; i < 2; i++) {
    ends[i] = (asy_stream *)asy_stream_new(loop, sizeof(asy_stream));
    if (ends[i] == NULL) {
      close(fds[i]);
      err = UV_ENOMEM;
    } else {
      int failed = asy_stream_openfd(ends[i], fds[i]);
      ends[i]->what = what;
      if (failed != 0)
        err = failed;
    }
  }
  for (int i = 0; i < 2 && err != 0; i++)
    if (ends[i] != NULL)
      asy_handle_close(&ends[i]->h);
  return err;
}


static int raise_os(lua_State *L, int err, const char *syscall) {
  asy_error_os(L, asy_rt_up(L), err, syscall, NULL);
  return lua_error(L);
}


/* pipe(options): a reader and a writer */
static int new_pipe(lua_State *L) {
  size_t limit = asy_stream_onlylimit(L, 1);
  asy_loop *loop = asy_stream_loop(L, "pipe");
  asy_stream *ends[2];
  uv_file fds[2];
  int err;
  lua_settop(L, 1);
  asy_stream_make(L, loop, ASY_STREAM_READS, limit);
  asy_stream_make(L, loop, ASY_STREAM_WRITES, limit);
  err = uv_pipe(fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  if (err == 0)
    err = ends_open(loop, fds, ends, "pipe");
  if (err != 0)
    return raise_os(L, err, "pipe");
  asy_stream_attach(L, ends[0], 2, ASY_STREAM_READS);
  asy_stream_attach(L, ends[1], 3, ASY_STREAM_WRITES);
  return 2;
}


/* socketpair(options): a reader and a writer for each end */
static int new_socketpair(lua_State *L) {
  size_t limit = asy_stream_onlylimit(L, 1);
  asy_loop *loop = asy_stream_loop(L, "socketpair");
  asy_stream *ends[2];
  uv_os_sock_t fds[2];
  int err;
  lua_settop(L, 1);
  asy_stream_make(L, loop, ASY_STREAM_BOTH, limit);
  asy_stream_make(L, loop, ASY_STREAM_BOTH, limit);
  err = uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  if (err == 0)
    err = ends_open(loop, fds, ends, "socket");
  if (err != 0)
    return raise_os(L, err, "socketpair");
  asy_stream_attach(L, ends[0], 2, ASY_STREAM_BOTH);
  asy_stream_attach(L, ends[1], 4, ASY_STREAM_BOTH);
  return 4;
}


/* {====== connect_read_pipe and connect_write_pipe ====== */

/* Places on the stack. */
#define LOOP 1
#define FACTORY 2
#define PIPE 3

/* The argument, whatever has a descriptor. */
static int check_pipe(lua_State *L, asy_rt *rt) {
  const asy_object *o = asy_toobject(L, rt, PIPE);
  int fd;
  if (o == NULL || o->kind != ASY_FILE)
    return asy_poll_checkfd(L, rt, PIPE);
  fd = asy_file_fd((const asy_file *)o);
  luaL_argcheck(L, fd >= 0, PIPE, "closed file");
  return fd;
}


/* Whether it can be watched, and goes that way: 0, or a libuv error. */
static int pipe_check(int fd, int ways) {
  int mode = fcntl(fd, F_GETFL);
  if (mode < 0)
    return uv_translate_sys_error(errno);
  mode &= O_ACCMODE;
  if (mode != O_RDWR && (mode == O_RDONLY) != (ways == ASY_STREAM_READS))
    return UV_EBADF;
  switch (uv_guess_handle(fd)) {
  case UV_NAMED_PIPE:
  case UV_TCP:
  case UV_TTY: return 0;
  default: return UV_ENOTSUP;
  }
}


/* A stream on a copy of the descriptor; NULL with an error. */
static asy_stream *pipe_stream(asy_loop *loop, int fd, int ways, int *err) {
  asy_stream *s;
  int copy;
  *err = pipe_check(fd, ways);
  if (*err != 0)
    return NULL;
  copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (copy < 0) {
    *err = uv_translate_sys_error(errno);
    return NULL;
  }
  s = (asy_stream *)asy_stream_new(loop, sizeof(asy_stream));
  if (s == NULL) {
    close(copy);
    *err = UV_ENOMEM;
    return NULL;
  }
  s->what = "pipe";
  *err = asy_stream_openfd(s, copy);
  if (*err == 0)
    return s;
  asy_handle_close(&s->h);
  return NULL;
}


/* A descriptor that is a number becomes the transport's; an object stays the
** program's, which closes it. */
static int connect_pipe(lua_State *L, int ways, const char *fname) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = (asy_loop *)asy_checkkind(L, LOOP, ASY_LOOP);
  asy_transport *t;
  asy_stream *s;
  int fd, err;
  asy_callback_checkfn(L, FACTORY);
  fd = check_pipe(L, rt);
  asy_loop_task(L, loop, fname);
  lua_settop(L, PIPE);
  asy_poll_checknotours(L, loop, fd);
  t = asy_transport_make(L, loop, FACTORY);
  t->slot = asy_pin(L, rt, -1);
  s = pipe_stream(loop, fd, ways, &err);
  if (s == NULL) {
    asy_unpin(L, rt, &t->slot);
    lua_pushinteger(L, fd);
    asy_error_osof(L, rt, err, "open", "fd", lua_tostring(L, -1));
    return lua_error(L);
  }
  asy_transport_attach(L, t, s, ways);
  if (lua_type(L, PIPE) == LUA_TNUMBER)
    close(fd);
  return asy_transport_wait(L, lua_gettop(L));
}


/* loop:connect_read_pipe(factory, pipe) */
static int connect_read_pipe(lua_State *L) {
  return connect_pipe(L, ASY_STREAM_READS, "connect_read_pipe");
}


/* loop:connect_write_pipe(factory, pipe) */
static int connect_write_pipe(lua_State *L) {
  return connect_pipe(L, ASY_STREAM_WRITES, "connect_write_pipe");
}

/* }====== */


void asy_pipe_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"pipe", new_pipe},
      {"socketpair", new_socketpair},
      {NULL, NULL},
  };
  static const luaL_Reg methods[] = {
      {"connect_read_pipe", connect_read_pipe},
      {"connect_write_pipe", connect_write_pipe},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
  asy_addmethods(L, ASY_LOOP, methods);
}
