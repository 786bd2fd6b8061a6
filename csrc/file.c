/*
** Opening and closing of files, and whose turn it is. What cannot suspend (the
** end of a loop, the collector) closes at once; while a request is under way
** the descriptor stays, until that has ended.
*/
#include "file.h"

#include <fcntl.h>
#include <string.h>

#include "error.h"
#include "pin.h"
#include "report.h"
#include "weak.h"


/* {====== The descriptor ====== */

static void fd_closenow(asy_fd *d) {
  if (d->fd >= 0)
    asy_fs_closenow(d->fd);
  d->fd = -1;
}


/* Nobody wants what was opened: nothing of it stays, if that was new. The request
** still has the path. */
static void fd_discard(asy_fd *d) {
  if (d->fd >= 0 && d->exclusive) {
    uv_fs_t req;
    uv_fs_unlink(NULL, &req, d->q.r.uv.fs.path, NULL);
    uv_fs_req_cleanup(&req);
  }
  fd_closenow(d);
}


void asy_file_anchor(lua_State *L, asy_fd *d, int idx) {
  idx = lua_absindex(L, idx);
  asy_pin_push(L, d->rt, d->anchor);
  lua_pushvalue(L, idx);
  lua_rawseti(L, -2, 1); /* a value is there already */
  lua_pop(L, 1);
}


/* The turn is over: it is the next one's. */
static void fd_leave(asy_fd *d) {
  lua_State *L = asy_rt_state(d->rt);
  asy_file *f = (asy_file *)asy_weak_get(d->rt, d->file);
  lua_pushboolean(L, 0);
  asy_file_anchor(L, d, -1);
  lua_pop(L, 1);
  if (f != NULL && asy_waitq_wake(&f->waiters) != NULL)
    return;
  d->busy = false;
  if (d->closing)
    fd_closenow(d);
}


/* A request has ended. */
static void fd_ended(asy_fsreq *q, ssize_t result, bool wanted) {
  asy_fd *d = (asy_fd *)q;
  d->err = result < 0 ? (int)result : 0;
  switch (q->code) {
  case ASY_FS_OPEN:
    d->fd = result < 0 ? -1 : (int)result;
    if (!wanted)
      fd_discard(d);
    break;
  case ASY_FS_CLOSE:
    if (result == UV_ECANCELED)
      fd_closenow(d);
    d->fd = -1;
    break;
  case ASY_FS_READ:
    if (result > 0)
      asy_buf_add(asy_file_buffer(d), (size_t)result);
    d->eof = result == 0;
    break;
  case ASY_FS_WRITE:
    if (result == 0)
      d->err = UV_EIO; /* else it would go on for ever */
    if (result > 0) {
      d->data += result;
      d->length -= (size_t)result;
      d->offset += d->offset >= 0 ? result : 0;
    }
    break;
  case ASY_FS_FSTAT: d->stat = q->r.uv.fs.statbuf; break;
  default: break;
  }
  if (!wanted)
    fd_leave(d);
}


static void fd_release(asy_fsreq *q) {
  asy_fd *d = (asy_fd *)q;
  fd_discard(d);
  asy_unpin(asy_rt_state(d->rt), d->rt, &d->anchor);
  asy_buf_free(&d->buf);
  asy_buf_free(&d->apart);
}

/* }====== */


/* {====== Operations ====== */

static int raise_failed(lua_State *L, asy_file *f, int err,
                        const char *syscall) {
  lua_getiuservalue(L, 1, ASY_FILE_PATH);
  return asy_fs_raise(L, f->rt, err, syscall, lua_gettop(L), 0);
}


static int step_woken(lua_State *L, int status, lua_KContext ctx);


/* Makes the next request. When there is none the turn is over, and only then
** come the results, the making of which may raise. */
static int step(lua_State *L, asy_file *f, const asy_fileop *op) {
  asy_fd *d = f->d;
  asy_fsargs a = {0};
  asy_fscode code;
  int err;
  if (d->fd < 0 && d->steps == 0)
    d->err = UV_EBADF; /* closed with a loop that closes */
  code = d->err == 0 ? op->next(d, &a) : ASY_FS_CODES;
  if (d->err == 0 && code != ASY_FS_CODES) {
    a.fd = d->fd;
    d->steps++;
    d->err = asy_fsreq_start(&d->q, f->loop, code, &a);
    if (d->err == 0)
      return asy_fsreq_wait(L, f->rt->task, &d->q, (lua_KContext)op,
                            step_woken);
  }
  err = d->err;
  fd_leave(d);
  if (err != 0)
    return raise_failed(L, f, err, op->syscall);
  return op->finish != NULL ? op->finish(L, d) : 0;
}


