/*
** Watching descriptors; add_reader and add_writer, callbacks called as long as
** one is ready. libuv watches a duplicate, so that the program may close its
** own descriptor at any time. POSIX only, but for sockets.
*/
#include "poll.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"


/* {====== The handle ====== */

static void wake_waiters(asy_poll *p, int side, int what) {
  while (asy_waitq_wakewith(&p->waiters[side], what) != NULL)
    continue;
}


static void poll_detach(asy_handle *h) {
  asy_poll *p = (asy_poll *)h;
  lua_State *L = asy_rt_state(h->loop->rt);
  for (int side = ASY_POLL_READ; side <= ASY_POLL_WRITE; side++) {
    if (p->callback[side] != NULL)
      asy_callback_cancel(L, p->callback[side]);
    p->callback[side] = NULL;
    wake_waiters(p, side, UV_EBADF);
  }
}


static void poll_release(asy_handle *h) {
  asy_poll *p = (asy_poll *)h;
  if (p->copy >= 0)
    close(p->copy);
}


static void poll_ready(uv_poll_t *uv, int status, int events);


static bool is_wanted(const asy_poll *p, asy_poll_side side) {
  return p->callback[side] != NULL || !asy_list_empty(&p->waiters[side]);
}


int asy_poll_start(asy_poll *p) {
  int events = (is_wanted(p, ASY_POLL_READ) ? UV_READABLE : 0) |
               (is_wanted(p, ASY_POLL_WRITE) ? UV_WRITABLE : 0);
  return uv_poll_start(&p->h.uv.poll, events, poll_ready);
}


/* Returns whether there were waiters. */
static bool side_ready(asy_poll *p, asy_poll_side side) {
  bool waited = !asy_list_empty(&p->waiters[side]);
  if (p->callback[side] != NULL)
    asy_loop_ready(p->h.loop, &p->callback[side]->ready);
  wake_waiters(p, (int)side, 1);
  return waited;
}


/* An error of the descriptor makes it ready for both, and stops the watch. Nor
** is it watched any more for those who waited. */
static void poll_ready(uv_poll_t *uv, int status, int events) {
  asy_poll *p = (asy_poll *)uv->data;
  bool again = status < 0;
  if (status < 0)
    events = UV_READABLE | UV_WRITABLE;
  if (events & (UV_READABLE | UV_DISCONNECT))
    again |= side_ready(p, ASY_POLL_READ);
  if (events & UV_WRITABLE)
    again |= side_ready(p, ASY_POLL_WRITE);
  if (again)
    asy_poll_start(p);
}


/* Duplicates the descriptor and hands the copy to libuv, which makes it
** non-blocking; both share that mode, so it is put back. */
static int poll_init(asy_poll *p, int fd) {
  int err, mode = fcntl(fd, F_GETFL);
  p->copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (mode < 0 || p->copy < 0)
    return uv_translate_sys_error(errno);
  err = uv_poll_init(p->h.loop->engine->uv, &p->h.uv.poll, p->copy);
  fcntl(fd, F_SETFL, mode);
  if (err == 0)
    asy_handle_opened(&p->h);
  return err;
}

/* }====== */


/* {====== Descriptors ====== */

/* Pushes the method of the value at 'arg', whichever of the two names it has;
** false when it has none, or no fields at all. */
static bool push_method(lua_State *L, int arg) {
  static const char *const names[] = {"fileno", "getfd", NULL};
  int type = lua_type(L, arg);
  if (type == LUA_TUSERDATA && luaL_getmetafield(L, arg, "__index") != LUA_TNIL)
    lua_pop(L, 1);
  else if (type != LUA_TTABLE)
    return false;
  for (const char *const *name = names; *name != NULL; name++) {
    if (lua_getfield(L, arg, *name) != LUA_TNIL)
      return true;
    lua_pop(L, 1);
  }
  return false;
}


