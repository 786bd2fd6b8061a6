/*
** Ctrl-C. The first cancels the main task. The next one raises
** KeyboardInterrupt at once: by a hook in the Lua code that runs, or, when none
** does, out of the loop. What was there before is put back at the end. One Lua
** state of the process has the signal at a time.
**
** The hook reaches the task's own thread, not a coroutine that the task has
** resumed; a signal that finds the last one's hook still waiting is handed to
** the disposition that was there before.
*/
#include "sigint.h"

#include <signal.h>

#include "error.h"
#include "pin.h"
#include "task.h"

static struct {
  asy_loop *volatile loop; /* whose signal it is, or NULL */
  asy_task *task;          /* the main task, pinned */
  uint32_t slot;           /* that pin */
  bool cancelled;          /* the main task was, by the first */
  volatile sig_atomic_t count;
  lua_State *volatile hooked; /* the thread whose hook is to raise */
} now;


/* {====== From the loop ====== */

/* Raises KeyboardInterrupt out of run_*: the entry of the second Ctrl-C, when
** no Lua code ran. */
static void interrupt_run(lua_State *L, asy_ready *e) {
  asy_loop *loop = asy_of(e, asy_loop, interrupt);
  if (now.loop != loop)
    return;
  asy_error_push(L, loop->rt, ASY_KEYBOARD_INTERRUPT, "interrupted");
  asy_loop_fail(L, loop);
}


static void interrupt_fail(lua_State *L, asy_ready *e) {
  asy_loop_fail(L, asy_of(e, asy_loop, interrupt));
}


static void interrupt_drop(lua_State *L, asy_ready *e) {
  (void)L;
  (void)e;
}


static const asy_ready_ops interrupt_ops = {interrupt_run, interrupt_fail,
                                            interrupt_drop};


/* The loop woke up: if by a Ctrl-C, the main task is cancelled. */
static void sigint_woken(asy_loop *loop) {
  if (now.loop != loop || now.count == 0)
    return;
  if (!now.cancelled && now.task->fut.state == ASY_PENDING) {
    now.cancelled = true;
    asy_future_cancel(&now.task->fut);
  } else if (now.count > 1 && now.hooked == NULL) {
    loop->interrupt.ops = &interrupt_ops;
    asy_loop_ready(loop, &loop->interrupt);
  }
}

/* }====== */


#ifndef _WIN32

static struct sigaction old_action;


static void raise_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  now.hooked = NULL;
  asy_error_raise(L, ASY_KEYBOARD_INTERRUPT, "interrupted");
}


static void hook_running(lua_State *L) {
  now.hooked = L;
  lua_sethook(L, raise_hook,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}


/* Runs in the signal handler: no call here but those that are safe there. */
static void sigint_arrived(int signum) {
  asy_loop *loop = now.loop;
  lua_State *L;
  if (loop == NULL)
    return;
  if (now.hooked != NULL) { /* the code does not come to it */
    sigaction(signum, &old_action, NULL);
    raise(signum);
    return;
  }
  now.count++;
  L = loop->rt->active;
  if (now.count > 1 && L != NULL)
    hook_running(L);
  uv_async_send(&loop->engine->wake);
}


/* Takes the signal, unless the process ignores it. */
static bool take_signal(void) {
  struct sigaction action = {0};
  if (sigaction(SIGINT, NULL, &old_action) != 0 ||
      old_action.sa_handler == SIG_IGN)
    return false;
  action.sa_handler = sigint_arrived;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  return sigaction(SIGINT, &action, NULL) == 0;
}


/* Puts the old disposition back, if nobody has set another since. */
static void give_signal(void) {
  struct sigaction action;
  if (sigaction(SIGINT, NULL, &action) == 0 &&
      action.sa_handler == sigint_arrived)
    sigaction(SIGINT, &old_action, NULL);
  if (now.hooked != NULL && lua_gethook(now.hooked) == raise_hook)
    lua_sethook(now.hooked, NULL, 0, 0);
}

#else

static bool take_signal(void) {
  return false; /* the console's Ctrl-C ends the process */
}


static void give_signal(void) {
}

#endif


/* sigint_begin(loop, task): from now on Ctrl-C is for the task */
static int sigint_begin(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  asy_task *task = (asy_task *)asy_checkkind(L, 2, ASY_TASK);
  asy_loop_checkopen(L, loop);
  if (now.loop != NULL)
    return 0;
  now.slot = asy_pin(L, rt, 2);
  now.task = task;
  now.cancelled = false;
  now.count = 0;
  now.hooked = NULL;
  loop->woken = sigint_woken;
  now.loop = loop;
  if (!take_signal()) {
    now.loop = NULL;
    asy_unpin(L, rt, &now.slot);
  }
  return 0;
}


/* sigint_end(loop): Ctrl-C is what it was; returns how many there were */
static int sigint_end(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  if (now.loop != loop) {
    lua_pushinteger(L, 0);
    return 1;
  }
  give_signal();
  loop->woken = NULL;
  now.loop = NULL;
  asy_unpin(L, rt, &now.slot);
  lua_pushinteger(L, now.count);
  return 1;
}


void asy_sigint_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"sigint_begin", sigint_begin},
      {"sigint_end", sigint_end},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
