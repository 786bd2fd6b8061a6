/*
** Workers: a thread of a pool, with a Lua state of its own that is made for the
** first job and stays for the next ones.
*/
#ifndef asy_worker_h
#define asy_worker_h

#include "pool.h"
#include "spin.h"
#include "task.h"

typedef struct asy_worker {
  asy_thread thread;
  asy_spin spin; /* whether to wait for a job awake has paid */
  asy_list link; /* in the pool's list of workers */
  asy_pool *pool;
  asy_job *job; /* that it runs; guarded by the pool's mutex, as the next */
  struct asy_block *block; /* where it may wait, or NULL */
  int asked;               /* an asy_asked; atomic operations only */
  /* The rest is the thread's own. */
  lua_State *L;   /* NULL before the first job */
  asy_rt *rt;     /* that state's */
  bool told;      /* the loop that runs there has been told to end */
  asy_loop *loop; /* that asyncio.run runs there, */
  asy_task *main; /* its main task, */
  uint32_t slot;  /* and the pin of that */
} asy_worker;

extern const asy_worker_ops asy_worker_threads;

static inline asy_asked asy_worker_asked(const asy_worker *w) {
  return (asy_asked)__atomic_load_n(&w->asked, __ATOMIC_ACQUIRE);
}

/* asyncio.run begins or ends in a worker: the main task is what an interruption
** cancels. The first may raise. */
void asy_worker_begin(lua_State *L, asy_loop *loop, int task);
void asy_worker_end(lua_State *L, asy_loop *loop);

#endif
