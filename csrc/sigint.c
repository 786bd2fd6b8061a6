/*
** Ctrl-C. The first cancels the main task, at the loop's next turn. The next
** one raises KeyboardInterrupt at once: by a hook in the Lua code that runs, or,
** when none does, out of the loop. What was there before is put back at the
** end. One Lua state of the process has the signal at a time.
**
** What Lua's own coroutine library has resumed is only to be seen in the stack
** of who did that, where it is not safe to look while the code there goes on. So
** that code has a moment of the processor to meet the hook; then the same signal
** comes from a timer, and the hook is set one coroutine further in, and so on
** until it is met.
**
** When a signal finds the hook of the last one still waiting (trap.h), it is
** handed to the disposition that was there before, which as a rule ends the
** process.
*/
#include "sigint.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#ifndef _WIN32
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#endif

#include "error.h"
#include "pin.h"
#include "sig.h"
#include "task.h"
#include "worker.h"

static atomic_flag owned = ATOMIC_FLAG_INIT; /* some state has the signal */

static struct {
  asy_rt *_Atomic rt;          /* the state that has it, or NULL */
  asy_loop *_Atomic loop;      /* whose signal it is, or NULL */
  asy_task *task;              /* the main task, pinned */
  uint32_t slot;               /* that pin */
  bool cancelled;              /* the main task was, by the first */
  volatile sig_atomic_t count; /* how many arrived */
  volatile sig_atomic_t done;  /* how many of these had their effect */
} now;


/* One that the loop has forestalled, by ending, raises nothing. */
static void raise_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  if (!asy_trap_sprung(asy_rt_of(L), L))
    return;
  now.done++;
  asy_error_raise(L, ASY_KEYBOARD_INTERRUPT, "interrupted");
}


/* {====== From the loop ====== */

/* Whether a Ctrl-C has not had its effect yet. */
static bool interrupt_due(asy_loop *loop) {
  return now.loop == loop && now.done < now.count;
}


/* The first cancels the main task, another one, or one that finds that task
** done, ends the run. */
static void interrupt_run(lua_State *L, asy_loop *loop) {
  if (!interrupt_due(loop))
    return;
  if (!now.cancelled && now.task->fut.state == ASY_PENDING) {
    now.cancelled = true;
    now.done++;
    asy_future_cancel(&now.task->fut);
  }
  if (now.done >= now.count)
    return;
  now.done = now.count;
  loop->rt->trap.waits = 0;
  asy_error_push(L, loop->rt, ASY_KEYBOARD_INTERRUPT, "interrupted");
  asy_loop_fail(L, loop);
}


static const asy_interrupter interrupter = {interrupt_due, interrupt_run};

/* }====== */


/* {====== The signal ====== */

#ifndef _WIN32

static struct sigaction old_action;
static pthread_t thread; /* the one that runs the loop */


/* {------ The timer ------ */

#if defined(_POSIX_THREAD_CPUTIME) && _POSIX_THREAD_CPUTIME >= 0

#define MOMENT 5000000 /* nanoseconds */

static struct {
  timer_t timer; /* of the thread's processor time */
  bool made;
} later;


static void later_open(void) {
  struct sigevent event = {0};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGINT;
  event.sigev_value.sival_ptr = &later;
  later.made = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &later.timer) == 0;
}


static void later_close(void) {
  if (later.made)
    timer_delete(later.timer);
  later.made = false;
}


static bool later_start(void) {
  struct itimerspec when = {.it_value = {.tv_nsec = MOMENT}};
  return later.made && timer_settime(later.timer, 0, &when, NULL) == 0;
}


static bool is_later(const siginfo_t *info) {
  return info->si_code == SI_TIMER && info->si_value.sival_ptr == &later;
}

#else

static void later_open(void) {
}


static void later_close(void) {
}


static bool later_start(void) {
  return false;
}


static bool is_later(const siginfo_t *info) {
  (void)info;
  return false;
}

#endif


/* Where there is no timer the risk is taken. */
static void deepen(asy_rt *rt, lua_State *L) {
  while (asy_trap_deepen(rt, L) && !later_start()) {
  }
}

/* }------ */


static void count_signal(asy_loop *loop, int signum) {
  asy_rt *rt = loop->rt;
  lua_State *L = rt->active;
  if (rt->trap.waits) { /* the code does not come to it */
    sigaction(signum, &old_action, NULL);
    raise(signum);
    return;
  }
  now.count++;
  if (now.count > 1 && L != NULL) {
    asy_trap_set(rt, L, raise_hook);
    if (!later_start())
      deepen(rt, L);
  }
  uv_async_send(&loop->engine->wake);
}


