/*
** The future of a job is pinned until it is done. Who cancels it lets go of the
** job, which then ends for nobody.
*/
#include "job.h"

#include "error.h"
#include "pin.h"
#include "settings.h"
#include "sig.h"

typedef struct asy_jobfuture {
  asy_future fut;
  asy_job *job; /* NULL when nothing comes any more */
} asy_jobfuture;


static asy_job *job_of(asy_letter *m) {
  return asy_of(m, asy_job, letter);
}


/* {====== Without a result ====== */

/* The future expects nothing any more. Never raises. */
static void let_go(asy_jobfuture *f) {
  f->job = NULL;
  asy_unpin(asy_rt_state(f->fut.rt), f->fut.rt, &f->fut.slot);
}


static bool job_cancel(asy_future *fut) {
  asy_jobfuture *f = (asy_jobfuture *)fut;
  if (f->job != NULL) {
    asy_pool_forget(f->job);
    let_go(f);
  }
  asy_future_done(fut, ASY_CANCELLED);
  return true;
}


/* The loop closes; one that somebody else has ended is let go. */
static void job_forget(asy_letter *m) {
  asy_jobfuture *f = job_of(m)->fut;
  if (f->fut.state == ASY_PENDING) {
    job_cancel(&f->fut);
    return;
  }
  asy_pool_forget(f->job);
  let_go(f);
}


static void job_refused(asy_letter *m) {
  asy_job_free(job_of(m));
}

/* }====== */


/* {====== The result ====== */

/* The job on its loop. */
static asy_job *job_ready(asy_ready *e) {
  return job_of(asy_of(e, asy_letter, ready));
}


/* The job is over. */
static void job_over(asy_job *j) {
  if (j->fut != NULL)
    let_go(j->fut);
  asy_job_free(j);
}


/* Fails the future at 'idx' with the error and the traceback on the top. */
static void set_error(lua_State *L, asy_rt *rt, int idx) {
  int err = lua_gettop(L) - 1, text = err + 1;
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  if (asy_error_is(L, rt, err, ASY_CANCELLED_ERROR)) {
    lua_pushliteral(L, "message");
    if (lua_rawget(L, err) != LUA_TNIL)
      asy_future_setextra(L, idx, "message");
    asy_future_done(f, ASY_CANCELLED);
    return;
  }
  if (lua_isstring(L, text)) {
    lua_pushvalue(L, text);
    asy_future_setextra(L, idx, "traceback");
    if (asy_error_isany(L, rt, err)) {
      lua_pushliteral(L, "traceback");
      lua_pushvalue(L, text);
      lua_rawset(L, err);
    }
  }
  lua_settop(L, err);
  asy_future_seterror(L, idx);
}


static const char *broken_text(const asy_pool *p) {
  return p->unready ? "the worker processes end before they are ready"
                    : "the initializer of a worker has failed";
}


/* Pushes the error of a process that has ended then. */
static void push_lost(lua_State *L, asy_rt *rt, int how, const char *when) {
  if (how < 0)
    asy_error_push(L, rt, ASY_BROKEN_EXECUTOR,
                   "the worker process was killed by %s%s",
                   asy_sig_pushname(L, -how), when);
  else
    asy_error_push(L, rt, ASY_BROKEN_EXECUTOR,
                   "the worker process ended with exit status %d%s", how, when);
}


/* Pushes the error of a job that has none of its own. */
static void push_failure(lua_State *L, asy_rt *rt, const asy_job *j) {
  switch (j->outcome) {
  case ASY_JOB_BROKEN:
    asy_error_push(L, rt, ASY_BROKEN_EXECUTOR, "%s", broken_text(j->pool));
    break;
  case ASY_JOB_UNREADY:
    push_lost(L, rt, j->detail, " before it was ready");
    break;
  case ASY_JOB_LOST: push_lost(L, rt, j->detail, ""); break;
  case ASY_JOB_UNSTARTED:
    asy_error_osof(L, rt, j->detail, "spawn", "path",
                   j->pool->settings.executable);
    break;
  default: lua_pushliteral(L, "not enough memory"); break;
  }
}


