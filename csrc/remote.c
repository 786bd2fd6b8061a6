/*
** The side of a worker process that is in its parent: a thread, which is all but
** always waiting for the other one. So large values are copied and sent where
** they keep no loop waiting, and nobody needs SIGCHLD.
**
** The process is killed under the pool's mutex by who cancels its job, and only
** the thread reaps it, having taken the pid away first.
*/
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "serve.h"
#include "wire.h"
#include "worker.h"

extern char **environ;

typedef struct asy_remote {
  asy_worker w;
  int pid; /* of the process, 0 when there is none; guarded by the mutex */
  asy_wire wire;
} asy_remote;


/* {====== Its end ====== */

static void remote_ask(asy_worker *w, asy_asked what) {
  const asy_remote *r = (asy_remote *)w;
  __atomic_store_n(&w->asked, (int)what, __ATOMIC_RELEASE);
  if (r->pid != 0)
    kill(r->pid, SIGKILL);
}


static void remote_interrupted(asy_thread *t) {
  (void)t; /* never is */
}


static void set_pid(asy_remote *r, int pid) {
  uv_mutex_lock(&r->w.pool->mutex);
  r->pid = pid;
  uv_mutex_unlock(&r->w.pool->mutex);
}


/* Waits for the end of the process, which has been brought about, and reaps it.
** Returns its exit status, or the negative number of the signal that ended it. */
static int remote_reap(asy_remote *r) {
  int pid = r->pid, status = 0, err;
  siginfo_t info;
  do
    err = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
  while (err != 0 && errno == EINTR);
  set_pid(r, 0);
  do
    err = waitpid(pid, &status, 0);
  while (err < 0 && errno == EINTR);
  close(r->wire.fd);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}


static int remote_kill(asy_remote *r) {
  kill(r->pid, SIGKILL);
  return remote_reap(r);
}


/* What was asked while a job ran may have killed the process. */
static void remote_rest(asy_worker *w) {
  asy_remote *r = (asy_remote *)w;
  if (asy_worker_asked(w) != ASY_ASKED_NOTHING && r->pid != 0)
    remote_kill(r);
  __atomic_store_n(&w->asked, (int)ASY_ASKED_NOTHING, __ATOMIC_RELEASE);
}


/* The process sees the end of its jobs, but not that of its parent. */
static void remote_close(asy_worker *w) {
  asy_remote *r = (asy_remote *)w;
  if (r->pid == 0)
    return;
  shutdown(r->wire.fd, SHUT_WR);
  remote_reap(r);
}


/* Whether the process, which has no job, has ended meanwhile. */
static bool has_ended(const asy_remote *r) {
  char byte;
  ssize_t n = recv(r->wire.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* }====== */


/* {====== Its begin ====== */

/* With nothing of standard input, and its end of the wire at a place that it
** knows. Ctrl-C is blocked until it is ready to ignore it. */
static int spawn_with(posix_spawn_file_actions_t *files,
                      posix_spawnattr_t *attr, asy_remote *r,
                      const char *program, int fd) {
  asy_settings *s = &r->w.pool->settings;
  static char option[] = "-e";
  char *argv[] = {s->name, option, s->code, NULL};
  sigset_t blocked, defaults;
  pid_t pid;
  int err;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(attr, &blocked);
  posix_spawnattr_setsigdefault(attr, &defaults);
  posix_spawnattr_setflags(attr,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  err = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null",
                                         O_RDONLY, 0);
  if (err == 0)
    err = posix_spawn_file_actions_adddup2(files, fd, ASY_SERVE_FD);
  if (err == 0)
    err = posix_spawnp(&pid, program, files, attr, argv, environ);
  if (err == 0)
    set_pid(r, pid);
  return -err;
}


/* Returns 0 or a libuv error. */
static int spawn(asy_remote *r, int fd) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attr;
  const char *program = r->w.pool->settings.executable;
  int err = posix_spawn_file_actions_init(&files);
  if (err != 0)
    return -err;
  err = posix_spawnattr_init(&attr);
  if (err == 0) {
    err = -spawn_with(&files, &attr, r, program, fd);
    posix_spawnattr_destroy(&attr);
  }
  posix_spawn_file_actions_destroy(&files);
  return -err;
}


