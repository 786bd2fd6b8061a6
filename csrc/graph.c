/*
** What a task waits for, in words, and the error of a loop that nothing can
** wake.
*/
#include "graph.h"

#include "await.h"
#include "debug.h"
#include "error.h"
#include "group.h"
#include "lock.h"
#include "nest.h"
#include "queue.h"
#include "sync.h"

#define MAX_MEMBERS 4 /* of a gather or a wait that are named */
#define MAX_DEPTH 3   /* of gathers of gathers */
#define MAX_TASKS 100 /* that a DeadlockError lists */


/* Pushes "file:line" of the innermost Lua function on the thread and on those
** inside it, or nil. */
static bool push_where(lua_State *L, lua_State *co) {
  lua_State *inner = asy_nest_inner(co);
  if (inner != NULL) {
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    if (push_where(L, inner))
      return true;
    lua_pop(L, 1);
  }
  return asy_debug_where(L, co, 0);
}


/* {====== What a task waits for ====== */

/* Moves the value on the top of 'co' to L if it is the object, else pops it. */
static bool take_object(lua_State *L, lua_State *co, const void *object) {
  bool is = lua_touserdata(co, -1) == object;
  if (is && L != co)
    lua_xmove(co, L, 1);
  else if (!is)
    lua_pop(co, 1);
  return is;
}


/* Pushes the object if the function at that level of 'co', a C function, has
** it among its values or upvalues. */
static bool push_value(lua_State *L, lua_State *co, lua_Debug *ar,
                       const void *object) {
  for (int n = 1; lua_getlocal(co, ar, n) != NULL; n++)
    if (take_object(L, co, object))
      return true;
  lua_getinfo(co, "f", ar);
  for (int n = 1; lua_getupvalue(co, -1, n) != NULL; n++)
    if (take_object(L, co, object)) {
      lua_pop(co, 1);
      return true;
    }
  lua_pop(co, 1);
  return false;
}


/* The innermost thread of the parked task is suspended in the C function that
** parked it. */
static lua_State *innermost(const asy_task *t) {
  lua_State *co = t->co, *inner;
  while ((inner = asy_nest_inner(co)) != NULL)
    co = inner;
  return co;
}


/* The function that parked the task has the object. */
bool asy_graph_pushon(lua_State *L, asy_task *t) {
  lua_Debug ar;
  if ((t->tflags & ASY_TASK_PARKED) && t->on != NULL && t->co != NULL) {
    lua_State *co = innermost(t);
    if (lua_checkstack(co, 2) && lua_getstack(co, 0, &ar) &&
        push_value(L, co, &ar, t->on))
      return true;
  }
  lua_pushnil(L);
  return false;
}


/* All of these but a group have them as their first user value. */
bool asy_graph_pushmembers(lua_State *L, asy_rt *rt, int idx) {
  const asy_object *o = asy_toobject(L, rt, idx);
  if (o != NULL && o->kind == ASY_GROUP) {
    asy_group_pushtasks(L, idx);
    return true;
  }
  if (o == NULL || (o->kind != ASY_GATHER && o->kind != ASY_SHIELD &&
                    o->kind != ASY_WAITSET))
    return false;
  if (o->kind != ASY_WAITSET && ((const asy_future *)o)->state != ASY_PENDING)
    return false;
  lua_getiuservalue(L, idx, 1);
  return true;
}


static void push_name(lua_State *L, asy_rt *rt, int idx, int depth);


/* Pushes the names of those futures in the list on the top that are pending,
** "a, b, ...", in the place of the list. */
static void push_pending(lua_State *L, asy_rt *rt, int depth) {
  int list = lua_gettop(L), text = list + 1, named = 0;
  lua_pushliteral(L, "");
  for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
    asy_future *f = asy_tofuture(L, rt, -1);
    if (f != NULL && f->state == ASY_PENDING) {
      if (named < MAX_MEMBERS)
        push_name(L, rt, -1, depth);
      else
        lua_pushliteral(L, "...");
      lua_pushfstring(L, "%s%s%s", lua_tostring(L, text), named > 0 ? ", " : "",
                      lua_tostring(L, -1));
      lua_replace(L, text);
      if (named++ == MAX_MEMBERS)
        break;
    }
    lua_settop(L, text);
  }
  lua_settop(L, text);
  lua_replace(L, list);
}


