/*
** Pools. The mutex guards the queue and who does what; it is never held while a
** job runs. A job belongs to the queue, then to the worker that runs it, then,
** as a letter, to its loop, which frees it.
*/
#include "pool.h"

#include <sched.h>
#include <stdlib.h>

#include "block.h"
#include "worker.h"

#define AGAIN ((uint64_t)10 * 1000 * 1000) /* between interruptions, in ns */
#define PATIENCE (100 * AGAIN) /* before a process that has no job is killed */


/* {====== Jobs ====== */

static void pool_unref(asy_pool *p);


/* What has been put into it so far, or all. */
static void job_empty(asy_job *j) {
  asy_parcel_free(j->given);
  asy_parcel_free(j->got);
  j->given = j->got = NULL;
  asy_letter_unexpect(&j->letter);
  asy_letter_drop(&j->letter);
}


void asy_job_free(asy_job *j) {
  asy_pool *p = j->pool;
  job_empty(j);
  free(j);
  pool_unref(p);
}


asy_job *asy_pool_spare(asy_pool *p) {
  asy_job *j = p->spare;
  if (j != NULL) {
    job_empty(j);
    return j;
  }
  j = (asy_job *)calloc(1, sizeof(asy_job));
  if (j == NULL)
    return NULL;
  j->pool = p;
  __atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
  p->spare = j;
  return j;
}


/* A thread that waits awake looks at the number without the mutex. */
static void queued_add(asy_pool *p, int n) {
  __atomic_store_n(&p->queued, p->queued + (uint32_t)n, __ATOMIC_RELAXED);
}


/* The first in the queue, which it leaves. */
static asy_job *queue_take(asy_pool *p) {
  asy_job *j = asy_of(p->queue.next, asy_job, letter.link);
  asy_list_remove(&j->letter.link);
  queued_add(p, -1);
  return j;
}


asy_job *asy_pool_first(asy_pool *p) {
  asy_job *j = NULL;
  uv_mutex_lock(&p->mutex);
  if (!asy_list_empty(&p->queue))
    j = asy_of(p->queue.next, asy_job, letter.link);
  uv_mutex_unlock(&p->mutex);
  return j;
}


asy_job *asy_pool_take(asy_pool *p) {
  asy_job *j = NULL;
  uv_mutex_lock(&p->mutex);
  if (!asy_list_empty(&p->queue)) {
    j = queue_take(p);
    j->state = ASY_JOB_ENDED;
  }
  uv_mutex_unlock(&p->mutex);
  return j;
}


void asy_pool_forget(asy_job *j) {
  asy_pool *p = j->pool;
  bool queued;
  j->fut = NULL;
  asy_letter_unexpect(&j->letter);
  if (asy_pool_isleft(p))
    return;
  uv_mutex_lock(&p->mutex);
  queued = j->state == ASY_JOB_QUEUED;
  if (queued) {
    asy_list_remove(&j->letter.link);
    if (j->given != NULL)
      queued_add(p, -1);
  } else if (j->state == ASY_JOB_RUNNING && !p->settings.immune) {
    p->ops->ask(j->worker, ASY_ASKED_ONCE);
  }
  uv_mutex_unlock(&p->mutex);
  if (queued)
    asy_job_free(j);
}

/* }====== */


/* {====== What a thread does ====== */

/* For a moment looks for a job without going to sleep, giving way to others. The
** mutex is held before and after. */
static void await_awake(asy_pool *p, asy_worker *w) {
  uint64_t end = uv_hrtime() + ASY_SPIN_TIME;
  bool hit;
  p->awake++;
  uv_mutex_unlock(&p->mutex);
  do {
    hit = __atomic_load_n(&p->queued, __ATOMIC_RELAXED) > 0;
  } while (!hit && sched_yield() == 0 && uv_hrtime() < end);
  uv_mutex_lock(&p->mutex);
  p->awake--;
  asy_spin_tell(&w->spin, hit);
}


/* Waits for a job; NULL: the thread is to leave. */
static asy_job *next_job(asy_pool *p, asy_worker *w) {
  asy_job *j = NULL;
  uv_mutex_lock(&p->mutex);
  if (p->spins && asy_list_empty(&p->queue) && p->awake == 0 && !p->stopping &&
      asy_spin_pays(&w->spin))
    await_awake(p, w);
  while (asy_list_empty(&p->queue) && !p->stopping) {
    p->asleep++;
    uv_cond_wait(&p->more, &p->mutex);
    p->asleep--;
  }
  if (!asy_list_empty(&p->queue)) {
    j = queue_take(p);
    j->state = ASY_JOB_RUNNING;
    j->worker = w;
    w->job = j;
  }
  uv_mutex_unlock(&p->mutex);
  return j;
}


