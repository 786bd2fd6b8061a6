/*
** TaskGroup: a scope that no child outlives. The group is pinned and watches
** its parent, the task that made it, from its making to the end of the scope.
** What ends the scope is in groupexit.c, the methods in groupapi.c.
*/
#include "group.h"

#include <stdlib.h>

#include "debug.h"
#include "error.h"
#include "pin.h"
#include "report.h"


/* {====== Children ====== */

/* From now on the task at 'idx' stays pinned, also when it ends or has ended;
** one group at most keeps it. May raise when it has ended. */
static void task_keep(lua_State *L, int idx) {
  asy_task *t = (asy_task *)lua_touserdata(L, idx);
  if (t->fut.slot == 0)
    t->fut.slot = asy_pin(L, t->fut.rt, idx);
  t->fut.flags |= ASY_KEPT;
}


/* The end of that. One that is queued is unpinned when it is dropped. */
static void task_letgo(asy_task *t) {
  t->fut.flags &= (uint8_t)~ASY_KEPT;
  if (t->fut.state != ASY_PENDING && !asy_ready_queued(&t->ready) &&
      !(t->fut.flags & ASY_LEFT))
    asy_unpin(asy_rt_state(t->fut.rt), t->fut.rt, &t->fut.slot);
}


static void child_free(asy_groupchild *c) {
  asy_list_remove(&c->watch.link);
  asy_list_remove(&c->link);
  task_letgo(c->task);
  free(c);
}


void asy_group_abort(asy_group *g) {
  g->aborting = true;
  for (asy_list *n = g->children.next; n != &g->children; n = n->next)
    asy_future_cancel(&asy_of(n, asy_groupchild, link)->task->fut);
}


bool asy_group_busy(const asy_group *g) {
  return !asy_list_empty(&g->children) || !asy_list_empty(&g->failing);
}


/* Wakes the parent if it waits and there is nothing to wait for any more. */
static void wake_parent(asy_group *g) {
  if (g->state == ASY_GROUP_EXITING && !asy_group_busy(g))
    asy_unpark(g->parent);
}


/* What a failure means is seen to in the next turn: those that fail in the same
** turn all have their say. */
static void child_failing(asy_groupchild *c) {
  asy_group *g = c->group;
  c->task->fut.flags |= ASY_RETRIEVED;
  asy_list_append(&g->failing, &c->link);
  asy_loop_ready(g->loop, &g->ready);
}


static void child_done(asy_watch *w, asy_future *f) {
  asy_groupchild *c = asy_of(w, asy_groupchild, watch);
  asy_group *g = c->group;
  asy_list_remove(&c->link);
  if (f->state == ASY_FAILED) {
    child_failing(c);
  } else {
    child_free(c);
    wake_parent(g);
  }
}


/* The first failure cancels the others, and the body. */
static void child_failed(asy_groupchild *c) {
  asy_group *g = c->group;
  asy_list_remove(&c->link);
  asy_list_append(&g->failed, &c->link);
  if (g->aborting)
    return;
  asy_group_abort(g);
  g->cancels_parent = true;
  asy_task_cancel(g->parent);
}


static void group_unpin(asy_group *g) {
  if (!asy_ready_queued(&g->ready))
    asy_unpin(asy_rt_state(g->rt), g->rt, &g->slot);
}


static void group_run(lua_State *L, asy_ready *e) {
  asy_group *g = asy_of(e, asy_group, ready);
  (void)L;
  while (!asy_list_empty(&g->failing))
    child_failed(asy_of(g->failing.next, asy_groupchild, link));
  if (g->state == ASY_GROUP_FINISHED)
    group_unpin(g);
  else
    wake_parent(g);
}


static void group_lost(lua_State *L, asy_ready *e) {
  (void)e; /* group_run cannot raise */
  lua_pop(L, 1);
}


static void group_drop(lua_State *L, asy_ready *e) {
  asy_group *g = asy_of(e, asy_group, ready);
  (void)L;
  if (g->state == ASY_GROUP_FINISHED)
    group_unpin(g);
}


static const asy_ready_ops group_entry = {group_run, group_lost, group_drop};

/* }====== */


/* {====== New children ====== */

bool asy_group_reserve(asy_group *g) {
  if (g->spare == NULL)
    g->spare = (asy_groupchild *)malloc(sizeof(asy_groupchild));
  return g->spare != NULL;
}


/* Raises when the new task cannot become a child. */
static void check_child(lua_State *L, asy_group *g, asy_task *t) {
  if (t->fut.flags & ASY_KEPT)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "create_task: the task factory returned a task that is in "
                    "a task group already");
  if (t == g->parent || t->fut.loop != g->loop)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "create_task: the task factory returned %s",
                    t == g->parent ? "the task that made the task group"
                                   : "a task of a different event loop");
  if (g->state != ASY_GROUP_FINISHED && asy_group_reserve(g))
    return;
  asy_future_cancel(&t->fut);
  if (g->state != ASY_GROUP_FINISHED)
    luaL_error(L, "not enough memory");
  asy_error_raise(L, ASY_RUNTIME_ERROR,
                  "create_task: the task group is finished");
}


