/*
** spawn: from what the options say to a child and its pipes. The pipes that
** libuv would make are socketpairs, which a child cannot open by a name such as
** /dev/stdin: these are pipes.
*/
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "process.h"

/* Arguments. What a standard stream is connected with is "pipe", "null", for
** stderr also "stdout", the number of a descriptor, or an object that has one. */
#define FILENAME 1 /* a path, or a name that is looked up in PATH */
#define ARGV 2     /* a list of strings, the program's name first */
#define ENV 3      /* a list of strings "NAME=value", or nil: as here */
#define CWD 4      /* a path, or nil */
#define STDIO 5    /* stdin, then stdout and stderr */
#define LIMIT 8    /* of the readers */
#define GRACE 9    /* seconds */
#define SESSION 10 /* a boolean: the child is in a session of its own */
#define USER 11    /* an id, or nil */
#define GROUP 12
#define NARGS 12

/* Besides descriptors: */
#define NO_FD (-1)
#define NULL_DEVICE (-2)
#define A_PIPE (-3)
#define AS_STDOUT (-4)

typedef struct spawn {
  uv_process_options_t o;
  uv_stdio_container_t stdio[3];
  int kind[3];          /* a descriptor, or one of those above */
  asy_stream *given[3]; /* streams of which the child gets the descriptor */
  int theirs[3];        /* the child's ends of pipes, or NO_FD */
  asy_stream *ours[3];  /* the other ends */
} spawn;


/* {====== Arguments ====== */

/* Pushes a block with the strings of the list, which stay there. */
static char **push_strings(lua_State *L, int list) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  char **block =
      (char **)lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(char *), 0);
  for (lua_Integer i = 0; i < n; i++) {
    if (lua_rawgeti(L, list, i + 1) != LUA_TSTRING)
      luaL_argerror(L, list, "list of strings expected");
    block[i] = (char *)(uintptr_t)lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  block[n] = NULL;
  return block;
}


/* The stream of the object at 'idx', if it is the end of one; NULL if that is
** closed. */
static bool get_stream(const asy_object *o, asy_stream **s) {
  if (o->kind == ASY_READER)
    *s = ((const asy_reader *)o)->stream;
  else if (o->kind == ASY_WRITER)
    *s = ((const asy_writer *)o)->stream;
  else
    return false;
  return true;
}


/* The descriptor of the object at 'idx', NO_FD if it is closed. */
static int object_fd(lua_State *L, asy_rt *rt, int idx, asy_stream **given) {
  const asy_object *o = asy_toobject(L, rt, idx);
  luaL_Stream *file;
  if (o != NULL && get_stream(o, given))
    return *given != NULL ? asy_stream_fd(*given) : NO_FD;
  if (o != NULL && o->kind == ASY_FILE)
    return asy_file_fd((const asy_file *)o);
  file = (luaL_Stream *)luaL_checkudata(L, idx, LUA_FILEHANDLE);
  if (file->closef == NULL)
    return NO_FD;
  fflush(file->f); /* what was written before comes first */
  return fileno(file->f);
}


/* What the i-th standard stream is connected with. Allocates nothing in Lua. */
static void get_stdio(lua_State *L, spawn *s, asy_rt *rt, int i) {
  static const char *const names[] = {"pipe", "null", "stdout", NULL};
  static const int kinds[] = {A_PIPE, NULL_DEVICE, AS_STDOUT};
  int idx = STDIO + i;
  lua_Integer fd;
  if (lua_type(L, idx) == LUA_TSTRING) {
    s->kind[i] = kinds[luaL_checkoption(L, idx, NULL, names)];
    luaL_argcheck(L, s->kind[i] != AS_STDOUT || i == 2, idx, "not here");
  } else if (lua_type(L, idx) == LUA_TNUMBER) {
    fd = luaL_checkinteger(L, idx);
    luaL_argcheck(L, fd >= 0 && fd <= INT32_MAX, idx, "no descriptor");
    s->kind[i] = (int)fd;
  } else {
    s->kind[i] = object_fd(L, rt, idx, &s->given[i]);
  }
}


static unsigned get_id(lua_State *L, int idx, unsigned flag, unsigned *flags) {
  if (lua_isnil(L, idx))
    return 0;
  *flags |= flag;
  return (unsigned)luaL_checkinteger(L, idx);
}


/* Reads the arguments, and pushes two values that the options point to. */
static void get_options(lua_State *L, spawn *s) {
  uv_process_options_t *o = &s->o;
  lua_settop(L, NARGS);
  o->file = luaL_checkstring(L, FILENAME);
  luaL_checktype(L, ARGV, LUA_TTABLE);
  o->args = push_strings(L, ARGV);
  o->cwd = luaL_optstring(L, CWD, NULL);
  if (lua_toboolean(L, SESSION))
    o->flags |= UV_PROCESS_DETACHED;
  o->uid = (uv_uid_t)get_id(L, USER, UV_PROCESS_SETUID, &o->flags);
  o->gid = (uv_gid_t)get_id(L, GROUP, UV_PROCESS_SETGID, &o->flags);
  if (!lua_isnil(L, ENV))
    o->env = push_strings(L, ENV);
  else
    lua_pushnil(L);
}

/* }====== */


/* {====== Pipes; none of these raises ====== */

