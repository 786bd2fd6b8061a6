/*
** A worker process: the main thread does one job after the other, another one
** waits for the end of the parent, after which nobody needs what is being done.
*/
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/poll.h>
#include <unistd.h>

#include "error.h"
#include "settings.h"
#include "wire.h"
#include "work.h"

typedef struct serve {
  asy_wire wire;
  asy_job job;
  pthread_t watcher;
} serve;


/* {====== The parent's end ====== */

/* The thread that watches: there is nothing to be polled for but the end of both
** directions; that of one only means that there are no more jobs. */
static void *watch(void *arg) {
  struct pollfd end = {.fd = ASY_SERVE_FD};
  int n;
  (void)arg;
  do
    n = poll(&end, 1, -1);
  while (n < 0 && (errno == EINTR || errno == EAGAIN));
  _exit(1);
}


/* Returns 0 or an error; signals are for the main thread. */
static int start_watcher(serve *s) {
  sigset_t all, before;
  int err;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  err = pthread_create(&s->watcher, NULL, watch, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err;
}


/* The library may be unloaded after that. */
static void stop_watcher(serve *s) {
  pthread_cancel(s->watcher);
  pthread_join(s->watcher, NULL);
}


static void nothing(int signum) {
  (void)signum;
}


/* A terminal's Ctrl-C comes to all of its processes, but it is the parent that
** says what it means here. Programs that jobs start get it as ever: what is
** ignored would be so there, too. */
static void ignore_interrupts(void) {
  struct sigaction action = {0};
  sigset_t set;
  action.sa_handler = nothing;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* }====== */


/* {====== Jobs ====== */

static void drop_parcels(serve *s) {
  asy_parcel_free(s->job.given);
  asy_parcel_free(s->job.got);
  s->job.given = s->job.got = NULL;
}


/* Waits for a frame of that kind; its parcel is the job's. */
static bool serve_next(serve *s, asy_frame expected) {
  asy_frame frame;
  drop_parcels(s);
  return asy_wire_receive(&s->wire, &frame, &s->job.given) && frame == expected;
}


/* What the job has printed comes before what its parent prints then. */
static bool serve_reply(serve *s, asy_frame frame) {
  fflush(stdout);
  return asy_wire_send(&s->wire, frame, s->job.got);
}


static bool serve_begin(lua_State *L, serve *s) {
  if (!serve_next(s, ASY_FRAME_PRELOAD))
    return false;
  if (s->job.given != NULL)
    asy_settings_preload(L, s->job.given);
  if (!serve_next(s, ASY_FRAME_INITIALIZER))
    return false;
  if (s->job.given != NULL && !asy_work_initialize(L, s->job.given, &s->job)) {
    serve_reply(s, ASY_FRAME_UNREADY);
    return false;
  }
  asy_work_rest(L);
  return serve_reply(s, ASY_FRAME_READY);
}


static void serve_job(lua_State *L, serve *s) {
  s->job.outcome = ASY_JOB_FAILED;
  if (s->job.given != NULL)
    asy_work_do(L, &s->job);
}


static int serve_jobs(lua_State *L) {
  serve *s = (serve *)lua_touserdata(L, 1);
  bool more = serve_begin(L, s);
  while (more && serve_next(s, ASY_FRAME_JOB)) {
    serve_job(L, s);
    more =
        serve_reply(s, s->job.outcome == ASY_JOB_RETURNED ? ASY_FRAME_RETURNED
                                                          : ASY_FRAME_FAILED);
    asy_work_rest(L);
  }
  return 0;
}


/* process_serve(): does the jobs that come, until there are no more */
static int process_serve(lua_State *L) {
  static serve s; /* where the leak checker sees it even in the end by exit */
  int status, err;
  asy_rt_up(L)->served = true;
  fcntl(ASY_SERVE_FD, F_SETFD, FD_CLOEXEC);
  ignore_interrupts();
  asy_wire_open(&s.wire, ASY_SERVE_FD);
  s.job.flat = true;
  err = start_watcher(&s);
  if (err != 0) {
    asy_error_os(L, asy_rt_up(L), -err, "pthread_create", NULL);
    return lua_error(L);
  }
  lua_settop(L, 0);
  lua_pushcfunction(L, serve_jobs);
  lua_pushlightuserdata(L, &s);
  status = lua_pcall(L, 1, 0, 0);
  drop_parcels(&s);
  stop_watcher(&s);
  return status == LUA_OK ? 0 : lua_error(L);
}


void asy_serve_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"process_serve", process_serve},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}

/* }====== */
