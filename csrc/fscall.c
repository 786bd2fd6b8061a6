/*
** The functions of asyncio.fs that take paths. Each is one request, described in
** one table; the request belongs to a userdata on the stack of the function.
*/
#include <string.h>

#include "error.h"
#include "fs.h"

typedef struct asy_fscall {
  asy_rt *rt;
  uint8_t kind;
  asy_fsreq *q;
} asy_fscall;

/* A function: its arguments ("p" a path, "t" one that is a template, "d" another
** path, "m" permissions), what it gives, and its operation. */
typedef struct fs_function {
  const char *name;
  const char *args;
  int (*push)(lua_State *L, uv_fs_t *req);
  asy_fscode code;
  int mode; /* when missing; -1 if it may not be */
} fs_function;

#define MAX_ARGS 2


/* {====== Results ====== */

static int push_nothing(lua_State *L, uv_fs_t *req) {
  (void)L;
  (void)req;
  return 0;
}


static const char *type_of(uint64_t mode) {
  switch (mode & S_IFMT) {
  case S_IFREG: return "file";
  case S_IFDIR: return "directory";
  case S_IFLNK: return "link";
  case S_IFCHR: return "char";
#ifndef _WIN32
  case S_IFBLK: return "block";
  case S_IFIFO: return "fifo";
  case S_IFSOCK: return "socket";
#endif
  default: return "unknown";
  }
}


static void set_time(lua_State *L, const char *field, const uv_timespec_t *t) {
  lua_pushnumber(L, (lua_Number)t->tv_sec + (lua_Number)t->tv_nsec * 1e-9);
  lua_setfield(L, -2, field);
}


static void set_integer(lua_State *L, const char *field, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, field);
}


void asy_fs_pushstat(lua_State *L, const uv_stat_t *s) {
  lua_createtable(L, 0, 12);
  lua_pushstring(L, type_of(s->st_mode));
  lua_setfield(L, -2, "type");
  set_integer(L, "size", s->st_size);
  set_integer(L, "mode", s->st_mode & 07777);
  set_integer(L, "uid", s->st_uid);
  set_integer(L, "gid", s->st_gid);
  set_integer(L, "dev", s->st_dev);
  set_integer(L, "ino", s->st_ino);
  set_integer(L, "nlink", s->st_nlink);
  set_time(L, "atime", &s->st_atim);
  set_time(L, "mtime", &s->st_mtim);
  set_time(L, "ctime", &s->st_ctim);
  set_time(L, "birthtime", &s->st_birthtim);
}


static int push_stat(lua_State *L, uv_fs_t *req) {
  asy_fs_pushstat(L, &req->statbuf);
  return 1;
}


static const char *dirent_type(uv_dirent_type_t type) {
  static const char *const names[] = {
      [UV_DIRENT_UNKNOWN] = "unknown", [UV_DIRENT_FILE] = "file",
      [UV_DIRENT_DIR] = "directory",   [UV_DIRENT_LINK] = "link",
      [UV_DIRENT_FIFO] = "fifo",       [UV_DIRENT_SOCKET] = "socket",
      [UV_DIRENT_CHAR] = "char",       [UV_DIRENT_BLOCK] = "block",
  };
  return names[type];
}


/* A list of names and a list of their types. libuv frees each entry when the
** next is asked for, and the rest with the request. */
static int push_entries(lua_State *L, uv_fs_t *req) {
  uv_dirent_t entry;
  lua_newtable(L);
  lua_newtable(L);
  for (lua_Integer i = 1; uv_fs_scandir_next(req, &entry) == 0; i++) {
    lua_pushstring(L, entry.name);
    lua_rawseti(L, -3, i);
    lua_pushstring(L, dirent_type(entry.type));
    lua_rawseti(L, -2, i);
  }
  return 2;
}


static int push_link(lua_State *L, uv_fs_t *req) {
  lua_pushstring(L, (const char *)req->ptr);
  return 1;
}


static int push_path(lua_State *L, uv_fs_t *req) {
  lua_pushstring(L, req->path);
  return 1;
}

/* }====== */


static const fs_function functions[] = {
    {"stat", "p", push_stat, ASY_FS_STAT, 0},
    {"lstat", "p", push_stat, ASY_FS_LSTAT, 0},
    {"scandir", "p", push_entries, ASY_FS_SCANDIR, 0},
    {"mkdir", "pm", push_nothing, ASY_FS_MKDIR, 0777},
    {"rmdir", "p", push_nothing, ASY_FS_RMDIR, 0},
    {"rename", "pd", push_nothing, ASY_FS_RENAME, 0},
    {"unlink", "p", push_nothing, ASY_FS_UNLINK, 0},
    {"copyfile", "pd", push_nothing, ASY_FS_COPYFILE, 0},
    {"symlink", "pd", push_nothing, ASY_FS_SYMLINK, 0},
    {"readlink", "p", push_link, ASY_FS_READLINK, 0},
    {"realpath", "p", push_link, ASY_FS_REALPATH, 0},
    {"mkdtemp", "t", push_path, ASY_FS_MKDTEMP, 0},
    {"chmod", "pm", push_nothing, ASY_FS_CHMOD, -1},
    {NULL, NULL, NULL, ASY_FS_CODES, 0},
};


