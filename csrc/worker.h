/*
** Workers: a thread of a pool, with a Lua state of its own that is made for the
** first job and stays for the next ones.
*/
#ifndef asy_worker_h
#define asy_worker_h

#include "pool.h"
#include "task.h"
#include "trap.h"

/* What is asked of a worker that has a job. */
typedef enum asy_asked {
  ASY_ASKED_NOTHING,
  ASY_ASKED_ONCE,  /* an interruption, which the job may catch */
  ASY_ASKED_TO_END /* interruptions without end */
} asy_asked;

typedef struct asy_worker {
  asy_thread thread;
  asy_list link; /* in the pool's list of workers */
  asy_pool *pool;
  asy_job *job; /* that it runs; guarded by the pool's mutex, as the next */
  struct asy_block *block; /* where it may wait, or NULL */
  int asked;               /* an asy_asked; atomic operations only */
  /* The rest is the thread's own. */
  lua_State *L; /* NULL before the first job */
  asy_rt *rt;   /* that state's */
  asy_trap trap;
  bool told;      /* the loop that runs there has been told to end */
  asy_loop *loop; /* that asyncio.run runs there, */
  asy_task *main; /* its main task, */
  uint32_t slot;  /* and the pin of that */
} asy_worker;

/* What the job does; its outcome and 'got' are set. */
void asy_worker_run(asy_worker *w, asy_job *j);

/* The job has ended: what was asked of it is over. */
void asy_worker_rest(asy_worker *w);

/* Closes its state. */
void asy_worker_close(asy_worker *w);

/* Interrupts the running job; called with the pool's mutex held. */
void asy_worker_ask(asy_worker *w, asy_asked what);

/* What is called in the thread then, in a signal handler. */
void asy_worker_interrupted(asy_thread *t);

/* asyncio.run begins or ends in a worker: the main task is what an interruption
** cancels. The first may raise. */
void asy_worker_begin(lua_State *L, asy_loop *loop, int task);
void asy_worker_end(lua_State *L, asy_loop *loop);

#endif