/* A task that started eagerly may be done, or have cancelled the group. */
void asy_group_add(lua_State *L, asy_group *g, int idx) {
  asy_task *t = (asy_task *)lua_touserdata(L, idx);
  asy_groupchild *c;
  if (t->fut.state == ASY_FINISHED || t->fut.state == ASY_CANCELLED)
    return;
  check_child(L, g, t);
  task_keep(L, idx);
  c = g->spare;
  g->spare = NULL;
  *c = (asy_groupchild){.task = t, .group = g};
  if (t->fut.state == ASY_FAILED) {
    child_failing(c);
    return;
  }
  asy_list_append(&g->children, &c->link);
  asy_future_watch(&t->fut, &c->watch, child_done);
  if (asy_unlikely(g->aborting))
    asy_future_cancel(&t->fut);
}


int asy_group_pushtasks(lua_State *L, int idx) {
  asy_group *g = (asy_group *)lua_touserdata(L, idx);
  int n = 0;
  lua_newtable(L);
  for (asy_list *i = g->children.next; i != &g->children; i = i->next) {
    asy_task_push(L, asy_of(i, asy_groupchild, link)->task);
    lua_rawseti(L, -2, ++n);
  }
  return n;
}

/* }====== */


/* {====== Beginning and end ====== */

static void free_all(asy_list *children) {
  for (asy_list *n = children->next, *next; n != children; n = next) {
    next = n->next;
    child_free(asy_of(n, asy_groupchild, link));
  }
}


void asy_group_finish(asy_group *g) {
  g->state = ASY_GROUP_FINISHED;
  g->parent = NULL;
  asy_list_remove(&g->watch.link);
  asy_list_remove(&g->link);
  free_all(&g->children);
  free_all(&g->failing);
  free_all(&g->failed);
  free(g->spare);
  g->spare = NULL;
  group_unpin(g);
}


void asy_group_freeall(asy_rt *rt) {
  for (asy_list *n = rt->groups.next, *next; n != &rt->groups; n = next) {
    next = n->next;
    asy_group_finish(asy_of(n, asy_group, link));
  }
}


/* Whether the task at 'idx' failed with a KeyboardInterrupt. */
static bool is_interrupt(lua_State *L, asy_rt *rt, int idx) {
  bool is;
  asy_future_pusherror(L, idx);
  is = asy_error_is(L, rt, -1, ASY_KEYBOARD_INTERRUPT);
  lua_pop(L, 1);
  return is;
}


static void report_failed(asy_group *g, asy_list *children) {
  lua_State *L = asy_rt_state(g->rt);
  for (asy_list *n = children->next; n != children; n = n->next) {
    asy_task *t = asy_of(n, asy_groupchild, link)->task;
    asy_task_push(L, t);
    if (!is_interrupt(L, g->rt, lua_gettop(L))) {
      t->fut.flags &= (uint8_t)~ASY_RETRIEVED;
      asy_report_watch(L, lua_gettop(L));
    }
    lua_pop(L, 1);
  }
}


void asy_group_reportfailed(asy_group *g) {
  report_failed(g, &g->failed);
  report_failed(g, &g->failing);
}


/* The parent ended, and never left the scope: so do the children. */
static void parent_done(asy_watch *w, asy_future *f) {
  asy_group *g = asy_of(w, asy_group, watch);
  if (g->loop->debug && !(f->flags & ASY_KILLED) && asy_group_busy(g))
    asy_debug_unleft(g->rt, g->slot, ASY_GROUP_SOURCE,
                     "a task group was never left, and cancels its tasks now: "
                     "make it a 'local group <close>'");
  asy_group_abort(g);
  asy_group_reportfailed(g);
  asy_group_finish(g);
}


int asy_group_create(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_task *t = rt->task;
  asy_group *g;
  if (t == NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "'TaskGroup' must be called in a task");
  g = (asy_group *)asy_new(L, rt, ASY_GROUP, sizeof(asy_group),
                           ASY_GROUP_VALUES);
  asy_list_init(&g->children);
  asy_list_init(&g->failing);
  asy_list_init(&g->failed);
  g->ready.ops = &group_entry;
  g->loop = t->fut.loop;
  asy_loop_push(L, t->fut.loop);
  lua_setiuservalue(L, -2, ASY_GROUP_LOOP);
  if (asy_unlikely(g->loop->debug)) {
    asy_debug_source(L);
    lua_setiuservalue(L, -2, ASY_GROUP_SOURCE);
  }
  g->slot = asy_pin(L, rt, -1);
  g->parent = t;
  asy_future_watch(&t->fut, &g->watch, parent_done);
  asy_list_append(&rt->groups, &g->link);
  return 1;
}

/* }====== */