static void timer_arrived(asy_rt *rt) {
  if (rt->trap.waits && rt->active != NULL)
    deepen(rt, rt->active);
}


/* The signal handler: no call here but those that are safe there. */
static void sigint_arrived(int signum, siginfo_t *info, void *context) {
  static volatile sig_atomic_t timed; /* what another thread hands on */
  int err = errno;
  (void)context;
  if (is_later(info))
    timed = 1;
  if (!pthread_equal(pthread_self(), thread)) {
    pthread_kill(thread, signum);
  } else {
    if (now.loop != NULL && timed)
      timer_arrived(now.loop->rt);
    else if (now.loop != NULL)
      count_signal(now.loop, signum);
    timed = 0;
  }
  errno = err;
}


/* Takes the signal, unless the process ignores it; while the program has a
** handler of its own (sighandler.c), only once that is removed. */
static bool take_signal(void) {
  struct sigaction action = {0};
  if (asy_sig_getaction(SIGINT, &old_action) != 0 ||
      old_action.sa_handler == SIG_IGN)
    return false;
  thread = pthread_self();
  action.sa_sigaction = sigint_arrived;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  if (asy_sig_setaction(SIGINT, &action) != 0)
    return false;
  later_open();
  return true;
}


/* Puts the old disposition back, if nobody has set another since. */
static void give_signal(void) {
  struct sigaction action;
  later_close();
  if (asy_sig_getaction(SIGINT, &action) == 0 &&
      (action.sa_flags & SA_SIGINFO) && action.sa_sigaction == sigint_arrived)
    asy_sig_setaction(SIGINT, &old_action);
}

#else

static bool take_signal(void) {
  return false; /* the console's Ctrl-C ends the process */
}


static void give_signal(void) {
}

#endif

/* }====== */


/* {====== Lua's view ====== */

static void let_go(void) {
  now.loop = NULL;
  now.rt = NULL;
  atomic_flag_clear(&owned);
}


/* Another state, in another thread, may have the signal, and let go of it now. */
void asy_sigint_over(asy_rt *rt) {
  if (now.rt != rt)
    return;
  give_signal();
  rt->trap.waits = 0;
  now.slot = 0;
  let_go();
}


/* Pushes how many there were, and whether some had no effect any more. */
static void end_run(lua_State *L, asy_loop *loop) {
  give_signal();
  asy_trap_unset(loop->rt, L, raise_hook);
  lua_pushinteger(L, now.count);
  lua_pushboolean(L, now.done < now.count);
  loop->interrupter = NULL;
  asy_unpin(L, loop->rt, &now.slot);
  let_go();
}


void asy_sigint_loopclosed(lua_State *L, asy_loop *loop) {
  if (now.loop != loop)
    return;
  end_run(L, loop);
  lua_pop(L, 2);
}


/* sigint_begin(loop, task): from now on Ctrl-C is for the task */
static int sigint_begin(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  asy_task *task = (asy_task *)asy_checkkind(L, 2, ASY_TASK);
  uint32_t slot;
  asy_loop_checkopen(L, loop);
  if (rt->worker != NULL) {
    asy_worker_begin(L, loop, 2);
    return 0;
  }
  if (rt->served)
    return 0;
  slot = asy_pin(L, rt, 2);
  if (atomic_flag_test_and_set(&owned)) {
    asy_unpin(L, rt, &slot);
    return 0;
  }
  now.slot = slot;
  now.task = task;
  now.cancelled = false;
  now.count = now.done = 0;
  rt->trap.waits = 0;
  rt->trap.L = NULL;
  loop->interrupter = &interrupter;
  now.rt = rt;
  now.loop = loop;
  if (!take_signal()) {
    loop->interrupter = NULL;
    asy_unpin(L, rt, &now.slot);
    let_go();
  }
  return 0;
}


/* sigint_end(loop): Ctrl-C is what it was; returns how many there were, and
** whether some of them had no effect any more */
static int sigint_end(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  if (rt->worker != NULL)
    asy_worker_end(L, loop);
  if (now.loop != loop) {
    lua_pushinteger(L, 0);
    lua_pushboolean(L, 0);
    return 2;
  }
  end_run(L, loop);
  return 2;
}


void asy_sigint_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"sigint_begin", sigint_begin},
      {"sigint_end", sigint_end},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}

/* }====== */
