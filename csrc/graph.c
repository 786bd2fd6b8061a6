/*
** What a task waits for, in words, and the error of a loop that nothing can
** wake.
*/
#include "graph.h"

#include "await.h"
#include "debug.h"
#include "error.h"

/* Names of children of a gather that are shown at most. */
#define MAX_CHILDREN 4
/* Tasks that a DeadlockError lists at most. */
#define MAX_TASKS 100


bool asy_graph_where(lua_State *L, lua_State *co, int level) {
  return asy_debug_where(L, co, level);
}


/* {====== What a task waits for ====== */

bool asy_graph_pushon(lua_State *L, asy_task *t) {
  lua_Debug ar;
  if ((t->tflags & ASY_TASK_PARKED) && t->on != NULL && t->co != NULL &&
      lua_checkstack(t->co, 1) && lua_getstack(t->co, 0, &ar)) {
    for (int n = 1; lua_getlocal(t->co, &ar, n) != NULL; n++) {
      lua_xmove(t->co, L, 1);
      if (lua_touserdata(L, -1) == t->on)
        return true;
      lua_pop(L, 1);
    }
  }
  lua_pushnil(L);
  return false;
}


/* Pushes how the object at 'idx' is called where it is waited for. */
static void push_short(lua_State *L, asy_rt *rt, int idx) {
  asy_task *t = (asy_task *)asy_tokind(L, rt, idx, ASY_TASK);
  if (t == NULL) {
    luaL_tolstring(L, idx, NULL);
    return;
  }
  asy_task_pushname(L, t, lua_absindex(L, idx));
  lua_pushfstring(L, "<Task '%s'>", lua_tostring(L, -1));
  lua_remove(L, -2);
}


void asy_graph_describe(lua_State *L, asy_task *t) {
  asy_rt *rt = t->fut.rt;
  int top = lua_gettop(L);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (rt->task == t || (!(t->tflags & ASY_TASK_PARKED) &&
                        !asy_ready_queued(&t->ready))) {
    lua_pushliteral(L, "running");
    return;
  }
  if (!(t->tflags & ASY_TASK_PARKED)) {
    lua_pushliteral(L, "ready");
    return;
  }
  if (asy_graph_pushon(L, t) && asy_tofuture(L, rt, -1) != NULL) {
    push_short(L, rt, -1);
  } else {
    lua_pushstring(L, t->how->what);
  }
  if (asy_graph_where(L, t->co, 0))
    lua_pushfstring(L, "waits for %s at %s", lua_tostring(L, -2),
                    lua_tostring(L, -1));
  else
    lua_pushfstring(L, "waits for %s", lua_tostring(L, -2));
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
}

/* }====== */


/* {====== Deadlock ====== */

void asy_graph_deadlock(lua_State *L, asy_loop *loop) {
  asy_rt *rt = loop->rt;
  uint32_t n = asy_task_list(L, rt, loop);
  int list = lua_gettop(L);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "deadlock: nothing can wake the event loop any more");
  for (uint32_t i = 1; i <= n && i <= MAX_TASKS; i++) {
    asy_task *t;
    lua_rawgeti(L, list, i);
    t = (asy_task *)lua_touserdata(L, -1);
    asy_task_pushname(L, t, lua_gettop(L));
    asy_graph_describe(L, t);
    lua_pushfstring(L, "\n  %s %s", lua_tostring(L, -2), lua_tostring(L, -1));
    lua_insert(L, -4);
    lua_pop(L, 3);
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  asy_error_wrap(L, rt, ASY_DEADLOCK_ERROR);
  lua_remove(L, list);
}

/* }====== */


void asy_graph_open(lua_State *L) {
  (void)L;
}