/* The same, with a wire to it. Where its end has the very number that it is to
** have there it would be closed. */
static int connect_process(asy_remote *r) {
  int fds[2], theirs, err;
  err = uv_socketpair(SOCK_STREAM, 0, fds, 0, 0);
  if (err != 0)
    return err;
  theirs = fcntl(fds[1], F_DUPFD_CLOEXEC, ASY_SERVE_FD + 1);
  err = theirs < 0 ? -errno : spawn(r, theirs);
  close(fds[1]);
  if (theirs >= 0)
    close(theirs);
  if (err == 0)
    asy_wire_open(&r->wire, fds[0]);
  else
    close(fds[0]);
  return err;
}


/* Waits until the process is ready for jobs. */
static bool await_ready(asy_remote *r, asy_job *j) {
  const asy_settings *s = &r->w.pool->settings;
  asy_frame frame;
  if (!asy_wire_send(&r->wire, ASY_FRAME_PRELOAD, s->preload) ||
      !asy_wire_send(&r->wire, ASY_FRAME_INITIALIZER, s->initializer) ||
      !asy_wire_receive(&r->wire, &frame, &j->got)) {
    j->detail = remote_kill(r);
    if (asy_worker_asked(&r->w) != ASY_ASKED_NOTHING)
      return false;
    j->outcome = ASY_JOB_UNREADY;
    return false;
  }
  if (frame == ASY_FRAME_READY)
    return true;
  j->outcome = ASY_JOB_BROKEN;
  remote_kill(r);
  return false;
}


/* There is a process; else the job has its outcome. */
static bool remote_start(asy_remote *r, asy_job *j) {
  if (r->pid != 0 && has_ended(r))
    remote_kill(r);
  if (r->pid != 0)
    return true;
  j->detail = connect_process(r);
  if (j->detail == 0)
    return await_ready(r, j);
  j->outcome = ASY_JOB_UNSTARTED;
  return false;
}

/* }====== */


/* {====== Jobs ====== */

static void remote_run(asy_worker *w, asy_job *j) {
  asy_remote *r = (asy_remote *)w;
  asy_frame frame;
  j->outcome = ASY_JOB_FAILED;
  if (!remote_start(r, j) || asy_worker_asked(w) != ASY_ASKED_NOTHING)
    return;
  if (asy_wire_send(&r->wire, ASY_FRAME_JOB, j->given) &&
      asy_wire_receive(&r->wire, &frame, &j->got)) {
    if (frame == ASY_FRAME_RETURNED && j->got != NULL)
      j->outcome = ASY_JOB_RETURNED;
    return;
  }
  j->outcome = ASY_JOB_LOST;
  j->detail = remote_kill(r);
}


const asy_worker_ops asy_worker_processes = {
    .size = sizeof(asy_remote),
    .flat = true,
    .run = remote_run,
    .rest = remote_rest,
    .close = remote_close,
    .ask = remote_ask,
    .interrupted = remote_interrupted,
};

/* }====== */


/* {====== What is started ====== */

static char *copy(lua_State *L, const char *s) {
  char *to = strdup(s);
  if (to == NULL)
    asy_error_memory(L);
  return to;
}


/* Adds an assignment of the string to the variable. */
static void add_assignment(luaL_Buffer *b, const char *name, const char *s) {
  if (s == NULL)
    return;
  luaL_addstring(b, name);
  luaL_addstring(b, "='");
  for (; *s != '\0'; s++) {
    if (*s == '\'' || *s == '\\' || *s == '\n' || *s == '\r')
      luaL_addchar(b, '\\');
    luaL_addchar(b, *s);
  }
  luaL_addstring(b, "' ");
}


void asy_remote_take(lua_State *L, asy_settings *s, const char *executable) {
  luaL_Buffer b;
  char path[4096];
  size_t size = sizeof(path);
  if (executable == NULL) {
    int err = uv_exepath(path, &size);
    if (err != 0) {
      asy_error_os(L, asy_rt_of(L), err, "uv_exepath", NULL);
      lua_error(L);
    }
    executable = path;
  }
  s->executable = copy(L, executable);
  luaL_buffinit(L, &b);
  add_assignment(&b, "package.path", s->path);
  add_assignment(&b, "package.cpath", s->cpath);
  luaL_addstring(&b, "require 'asyncio.core'.process_serve()");
  luaL_pushresult(&b);
  s->code = copy(L, lua_tostring(L, -1));
  lua_pop(L, 1);
}

/* }====== */