/* The job has ended. In a broken pool all others have, too. */
static void end_job(asy_pool *p, asy_worker *w, asy_job *j) {
  asy_list lost;
  asy_list_init(&lost);
  uv_mutex_lock(&p->mutex);
  j->state = ASY_JOB_ENDED;
  w->job = NULL;
  if (j->outcome == ASY_JOB_UNREADY)
    p->unready = true;
  if (j->outcome == ASY_JOB_BROKEN || j->outcome == ASY_JOB_UNREADY)
    p->broken = true;
  while (p->broken && !asy_list_empty(&p->queue)) {
    asy_job *other = queue_take(p);
    other->state = ASY_JOB_ENDED;
    other->outcome = ASY_JOB_BROKEN;
    asy_list_append(&lost, &other->letter.link);
  }
  uv_mutex_unlock(&p->mutex);
  asy_letter_post(&j->letter);
  while (!asy_list_empty(&lost)) {
    asy_letter *m = asy_of(lost.next, asy_letter, link);
    asy_list_remove(&m->link);
    asy_letter_post(m);
  }
}


/* The thread leaves; the last one ends those that wait for it. */
static void leave(asy_pool *p) {
  asy_list leavers;
  asy_list_init(&leavers);
  uv_mutex_lock(&p->mutex);
  p->alive--;
  if (p->alive == 0)
    asy_list_move(&leavers, &p->leavers);
  for (asy_list *n = leavers.next; n != &leavers; n = n->next)
    asy_of(n, asy_job, letter.link)->state = ASY_JOB_ENDED;
  uv_cond_broadcast(&p->left);
  uv_mutex_unlock(&p->mutex);
  while (!asy_list_empty(&leavers)) {
    asy_letter *m = asy_of(leavers.next, asy_letter, link);
    asy_list_remove(&m->link);
    asy_letter_post(m);
  }
}


static void work(void *arg) {
  asy_worker *w = (asy_worker *)arg;
  asy_pool *p = w->pool;
  asy_job *j;
  asy_thread_begin(&w->thread, p->settings.name);
  while ((j = next_job(p, w)) != NULL) {
    p->ops->run(w, j);
    end_job(p, w, j);
    p->ops->rest(w);
  }
  p->ops->close(w);
  leave(p);
}


/* Called with the mutex held; 0 or a libuv error. */
static int start_worker(asy_pool *p) {
  asy_worker *w = (asy_worker *)calloc(1, p->ops->size);
  int err;
  if (w == NULL)
    return UV_ENOMEM;
  w->pool = p;
  w->thread.interrupted = p->ops->interrupted;
  err = asy_thread_start(&w->thread, work, w);
  if (err != 0) {
    free(w);
    return err;
  }
  asy_list_append(&p->workers, &w->link);
  p->alive++;
  return 0;
}

/* }====== */


/* {====== Submitting ====== */

/* A job without work: it ends with the last thread. */
static void await_threads(asy_pool *p, asy_job *j) {
  bool gone = p->alive == 0;
  j->state = gone ? ASY_JOB_ENDED : ASY_JOB_QUEUED;
  if (!gone)
    asy_list_append(&p->leavers, &j->letter.link);
  uv_mutex_unlock(&p->mutex);
  if (gone)
    asy_letter_post(&j->letter);
}


int asy_pool_submit(asy_pool *p) {
  asy_job *j = p->spare;
  bool wake;
  int err = 0;
  uv_mutex_lock(&p->mutex);
  if (j->given != NULL && p->queued >= p->asleep + p->awake &&
      p->alive < p->max)
    err = start_worker(p);
  if (err != 0 && p->alive == 0) {
    uv_mutex_unlock(&p->mutex);
    return err;
  }
  p->spare = NULL;
  asy_letter_expect(&j->letter);
  if (j->given == NULL) {
    await_threads(p, j);
    return 0;
  }
  j->state = ASY_JOB_QUEUED;
  asy_list_append(&p->queue, &j->letter.link);
  queued_add(p, 1);
  wake = p->asleep > 0 && p->queued > p->awake;
  uv_mutex_unlock(&p->mutex);
  if (wake) /* who is woken has the mutex at once */
    uv_cond_signal(&p->more);
  return 0;
}

/* }====== */


/* {====== Life ====== */

/* Returns 0 or a libuv error; then there is nothing to be destroyed. */
static int init_locks(asy_pool *p) {
  int err = uv_mutex_init(&p->mutex);
  if (err != 0)
    return err;
  err = uv_cond_init(&p->more);
  if (err == 0) {
    err = uv_cond_init(&p->left);
    if (err == 0)
      return 0;
    uv_cond_destroy(&p->more);
  }
  uv_mutex_destroy(&p->mutex);
  return err;
}


asy_pool *asy_pool_new(asy_rt *rt, uint32_t max, const asy_worker_ops *ops) {
  asy_pool *p = (asy_pool *)calloc(1, sizeof(asy_pool));
  if (p == NULL)
    return NULL;
  if (init_locks(p) != 0) {
    free(p);
    return NULL;
  }
  p->refs = 1;
  p->ops = ops;
  p->forks = asy_thread_forks();
  p->max = max;
  p->spins = uv_available_parallelism() > 1;
  asy_list_init(&p->queue);
  asy_list_init(&p->leavers);
  asy_list_init(&p->workers);
  asy_list_append(&rt->pools, &p->link);
  return p;
}


