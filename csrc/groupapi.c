/*
** Task groups as Lua sees them.
*/
#include "await.h"
#include "coroutine.h"
#include "error.h"
#include "group.h"


static asy_group *check_group(lua_State *L) {
  return (asy_group *)asy_checkkind(L, 1, ASY_GROUP);
}


/* A group that takes no more children closes the Coroutine it was given. */
static int refuse(lua_State *L, const char *why) {
  if (asy_tokind(L, asy_rt_up(L), 2, ASY_COROUTINE) != NULL) {
    asy_coroutine_take(L, 2); /* one that is another task's is not touched */
    asy_coroutine_close(L, 2);
  }
  return asy_error_raise(L, ASY_RUNTIME_ERROR, "create_task: the task group %s",
                         why);
}


static void check_open(lua_State *L, asy_group *g) {
  if (g->state == ASY_GROUP_FINISHED ||
      (g->state == ASY_GROUP_EXITING && !asy_group_busy(g)))
    refuse(L, "is finished");
  if (g->aborting)
    refuse(L, "is shutting down");
}


/* group:create_task(fn, ...) */
static int create_task(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_group *g = check_group(L);
  if (asy_unlikely(!lua_isfunction(L, 2)))
    asy_task_checkbody(L, rt, 2);
  check_open(L, g);
  if (!asy_group_reserve(g))
    return luaL_error(L, "not enough memory");
  if (!asy_task_offunction(L, g->loop, 2)) {
    lua_getiuservalue(L, 1, ASY_GROUP_LOOP);
    lua_insert(L, 2); /* group, loop, awaitable, options */
    asy_task_create(L, rt, 2, 3);
  }
  asy_group_add(L, g, lua_gettop(L));
  return 1;
}


/* Sets the message of the unfinished task's cancellation, at 2. */
static void set_message(lua_State *L, asy_task *t) {
  asy_task_push(L, t);
  lua_pushvalue(L, 2);
  asy_future_setextra(L, -2, "message");
  lua_pop(L, 1);
}


/* Whether cancelling the group is to cancel its parent, too: when that is in
** the body, and does not itself ask for it. */
static bool cancels_body(const asy_group *g) {
  return g->state == ASY_GROUP_OPEN && g->parent != g->rt->task;
}


/* group:cancel(reason) */
static int cancel(lua_State *L) {
  asy_group *g = check_group(L);
  lua_settop(L, 2);
  if (g->state == ASY_GROUP_FINISHED || g->aborting)
    return 0;
  if (!lua_isnil(L, 2)) {
    for (asy_list *n = g->children.next; n != &g->children; n = n->next)
      set_message(L, asy_of(n, asy_groupchild, link)->task);
    if (cancels_body(g))
      set_message(L, g->parent);
  }
  asy_group_abort(g);
  if (cancels_body(g)) {
    g->cancels_parent = true;
    asy_task_cancel(g->parent);
  }
  return 0;
}


/* group:tasks(): those that are unfinished, in order of creation */
static int tasks(lua_State *L) {
  check_group(L);
  lua_settop(L, 1);
  asy_group_pushtasks(L, 1);
  return 1;
}


static int group_tostring(lua_State *L) {
  static const char *const name[] = {"open", "exiting", "finished"};
  asy_group *g = check_group(L);
  int failed = 0;
  for (asy_list *n = g->failed.next; n != &g->failed; n = n->next)
    failed++;
  lua_settop(L, 1);
  lua_pushfstring(L, "<TaskGroup %s%s tasks=%d errors=%d>", name[g->state],
                  g->aborting ? " cancelling" : "", asy_group_pushtasks(L, 1),
                  failed);
  return 1;
}


void asy_group_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"create_task", create_task},
      {"cancel", cancel},
      {"tasks", tasks},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", asy_group_close},
      {"__tostring", group_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_GROUP, "asyncio.TaskGroup", methods, meta, 0);
  lua_pop(L, 1);
}
