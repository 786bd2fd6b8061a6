/*
** Cancelling tasks: the wait that a task is in is ended, or what it awaits is
** cancelled, which comes to the same in the end.
*/
#include "error.h"
#include "pin.h"
#include "task.h"


/* Follows the chain of tasks that await tasks. A ring of them, which a second
** pointer at half the speed meets, is broken at the meeting point. */
bool asy_task_cancel(asy_task *t) {
  asy_task *slow = t;
  if (t->fut.state != ASY_PENDING)
    return false;
  for (unsigned hops = 1;; hops++) {
    asy_future *next;
    t->cancels++;
    if (!(t->tflags & ASY_TASK_PARKED)) {
      t->tflags |= ASY_TASK_CANCEL;
      return true;
    }
    if (asy_task_isleft(t)) {
      t->fut.flags |= ASY_LEFT;
      asy_interrupt(t);
      return true;
    }
    next = t->how->abort(t);
    if (next != NULL && next->kind != ASY_TASK) {
      if (!asy_future_cancel(next)) /* it is about to end by itself */
        t->tflags |= ASY_TASK_CANCEL;
      return true;
    }
    if (next == NULL || next == &slow->fut) {
      asy_list_remove(&t->watch.link);
      asy_interrupt(t);
      return true;
    }
    if (hops % 2 == 0)
      slow = (asy_task *)slow->on;
    t = (asy_task *)next;
  }
}


static bool task_cancel(asy_future *f) {
  return asy_task_cancel((asy_task *)f);
}


/* A CancelledError that is only due does not come any more. One that has ended
** a wait does: the task must not go on as if it had got what it waited for. */
unsigned asy_task_uncancel(asy_task *t) {
  if (t->cancels > 0)
    t->cancels--;
  if (t->cancels == 0 && !asy_isinterrupted(t))
    t->tflags &= (uint8_t)~ASY_TASK_CANCEL;
  return t->cancels;
}


/* Pushes the message and forgets it: the next cancellation has its own, or
** none. */
static void take_message(lua_State *L, asy_task *t) {
  asy_pin_push(L, t->fut.rt, t->fut.slot);
  if (asy_future_getextra(L, -1, "message") != LUA_TNIL) {
    lua_pushnil(L);
    asy_future_setextra(L, -3, "message");
  }
  lua_remove(L, -2);
}


void asy_task_pushcancelled(lua_State *L, asy_task *t) {
  if (asy_likely(!(t->fut.flags & ASY_EXTRAS)))
    lua_pushnil(L);
  else
    take_message(L, t);
  asy_error_wrap(L, t->fut.rt, ASY_CANCELLED_ERROR);
}


void asy_task_opencore(lua_State *L) {
  static const asy_future_ops ops = {task_cancel, NULL};
  asy_rt_of(L)->ops[ASY_TASK] = &ops;
}