/* What the method of an object says; a closed one may have a descriptor below
** zero. */
static int ask_fd(lua_State *L, asy_rt *rt, int arg) {
  lua_Integer fd;
  int isint;
  lua_pushvalue(L, arg);
  lua_call(L, 1, 1);
  fd = lua_tointegerx(L, -1, &isint);
  luaL_argcheck(L, isint && fd <= INT_MAX, arg, "invalid file descriptor");
  if (fd < 0)
    asy_poll_raise(L, rt, UV_EBADF, -1);
  lua_pop(L, 1);
  return (int)fd;
}


int asy_poll_checkfd(lua_State *L, asy_rt *rt, int arg) {
  luaL_Stream *file = (luaL_Stream *)luaL_testudata(L, arg, LUA_FILEHANDLE);
  lua_Integer fd;
  if (file != NULL) {
    luaL_argcheck(L, file->closef != NULL, arg, "closed file");
    return fileno(file->f);
  }
  if (push_method(L, arg))
    return ask_fd(L, rt, arg);
  if (!lua_isnumber(L, arg))
    return asy_typeerror(L, arg, "file descriptor");
  fd = luaL_checkinteger(L, arg);
  luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, arg, "invalid file descriptor");
  return (int)fd;
}


static asy_loop *check_loop(lua_State *L) {
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  asy_loop_checkopen(L, loop);
  return loop;
}


/* The loop's data maps descriptors to their handles. */
asy_poll *asy_poll_find(lua_State *L, int fd) {
  asy_poll *p;
  lua_getiuservalue(L, 1, ASY_LOOP_DATA);
  lua_rawgeti(L, -1, fd);
  p = (asy_poll *)lua_touserdata(L, -1);
  lua_pop(L, 2);
  return p;
}


/* Stores the handle; NULL reserves the place, so that storing later cannot
** raise. */
static void set_poll(lua_State *L, int fd, asy_poll *p) {
  lua_getiuservalue(L, 1, ASY_LOOP_DATA);
  if (p == NULL)
    lua_pushboolean(L, 0);
  else
    lua_pushlightuserdata(L, p);
  lua_rawseti(L, -2, fd);
  lua_pop(L, 1);
}


/* Whether both descriptors are of one file, still: the program may have closed
** its own, and the number been given to another. */
static bool is_same_file(int a, int b) {
  struct stat sa, sb;
  return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
         sa.st_ino == sb.st_ino;
}


/* What a stream of ours reads and writes is not to be watched. */
void asy_poll_checknotours(lua_State *L, asy_loop *loop, int fd) {
  asy_list *all = &loop->engine->handles;
  for (asy_list *n = all->next; n != all; n = n->next) {
    asy_handle *h = asy_of(n, asy_handle, link);
    uv_os_fd_t own;
    if (h->uv.any.type != UV_POLL && uv_fileno(&h->uv.any, &own) == 0 &&
        own == fd)
      asy_error_raise(L, ASY_RUNTIME_ERROR,
                      "file descriptor %d belongs to a stream", fd);
  }
}


static asy_poll *poll_new(asy_loop *loop, int fd, int *err) {
  asy_poll *p = (asy_poll *)asy_handle_new(loop, sizeof(asy_poll));
  *err = UV_ENOMEM;
  if (p == NULL)
    return NULL;
  p->copy = -1;
  asy_list_init(&p->waiters[ASY_POLL_READ]);
  asy_list_init(&p->waiters[ASY_POLL_WRITE]);
  p->h.detach = poll_detach;
  p->h.release = poll_release;
  *err = poll_init(p, fd);
  if (*err == 0)
    return p;
  asy_handle_close(&p->h);
  return NULL;
}


/* The copy goes at once, which libuv allows after a stop: the program's own
** close() must be the last one. */
void asy_poll_drop(lua_State *L, int fd, asy_poll *p) {
  set_poll(L, fd, NULL);
  uv_poll_stop(&p->h.uv.poll);
  close(p->copy);
  p->copy = -1;
  asy_handle_close(&p->h);
}