/* {====== Arguments ====== */

const char *asy_fs_checkpath(lua_State *L, int arg) {
  size_t n;
  const char *path;
  luaL_checktype(L, arg, LUA_TSTRING);
  path = lua_tolstring(L, arg, &n);
  luaL_argcheck(L, strlen(path) == n, arg, "path contains a zero byte");
  return path;
}


int asy_fs_checkmode(lua_State *L, int arg, int missing) {
  lua_Integer mode;
  if (missing >= 0 && lua_isnoneornil(L, arg))
    return missing;
  mode = luaL_checkinteger(L, arg);
  luaL_argcheck(L, mode >= 0 && mode <= 07777, arg, "invalid permissions");
  return (int)mode;
}


static const char *check_template(lua_State *L, int arg) {
  const char *path = asy_fs_checkpath(L, arg);
  size_t n = strlen(path);
  luaL_argcheck(L, n >= 6 && strcmp(path + n - 6, "XXXXXX") == 0, arg,
                "must end with \"XXXXXX\"");
  return path;
}


static void check_args(lua_State *L, const fs_function *f, asy_fsargs *a) {
  for (int i = 0; f->args[i] != '\0'; i++) {
    int arg = i + 1;
    switch (f->args[i]) {
    case 'p': a->path = asy_fs_checkpath(L, arg); break;
    case 't': a->path = check_template(L, arg); break;
    case 'd': a->dest = asy_fs_checkpath(L, arg); break;
    default: a->mode = asy_fs_checkmode(L, arg, f->mode); break;
    }
  }
}

/* }====== */


/* {====== Calling ====== */

/* The arguments come first, then the userdata. */
#define CALL (MAX_ARGS + 1)


static int raise_failed(lua_State *L, asy_rt *rt, int err,
                        const fs_function *f) {
  return asy_fs_raise(L, rt, err, f->name, 1, f->args[1] == 'd' ? 2 : 0);
}


/* The request has ended; the userdata's finalizer would free it, but later. */
static int call_woken(lua_State *L, int status, lua_KContext ctx) {
  const fs_function *f = (const fs_function *)ctx;
  asy_fscall *c = (asy_fscall *)lua_touserdata(L, CALL);
  ssize_t result;
  int n;
  (void)status;
  asy_waitq_woken(L, c->rt->task);
  if (c->q == NULL) /* finalized, in a Lua state that closes */
    return 0;
  result = asy_fsreq_result(c->q);
  n = result < 0 ? 0 : f->push(L, &c->q->r.uv.fs);
  asy_fsreq_drop(c->q);
  c->q = NULL;
  return result < 0 ? raise_failed(L, c->rt, (int)result, f) : n;
}


/* A function of the table; its second upvalue is the entry. */
static int fs_call(lua_State *L) {
  const fs_function *f =
      (const fs_function *)lua_touserdata(L, lua_upvalueindex(2));
  asy_rt *rt = asy_rt_up(L);
  asy_fsargs a = {0};
  asy_fscall *c;
  asy_task *t;
  int err;
  lua_settop(L, MAX_ARGS);
  check_args(L, f, &a);
  t = asy_task_here(L, rt, f->name);
  c = (asy_fscall *)asy_new(L, rt, ASY_FSCALL, sizeof(asy_fscall), 0);
  c->q = (asy_fsreq *)asy_fsreq_new(sizeof(asy_fsreq));
  err = c->q == NULL ? UV_ENOMEM
                     : asy_fsreq_start(c->q, t->fut.loop, f->code, &a);
  if (err != 0)
    return raise_failed(L, rt, err, f);
  return asy_fsreq_wait(L, t, c->q, (lua_KContext)f, call_woken);
}


static int fscall_gc(lua_State *L) {
  asy_fscall *c = (asy_fscall *)asy_checkkind(L, 1, ASY_FSCALL);
  if (c->q != NULL)
    asy_fsreq_drop(c->q);
  c->q = NULL;
  return 0;
}


void asy_fscall_open(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", fscall_gc}, {NULL, NULL}};
  asy_newmeta(L, ASY_FSCALL, "asyncio.FileRequest", NULL, meta, 0);
  lua_pop(L, 1);
  for (const fs_function *f = functions; f->name != NULL; f++) {
    asy_rt_open(L);
    lua_pushlightuserdata(L, (void *)(uintptr_t)f);
    lua_pushcclosure(L, fs_call, 2);
    lua_setfield(L, -2, f->name);
  }
}


void asy_fs_open(lua_State *L) {
  lua_newtable(L);
  asy_fscall_open(L);
  asy_file_open(L);
  asy_fswatch_open(L);
  lua_setfield(L, -2, "fs");
}

/* }====== */