/* Pushes how the future at 'idx' is called where it is waited for. */
static void push_name(lua_State *L, asy_rt *rt, int idx, int depth) {
  asy_task *t = (asy_task *)asy_tokind(L, rt, idx, ASY_TASK);
  if (t != NULL) {
    asy_task_pushname(L, t, lua_absindex(L, idx));
    lua_pushfstring(L, "<Task '%s'>", lua_tostring(L, -1));
  } else if (depth < MAX_DEPTH && asy_graph_pushmembers(L, rt, idx)) {
    bool list = lua_istable(L, -1);
    if (list)
      push_pending(L, rt, depth + 1);
    else
      push_name(L, rt, -1, depth + 1);
    lua_pushfstring(L, "%s of %s", list ? "gather" : "shield",
                    lua_tostring(L, -1));
    if (!list)
      lua_remove(L, -2);
  } else {
    luaL_tolstring(L, idx, NULL);
    return;
  }
  lua_remove(L, -2);
}


/* Adds to the text on the top who has the lock at 'idx', for which the task
** waits. */
static void add_owner(lua_State *L, asy_rt *rt, const asy_task *t, int idx) {
  const asy_lock *l = (const asy_lock *)asy_tokind(L, rt, idx, ASY_LOCK);
  int text = lua_gettop(L);
  asy_task *owner;
  if (l == NULL || asy_lock_isfree(l))
    return;
  owner = asy_lock_pushowner(L, l);
  if (owner == NULL) {
    lua_pushliteral(L, "a task that has ended");
  } else if (owner == t) {
    lua_pushliteral(L, "itself");
  } else {
    push_name(L, rt, -1, 0);
  }
  lua_pushfstring(L, "%s held by %s", lua_tostring(L, text),
                  lua_tostring(L, -1));
  lua_replace(L, text);
  lua_settop(L, text);
}


/* Pushes what the parked task does. */
static void push_waiting(lua_State *L, asy_rt *rt, asy_task *t) {
  int top = lua_gettop(L);
  asy_graph_pushon(L, t);
  if (asy_tofuture(L, rt, -1) != NULL) {
    push_name(L, rt, -1, 0);
    lua_pushfstring(L, "waits for %s", lua_tostring(L, -1));
  } else if (asy_graph_pushmembers(L, rt, -1)) {
    push_pending(L, rt, 0);
    lua_pushfstring(L, "waits in %s for %s", t->how->what, lua_tostring(L, -1));
  } else if (asy_issync(asy_toobject(L, rt, -1))) {
    luaL_tolstring(L, -1, NULL);
    lua_pushfstring(L, "waits for %s", lua_tostring(L, -1));
    add_owner(L, rt, t, top + 1);
  } else if (asy_itemq_is(asy_toobject(L, rt, -1))) {
    luaL_tolstring(L, -1, NULL);
    lua_pushfstring(L, "waits for %s: %s", t->how->what, lua_tostring(L, -1));
  } else {
    lua_pushfstring(L, "waits for %s", t->how->what);
  }
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
}


void asy_graph_describe(lua_State *L, asy_task *t) {
  int top = lua_gettop(L);
  bool parked = (t->tflags & ASY_TASK_PARKED) != 0;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (t->fut.rt->task == t || (!parked && !asy_ready_queued(&t->ready))) {
    lua_pushliteral(L, "running");
    return;
  }
  lua_pushliteral(L, "ready");
  if (parked) {
    push_waiting(L, t->fut.rt, t);
    lua_replace(L, top + 1);
  }
  if (t->co != NULL && push_where(L, t->co)) {
    lua_pushfstring(L, "%s at %s", lua_tostring(L, top + 1),
                    lua_tostring(L, -1));
    lua_replace(L, top + 1);
  }
  lua_settop(L, top + 1);
}

/* }====== */


/* {====== Deadlock ====== */

/* Pushes "\n  <name> waits for ..." for the task on the top, which it
** replaces. */
static void push_line(lua_State *L) {
  asy_task *t = (asy_task *)lua_touserdata(L, -1);
  asy_task_pushname(L, t, lua_gettop(L));
  asy_graph_describe(L, t);
  lua_pushfstring(L, "\n  %s %s", lua_tostring(L, -2), lua_tostring(L, -1));
  lua_replace(L, -4);
  lua_pop(L, 2);
}


void asy_graph_deadlock(lua_State *L, asy_loop *loop) {
  asy_rt *rt = loop->rt;
  uint32_t n = asy_task_list(L, rt, loop);
  int list = lua_gettop(L);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "nothing can wake the event loop any more");
  for (uint32_t i = 1; i <= n && i <= MAX_TASKS; i++) {
    lua_rawgeti(L, list, i);
    push_line(L);
    luaL_addvalue(&b);
  }
  if (n > MAX_TASKS) {
    lua_pushfstring(L, "\n  ... and %d more tasks", (int)(n - MAX_TASKS));
    luaL_addvalue(&b);
  }
  luaL_pushresult(&b);
  asy_error_wrap(L, rt, ASY_DEADLOCK_ERROR);
  lua_remove(L, list);
}

/* }====== */


void asy_graph_open(lua_State *L) {
  asy_callgraph_open(L);
}
