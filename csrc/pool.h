/*
** A pool of worker threads, and the jobs that they take one after the other. No
** Lua here but in the workers (worker.h).
*/
#ifndef asy_pool_h
#define asy_pool_h

#include "crossing.h"
#include "inbox.h"
#include "settings.h"
#include "thread.h"

struct asy_block;
struct asy_job;
struct asy_worker;

/* What is asked of a worker that has a job. */
typedef enum asy_asked {
  ASY_ASKED_NOTHING,
  ASY_ASKED_ONCE,  /* an interruption, which the job may catch */
  ASY_ASKED_TO_END /* interruptions without end */
} asy_asked;

/* What the workers of a pool are; all but the last two are called in their
** threads. */
typedef struct asy_worker_ops {
  size_t size; /* of a struct that begins with an asy_worker */
  bool flat;   /* jobs are for other processes */
  /* Does the job: its outcome and 'got' are set. */
  void (*run)(struct asy_worker *w, struct asy_job *j);
  /* It has ended: what was asked of the worker is over. */
  void (*rest)(struct asy_worker *w);
  /* Frees what the worker has. */
  void (*close)(struct asy_worker *w);
  /* Interrupts the running job; called with the pool's mutex held. */
  void (*ask)(struct asy_worker *w, asy_asked what);
  /* What is called in the thread then, in a signal handler. */
  void (*interrupted)(asy_thread *t);
} asy_worker_ops;

/* How a job ended. */
typedef enum asy_outcome {
  ASY_JOB_RETURNED, /* 'got' has the values */
  ASY_JOB_FAILED,   /* 'got' has the error and a traceback or nil, or is NULL
                    ** for want of memory */
  ASY_JOB_BROKEN,   /* the pool's initializer has failed */
  ASY_JOB_UNREADY,  /* the process has ended before it was ready for it, */
  ASY_JOB_LOST,     /* or while it ran it; 'detail' is how */
  ASY_JOB_UNSTARTED /* no process could be started: 'detail', a libuv error */
} asy_outcome;

typedef enum asy_jobstate {
  ASY_JOB_NEW,
  ASY_JOB_QUEUED,
  ASY_JOB_RUNNING,
  ASY_JOB_ENDED /* its letter is under way */
} asy_jobstate;

typedef struct asy_job {
  asy_letter letter;         /* its link is in the pool's queue before */
  struct asy_pool *pool;     /* counted */
  struct asy_worker *worker; /* that runs it */
  asy_jobstate state;        /* guarded by the pool's mutex */
  asy_outcome outcome;
  int detail;        /* of the outcome */
  bool flat;         /* what it gives is for another process */
  asy_parcel *given; /* the function and its arguments; NULL: no work, the job
                     ** ends when all threads have left */
  asy_parcel *got;
  struct asy_jobfuture *fut; /* the loop's: who wants the result, or NULL */
} asy_job;

typedef struct asy_pool {
  asy_list link; /* in the runtime's list of pools; unlinked: to be freed */
  int refs; /* that list, and each job; changed by atomic operations only */
  const asy_worker_ops *ops;
  unsigned forks;
  uint32_t max;   /* threads */
  bool spins;     /* there is a processor for a thread that waits awake */
  bool orphan;    /* there is no executor any more */
  asy_job *spare; /* one that is being made */
  asy_settings settings;
  uv_mutex_t mutex;
  /* Guarded by the mutex: */
  uv_cond_t more;   /* jobs, or no more of them */
  uv_cond_t left;   /* a thread has */
  asy_list queue;   /* jobs */
  asy_list leavers; /* jobs without work */
  asy_list workers; /* all that were started and not joined */
  uint32_t queued;  /* jobs there; written by atomic operations, too */
  uint32_t alive;   /* threads that have not left */
  uint32_t asleep;  /* of these wait for a job, */
  uint32_t awake;   /* or do so awake: one at most */
  bool stopping;    /* no new jobs; threads leave when there are none */
  bool broken;      /* the initializer has failed, */
  bool unready;     /* or processes end before they are ready */
} asy_pool;

/* A new pool of at most 'max' such workers, in the runtime's list; NULL without
** memory. Never raises, as all of these. */
asy_pool *asy_pool_new(asy_rt *rt, uint32_t max, const asy_worker_ops *ops);

/* A job to be filled in, which stays the pool's until it is submitted. */
asy_job *asy_pool_spare(asy_pool *p);

/* Queues the spare job, whose letter is addressed; 0 or a libuv error when no
** thread can be started: then it is spare still. One without work is not
** queued, but ends with the last thread. */
int asy_pool_submit(asy_pool *p);

/* Nobody wants the job's result any more: a queued one is freed, a running one
** is interrupted. It is not the caller's any more. */
void asy_pool_forget(asy_job *j);

/* No new jobs: the threads leave when the queue is empty. */
void asy_pool_stop(asy_pool *p);

/* The first job in the queue, or NULL. */
asy_job *asy_pool_first(asy_pool *p);

/* The same, which is taken out of the queue: it is the caller's. */
asy_job *asy_pool_take(asy_pool *p);

/* Stops it, interrupts its jobs until all threads have left, and joins them. */
void asy_pool_kill(asy_pool *p);

/* Stops it, waits for all threads, and joins them. Where the work of the thread
** that calls it may be interrupted, 'b' is where that is told; false when it was,
** and threads are left. Otherwise 'b' is NULL. */
bool asy_pool_join(asy_pool *p, struct asy_block *b);

/* Frees the runtime's orphans that have no thread any more. */
void asy_pool_reap(asy_rt *rt);

/* Kills and frees all pools of the runtime. */
void asy_pool_killall(asy_rt *rt);

/* Whether its threads are in another process. */
static inline bool asy_pool_isleft(const asy_pool *p) {
  return asy_thread_isleft(p->forks);
}

/* Whether its initializer has failed. */
bool asy_pool_isbroken(asy_pool *p);

typedef struct asy_poolstats {
  uint32_t max, alive, running, queued;
  bool stopping;
} asy_poolstats;

void asy_pool_stats(asy_pool *p, asy_poolstats *s);

/* Frees a job that has ended. */
void asy_job_free(asy_job *j);

#endif
