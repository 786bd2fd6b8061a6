/*
** The libuv side of a loop. Four handles of its own, none of which keeps
** uv_run going by itself: 'drain' runs the ready queue before each poll,
** whoever called uv_run; 'kick' is active while something is ready, so that
** the poll does not block; 'alarm' stands for all timers; 'wake' is for other
** threads and signals. When uv_run ends by itself, nothing can wake the loop.
*/
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"
#include "handle.h"
#include "loop.h"
#include "pin.h"
#include "req.h"
#include "weak.h"

/* The poll for I/O is skipped for so many turns or so long at most. */
#define MAX_TURNS 128
#define MAX_BUSY 1000000u /* nanoseconds */
#define CLOCK_EVERY 4     /* turns between two looks at the clock */

asy_ready asy_ready_end;


/* {====== The drain ====== */

static void run_turn(lua_State *L, asy_loop *loop) {
  while (!asy_queue_empty(&loop->turn) && !loop->failed) {
    asy_ready *e = asy_queue_pop(&loop->turn);
    loop->entry = e;
    e->ops->run(L, e);
  }
  loop->entry = NULL;
}


/* Takes what is ready for the next turn; false when nothing is. */
static bool begin_turn(asy_loop *loop) {
  asy_engine *e = loop->engine;
  if (asy_unlikely(e->overdue)) {
    e->overdue = false;
    asy_wheel_advance(&e->wheel, asy_loop_now());
  }
  if (asy_queue_empty(&loop->ready))
    return false;
  loop->turn = loop->ready;
  asy_queue_init(&loop->ready);
  return true;
}


/* Runs turns until nothing is ready or it is time to look at the world. An
** entry that raises leaves through the protected call; 'turn' then holds what
** is left, and the next call goes on there. */
static int drain_turns(lua_State *L) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, 1);
  uint64_t start = asy_loop_now();
  asy_pin_pushtable(L, loop->rt);
  lua_replace(L, ASY_PINS);
  lua_rawgeti(L, LUA_REGISTRYINDEX, loop->rt->msgh);
  for (int n = 1;; n++) {
    run_turn(L, loop);
    if (loop->stopping || loop->failed || n >= MAX_TURNS)
      return 0;
    if (n % CLOCK_EVERY == 0 && asy_loop_now() - start > MAX_BUSY)
      return 0;
    if (!begin_turn(loop))
      return 0;
  }
}


/* The entry (a light userdata) raised the error (second argument). */
static int entry_failed(lua_State *L) {
  asy_ready *e = (asy_ready *)lua_touserdata(L, 1);
  e->ops->fail(L, e);
  return 0;
}


/* Tells the entry that runs of the error on the top, and pops that. If the
** entry cannot even take the error (no memory), the second error is lost. When
** none runs, the drain itself could not start, and its error ends the loop. */
static void fail_entry(lua_State *L, asy_loop *loop) {
  asy_ready *e = loop->entry;
  loop->entry = NULL;
  loop->rt->task = NULL;
  if (e == NULL) {
    asy_loop_fail(L, loop);
    return;
  }
  lua_pushcfunction(L, entry_failed);
  lua_pushlightuserdata(L, e);
  lua_pushvalue(L, -3);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK)
    lua_pop(L, 1);
  lua_pop(L, 1);
}


/* Puts what an interrupted turn left over back in front of the queue. */
static void restore_turn(asy_loop *loop) {
  if (asy_queue_empty(&loop->turn))
    return;
  if (asy_queue_empty(&loop->ready))
    loop->ready = loop->turn;
  else {
    loop->turn.tail->next = loop->ready.head;
    loop->ready.head = loop->turn.head;
  }
  asy_queue_init(&loop->turn);
}


/* Runs what is ready; false when nothing is. */
static bool drain_ready(asy_loop *loop) {
  asy_rt *rt = loop->rt;
  asy_loop *outer;
  lua_State *L = loop->L != NULL ? loop->L : rt->L, *active = rt->active;
  if (!lua_checkstack(L, LUA_MINSTACK) || !begin_turn(loop))
    return false;
  outer = asy_loop_enter(L, loop);
  rt->active = L;
  do {
    lua_pushcfunction(L, drain_turns);
    lua_pushlightuserdata(L, loop);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
      fail_entry(L, loop);
  } while (!asy_queue_empty(&loop->turn) && !loop->failed);
  restore_turn(loop);
  rt->active = active;
  asy_loop_leave(L, rt, outer);
  return true;
}


