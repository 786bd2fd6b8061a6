/*
** Requests to the file system. All take one way: started here, carried out by a
** thread of libuv's pool, waited for by a task. What differs from operation to
** operation stands in one table.
*/
#include "fs.h"

#include <stdlib.h>

#include "error.h"


/* {====== The operations ====== */

#define START(name, ...)                                                      \
  static int start_##name(uv_loop_t *loop, uv_fs_t *req, const asy_fsargs *a, \
                          uv_fs_cb cb) {                                      \
    return uv_fs_##name(loop, req, __VA_ARGS__, cb);                          \
  }

START(open, a->path, a->flags, a->mode)
START(close, a->fd)
START(read, a->fd, &a->buf, 1, a->offset)
START(write, a->fd, &a->buf, 1, a->offset)
START(fsync, a->fd)
START(fstat, a->fd)
START(stat, a->path)
START(lstat, a->path)
START(scandir, a->path, 0)
START(mkdir, a->path, a->mode)
START(rmdir, a->path)
START(rename, a->path, a->dest)
START(unlink, a->path)
START(copyfile, a->path, a->dest, 0)
START(symlink, a->path, a->dest, 0)
START(readlink, a->path)
START(realpath, a->path)
START(mkdtemp, a->path)
START(chmod, a->path, a->mode)


/* An operation: its name is that of the system call. */
typedef struct fs_op {
  asy_wait wait;
  int (*start)(uv_loop_t *loop, uv_fs_t *req, const asy_fsargs *a, uv_fs_cb cb);
} fs_op;

static asy_future *fsreq_abort(asy_task *t);

#define OP(name) \
  { {#name, fsreq_abort}, start_##name }

static const fs_op ops[ASY_FS_CODES] = {
    [ASY_FS_OPEN] = OP(open),         [ASY_FS_CLOSE] = OP(close),
    [ASY_FS_READ] = OP(read),         [ASY_FS_WRITE] = OP(write),
    [ASY_FS_FSYNC] = OP(fsync),       [ASY_FS_FSTAT] = OP(fstat),
    [ASY_FS_STAT] = OP(stat),         [ASY_FS_LSTAT] = OP(lstat),
    [ASY_FS_SCANDIR] = OP(scandir),   [ASY_FS_MKDIR] = OP(mkdir),
    [ASY_FS_RMDIR] = OP(rmdir),       [ASY_FS_RENAME] = OP(rename),
    [ASY_FS_UNLINK] = OP(unlink),     [ASY_FS_COPYFILE] = OP(copyfile),
    [ASY_FS_SYMLINK] = OP(symlink),   [ASY_FS_READLINK] = OP(readlink),
    [ASY_FS_REALPATH] = OP(realpath), [ASY_FS_MKDTEMP] = OP(mkdtemp),
    [ASY_FS_CHMOD] = OP(chmod),
};

/* }====== */


/* {====== Beginning and end ====== */

void *asy_fsreq_new(size_t size) {
  return calloc(1, size);
}


/* libuv does not free the last entry of a directory while nobody has asked for
** one more. */
static void drop_entries(uv_fs_t *uv) {
  uv_dirent_t entry;
  while (uv_fs_scandir_next(uv, &entry) == 0)
    continue;
}


static void fsreq_free(asy_fsreq *q) {
  if (q->release != NULL)
    q->release(q);
  if (q->code == ASY_FS_SCANDIR)
    drop_entries(&q->r.uv.fs);
  uv_fs_req_cleanup(&q->r.uv.fs);
  free(q);
}


static void fsreq_ended(uv_fs_t *uv) {
  asy_fsreq *q = (asy_fsreq *)uv->data;
  asy_task *t = q->task;
  asy_req_ended(&q->r);
  q->pending = false;
  q->task = NULL;
  if (q->ended != NULL)
    q->ended(q, uv->result, t != NULL);
  if (t != NULL) {
    t->place.got = 1;
    asy_unpark(t);
  }
  if (q->dropped)
    fsreq_free(q);
}


int asy_fsreq_start(asy_fsreq *q, asy_loop *loop, asy_fscode code,
                    const asy_fsargs *a) {
  int err;
  uv_fs_req_cleanup(&q->r.uv.fs); /* of the operation before */
  q->r.loop = loop;
  q->code = code;
  err = ops[code].start(loop->engine->uv, &q->r.uv.fs, a, fsreq_ended);
  if (err != 0)
    return err;
  asy_req_started(&q->r);
  q->pending = true;
  return 0;
}


/* One that has not begun yet need not. Else it goes on by itself. */
static asy_future *fsreq_abort(asy_task *t) {
  asy_fsreq *q = (asy_fsreq *)t->on;
  if (q == NULL)
    return NULL;
  q->task = NULL;
  uv_cancel(&q->r.uv.any);
  return NULL;
}


int asy_fsreq_wait(lua_State *L, asy_task *t, asy_fsreq *q, lua_KContext ctx,
                   lua_KFunction k) {
  q->task = t;
  t->place.got = 0;
  return asy_park(L, t, &ops[q->code].wait, q, ctx, k);
}


/* A task waits for it still where the Lua state closes, and finalizers come in
** the order in which they do. */
void asy_fsreq_drop(asy_fsreq *q) {
  q->dropped = true;
  if (q->task != NULL)
    q->task->on = NULL;
  q->task = NULL;
  if (q->pending)
    uv_cancel(&q->r.uv.any);
  else
    fsreq_free(q);
}


void asy_fs_closenow(int fd) {
  uv_fs_t req;
  uv_fs_close(NULL, &req, fd, NULL);
  uv_fs_req_cleanup(&req);
}

/* }====== */


int asy_fs_raise(lua_State *L, asy_rt *rt, int err, const char *syscall,
                 int path, int dest) {
  const char *what = lua_tostring(L, path);
  if (dest != 0)
    what = lua_pushfstring(L, "%s -> %s", what, lua_tostring(L, dest));
  asy_error_osof(L, rt, err, syscall, "path", what);
  if (dest != 0) {
    lua_pushvalue(L, path);
    lua_setfield(L, -2, "path");
    lua_pushvalue(L, dest);
    lua_setfield(L, -2, "dest");
  }
  return lua_error(L);
}
