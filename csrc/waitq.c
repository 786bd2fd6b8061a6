/*
** Wait queues. A task that is woken is out of the queue at once, so that what
** it was woken for is its own before it runs; when it turns out that it was
** cancelled meanwhile, it must hand that on.
*/
#include "waitq.h"


asy_future *asy_waitq_abort(asy_task *t) {
  asy_list_remove(&t->watch.link);
  return NULL;
}


int asy_waitq_wait(lua_State *L, asy_task *t, asy_list *queue,
                   const asy_wait *how, void *on, lua_KContext ctx,
                   lua_KFunction k) {
  asy_list_append(queue, &t->watch.link);
  return asy_park(L, t, how, on, ctx, k);
}


int asy_waitq_waitagain(lua_State *L, asy_task *t, asy_list *queue,
                        const asy_wait *how, void *on, lua_KContext ctx,
                        lua_KFunction k) {
  asy_list_prepend(queue, &t->watch.link);
  return asy_park(L, t, how, on, ctx, k);
}


asy_task *asy_waitq_wake(asy_list *queue) {
  asy_task *t;
  if (asy_list_empty(queue))
    return NULL;
  t = asy_of(queue->next, asy_task, watch.link);
  asy_list_remove(&t->watch.link);
  asy_unpark(t);
  return t;
}


void asy_waitq_wakeall(asy_list *queue) {
  while (!asy_list_empty(queue))
    asy_waitq_wake(queue);
}


lua_Integer asy_waitq_count(const asy_list *queue) {
  lua_Integer n = 0;
  for (const asy_list *node = queue->next; node != queue; node = node->next)
    n++;
  return n;
}