/* Ends the future at 'idx', unless somebody does so while the values are
** unpacked, which may load modules. */
static void set_outcome(lua_State *L, asy_job *j, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  if (j->outcome == ASY_JOB_RETURNED) {
    int n = j->got != NULL ? asy_parcel_unpack(L, j->got) : 0;
    if (f->state == ASY_PENDING)
      asy_future_setresult(L, f, idx, n);
    return;
  }
  if (j->outcome == ASY_JOB_FAILED && j->got != NULL) {
    asy_parcel_unpack(L, j->got);
  } else {
    push_failure(L, f->rt, j);
    lua_pushnil(L);
  }
  if (f->state == ASY_PENDING)
    set_error(L, f->rt, idx);
}


static void job_run(lua_State *L, asy_ready *e) {
  asy_job *j = job_ready(e);
  int top = lua_gettop(L);
  if (j->fut != NULL && j->fut->fut.state == ASY_PENDING) {
    lua_rawgeti(L, ASY_PINS, j->fut->fut.slot);
    set_outcome(L, j, top + 1);
    lua_settop(L, top);
  }
  job_over(j);
}


/* What came could not be unpacked: that is the job's error. */
static void job_fail(lua_State *L, asy_ready *e) {
  asy_job *j = job_ready(e);
  if (j->fut != NULL && j->fut->fut.state == ASY_PENDING) {
    asy_pin_push(L, j->fut->fut.rt, j->fut->fut.slot);
    lua_insert(L, -2);
    asy_future_seterror(L, lua_gettop(L) - 1);
  }
  job_over(j);
}


/* The loop closes. */
static void job_drop(lua_State *L, asy_ready *e) {
  asy_job *j = job_ready(e);
  (void)L;
  if (j->fut != NULL && j->fut->fut.state == ASY_PENDING)
    asy_future_done(&j->fut->fut, ASY_CANCELLED);
  job_over(j);
}


static const asy_ready_ops job_ops = {job_run, job_fail, job_drop};

/* }====== */


/* {====== Submitting ====== */

static void check_pool(lua_State *L, asy_pool *p) {
  if (asy_pool_isleft(p))
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the executor's threads are in the process before a fork");
  if (asy_pool_isbroken(p))
    asy_error_raise(L, ASY_BROKEN_EXECUTOR, "%s", broken_text(p));
  if (p->stopping)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the executor has been shut down: it takes no jobs");
}


/* What packing calls, finalizers among it, may submit jobs to the same pool, and
** may close the loop: the spare job is only taken after it, when nothing runs Lua
** any more. */
void asy_job_submit(lua_State *L, asy_loop *loop, asy_pool *p, int fn,
                    int arg) {
  asy_packing how = {"argument", arg, p->ops->flat};
  int err, n = lua_gettop(L) - fn + 1;
  asy_parcel *given = NULL;
  asy_jobfuture *f;
  asy_job *j;
  if (fn != 0)
    check_pool(L, p);
  f = (asy_jobfuture *)asy_future_new(L, loop, ASY_JOB, sizeof(asy_jobfuture),
                                      ASY_FUT_VALUES);
  if (fn != 0)
    given = asy_parcel_pack(L, fn, n, &how);
  j = asy_pool_spare(p);
  if (j == NULL) {
    asy_parcel_free(given);
    asy_error_memory(L);
    return; /* never */
  }
  j->given = given;
  asy_loop_checkopen(L, loop);
  asy_letter_address(&j->letter, asy_inbox_of(L, loop));
  j->letter.ready.ops = &job_ops;
  j->letter.refused = job_refused;
  j->letter.forget = job_forget;
  f->fut.slot = asy_pin(L, loop->rt, -1);
  j->fut = f;
  f->job = j;
  err = asy_pool_submit(p);
  if (err != 0) {
    let_go(f);
    asy_error_os(L, loop->rt, err, "thread", NULL);
    lua_error(L);
  }
}


void asy_job_cancelqueued(asy_pool *p) {
  asy_job *j;
  if (asy_pool_isleft(p))
    return;
  while ((j = asy_pool_take(p)) != NULL) {
    asy_future *fut = &j->fut->fut;
    job_over(j);
    if (fut->state == ASY_PENDING)
      asy_future_done(fut, ASY_CANCELLED);
  }
}


void asy_job_open(lua_State *L) {
  static const asy_future_ops ops = {job_cancel, NULL};
  asy_rt *rt = asy_rt_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[ASY_FUTURE]);
  rt->meta[ASY_JOB] = luaL_ref(L, LUA_REGISTRYINDEX);
  rt->ops[ASY_JOB] = &ops;
}

/* }====== */
