/*
** What the synchronisation primitives have in common. Each is a userdata that
** begins with asy_sync, and lets its tasks wait in a queue (waitq.h).
*/
#ifndef asy_sync_h
#define asy_sync_h

#include "waitq.h"

typedef struct asy_sync {
  asy_rt *rt;
  uint8_t kind;
  asy_loop *loop;   /* the one on which it was first waited for, or NULL */
  asy_list waiters; /* those who wait, in the order in which they came */
} asy_sync;

/* User values of a primitive. */
#define ASY_SYNC_LOOP 1 /* keeps the loop alive */
#define ASY_SYNC_VALUES 1

static inline bool asy_issync(const asy_object *o) {
  return o != NULL && o->kind >= ASY_LOCK && o->kind <= ASY_BARRIER;
}

/* Pushes a new primitive, zeroed but for its head. */
void *asy_sync_new(lua_State *L, asy_kind kind, size_t size, int nuv);

/* Binds the primitive at 'idx' to the task's loop, for good. Raises a
** RuntimeError when it is bound to another one. */
void asy_sync_bind(lua_State *L, asy_task *t, int idx);

/* Binds it, then parks the running task at the end of its queue. */
int asy_sync_wait(lua_State *L, asy_task *t, int idx, const asy_wait *how,
                  lua_KContext ctx, lua_KFunction k);

/* Pushes "<Class [state, waiters:n]>" for the primitive; the state is the
** string on the top, which it replaces. */
void asy_sync_pushtext(lua_State *L, const asy_sync *s);

/* Pushes a new table with 'tasks_waiting'. */
void asy_sync_statistics(lua_State *L, const asy_sync *s);

/* {====== Metatables, and constructors, which get the class first ====== */

void asy_lock_open(lua_State *L);
void asy_event_open(lua_State *L);
void asy_condition_open(lua_State *L);
void asy_semaphore_open(lua_State *L);
void asy_barrier_open(lua_State *L);

int asy_lock_create(lua_State *L);
int asy_event_create(lua_State *L);
int asy_condition_create(lua_State *L);
int asy_semaphore_create(lua_State *L);
int asy_semaphore_createbounded(lua_State *L);
int asy_barrier_create(lua_State *L);

/* }====== */

#endif
