/*
** Files: requests on libuv's pool, the functions of asyncio.fs, and open files.
*/
#ifndef asy_fs_h
#define asy_fs_h

#include "buf.h"
#include "req.h"
#include "waitq.h"

/* {====== fsreq.c: one operation after the other, on the pool ====== */

/* What an operation needs; each takes its part. */
typedef struct asy_fsargs {
  const char *path, *dest; /* libuv copies them */
  int fd;
  int flags;
  int mode;
  uv_buf_t buf;   /* must stay until the end */
  int64_t offset; /* -1: at the file's position */
} asy_fsargs;

typedef enum asy_fscode {
  ASY_FS_OPEN,
  ASY_FS_CLOSE,
  ASY_FS_READ,
  ASY_FS_WRITE,
  ASY_FS_FSYNC,
  ASY_FS_FSTAT,
  ASY_FS_STAT,
  ASY_FS_LSTAT,
  ASY_FS_SCANDIR,
  ASY_FS_MKDIR,
  ASY_FS_RMDIR,
  ASY_FS_RENAME,
  ASY_FS_UNLINK,
  ASY_FS_COPYFILE,
  ASY_FS_SYMLINK,
  ASY_FS_READLINK,
  ASY_FS_REALPATH,
  ASY_FS_MKDTEMP,
  ASY_FS_CHMOD,
  ASY_FS_CODES
} asy_fscode;

/* A request in C memory, for one operation at a time. It belongs to a userdata,
** which drops it; one under way then frees itself when it ends. */
typedef struct asy_fsreq {
  asy_req r;
  asy_fscode code; /* the last operation */
  asy_task *task;  /* who waits for it, or NULL */
  bool pending;    /* under way */
  bool dropped;    /* belongs to nobody */
  /* Told of the end before the task is woken; 'wanted': somebody waits. May be
  ** NULL. */
  void (*ended)(struct asy_fsreq *q, ssize_t result, bool wanted);
  /* Frees what the kind holds besides the struct; may be NULL. */
  void (*release)(struct asy_fsreq *q);
} asy_fsreq;

/* Allocates a zeroed struct of 'size' bytes that begins with an asy_fsreq; NULL
** without memory. Never raises. */
void *asy_fsreq_new(size_t size);

/* Starts an operation; none is under way. Returns 0 or a libuv error. Never
** raises. */
int asy_fsreq_start(asy_fsreq *q, asy_loop *loop, asy_fscode code,
                    const asy_fsargs *a);

/* Suspends the task until it has ended; 'k' then calls asy_waitq_woken. A
** cancelled wait leaves the operation to itself. */
int asy_fsreq_wait(lua_State *L, asy_task *t, asy_fsreq *q, lua_KContext ctx,
                   lua_KFunction k);

/* The owner lets go of it. Never raises. */
void asy_fsreq_drop(asy_fsreq *q);

static inline ssize_t asy_fsreq_result(const asy_fsreq *q) {
  return q->r.uv.fs.result;
}

/* Closes a descriptor at once. */
void asy_fs_closenow(int fd);

/* Raises the OSError of an operation; 'path' and 'dest' are indices of strings,
** 'dest' may be 0. */
int asy_fs_raise(lua_State *L, asy_rt *rt, int err, const char *syscall,
                 int path, int dest);

/* }====== */

/* Pushes a table of what stat tells. */
void asy_fs_pushstat(lua_State *L, const uv_stat_t *s);

/* The argument, a path without zero bytes. */
const char *asy_fs_checkpath(lua_State *L, int arg);

/* The argument, permission bits. */
int asy_fs_checkmode(lua_State *L, int arg, int missing);

/* Opens all of it, in a table 'fs' of the module table on the top. */
void asy_fs_open(lua_State *L);

/* Add their functions to the table on the top. */
void asy_fscall_open(lua_State *L);
void asy_file_open(lua_State *L);
void asy_fswatch_open(lua_State *L);

#endif
