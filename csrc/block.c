/*
** Waiting in a thread, outside of a loop.
*/
#include "block.h"

#include <stdlib.h>

#include "error.h"
#include "loop.h"


/* NULL without memory. */
static asy_block *block_new(void) {
  asy_block *b = (asy_block *)calloc(1, sizeof(asy_block));
  if (b == NULL)
    return NULL;
  if (uv_mutex_init(&b->mutex) == 0) {
    if (uv_cond_init(&b->cond) == 0)
      return b;
    uv_mutex_destroy(&b->mutex);
  }
  free(b);
  return NULL;
}


asy_block *asy_block_of(lua_State *L, asy_rt *rt) {
  if (rt->block == NULL)
    rt->block = block_new();
  if (rt->block == NULL)
    luaL_error(L, "not enough memory");
  return rt->block;
}


void asy_block_free(asy_rt *rt) {
  asy_block *b = rt->block;
  if (b == NULL)
    return;
  rt->block = NULL;
  uv_cond_destroy(&b->cond);
  uv_mutex_destroy(&b->mutex);
  free(b);
}


static void block_set(asy_block *b, bool *flag, bool value) {
  uv_mutex_lock(&b->mutex);
  *flag = value;
  if (value)
    uv_cond_signal(&b->cond);
  uv_mutex_unlock(&b->mutex);
}


void asy_block_interrupt(asy_block *b) {
  block_set(b, &b->interrupted, true);
}


void asy_block_resume(asy_block *b) {
  block_set(b, &b->interrupted, false);
}


void asy_block_wake(asy_block *b) {
  block_set(b, &b->woken, true);
}


bool asy_block_wait(asy_block *b, uint64_t when) {
  bool in_time = true;
  uv_mutex_lock(&b->mutex);
  while (!b->woken && !b->interrupted && in_time) {
    uint64_t now;
    if (when == ASY_NEVER)
      uv_cond_wait(&b->cond, &b->mutex);
    else if ((now = asy_loop_now()) < when)
      (void)uv_cond_timedwait(&b->cond, &b->mutex, when - now);
    else
      in_time = false;
  }
  b->woken = false;
  uv_mutex_unlock(&b->mutex);
  return in_time;
}


bool asy_block_interrupted(asy_block *b) {
  bool is;
  uv_mutex_lock(&b->mutex);
  is = b->interrupted;
  uv_mutex_unlock(&b->mutex);
  return is;
}


int asy_block_raise(lua_State *L, asy_rt *rt) {
  if (rt->interrupt != NULL)
    rt->interrupt(L, rt);
  return asy_error_raise(L, ASY_CANCELLED_ERROR, "the work was cancelled");
}