static void pool_unref(asy_pool *p) {
  if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  asy_settings_free(&p->settings);
  uv_cond_destroy(&p->left);
  uv_cond_destroy(&p->more);
  uv_mutex_destroy(&p->mutex);
  free(p);
}


void asy_pool_stop(asy_pool *p) {
  if (asy_pool_isleft(p))
    return;
  uv_mutex_lock(&p->mutex);
  p->stopping = true;
  uv_cond_broadcast(&p->more);
  uv_mutex_unlock(&p->mutex);
}


bool asy_pool_isbroken(asy_pool *p) {
  bool is;
  uv_mutex_lock(&p->mutex);
  is = p->broken;
  uv_mutex_unlock(&p->mutex);
  return is;
}


void asy_pool_stats(asy_pool *p, asy_poolstats *s) {
  *s = (asy_poolstats){.max = p->max, .stopping = p->stopping};
  if (asy_pool_isleft(p))
    return;
  uv_mutex_lock(&p->mutex);
  s->alive = p->alive;
  s->queued = p->queued;
  for (asy_list *n = p->workers.next; n != &p->workers; n = n->next)
    s->running += asy_of(n, asy_worker, link)->job != NULL;
  uv_mutex_unlock(&p->mutex);
}


/* All threads have left, or are about to. */
static void join_all(asy_pool *p) {
  asy_list *next;
  for (asy_list *n = p->workers.next; n != &p->workers; n = next) {
    asy_worker *w = asy_of(n, asy_worker, link);
    next = n->next;
    asy_thread_join(&w->thread);
    free(w);
  }
  asy_list_init(&p->workers);
}


/* Waits for the next thread to leave; false when the work of the thread that
** waits, which may be a worker itself, is interrupted. */
static bool wait_left(asy_pool *p, asy_block *b) {
  if (b == NULL) {
    uv_cond_wait(&p->left, &p->mutex);
    return true;
  }
  (void)uv_cond_timedwait(&p->left, &p->mutex, AGAIN);
  return !asy_block_interrupted(b);
}


bool asy_pool_join(asy_pool *p, asy_block *b) {
  bool all;
  if (asy_pool_isleft(p))
    return true;
  asy_pool_stop(p);
  uv_mutex_lock(&p->mutex);
  while (p->alive > 0 && wait_left(p, b)) {
  }
  all = p->alive == 0;
  uv_mutex_unlock(&p->mutex);
  if (all)
    join_all(p);
  return all;
}


/* Asks those that have a job, and returns whether there are any. Processes end by
** themselves when they have none, but not if they are stopped, say: 'idle' is
** whether these are asked as well. */
static bool ask_all(asy_pool *p, bool idle) {
  bool busy = false;
  for (asy_list *n = p->workers.next; n != &p->workers; n = n->next) {
    asy_worker *w = asy_of(n, asy_worker, link);
    busy = busy || w->job != NULL;
    if (w->job != NULL ? !p->settings.immune : idle && p->ops->flat)
      p->ops->ask(w, ASY_ASKED_TO_END);
  }
  return busy;
}


void asy_pool_kill(asy_pool *p) {
  asy_job *j;
  uint64_t idle_since;
  if (asy_pool_isleft(p))
    return;
  asy_pool_stop(p);
  while ((j = asy_pool_first(p)) != NULL)
    j->letter.forget(&j->letter);
  idle_since = uv_hrtime();
  uv_mutex_lock(&p->mutex);
  while (p->alive > 0) {
    if (ask_all(p, uv_hrtime() - idle_since > PATIENCE))
      idle_since = uv_hrtime();
    (void)uv_cond_timedwait(&p->left, &p->mutex, AGAIN);
  }
  uv_mutex_unlock(&p->mutex);
  join_all(p);
}


/* Its threads are joined, or left in the process before a fork; then what they
** had is not freed. */
static void pool_free(asy_pool *p) {
  asy_list_remove(&p->link);
  if (asy_pool_isleft(p))
    return;
  if (p->spare != NULL)
    asy_job_free(p->spare);
  pool_unref(p);
}


void asy_pool_reap(asy_rt *rt) {
  asy_list *next;
  for (asy_list *n = rt->pools.next; n != &rt->pools; n = next) {
    asy_pool *p = asy_of(n, asy_pool, link);
    bool gone;
    next = n->next;
    if (asy_pool_isleft(p) || !p->orphan)
      continue;
    uv_mutex_lock(&p->mutex);
    gone = p->alive == 0;
    uv_mutex_unlock(&p->mutex);
    if (gone) {
      join_all(p);
      pool_free(p);
    }
  }
}


void asy_pool_killall(asy_rt *rt) {
  asy_list *next;
  for (asy_list *n = rt->pools.next; n != &rt->pools; n = next) {
    asy_pool *p = asy_of(n, asy_pool, link);
    next = n->next;
    asy_pool_kill(p);
    pool_free(p);
  }
}

/* }====== */
