/*
** What a worker does with a job, in its own thread and state. It gets and gives
** parcels, and shares nothing else with who submitted it.
*/
#include "worker.h"

#include "block.h"
#include "core.h"
#include "error.h"
#include "pin.h"
#include "plainco.h"
#include "work.h"


/* {====== Being interrupted ====== */

static bool is_asked(const asy_worker *w) {
  return asy_worker_asked(w) != ASY_ASKED_NOTHING;
}


static void worker_ask(asy_worker *w, asy_asked what) {
  __atomic_store_n(&w->asked, (int)what, __ATOMIC_RELEASE);
  if (w->block != NULL)
    asy_block_interrupt(w->block);
  asy_thread_interrupt(&w->thread);
}


static int raise_interrupted(lua_State *L, asy_rt *rt) {
  lua_pushnil(L);
  asy_error_wrap(L, rt, ASY_CANCELLED_ERROR);
  return lua_error(L);
}


static void block_interrupted(lua_State *L, asy_rt *rt) {
  raise_interrupted(L, rt);
}


/* The thread in which a running loop does its work, if one runs: what it raises
** there ends one entry of its queue. */
static bool is_driver(const asy_worker *w, lua_State *L) {
  const asy_loop *loop = w->rt->running;
  return loop != NULL && L == (loop->L != NULL ? loop->L : w->rt->L);
}


/* Who is to end raises it again and again, whatever catches it. */
static void raise_hook(lua_State *L, lua_Debug *ar) {
  asy_rt *rt = asy_rt_of(L);
  asy_worker *w = rt->worker;
  (void)ar;
  if ((asy_worker_asked(w) == ASY_ASKED_TO_END && !is_driver(w, L)) ||
      (asy_trap_sprung(rt, L) && is_asked(w)))
    raise_interrupted(L, rt);
}


/* A loop that runs there is told each time, and no code may go on. */
static void end_all(asy_worker *w, asy_loop *running) {
  lua_State *active = w->rt->active;
  if (running != NULL && running->engine != NULL)
    uv_async_send(&running->engine->wake);
  if (running == NULL)
    asy_trap_setall(w->rt, w->L, raise_hook);
  else if (active != NULL && is_driver(w, active))
    asy_trap_set(w->rt, active, raise_hook);
  else if (active != NULL)
    asy_trap_setall(w->rt, active, raise_hook);
}


/* A loop that runs there is told first; the code only when that was in vain. */
static void worker_interrupted(asy_thread *t) {
  asy_worker *w = asy_of(t, asy_worker, thread);
  asy_loop *running;
  if (w->rt == NULL || !is_asked(w))
    return;
  running = w->rt->running;
  if (asy_worker_asked(w) == ASY_ASKED_TO_END) {
    end_all(w, running);
  } else if (running != NULL && running->engine != NULL && !w->told) {
    w->told = true;
    uv_async_send(&running->engine->wake);
  } else {
    asy_trap_set(w->rt, w->rt->active != NULL ? w->rt->active : w->L,
                 raise_hook);
  }
}


static bool interrupt_due(asy_loop *loop) {
  return is_asked(loop->rt->worker);
}


/* The loop has a turn: its main task is cancelled, or the run ends. */
static void interrupt_run(lua_State *L, asy_loop *loop) {
  asy_worker *w = loop->rt->worker;
  if (!is_asked(w))
    return;
  if (asy_worker_asked(w) == ASY_ASKED_ONCE && w->loop == loop &&
      w->main->fut.state == ASY_PENDING) {
    asy_future_cancel(&w->main->fut);
    return;
  }
  lua_pushnil(L);
  asy_error_wrap(L, loop->rt, ASY_CANCELLED_ERROR);
  asy_loop_fail(L, loop);
}


static const asy_interrupter interrupter = {interrupt_due, interrupt_run};


