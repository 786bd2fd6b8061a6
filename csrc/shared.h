/*
** Objects in C memory that several Lua states share, counted: each state that
** knows one has a userdata with a pointer to it. Their own mutex guards what is
** in them.
*/
#ifndef asy_shared_h
#define asy_shared_h

#include "runtime.h"

struct asy_shared;

typedef struct asy_shared_ops {
  /* Pushes what stands for the object in this Lua state. May raise. */
  void (*push)(lua_State *L, asy_rt *rt, struct asy_shared *s);
  /* Drops a reference, and frees the object with the last; in any thread. */
  void (*unref)(struct asy_shared *s);
  /* Called before a state that has the object gives a reference away, or NULL.
  ** Never raises. */
  void (*share)(struct asy_shared *s);
} asy_shared_ops;

typedef struct asy_shared {
  const asy_shared_ops *ops;
  int refs; /* changed by atomic operations only */
} asy_shared;

/* What stands for a shared object in a Lua state: a userdata of a kind. */
typedef struct asy_proxy {
  asy_rt *rt;
  uint8_t kind;
  asy_shared *shared; /* NULL when there was no memory for it */
} asy_proxy;

/* A new object has one reference, the caller's. */
static inline void asy_shared_init(asy_shared *s, const asy_shared_ops *ops) {
  s->ops = ops;
  s->refs = 1;
}

static inline asy_shared *asy_shared_ref(asy_shared *s) {
  __atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
  return s;
}

/* Never raises; NULL is nothing. */
static inline void asy_shared_unref(asy_shared *s) {
  if (s != NULL)
    s->ops->unref(s);
}

void asy_shared_open(lua_State *L);

/* Pushes what stands for the object, if anything does; else returns false. */
bool asy_shared_pushknown(lua_State *L, asy_rt *rt, const asy_shared *s);

/* The userdata on the top stands for the object. May raise. */
void asy_shared_know(lua_State *L, asy_rt *rt, const asy_shared *s);

/* Pushes that, or a new proxy of that kind. May raise. */
void asy_shared_pushproxy(lua_State *L, asy_rt *rt, asy_shared *s,
                          asy_kind kind);

/* The __gc of proxies. */
int asy_proxy_gc(lua_State *L);

#endif