/* Raises if the task is not to go on; its turn is over then, unless a request
** that it has abandoned still has it. When the Lua state closes, the file may
** have been finalized before the task. */
static asy_file *woken(lua_State *L) {
  asy_file *f = (asy_file *)lua_touserdata(L, 1);
  asy_task *t = f->rt->task;
  asy_resumed(L, t);
  if (asy_isending(t) && asy_waitq_got(t) && f->d != NULL)
    fd_leave(f->d);
  asy_waitq_woken(L, t);
  if (f->d == NULL)
    asy_error_raise(L, ASY_RUNTIME_ERROR, "the file is closed");
  return f;
}


static int step_woken(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  return step(L, woken(L), (const asy_fileop *)ctx);
}


/* The task has its turn. */
static int begin(lua_State *L, asy_file *f, const asy_fileop *op) {
  asy_fd *d = f->d;
  d->busy = true;
  d->err = d->steps = 0;
  d->eof = false;
  d->looked = 0;
  d->offset = -1;
  asy_buf_free(&d->apart);
  if (op->begin != NULL && d->fd >= 0)
    op->begin(L, d);
  return step(L, f, op);
}


static int turn_woken(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  return begin(L, woken(L), (const asy_fileop *)ctx);
}


int asy_file_do(lua_State *L, const asy_fileop *op) {
  static const asy_wait turn_wait = {"a file that is in use", asy_waitq_abort};
  asy_file *f = (asy_file *)lua_touserdata(L, 1);
  asy_task *t = asy_task_hereon(L, f->loop, "file", op->name);
  lua_settop(L, ASY_FILE_ARGS);
  if (!f->d->busy)
    return begin(L, f, op);
  return asy_waitq_wait(L, t, &f->waiters, &turn_wait, NULL, (lua_KContext)op,
                        turn_woken);
}


static bool is_closed(const asy_file *f) {
  return f->d == NULL || f->d->fd < 0 || f->d->closing;
}


int asy_file_fd(const asy_file *f) {
  return is_closed(f) ? -1 : f->d->fd;
}


asy_file *asy_file_check(lua_State *L, const char *fname) {
  asy_file *f = (asy_file *)asy_checkkind(L, 1, ASY_FILE);
  if (is_closed(f))
    asy_error_raise(L, ASY_RUNTIME_ERROR, "%s: the file is closed", fname);
  return f;
}

/* }====== */


/* {====== Opening ====== */

/* The argument, a mode of io.open, perhaps with C's "x" at its end. */
static int check_flags(lua_State *L, int arg) {
  size_t n;
  const char *mode = luaL_optlstring(L, arg, "r", &n), *p = mode + 1;
  bool update, exclusive = false;
  int flags;
  luaL_argcheck(L, *mode != '\0' && strchr("rwa", *mode) != NULL, arg,
                "invalid mode");
  update = *p == '+';
  p += update;
  p += *p == 'b';
  if (*p == 'x' && *mode == 'w') {
    exclusive = true;
    p++;
  }
  luaL_argcheck(L, p == mode + n, arg, "invalid mode");
  flags = update         ? UV_FS_O_RDWR
          : *mode == 'r' ? UV_FS_O_RDONLY
                         : UV_FS_O_WRONLY;
  if (*mode == 'w')
    flags |= UV_FS_O_CREAT | UV_FS_O_TRUNC;
  else if (*mode == 'a')
    flags |= UV_FS_O_CREAT | UV_FS_O_APPEND;
  return exclusive ? flags | UV_FS_O_EXCL : flags;
}


static int opened(lua_State *L, int status, lua_KContext ctx) {
  asy_file *f = (asy_file *)lua_touserdata(L, 1);
  asy_task *t = f->rt->task;
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  if (f->d == NULL) { /* finalized, in a Lua state that closes */
    asy_waitq_woken(L, t);
    return 0; /* never */
  }
  if (asy_isending(t) && asy_waitq_got(t))
    fd_discard(f->d);
  asy_waitq_woken(L, t);
  if (f->d->err != 0)
    return raise_failed(L, f, f->d->err, "open");
  f->d->busy = f->d->exclusive = false;
  lua_settop(L, 1);
  return 1;
}