int asy_poll_raise(lua_State *L, asy_rt *rt, int err, int fd) {
  const char *what = fd < 0 ? NULL : lua_pushfstring(L, "%d", fd);
  asy_error_os(L, rt, err, "poll", what);
  return lua_error(L);
}


asy_poll *asy_poll_get(lua_State *L, asy_loop *loop, int fd) {
  asy_poll *p = asy_poll_find(L, fd);
  int err;
  if (p != NULL && is_same_file(fd, p->copy))
    return p;
  if (p != NULL)
    asy_poll_drop(L, fd, p);
  asy_poll_checknotours(L, loop, fd);
  set_poll(L, fd, NULL);
  p = poll_new(loop, fd, &err);
  if (p == NULL)
    asy_poll_raise(L, loop->rt, err, fd);
  set_poll(L, fd, p);
  return p;
}


void asy_poll_settle(lua_State *L, int fd) {
  asy_poll *p = asy_poll_find(L, fd);
  if (p == NULL)
    return;
  if (is_wanted(p, ASY_POLL_READ) || is_wanted(p, ASY_POLL_WRITE))
    asy_poll_start(p);
  else
    asy_poll_drop(L, fd, p);
}

/* }====== */


/* {====== Lua's view ====== */

/* Cancels the side's callback; false when there is none. */
static bool drop_callback(lua_State *L, asy_poll *p, asy_poll_side side) {
  asy_callback *cb = p->callback[side];
  p->callback[side] = NULL;
  if (cb != NULL)
    asy_callback_cancel(L, cb);
  return cb != NULL;
}


/* loop:add_reader(fd, fn, ...) */
static int poll_add(lua_State *L, asy_poll_side side) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = check_loop(L);
  int fd = asy_poll_checkfd(L, rt, 2), err;
  asy_callback *cb;
  asy_poll *p;
  asy_callback_checkfn(L, 3);
  asy_loop_checkopen(L, loop); /* still, after a method of the object ran */
  asy_poll_get(L, loop, fd);
  cb = asy_callback_new(L, rt, ASY_HANDLE, 1, lua_gettop(L) - 3);
  cb->repeats = true;
  p = asy_poll_find(L, fd); /* a finalizer may have removed it */
  if (p == NULL) {
    asy_callback_cancel(L, cb);
    return asy_poll_raise(L, rt, UV_ECANCELED, fd);
  }
  drop_callback(L, p, side);
  p->callback[side] = cb;
  err = asy_poll_start(p);
  if (err == 0)
    return 0;
  asy_poll_drop(L, fd, p);
  return asy_poll_raise(L, rt, err, fd);
}


/* loop:remove_reader(fd) returns whether there was one */
static int poll_remove(lua_State *L, asy_poll_side side) {
  asy_rt *rt = asy_rt_up(L);
  asy_poll *p;
  int fd;
  check_loop(L);
  fd = asy_poll_checkfd(L, rt, 2);
  check_loop(L);
  p = asy_poll_find(L, fd);
  if (p == NULL || !drop_callback(L, p, side)) {
    lua_pushboolean(L, 0);
    return 1;
  }
  asy_poll_settle(L, fd);
  lua_pushboolean(L, 1);
  return 1;
}


static int add_reader(lua_State *L) {
  return poll_add(L, ASY_POLL_READ);
}


static int remove_reader(lua_State *L) {
  return poll_remove(L, ASY_POLL_READ);
}


static int add_writer(lua_State *L) {
  return poll_add(L, ASY_POLL_WRITE);
}


static int remove_writer(lua_State *L) {
  return poll_remove(L, ASY_POLL_WRITE);
}


void asy_poll_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"add_reader", add_reader},
      {"remove_reader", remove_reader},
      {"add_writer", add_writer},
      {"remove_writer", remove_writer},
      {NULL, NULL},
  };
  lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_of(L)->meta[ASY_LOOP]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
}

/* }====== */
