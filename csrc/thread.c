/*
** Threads and signals. A thread is interrupted by a signal sent to it alone:
** SIGURG, which does nothing where nobody cares for it. While there are threads
** its handler is ours, and hands on what is not for them.
*/
#include "thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#ifndef _WIN32
#include <pthread.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* What Lua's deepest recursion in C needs, with room. */
#define STACK_SIZE ((size_t)8 << 20)

#define SLICE 10000000 /* nanoseconds */

static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t mutex;   /* of the next */
static unsigned running;   /* threads started and not joined */
static uv_key_t self;      /* the asy_thread that runs */
static int begun;          /* whether these could be made: 0 or an error */
static unsigned forkcount; /* changed in the child, where nobody else is */


#ifndef _WIN32

/* {====== Signals ====== */

static struct sigaction before; /* what SIGURG did */


static void hand_on(int signum, siginfo_t *info, void *context) {
  if (before.sa_flags & SA_SIGINFO)
    before.sa_sigaction(signum, info, context);
  else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    before.sa_handler(signum);
}


static void arrived(int signum, siginfo_t *info, void *context) {
  asy_thread *me = (asy_thread *)uv_key_get(&self);
  int err = errno;
  if (me != NULL)
    me->interrupted(me);
  else
    hand_on(signum, info, context);
  errno = err;
}


static bool is_ours(const struct sigaction *action) {
  return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == arrived;
}


/* In the child of a fork our handler may be there still: what was there before
** is known then. */
static void signals_take(void) {
  struct sigaction action = {0}, old;
  action.sa_sigaction = arrived;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGURG, NULL, &old) == 0 && !is_ours(&old))
    before = old;
  sigaction(SIGURG, &action, NULL);
}


/* Puts back what was there, unless somebody has set another handler since. */
static void signals_give(void) {
  struct sigaction action;
  if (sigaction(SIGURG, NULL, &action) == 0 && is_ours(&action))
    sigaction(SIGURG, &before, NULL);
}


/* All but the one that interrupts, and those that tell of an error. */
static void signals_block(void) {
  static const int open[] = {SIGURG, SIGSEGV, SIGBUS, SIGFPE,
                             SIGILL, SIGABRT, SIGTRAP};
  sigset_t set;
  sigfillset(&set);
  for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
    sigdelset(&set, open[i]);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}


void asy_thread_interrupt(asy_thread *t) {
  pthread_kill(t->id, SIGURG);
}


int asy_thread_callunblocked(lua_State *L) {
  sigset_t none, blocked;
  int status;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, &blocked);
  status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  pthread_sigmask(SIG_SETMASK, &blocked, NULL);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}


static void forked(void) {
  forkcount++;
  running = 0;
  uv_mutex_init(&mutex);
}


static void watch_forks(void) {
  pthread_atfork(NULL, NULL, forked);
}

/* }====== */

#else

static void signals_take(void) {
}


static void signals_give(void) {
}


static void signals_block(void) {
}


void asy_thread_interrupt(asy_thread *t) {
  (void)t;
}


int asy_thread_callunblocked(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}


static void watch_forks(void) {
}

#endif


/* Linux takes 15 bytes of it. */
static void set_name(const char *name) {
#if defined(__linux__)
  prctl(PR_SET_NAME, name, 0, 0, 0);
#else
  (void)name;
#endif
}


/* A job computes: it may go on for longer at a time, and gives way at once to
** those that were waiting, such as the loop, which would else wait for a tick of
** the system. Known to Linux from 6.12 on. */
static void take_long_slices(void) {
#if defined(SYS_sched_setattr) && defined(SYS_sched_getattr)
  struct { /* the first version of the system's sched_attr */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } a = {0};
  if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) != 0 ||
      a.policy != SCHED_OTHER)
    return;
  a.size = sizeof(a);
  a.runtime = SLICE;
  (void)syscall(SYS_sched_setattr, 0, &a, 0);
#endif
}


static void begin(void) {
  begun = uv_mutex_init(&mutex);
  if (begun == 0)
    begun = uv_key_create(&self);
  watch_forks();
}


unsigned asy_thread_forks(void) {
  uv_once(&once, begin);
  return forkcount;
}


static void count(bool more) {
  uv_mutex_lock(&mutex);
  if (more && running++ == 0)
    signals_take();
  else if (!more && --running == 0)
    signals_give();
  uv_mutex_unlock(&mutex);
}


int asy_thread_start(asy_thread *t, void (*run)(void *), void *arg) {
  uv_thread_options_t options = {0};
  int err;
  uv_once(&once, begin);
  if (begun != 0)
    return begun;
  options.flags = UV_THREAD_HAS_STACK_SIZE;
  options.stack_size = STACK_SIZE;
  count(true);
  err = uv_thread_create_ex(&t->id, &options, run, arg);
  if (err != 0)
    count(false);
  return err;
}


void asy_thread_join(asy_thread *t) {
  uv_thread_join(&t->id);
  count(false);
}


void asy_thread_begin(asy_thread *t, const char *name) {
  uv_key_set(&self, t);
  signals_block();
  set_name(name);
  take_long_slices();
}
