/*
** stdin, stdout and stderr as streams. Their descriptors stay open, and go on
** to block, for print and other processes have them, too: a terminal and a pipe
** to write to are opened anew; what one reads from is asked first whether there
** is something. POSIX only.
*/
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "filestream.h"

/* Where the stream of a standard descriptor is kept among the loop's data. */
static const char *const std_name[] = {"stdin", "stdout", "stderr"};


static int last_error(void) {
  return uv_translate_sys_error(errno);
}


/* {====== Opening ====== */

/* A duplicate above the standard descriptors. */
static int std_copy(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  return copy >= 0 ? copy : last_error();
}


/* libuv opens the terminal anew and puts that in the place of the descriptor it
** gets, which therefore is a copy. */
static int open_tty(asy_stream *s, int fd) {
  int err, copy = std_copy(fd);
  uv_os_fd_t own;
  if (copy < 0)
    return copy;
  err = uv_tty_init(s->h.loop->engine->uv, &s->h.uv.tty, copy, 0);
  if (err == 0) {
    asy_handle_opened(&s->h);
    if (uv_fileno(&s->h.uv.any, &own) == 0 && own == copy)
      return 0;
  }
  close(copy);
  return err;
}


static int open_copy(asy_stream *s, int fd) {
  int copy = std_copy(fd);
  return copy < 0 ? copy : asy_stream_openfd(s, copy);
}


/* The same pipe with a mode of its own; a libuv error where that cannot be. */
static int reopen_pipe(int fd) {
  char name[32];
  int again;
  snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  again = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (again > STDERR_FILENO)
    return again;
  if (again < 0)
    return last_error();
  close(again); /* one of the three is closed, and not to be taken */
  return UV_EBADF;
}


static bool is_fifo(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}


static int open_libuv(asy_stream *s, int fd, int kind) {
  int mode = fcntl(fd, F_GETFL), err;
  err = kind == UV_TTY ? open_tty(s, fd) : open_copy(s, fd);
  if (mode >= 0)
    fcntl(fd, F_SETFL, mode);
  s->shared = true;
  return err;
}


/* Makes the stream of the descriptor; NULL with an error. */
static asy_stream *std_open(asy_loop *loop, int fd, int *err) {
  int kind = (int)uv_guess_handle(fd), again = -1;
  asy_stream *s;
  *err = 0;
  if (kind == UV_UNKNOWN_HANDLE || kind == UV_UDP) {
    *err = fcntl(fd, F_GETFD) < 0 ? last_error() : UV_ENOTSUP;
    return NULL;
  }
  if (fd != STDIN_FILENO && kind != UV_TTY && is_fifo(fd))
    again = reopen_pipe(fd);
  if (kind == UV_FILE || (fd != STDIN_FILENO && kind != UV_TTY && again < 0))
    s = asy_filestream_new(loop, fd);
  else
    s = (asy_stream *)asy_stream_new(loop, sizeof(asy_stream));
  if (s == NULL) {
    *err = UV_ENOMEM;
    if (again >= 0)
      close(again);
  } else if (again >= 0) {
    *err = asy_stream_openfd(s, again);
  } else if (s->h.state == ASY_HANDLE_NEW) {
    *err = open_libuv(s, fd, kind);
  }
  if (*err == 0)
    return s;
  if (s != NULL)
    asy_handle_close(&s->h);
  return NULL;
}

/* }====== */


/* {====== The three functions ====== */

/* Pushes the reader or the writer of the descriptor, the same one at each call
** under one loop. What was written is sent before that has closed. */
static int std_stream(lua_State *L, int fd) {
  const char *name = std_name[fd];
  asy_loop *loop = asy_stream_loop(L, name);
  int ways = fd == STDIN_FILENO ? ASY_STREAM_READS : ASY_STREAM_WRITES, err;
  asy_stream *s;
  lua_settop(L, 0);
  asy_loop_push(L, loop);
  lua_getiuservalue(L, 1, ASY_LOOP_DATA);
  if (lua_getfield(L, 2, name) != LUA_TNIL)
    return 1;
  lua_pop(L, 1);
  asy_stream_make(L, loop, ways, ASY_STREAM_LIMIT);
  lua_pushvalue(L, 3);
  lua_setfield(L, 2, name);
  s = std_open(loop, fd, &err);
  if (s == NULL) {
    lua_pushnil(L);
    lua_setfield(L, 2, name);
    asy_error_os(L, asy_rt_up(L), err, "open", name);
    return lua_error(L);
  }
  s->fd = fd;
  s->what = name;
  s->lazy = true;
  s->before = fd == STDERR_FILENO ? stderr : stdout;
  s->h.finish = fd == STDIN_FILENO ? NULL : asy_stream_finish;
  asy_stream_attach(L, s, 3, ways);
  return 1;
}


/* stdin() */
static int std_in(lua_State *L) {
  return std_stream(L, STDIN_FILENO);
}


/* stdout() */
static int std_out(lua_State *L) {
  return std_stream(L, STDOUT_FILENO);
}


/* stderr() */
static int std_err(lua_State *L) {
  return std_stream(L, STDERR_FILENO);
}


void asy_stdio_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"stdin", std_in},
      {"stdout", std_out},
      {"stderr", std_err},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}

/* }====== */