/* Pushes a file that is not open yet; its path is at 1. NULL without memory. */
static asy_file *file_new(lua_State *L, asy_rt *rt, asy_loop *loop) {
  asy_file *f =
      (asy_file *)asy_new(L, rt, ASY_FILE, sizeof(asy_file), ASY_FILE_VALUES);
  asy_fd *d;
  f->self = asy_weak_new(L, rt, -1);
  d = (asy_fd *)asy_fsreq_new(sizeof(asy_fd));
  if (d == NULL)
    return NULL;
  f->loop = loop;
  f->d = d;
  d->file = f->self;
  d->rt = rt;
  d->fd = -1;
  d->busy = true;
  d->q.ended = fd_ended;
  d->q.release = fd_release;
  asy_list_init(&f->waiters);
  lua_createtable(L, 1, 0);
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, 1);
  d->anchor = asy_pin(L, rt, -1);
  lua_pop(L, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, ASY_FILE_PATH);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, ASY_FILE_LOOP);
  return f;
}


/* open(path, mode, permissions) */
static int file_open(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_fsargs a = {0};
  asy_file *f;
  asy_task *t;
  int err;
  a.path = asy_fs_checkpath(L, 1);
  a.flags = check_flags(L, 2);
  a.mode = asy_fs_checkmode(L, 3, 0666);
  t = asy_task_here(L, rt, "open");
  f = file_new(L, rt, t->fut.loop);
  if (f == NULL)
    return asy_fs_raise(L, rt, UV_ENOMEM, "open", 1, 0);
  f->d->exclusive = (a.flags & UV_FS_O_EXCL) != 0;
  err = asy_fsreq_start(&f->d->q, t->fut.loop, ASY_FS_OPEN, &a);
  lua_insert(L, 1);
  if (err != 0)
    return raise_failed(L, f, err, "open");
  return asy_fsreq_wait(L, t, &f->d->q, 0, opened);
}

/* }====== */


/* {====== Closing ====== */

static asy_fscode close_next(asy_fd *d, asy_fsargs *a) {
  (void)a;
  return d->steps == 0 ? ASY_FS_CLOSE : ASY_FS_CODES;
}


static const asy_fileop close_op = {"close", "close", NULL, close_next, NULL};


/* file:close() */
static int file_close(lua_State *L) {
  asy_file *f = (asy_file *)asy_checkkind(L, 1, ASY_FILE);
  if (is_closed(f))
    return 0;
  if (asy_task_here(L, f->rt, "close")->fut.loop == f->loop)
    f->d->closing = true; /* also if the wait for it is cancelled */
  return asy_file_do(L, &close_op);
}


/* The end of a scope. It does not wait for a request that was abandoned, which
** may never end: a cancelled task goes on at once. */
static int file_scope(lua_State *L) {
  asy_file *f = (asy_file *)asy_checkkind(L, 1, ASY_FILE);
  asy_task *t = asy_task_able(L, f->rt);
  if (is_closed(f))
    return 0;
  f->d->closing = true;
  if (f->d->q.pending && f->d->q.task == NULL)
    return 0;
  if (t != NULL && t->fut.loop == f->loop)
    return asy_file_do(L, &close_op);
  if (!f->d->q.pending)
    fd_closenow(f->d);
  return 0;
}


/* Collected. The warning comes last, since it may fail for want of memory. */
static int file_gc(lua_State *L) {
  asy_file *f = (asy_file *)asy_checkkind(L, 1, ASY_FILE);
  asy_fd *d = f->d;
  bool warns;
  asy_weak_free(f->rt, &f->self);
  if (d == NULL)
    return 0;
  f->d = NULL;
  d->file = 0;
  warns = d->fd >= 0 && !d->closing && f->loop->debug;
  asy_fsreq_drop(&d->q);
  if (warns) {
    lua_getiuservalue(L, 1, ASY_FILE_PATH);
    asy_report_warn(L, "file %s was collected while open", lua_tostring(L, -1));
  }
  return 0;
}

/* }====== */


static int file_tostring(lua_State *L) {
  asy_file *f = (asy_file *)asy_checkkind(L, 1, ASY_FILE);
  lua_getiuservalue(L, 1, ASY_FILE_PATH);
  lua_pushfstring(L, "<File '%s'%s>", lua_tostring(L, -1),
                  is_closed(f) ? " closed" : "");
  return 1;
}


void asy_file_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", file_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__close", file_scope},
      {"__gc", file_gc},
      {"__tostring", file_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {{"open", file_open}, {NULL, NULL}};
  asy_newmeta(L, ASY_FILE, "asyncio.File", methods, meta, 0);
  lua_getfield(L, -1, "__methods");
  asy_fileio_open(L);
  lua_pop(L, 2);
  asy_setfuncs(L, funcs);
  asy_fileio_openfs(L);
}