void asy_worker_begin(lua_State *L, asy_loop *loop, int task) {
  asy_worker *w = loop->rt->worker;
  if (w->loop != NULL)
    return;
  w->slot = asy_pin(L, loop->rt, task);
  w->main = (asy_task *)lua_touserdata(L, task);
  w->loop = loop;
}


void asy_worker_end(lua_State *L, asy_loop *loop) {
  asy_worker *w = loop->rt->worker;
  if (w->loop != loop)
    return;
  w->loop = NULL;
  w->main = NULL;
  asy_unpin(L, loop->rt, &w->slot);
  if (asy_worker_asked(w) == ASY_ASKED_TO_END)
    asy_trap_setall(w->rt, L, raise_hook);
}

/* }====== */


/* {====== The state ====== */

static int open_state(lua_State *L) {
  asy_worker *w = (asy_worker *)lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_requiref(L, "asyncio.core", luaopen_asyncio_core, 0);
  asy_plainco_open(L);
  w->rt = asy_rt_of(L);
  w->rt->worker = w;
  w->rt->interrupter = &interrupter;
  w->rt->interrupt = block_interrupted;
  asy_block_of(L, w->rt);
  asy_settings_apply(L, &w->pool->settings);
  return 0;
}


static void set_block(asy_worker *w, struct asy_block *block) {
  uv_mutex_lock(&w->pool->mutex);
  w->block = block;
  uv_mutex_unlock(&w->pool->mutex);
}


static void worker_close(asy_worker *w) {
  lua_State *L = w->L;
  if (L == NULL)
    return;
  set_block(w, NULL);
  w->rt = NULL;
  w->L = NULL;
  lua_close(L);
}

/* }====== */


/* {====== The job ====== */

/* A worker whose initializer fails is none, unless that was interrupted. */
static bool make_state(asy_worker *w, asy_job *j) {
  lua_State *L = luaL_newstate();
  bool ok;
  j->outcome = ASY_JOB_FAILED;
  if (L == NULL)
    return false;
  w->L = L;
  lua_pushcfunction(L, open_state);
  lua_pushlightuserdata(L, w);
  ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (ok)
    set_block(w, w->rt->block);
  if (ok && w->pool->settings.initializer != NULL) {
    ok = asy_work_initialize(L, w->pool->settings.initializer, j);
    if (!ok && !is_asked(w))
      j->outcome = ASY_JOB_BROKEN;
  }
  if (!ok)
    worker_close(w);
  return ok;
}


static void worker_run(asy_worker *w, asy_job *j) {
  if (w->L == NULL && !make_state(w, j))
    return;
  if (is_asked(w)) {
    j->outcome = ASY_JOB_FAILED;
    return;
  }
  asy_work_do(w->L, j);
}


#define SMALL_STATE 1024 /* kilobytes that are collected in no time */

/* Nothing is to be done: channels and loops that jobs have left as garbage are
** freed, since there may be those who wait as long as others have them. */
static void drop_guests(asy_worker *w, lua_State *L) {
  if (!w->rt->guests || asy_pool_first(w->pool) != NULL ||
      lua_gc(L, LUA_GCCOUNT, 0) > SMALL_STATE)
    return;
  w->rt->guests = false;
  lua_gc(L, LUA_GCCOLLECT, 0);
}


static void worker_rest(asy_worker *w) {
  lua_State *L = w->L;
  __atomic_store_n(&w->asked, (int)ASY_ASKED_NOTHING, __ATOMIC_RELEASE);
  w->told = false;
  if (L == NULL)
    return;
  asy_trap_unset(w->rt, L, raise_hook);
  asy_block_resume(w->rt->block);
  if (w->loop != NULL) /* interrupted before it could say that it is over */
    asy_worker_end(L, w->loop);
  asy_work_rest(L);
  drop_guests(w, L);
}

const asy_worker_ops asy_worker_threads = {
    .size = sizeof(asy_worker),
    .run = worker_run,
    .rest = worker_rest,
    .close = worker_close,
    .ask = worker_ask,
    .interrupted = worker_interrupted,
};

/* }====== */