static void engine_alarm(uv_timer_t *h);


/* Sets the alarm to the wheel's next time. libuv counts in milliseconds of a
** cached clock: the target is absolute, so a stale cache makes it no earlier. */
static void engine_arm(asy_engine *e) {
  uint64_t next = asy_wheel_next(&e->wheel), target, now;
  if (next == e->armed)
    return;
  e->armed = next;
  if (next == ASY_NEVER) {
    uv_timer_stop(&e->alarm);
    return;
  }
  target = next / 1000000u + (next % 1000000u != 0);
  now = uv_now(e->uv);
  uv_timer_start(&e->alarm, engine_alarm, target > now ? target - now : 0, 0);
}


/* Nothing is ready: whether to poll without blocking all the same. */
static bool keeps_polling(asy_engine *e) {
  uint64_t now;
  if (!e->lingering)
    return false;
  now = asy_loop_now();
  if (e->patience == 0)
    e->patience = now + ASY_SPIN_TIME;
  if (now < e->patience)
    return true;
  e->lingering = false;
  asy_spin_tell(&e->spin, false);
  return false;
}


static void engine_drain(uv_prepare_t *h) {
  asy_engine *e = (asy_engine *)h->data;
  asy_loop *loop = e->loop;
  if (drain_ready(loop)) /* the poll would be as much too long as that took */
    uv_update_time(e->uv);
  engine_arm(e);
  if (asy_queue_empty(&loop->ready) && loop->kicked && !keeps_polling(e)) {
    loop->kicked = false;
    uv_idle_stop(&e->kick);
  }
}

/* }====== */


/* {====== Kick, timers, wake-up ====== */

static void engine_kicked(uv_idle_t *h) {
  (void)h; /* its being active is all that counts */
}


static void engine_alarm(uv_timer_t *h) {
  asy_engine *e = (asy_engine *)h->data;
  e->armed = ASY_NEVER;
  asy_wheel_advance(&e->wheel, asy_loop_now());
  if (e->wheel.count > 0)
    engine_arm(e);
}


