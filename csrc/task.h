/*
** Tasks: a Lua function that runs on a thread of its own, a step at a time. The
** only file that resumes threads is task.c.
*/
#ifndef asy_task_h
#define asy_task_h

#include "future.h"

struct asy_task;

/* A way of waiting. */
typedef struct asy_wait {
  const char *what; /* for people: "sleep", "future" */
  /* Called by cancellation, once, while the task is parked. Either ends the
  ** wait (unlinks, unsets timers) and returns NULL: the task is then woken; or
  ** returns the future whose cancellation will bring the wake-up. Runs no
  ** Lua. */
  asy_future *(*abort)(struct asy_task *t);
} asy_wait;

/* A place in a wait queue (waitq.h). */
typedef struct asy_place {
  asy_list link;
  int got; /* 0 until the queue wakes the task, then what it does that with */
} asy_place;

/* Flags of a task. */
#define ASY_TASK_CANCEL 1     /* CancelledError is due at the wake-up */
#define ASY_TASK_PARKED 2     /* waits; the wake-up is still to come */
#define ASY_TASK_BODYFAILED 4 /* the body ended with an error */
#define ASY_TASK_ATOMIC 8     /* awaits are forbidden now */
#define ASY_TASK_RETHROW 16   /* an error on its way keeps its traceback */
#define ASY_TASK_SWALLOWED 32 /* a CancelledError was delivered (debug) */
#define ASY_TASK_HASCORO 64   /* its Coroutine object is the first argument */
#define ASY_TASK_CONTEXT 128  /* its context has a user value of its own */

typedef struct asy_task {
  asy_future fut;
  asy_ready ready;
  lua_State *co;       /* its thread, NULL before the first step */
  const asy_wait *how; /* the way it waits while parked */
  void *on;            /* what it waits for, if that is an object */
  uint8_t tflags;
  uint8_t nargs;     /* arguments of the body that wait in user values */
  uint32_t cancels;  /* cancellations asked for and not taken back */
  union {            /* a task waits for one thing at a time */
    asy_watch watch; /* of a future; shares its link with the next */
    asy_place place; /* in a wait queue */
    asy_timer timer; /* of sleep */
  };
  asy_list scopes; /* its timeouts, the innermost first */
  uint64_t id;
} asy_task;

/* User values of a task beyond a future's: its context, if it has a place (else
** that is among the extras), then its arguments. */
#define ASY_TASK_CONTEXT_VALUE (ASY_FUT_VALUES + 1)
#define ASY_TASK_MAXARGS 200

/* The number of the user value before the first argument. */
static inline int asy_task_values(const asy_task *t) {
  return ASY_FUT_VALUES + ((t->tflags & ASY_TASK_CONTEXT) != 0);
}

void asy_task_open(lua_State *L);

/* cancel.c: makes tasks cancellable; called by asy_task_open. */
void asy_task_opencore(lua_State *L);

/* {====== park.c: the one way to suspend ====== */

/* The running task, if L is the thread that it runs in and can suspend it, else
** NULL. */
static inline asy_task *asy_task_able(lua_State *L, asy_rt *rt) {
  asy_task *t = rt->task;
  if (asy_likely(t != NULL && rt->active == L && lua_isyieldable(L) &&
                 !(t->tflags & ASY_TASK_ATOMIC)))
    return t;
  return NULL;
}

/* The same, but raises a RuntimeError that names 'fname' and the culprit where
** no await is possible. */
asy_task *asy_task_here(lua_State *L, asy_rt *rt, const char *fname);

/* The same where the task is to wait for an object, called 'what', that belongs
** to the loop: a task of another one is a RuntimeError, too. */
asy_task *asy_task_hereon(lua_State *L, const asy_loop *loop, const char *what,
                          const char *fname);

/* Suspends the task from the C function that returns this call's result; 'k'
** goes on when it is woken. 'on' is an object that it waits for, or NULL. The
** C function's stack stays as it is, and is not empty: that tells it from one
** that yields to a coroutine (colib.c). */
int asy_park(lua_State *L, asy_task *t, const asy_wait *how, void *on,
             lua_KContext ctx, lua_KFunction k);

/* Wakes a parked task in the next turn; one that is not parked is left
** alone, so a wake-up can never reach a later wait. Never raises. */
void asy_unpark(asy_task *t);

/* Wakes a parked task whose wait has been aborted: it raises CancelledError,
** also when the cancellation is taken back before it runs. */
void asy_interrupt(asy_task *t);

/* Whether it was woken so, and has not run since. */
bool asy_isinterrupted(const asy_task *t);

/* Whether the thread runs, or has resumed another one. */
bool asy_task_isin(lua_State *co);

/* nest.c: whether a thread inside the suspended one neither waits nor runs. */
bool asy_nest_isleft(lua_State *co);

/* Whether other code has closed the thread of the parked task, or one inside it.
** What it waits for may be gone, as may be those next to it in a list: these are
** not touched any more, and the task is never collected, since they may point
** to it. */
static inline bool asy_task_isleft(const asy_task *t) {
  if (asy_unlikely(lua_status(t->co) != LUA_YIELD) && !asy_task_isin(t->co))
    return true;
  return asy_unlikely(t->fut.rt->nested != 0) && asy_nest_isleft(t->co);
}

