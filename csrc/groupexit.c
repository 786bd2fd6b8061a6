/*
** The end of a task group's scope: the parent waits for the children, then
** raises what they raised, or goes on.
*/
#include "error.h"
#include "group.h"


/* Pushes the first KeyboardInterrupt among the errors, the body's (at 2) first;
** it leaves bare. */
static bool push_interrupt(lua_State *L, asy_group *g) {
  lua_pushvalue(L, 2);
  if (asy_error_is(L, g->rt, -1, ASY_KEYBOARD_INTERRUPT))
    return true;
  for (asy_list *n = g->failed.next; n != &g->failed; n = n->next) {
    lua_settop(L, 2);
    asy_task_push(L, asy_of(n, asy_groupchild, link)->task);
    asy_future_pusherror(L, -1);
    if (asy_error_is(L, g->rt, -1, ASY_KEYBOARD_INTERRUPT))
      return true;
  }
  return false;
}


/* Whether the body left with an error other than a cancellation. */
static bool body_failed(lua_State *L, asy_group *g) {
  return !lua_isnil(L, 2) && !asy_error_is(L, g->rt, 2, ASY_CANCELLED_ERROR);
}


/* Pushes the ExceptionGroup of the children's errors and, last, the body's. The
** tracebacks of those that carry none themselves are kept beside them. */
static void push_errors(lua_State *L, asy_group *g) {
  int base = lua_gettop(L), exceptions = base + 1, tracebacks = base + 2;
  lua_Integer n = 0;
  lua_newtable(L);
  lua_newtable(L);
  for (asy_list *i = g->failed.next; i != &g->failed; i = i->next) {
    asy_task_push(L, asy_of(i, asy_groupchild, link)->task);
    asy_future_pusherror(L, -1);
    lua_rawseti(L, exceptions, ++n);
    asy_future_gettraceback(L, -1);
    lua_rawseti(L, tracebacks, n);
    lua_settop(L, tracebacks);
  }
  if (body_failed(L, g)) {
    lua_pushvalue(L, 2);
    lua_rawseti(L, exceptions, ++n);
  }
  asy_error_push(L, g->rt, ASY_EXCEPTION_GROUP,
                 "unhandled errors in a TaskGroup");
  lua_insert(L, exceptions);
  lua_setfield(L, exceptions, "tracebacks");
  lua_setfield(L, exceptions, "exceptions");
}


/* Takes back what the group did to its parent; whether the parent is cancelled
** by somebody else as well. */
static bool restore_parent(lua_State *L, asy_group *g) {
  bool own = g->cancels_parent;
  g->cancels_parent = false;
  if (!own || asy_task_uncancel(g->parent) > 0)
    return true;
  asy_task_push(L, g->parent);
  if (asy_future_getextra(L, -1, "message") != LUA_TNIL) {
    lua_pushnil(L);
    asy_future_setextra(L, -3, "message");
  }
  lua_settop(L, 2);
  return false;
}


/* The group's errors come first; what cancelled the parent from outside is then
** still due. */
static void cancel_again(asy_task *t) {
  if (t->cancels == 0)
    return;
  asy_task_uncancel(t);
  asy_task_cancel(t);
}


/* All children ended. Stack: the group, the error of the body or nil. Raises
** what replaces that; returns when it goes on, or when nothing happened. */
static int group_left(lua_State *L, asy_group *g) {
  bool cancelled;
  lua_settop(L, 2);
  cancelled = restore_parent(L, g) && g->interrupted;
  if (push_interrupt(L, g)) {
    asy_group_reportfailed(g);
  } else if (!asy_list_empty(&g->failed) || body_failed(L, g)) {
    push_errors(L, g);
    cancel_again(g->parent);
  } else if (cancelled && lua_isnil(L, 2)) {
    asy_task_pushcancelled(L, g->parent);
  } else {
    lua_pushnil(L);
  }
  asy_group_finish(g);
  return lua_isnil(L, -1) ? 0 : lua_error(L);
}


static int exit_wait(lua_State *L, asy_task *t, asy_group *g);


/* A cancellation of the parent cancels the children, unless that was done; it
** goes on when they have ended. To cancel a child that awaits the parent is to
** cancel that again. */
static int exit_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_task *t = asy_rt_up(L)->task;
  asy_group *g = (asy_group *)lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  if (t->fut.flags & ASY_KILLED)
    asy_woken(L, t);
  if (asy_iscancelled(t)) {
    t->tflags &= (uint8_t)~ASY_TASK_CANCEL;
    g->interrupted = true;
    if (!g->aborting)
      asy_group_abort(g);
  }
  return exit_wait(L, t, g);
}


/* Woken by the group, which knows its parent. */
static asy_future *exit_abort(asy_task *t) {
  (void)t;
  return NULL;
}


static const asy_wait group_wait = {"a task group", exit_abort};


static int exit_wait(lua_State *L, asy_task *t, asy_group *g) {
  if (!asy_group_busy(g))
    return group_left(L, g);
  return asy_park(L, t, &group_wait, g, 0, exit_woken);
}


/* __close(group, err). Where the parent cannot wait, the children are cancelled
** at the latest when it ends. */
int asy_group_close(lua_State *L) {
  asy_group *g = (asy_group *)asy_checkkind(L, 1, ASY_GROUP);
  lua_settop(L, 2);
  if (g->state != ASY_GROUP_OPEN || (g->parent->fut.flags & ASY_KILLED) != 0)
    return 0;
  if (g->rt->task != g->parent)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "a task group must be left by the task that made "
                           "it");
  if (!lua_isnil(L, 2) && !g->aborting)
    asy_group_abort(g);
  if (asy_group_busy(g))
    asy_task_here(L, g->rt, "TaskGroup.__close");
  g->state = ASY_GROUP_EXITING;
  return exit_wait(L, g->parent, g);
}
