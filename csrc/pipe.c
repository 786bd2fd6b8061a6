/*
** pipe and socketpair: streams whose both ends are here.
*/
#include <unistd.h>

#include "error.h"
#include "stream.h"


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
  size_t limit = asy_stream_limit(L, 1);
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
  size_t limit = asy_stream_limit(L, 1);
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


void asy_pipe_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"pipe", new_pipe},
      {"socketpair", new_socketpair},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