/* The unfinished task whose thread L is, or is inside of: the running one, unless
** other code has resumed the thread; NULL if there is none. */
asy_task *asy_task_find(lua_State *L, asy_rt *rt);

static inline asy_task *asy_task_of(lua_State *L, asy_rt *rt) {
  asy_task *t = rt->task;
  return asy_likely(t != NULL && t->co == L) ? t : asy_task_find(L, rt);
}

/* Gives every other ready task a turn, then goes on with 'k'. */
int asy_park_turn(lua_State *L, asy_task *t, lua_KContext ctx, lua_KFunction k);

/* Other code has resumed the thread of a task, or one inside it, which ends its
** wait with a RuntimeError. */
void asy_refuse(lua_State *L);

/* To be called first by a 'k' that looks at the running task, 't', before it
** calls asy_woken: makes sure that L is the thread in which it goes on. */
static inline void asy_resumed(lua_State *L, asy_task *t) {
  if (asy_unlikely(t == NULL || t->fut.rt->active != L))
    asy_refuse(L);
}

/* To be called first by every 'k': raises CancelledError if that is due. */
void asy_woken(lua_State *L, asy_task *t);

/* The same question without the error: whether a CancelledError is due. Who
** asks gives back what the wake-up brought, then calls asy_woken. */
static inline bool asy_iscancelled(const asy_task *t) {
  return t != NULL && (t->tflags & ASY_TASK_CANCEL) != 0;
}

/* Whether asy_woken will not return: that, or the task ends with its loop. */
static inline bool asy_isending(const asy_task *t) {
  return asy_iscancelled(t) || (t->fut.flags & ASY_KILLED);
}

/* }====== */

/* Makes a task of the function and its 'nargs' arguments on the top, which it
** replaces by the task, on the loop, which is the running one or is kept by the
** caller; asy_task_schedule must follow. The body may also be a Coroutine
** object, without arguments. */
asy_task *asy_task_new(lua_State *L, asy_loop *loop, int nargs);

/* Lua's constructor Task(coro, options), for a closure with the runtime. */
int asy_task_construct(lua_State *L);

/* Raises an argument error unless the argument, which is no function, is an
** awaitable that can become a task: a future is none. */
void asy_task_checkbody(lua_State *L, asy_rt *rt, int arg);

/* What create_task does with the function at 'idx' and its arguments: makes a
** task of them, which takes the place of 'idx', and the top is there. For
** anything else, or a loop with a task factory, does nothing and returns
** false. */
bool asy_task_offunction(lua_State *L, asy_loop *loop, int idx);

/* create_task: makes a task of the awaitable at 'idx', which is no future, and
** the arguments or options above it, by the loop's task factory if it has
** one. Errors of the options count arguments as if the loop were before them.
** The task takes the place of 'idx', and the top is there. */
void asy_task_create(lua_State *L, asy_rt *rt, int loopidx, int idx);

/* The error of the failed future at 'idx' is about to be raised in the running
** task: notes its traceback, so that the task's own can go on from there. */
void asy_task_crossing(lua_State *L, int idx);

/* Pushes the traceback of the thread from 'level' on; if the error at 'err' came
** to the task at 'task' from elsewhere, its traceback there comes first. */
void asy_task_pushtraceback(lua_State *L, lua_State *co, int task, int err,
                            int level);

/* The error at 'err', which came to the task at 'task' from elsewhere, has the
** traceback at 'text'. All are absolute indices. */
void asy_task_setcause(lua_State *L, int task, int err, int text, bool resumed);

/* Pushes the traceback of the failed future at 'idx', or nil. */
int asy_future_gettraceback(lua_State *L, int idx);

/* Asks for cancellation, following awaited futures; false when done. */
bool asy_task_cancel(asy_task *t);

/* Pushes the CancelledError of the task, with the message it was given. */
void asy_task_pushcancelled(lua_State *L, asy_task *t);

/* Takes one cancellation back; returns how many are left. */
unsigned asy_task_uncancel(asy_task *t);

/* Ends an unfinished task of a loop that closes: runs its <close> variables,
** which cannot suspend. Reports what they raise. */
void asy_task_kill(lua_State *L, asy_task *t);

/* Schedules the first step of the new task 't' at 'idx'. May raise; then there is
** no task. */
void asy_task_schedule(lua_State *L, asy_task *t, int idx);

/* Instead of that runs the first step at once, inside the caller's, if the
** task's loop runs. */
void asy_task_eager(lua_State *L, int idx);

/* Pushes the userdata of an unfinished task, or of one that is kept. */
void asy_task_push(lua_State *L, asy_task *t);

/* Pushes the task's name. */
void asy_task_pushname(lua_State *L, asy_task *t, int idx);

/* The unfinished tasks of the loop as a new list in order of creation, on the
** top; all loops' with NULL. Returns their number. */
uint32_t asy_task_list(lua_State *L, asy_rt *rt, const asy_loop *loop);

/* Sorts the 'n' tasks of the list at 'idx' by their numbers. */
void asy_task_sort(lua_State *L, int idx, uint32_t n);

/* The message handler of every protected call under a task: takes the
** traceback where the error is raised. */
int asy_task_msgh(lua_State *L);

/* Raises the error on the top again, which that handler has met; its
** traceback stays that of the first time. */
int asy_task_rethrow(lua_State *L, asy_rt *rt);

#endif
