/*
** The ready queue: what is to run in the next turn of a loop. Entries lie in
** the objects they run, so queueing allocates nothing. Knows nothing of tasks.
*/
#ifndef asy_ready_h
#define asy_ready_h

#include "compat.h"

#include <stdbool.h>

struct asy_ready;

/* Where an entry runs: indices of the table of pinned values (pin.h), and of the
** message handler of tasks. */
#define ASY_PINS 1
#define ASY_MSGH 2

typedef struct asy_ready_ops {
  /* Runs the entry, which is no longer queued. At ASY_PINS and ASY_MSGH is
  ** what these say. May raise. */
  void (*run)(lua_State *L, struct asy_ready *e);
  /* Told that 'run' raised the value on the top, which it pops. May raise. */
  void (*fail)(lua_State *L, struct asy_ready *e);
  /* Told that the loop closes before the entry ran. Never raises. */
  void (*drop)(lua_State *L, struct asy_ready *e);
} asy_ready_ops;

typedef struct asy_ready {
  struct asy_ready *next; /* NULL when not queued */
  const asy_ready_ops *ops;
} asy_ready;

typedef struct asy_queue {
  asy_ready *head, *tail;
} asy_queue;

/* What the last entry points to. */
extern asy_ready asy_ready_end;

static inline void asy_queue_init(asy_queue *q) {
  q->head = q->tail = &asy_ready_end;
}

static inline bool asy_queue_empty(const asy_queue *q) {
  return q->head == &asy_ready_end;
}

static inline bool asy_ready_queued(const asy_ready *e) {
  return e->next != NULL;
}

static inline void asy_queue_push(asy_queue *q, asy_ready *e) {
  e->next = &asy_ready_end;
  if (asy_queue_empty(q))
    q->head = e;
  else
    q->tail->next = e;
  q->tail = e;
}

static inline asy_ready *asy_queue_pop(asy_queue *q) {
  asy_ready *e = q->head;
  q->head = e->next;
  e->next = NULL;
  return e;
}

#endif