static void interrupt_run(lua_State *L, asy_ready *e) {
  asy_loop *loop = asy_of(e, asy_loop, interrupt);
  if (loop->interrupter != NULL)
    loop->interrupter->run(L, loop);
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


/* The poll has ended: the drain follows. */
static void engine_woken(uv_async_t *h) {
  asy_loop *loop = ((asy_engine *)h->data)->loop;
  if (loop->interrupter == NULL || !loop->interrupter->due(loop))
    return;
  loop->interrupt.ops = &interrupt_ops;
  asy_loop_ready(loop, &loop->interrupt);
}


void asy_loop_kick(asy_loop *loop) {
  if (loop->kicked || loop->engine == NULL)
    return;
  loop->kicked = true;
  uv_idle_start(&loop->engine->kick, engine_kicked);
}


void asy_loop_linger(asy_loop *loop) {
  asy_engine *e = loop->engine;
  if (e == NULL || e->lingering || !asy_spin_pays(&e->spin))
    return;
  e->lingering = true;
  e->patience = 0;
  asy_loop_kick(loop);
}


void asy_loop_lingered(asy_loop *loop) {
  asy_engine *e = loop->engine;
  if (!e->lingering)
    return;
  e->lingering = false;
  asy_spin_tell(&e->spin, true);
}


void asy_loop_settimer(asy_loop *loop, asy_timer *t, uint64_t when,
                       void (*fire)(asy_timer *)) {
  asy_engine *e = loop->engine;
  t->when = when;
  t->fire = fire;
  asy_wheel_add(&e->wheel, t);
  if (when < e->armed)
    asy_loop_kick(loop); /* the next drain sets the alarm */
}


void asy_loop_overdue(asy_loop *loop) {
  loop->engine->overdue = true;
  asy_loop_kick(loop);
}


void asy_loop_unsettimer(asy_loop *loop, asy_timer *t) {
  if (loop->engine != NULL)
    asy_wheel_remove(&loop->engine->wheel, t);
}


void asy_loop_stop(asy_loop *loop) {
  loop->stopping = true;
  if (loop->rt->running == loop && loop->engine != NULL)
    uv_stop(loop->engine->uv);
}


static uint64_t nanoseconds(lua_Number seconds) {
  lua_Number ns = seconds * 1e9;
  if (!(ns < 9.2e18))
    return ASY_NEVER / 2;
  return ns <= 0 ? 0 : (uint64_t)ns + (ns > (lua_Number)(uint64_t)ns);
}


uint64_t asy_loop_after(lua_Number seconds) {
  return asy_loop_now() + nanoseconds(seconds);
}


uint64_t asy_loop_at(lua_Number when) {
  return nanoseconds(when);
}

/* }====== */


/* {====== Birth and end ====== */

/* A peer that is gone must be an error of one write, not the end of the
** process. A disposition that somebody chose is left alone. */
static void ignore_sigpipe(void) {
#ifdef SIGPIPE
  struct sigaction old;
  if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
    signal(SIGPIPE, SIG_IGN);
#endif
}


/* A standard descriptor that is closed would be given to one of libuv's own,
** which aborts when it closes that. */
static void fill_standard(void) {
  int fd;
  do
    fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    close(fd);
}


static int engine_init(asy_engine *e) {
  int err;
  fill_standard();
  err = uv_loop_init(&e->own);
  if (err != 0)
    return err;
  e->uv = &e->own;
  err = uv_async_init(e->uv, &e->wake, engine_woken);
  if (err != 0) {
    uv_loop_close(&e->own);
    return err;
  }
  uv_prepare_init(e->uv, &e->drain);
  uv_idle_init(e->uv, &e->kick);
  uv_timer_init(e->uv, &e->alarm);
  e->drain.data = e->kick.data = e->alarm.data = e->wake.data = e;
  uv_prepare_start(&e->drain, engine_drain);
  uv_unref((uv_handle_t *)&e->drain);
  uv_unref((uv_handle_t *)&e->wake);
  return 0;
}


int asy_engine_new(asy_loop *loop) {
  asy_engine *e = (asy_engine *)calloc(1, sizeof(asy_engine));
  int err;
  if (e == NULL)
    return UV_ENOMEM;
  err = engine_init(e);
  if (err != 0) {
    free(e);
    return err;
  }
  ignore_sigpipe();
  asy_wheel_init(&e->wheel, asy_loop_now());
  asy_list_init(&e->handles);
  asy_list_init(&e->requests);
  e->armed = ASY_NEVER;
  e->loop = loop;
  asy_list_append(&loop->rt->engines, &e->link);
  loop->engine = e;
  return 0;
}


/* Closes all handles, or lets them finish. */
static void close_handles(asy_engine *e) {
  while (!asy_list_empty(&e->handles)) {
    asy_handle *h = asy_of(e->handles.next, asy_handle, link);
    if (h->finish == NULL) {
      asy_handle_close(h);
    } else {
      asy_list_remove(&h->link);
      h->finish(h);
    }
  }
}


void asy_engine_free(asy_loop *loop) {
  asy_engine *e = loop->engine;
  close_handles(e);
  asy_req_cancelall(e);
  uv_close((uv_handle_t *)&e->drain, NULL);
  uv_close((uv_handle_t *)&e->kick, NULL);
  uv_close((uv_handle_t *)&e->alarm, NULL);
  uv_close((uv_handle_t *)&e->wake, NULL);
  loop->kicked = true; /* what callbacks still queue is dropped, not run */
  while (uv_run(e->uv, UV_RUN_DEFAULT) != 0)
    continue; /* a uv_stop that was still due ended it */
  uv_loop_close(&e->own);
  asy_list_remove(&e->link);
  asy_weak_free(loop->rt, &e->owner);
  loop->engine = NULL;
  free(e);
}


/* What belongs to the engine is told that another loop has it. */
static void set_loop(asy_engine *e, asy_loop *loop) {
  e->loop = loop;
  loop->engine = e;
  for (asy_list *n = e->handles.next; n != &e->handles; n = n->next)
    asy_of(n, asy_handle, link)->loop = loop;
  for (asy_list *n = e->requests.next; n != &e->requests; n = n->next)
    asy_of(n, asy_req, link)->loop = loop;
}


void asy_engine_freeleft(asy_engine *e, asy_rt *rt) {
  asy_loop none = {.rt = rt, .kind = ASY_LOOP, .closing = true};
  if (asy_weak_get(rt, e->owner) == NULL) {
    asy_queue_init(&none.ready);
    asy_queue_init(&none.turn);
    set_loop(e, &none);
  }
  asy_engine_free(e->loop);
}

/* }====== */
