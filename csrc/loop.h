/*
** The event loop: a userdata that holds the ready queue, and its engine, the
** libuv side, which lies in C memory and is gone once the loop is closed.
*/
#ifndef asy_loop_h
#define asy_loop_h

#include "ready.h"
#include "runtime.h"
#include "spin.h"
#include "wheel.h"

struct asy_future;
struct asy_inbox;
struct asy_loop;
struct asy_shared;

typedef struct asy_engine {
  uv_loop_t own;      /* the loop itself, unless a host lent its own */
  uv_loop_t *uv;      /* the loop in use */
  uv_prepare_t drain; /* runs what is ready, before each poll */
  uv_idle_t kick;     /* active while something is ready: no poll blocks */
  uv_timer_t alarm;   /* stands for the whole wheel */
  uv_async_t wake;    /* ends a poll from another thread or a signal */
  asy_wheel wheel;
  uint64_t armed;    /* the wheel time the alarm is set for */
  bool overdue;      /* a timer was set whose time had come */
  bool lingering;    /* something may come from another thread at once, */
  uint64_t patience; /* which is waited for till then; 0 until it is due */
  asy_spin spin;     /* whether that has paid */
  asy_list handles;  /* open handles (handle.h) */
  asy_list requests; /* requests under way (req.h) */
  asy_list link;     /* in the runtime's list */
  struct asy_loop *loop;
  uint32_t owner; /* number of the loop (weak.h) */
} asy_engine;

/* What interrupts a loop from outside: Ctrl-C, or whoever cancels the job of a
** worker. */
typedef struct asy_interrupter {
  /* The loop woke up: whether it is to be interrupted. Runs no Lua. */
  bool (*due)(struct asy_loop *loop);
  /* Interrupts it, in the next turn. What it raises leaves run_*. */
  void (*run)(lua_State *L, struct asy_loop *loop);
} asy_interrupter;

typedef struct asy_loop {
  asy_rt *rt;
  uint8_t kind;
  bool debug;
  bool stopping;          /* stop() was called, or the awaited future is done */
  bool closing;           /* close() is under way: no new work */
  bool failed;            /* an error is to leave run_*: ASY_LOOP_FAILURE */
  bool kicked;            /* the engine's kick handle is active */
  bool factory;           /* there is a task factory */
  asy_queue ready;        /* what the next turn runs */
  asy_queue turn;         /* what is left of this turn */
  asy_engine *engine;     /* NULL once closed */
  asy_ready *entry;       /* the entry that runs now */
  asy_ready interrupt;    /* runs the interrupter */
  struct asy_shared *ref; /* what other states share of it, or NULL */
  struct asy_inbox *inbox;            /* for other threads (inbox.h), or NULL */
  const asy_interrupter *interrupter; /* or NULL */
  lua_State *L;    /* the thread that called run_*, while it runs */
  uint32_t tasks;  /* unfinished tasks */
  lua_Number slow; /* slow_callback_duration, in seconds */
} asy_loop;

/* User values of a loop. */
#define ASY_LOOP_HANDLER 1 /* exception handler */
#define ASY_LOOP_FACTORY 2 /* task factory */
#define ASY_LOOP_FAILED 3  /* weak set of futures whose error nobody took */
#define ASY_LOOP_DATA 4    /* table for what Lua code keeps with the loop */
#define ASY_LOOP_FAILURE 5 /* the error that leaves run_* */
#define ASY_LOOP_VALUES 5

/* {====== For the parts that run on a loop; none of these raises ====== */

/* Makes sure that the loop drains before it blocks again. */
void asy_loop_kick(asy_loop *loop);

/* Queues an entry for the next turn; one that is queued stays where it is. */
static inline void asy_loop_ready(asy_loop *loop, asy_ready *e) {
  if (asy_ready_queued(e))
    return;
  asy_queue_push(&loop->ready, e);
  if (!loop->kicked)
    asy_loop_kick(loop);
}

/* The loop's clock, in nanoseconds. */
static inline uint64_t asy_loop_now(void) {
  return uv_hrtime();
}

/* Sets a timer at an absolute time. The timer must be unset. One whose time
** has come is only sure to fire in the next turn if 'asy_loop_overdue' says
** so. */
void asy_loop_settimer(asy_loop *loop, asy_timer *t, uint64_t when,
                       void (*fire)(asy_timer *));

/* Makes the next turn look for timers that are due. */
void asy_loop_overdue(asy_loop *loop);

/* Unsets a timer, also on a closed loop. */
void asy_loop_unsettimer(asy_loop *loop, asy_timer *t);

/* Something is expected from another thread: when nothing is left to do, the
** loop polls without blocking for a moment if that has paid. */
void asy_loop_linger(asy_loop *loop);

/* It has come. */
void asy_loop_lingered(asy_loop *loop);

/* Makes run_* return after this turn. */
void asy_loop_stop(asy_loop *loop);

/* The time 'seconds' from now; huge and infinite ones become 'never'. */
uint64_t asy_loop_after(lua_Number seconds);

/* Converts an absolute time in seconds to nanoseconds, rounding up. */
uint64_t asy_loop_at(lua_Number when);

/* }====== */

/* The argument, a number of seconds; NaN is an argument error. */
lua_Number asy_checktime(lua_State *L, int arg);

/* Pushes a new open loop. */
asy_loop *asy_loop_new(lua_State *L, asy_rt *rt);

/* Pushes the loop's userdata. */
void asy_loop_push(lua_State *L, asy_loop *loop);

/* The running loop, else this state's current one, made on first use; pushes
** its userdata. Raises a RuntimeError when it is closed. */
asy_loop *asy_loop_get(lua_State *L, asy_rt *rt);

/* Makes the loop the running one, which keeps it alive; returns which one was,
** for asy_loop_leave. Neither raises when the stack has room. */
asy_loop *asy_loop_enter(lua_State *L, asy_loop *loop);
void asy_loop_leave(lua_State *L, asy_rt *rt, asy_loop *outer);

/* Raises a RuntimeError when the loop is closed. */
void asy_loop_checkopen(lua_State *L, const asy_loop *loop);

/* Ends the loop: tasks closed, reports made, all handles closed and freed. */
void asy_loop_close(lua_State *L, asy_loop *loop);

/* {====== looprun.c ====== */

/* Drives the loop from the calling C function until the future is done (or
** stop() is called, with fut NULL: forever). Raises RuntimeError when a loop
** runs already, DeadlockError when nothing can wake the loop any more. */
void asy_loop_run(lua_State *L, asy_loop *loop, struct asy_future *fut);

/* Makes run_* end at once with the error on the top, which it pops
** (KeyboardInterrupt). Never raises. */
void asy_loop_fail(lua_State *L, asy_loop *loop);

/* }====== */

/* {====== loopapi.c ====== */

/* The running task, which is to be one of the loop; raises a RuntimeError that
** names 'fname' otherwise. */
struct asy_task *asy_loop_task(lua_State *L, asy_loop *loop, const char *fname);

void asy_loop_open(lua_State *L);

/* }====== */

/* {====== engine.c: the libuv side ====== */

/* Makes the loop's engine; returns 0 or a libuv error. Never raises. */
int asy_engine_new(asy_loop *loop);

/* Closes every handle, waits for what is under way, and frees the engine. Runs
** no Lua. */
void asy_engine_free(asy_loop *loop);

/* The same at the end of the Lua state, when the loop may have gone without
** having been closed. */
void asy_engine_freeleft(asy_engine *e, asy_rt *rt);

/* }====== */

#endif
