/*
** Wait queues. A task that is woken is out of the queue at once, so that what
** it was woken for is its own before it runs; when it turns out that it was
** cancelled meanwhile, it must hand that on.
*/
#include "waitq.h"


asy_future *asy_waitq_abort(asy_task *t) {
  asy_list_remove(&t->place.link);
  return NULL;
}


int asy_waitq_wait(lua_State *L, asy_task *t, asy_list *queue,
                   const asy_wait *how, void *on, lua_KContext ctx,
                   lua_KFunction k) {
  t->place.got = 0;
  asy_list_append(queue, &t->place.link);
  return asy_park(L, t, how, on, ctx, k);
}


asy_task *asy_waitq_wakewith(asy_list *queue, int what) {
  asy_task *t;
  if (asy_list_empty(queue))
    return NULL;
  t = asy_of(queue->next, asy_task, place.link);
  asy_list_remove(&t->place.link);
  t->place.got = what;
  asy_unpark(t);
  return t;
}


asy_task *asy_waitq_wake(asy_list *queue) {
  return asy_waitq_wakewith(queue, 1);
}


void asy_waitq_wakeall(asy_list *queue) {
  while (!asy_list_empty(queue))
    asy_waitq_wake(queue);
}


void asy_waitq_woken(lua_State *L, asy_task *t) {
  asy_resumed(L, t);
  if (asy_unlikely(t->place.got == 0))
    t->tflags |= ASY_TASK_CANCEL;
  asy_woken(L, t);
}


lua_Integer asy_waitq_count(const asy_list *queue) {
  lua_Integer n = 0;
  for (const asy_list *node = queue->next; node != queue; node = node->next)
    n++;
  return n;
}
