/*
** Wait queues: tasks that wait for the same thing, first in, first out. A
** queue is the head of a list whose nodes lie in the tasks, so that waiting
** allocates nothing. The object that holds the head must stay while tasks wait:
** it is a value of the C function that parks them, or pinned.
*/
#ifndef asy_waitq_h
#define asy_waitq_h

#include "task.h"

/* Parks the running task at the end of the queue, until it is woken or
** cancelled; 'how->abort' is asy_waitq_abort. 'on' is as for asy_park. */
int asy_waitq_wait(lua_State *L, asy_task *t, asy_list *queue,
                   const asy_wait *how, void *on, lua_KContext ctx,
                   lua_KFunction k);

/* Leaves the queue: the 'abort' of such a wait. */
asy_future *asy_waitq_abort(asy_task *t);

/* Wakes the task that has waited longest, and returns it; NULL when none
** waits. Never raises. */
asy_task *asy_waitq_wake(asy_list *queue);

/* The same with what it gets, which is not 0. */
asy_task *asy_waitq_wakewith(asy_list *queue, int what);

/* Wakes all of them. Never raises. */
void asy_waitq_wakeall(asy_list *queue);

/* For every 'k', after asy_resumed: what the task was woken with (1 by the plain
** ones), also when it was cancelled after that; 0 when it left the queue
** otherwise. If asy_isending, that is to be given to the next before anything
** else. */
static inline int asy_waitq_got(const asy_task *t) {
  return t->place.got;
}

/* Then asy_woken; it raises CancelledError wherever the task got nothing, also
** when the cancellation was taken back before it came to run. */
void asy_waitq_woken(lua_State *L, asy_task *t);

/* How many tasks wait; it counts them. */
lua_Integer asy_waitq_count(const asy_list *queue);

#endif