/* Makes the i-th pipe, the end of which that is ours does not block. */
static int open_pipe(spawn *s, asy_loop *loop, int i) {
  static const char *const what[] = {"the stdin of a process",
                                     "the stdout of a process",
                                     "the stderr of a process"};
  bool reads = i != 0;
  uv_file fds[2];
  int err =
      uv_pipe(fds, reads ? UV_NONBLOCK_PIPE : 0, reads ? 0 : UV_NONBLOCK_PIPE);
  if (err != 0)
    return err;
  s->theirs[i] = reads ? fds[1] : fds[0];
  s->ours[i] = (asy_stream *)asy_stream_new(loop, sizeof(asy_stream));
  if (s->ours[i] == NULL) {
    close(reads ? fds[0] : fds[1]);
    return UV_ENOMEM;
  }
  s->ours[i]->what = what[i];
  return asy_stream_openfd(s->ours[i], reads ? fds[0] : fds[1]);
}


static int open_stdio(spawn *s, asy_loop *loop, int i) {
  uv_stdio_container_t *c = &s->stdio[i];
  int kind = s->kind[i], err = 0;
  c->flags = UV_INHERIT_FD;
  c->data.fd = kind;
  if (kind == AS_STDOUT) {
    *c = s->stdio[1];
  } else if (kind == NULL_DEVICE) {
    c->flags = UV_IGNORE;
  } else if (kind == A_PIPE) {
    err = open_pipe(s, loop, i);
    c->data.fd = s->theirs[i];
  } else if (kind == NO_FD) {
    err = UV_EBADF;
  }
  return err;
}


/* Starts the child. Afterwards, only our ends of the pipes are open; none if
** that failed. */
static int start(spawn *s, asy_loop *loop, asy_process *p) {
  int err = 0;
  s->theirs[0] = s->theirs[1] = s->theirs[2] = NO_FD;
  s->o.stdio = s->stdio;
  s->o.stdio_count = 3;
  for (int i = 0; i < 3 && err == 0; i++)
    err = open_stdio(s, loop, i);
  if (err == 0)
    err = asy_process_start(p, loop, &s->o);
  for (int i = 0; i < 3; i++) {
    if (s->theirs[i] != NO_FD)
      close(s->theirs[i]);
    if (err != 0 && s->ours[i] != NULL)
      asy_handle_close(&s->ours[i]->h);
  }
  return err;
}

/* }====== */


/* Whether the error is that of the directory, which the system does not say. */
static bool is_cwds(const char *cwd, int err) {
  struct stat st;
  if (cwd == NULL ||
      (err != UV_ENOENT && err != UV_ENOTDIR && err != UV_EACCES))
    return false;
  return stat(cwd, &st) != 0 || !S_ISDIR(st.st_mode) || access(cwd, X_OK) != 0;
}


static int raise_failed(lua_State *L, asy_rt *rt, const spawn *s, int err) {
  const char *cwd = s->o.cwd;
  if (is_cwds(cwd, err))
    asy_error_osof(L, rt, err, "chdir", "path", cwd);
  else
    asy_error_osof(L, rt, err, "spawn", "path", s->o.file);
  return lua_error(L);
}


/* Pushes the reader or writer of each pipe, or nil, and gives them to the
** Process at 'idx' below. */
static void make_streams(lua_State *L, asy_loop *loop, spawn *s, int idx) {
  size_t limit = (size_t)luaL_checkinteger(L, LIMIT);
  for (int i = 0; i < 3; i++) {
    get_stdio(L, s, loop->rt, i);
    if (s->kind[i] == A_PIPE)
      asy_stream_make(L, loop, i == 0 ? ASY_STREAM_WRITES : ASY_STREAM_READS,
                      limit);
    else
      lua_pushnil(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, idx, ASY_PROCESS_STDIN + i);
  }
}


/* The child runs: the Process gets its pipes, and what the child reads is not
** read here, too. A descriptor that it shares with us blocks from now on. */
static void attach(lua_State *L, const spawn *s, asy_process *p, int idx) {
  for (int i = 0; i < 3; i++) {
    if (s->given[i] != NULL) {
      s->given[i]->lazy = s->given[i]->shared = true;
      asy_stream_flow(s->given[i]);
    }
    if (s->ours[i] == NULL)
      continue;
    if (i == 0)
      p->input = (asy_writer *)lua_touserdata(L, idx + 1);
    else
      p->output[i - 1] = (asy_reader *)lua_touserdata(L, idx + 1 + i);
    asy_stream_attach(L, s->ours[i], idx + 1 + i,
                      i == 0 ? ASY_STREAM_WRITES : ASY_STREAM_READS);
  }
}


/* spawn(...), with the arguments above: a Process. */
int asy_process_spawn(lua_State *L) {
  asy_loop *loop = asy_stream_loop(L, "spawn");
  asy_process *p;
  spawn s = {0};
  int idx, err;
  get_options(L, &s);
  p = asy_process_new(L, loop);
  idx = lua_gettop(L);
  p->grace = luaL_checknumber(L, GRACE);
  make_streams(L, loop, &s, idx);
  for (int i = 0; i < 3; i++) /* some finalizer may have closed one */
    get_stdio(L, &s, loop->rt, i);
  err = start(&s, loop, p);
  if (err != 0)
    return raise_failed(L, loop->rt, &s, err);
  attach(L, &s, p, idx);
  lua_settop(L, idx);
  return 1;
}
