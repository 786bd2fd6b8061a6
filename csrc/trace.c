/*
** Tracebacks: taken where an error is raised, and carried from the task that
** failed to those that awaited it.
*/
#include "error.h"
#include "task.h"
#include "traceback.h"


/* The cause of an error in a task: an error that came to it from elsewhere. */
#define CAUSE_ERROR 1
#define CAUSE_TRACEBACK 2
#define CAUSE_RESUMED 3 /* it came from a coroutine, not from another task */


/* Pushes "\nawaited by Task-1:\n" for the cause on the top. */
static void push_link(lua_State *L, int task) {
  lua_rawgeti(L, -1, CAUSE_RESUMED);
  if (lua_toboolean(L, -1)) {
    lua_pushliteral(L, "\nresumed by:\n");
  } else {
    asy_task_pushname(L, (asy_task *)lua_touserdata(L, task), task);
    lua_pushfstring(L, "\nawaited by %s:\n", lua_tostring(L, -1));
    lua_remove(L, -2);
  }
  lua_remove(L, -2);
}


void asy_task_pushtraceback(lua_State *L, lua_State *co, int task, int err,
                            int level) {
  int top = lua_gettop(L), cause = top + 2;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  asy_traceback(L, co, level, -1);
  if (asy_future_getextra(L, task, "cause") == LUA_TTABLE) {
    lua_rawgeti(L, cause, CAUSE_ERROR);
    if (lua_rawequal(L, -1, err)) {
      lua_settop(L, cause);
      push_link(L, task);
      lua_rawgeti(L, cause, CAUSE_TRACEBACK);
      lua_insert(L, -2);
      lua_pushvalue(L, top + 1);
      lua_concat(L, 3);
      lua_replace(L, top + 1);
    }
  }
  lua_settop(L, top + 1);
}


void asy_task_setcause(lua_State *L, int task, int err, int text,
                       bool resumed) {
  lua_createtable(L, 3, 0);
  lua_pushvalue(L, err);
  lua_rawseti(L, -2, CAUSE_ERROR);
  lua_pushvalue(L, text);
  lua_rawseti(L, -2, CAUSE_TRACEBACK);
  lua_pushboolean(L, resumed);
  lua_rawseti(L, -2, CAUSE_RESUMED);
  asy_future_setextra(L, task, "cause");
}


/* Whether the error at 'err' was met before by this handler and only goes on
** its way, so that its traceback is there. */
static bool is_rethrown(lua_State *L, asy_task *t, int task, int err) {
  bool is = false;
  if (t->tflags & ASY_TASK_RETHROW) {
    t->tflags &= (uint8_t)~ASY_TASK_RETHROW;
    asy_future_getextra(L, task, "last");
    is = lua_rawequal(L, -1, err);
    lua_pop(L, 1);
  }
  if (!is) {
    lua_pushvalue(L, err);
    asy_future_setextra(L, task, "last");
  }
  return is;
}


/* Keeps the traceback with the task, at 2, and with the error, at 1. */
static void note_traceback(lua_State *L, asy_rt *rt) {
  asy_task_pushtraceback(L, L, 2, 1, 1);
  lua_pushvalue(L, -1);
  asy_future_setextra(L, 2, "traceback");
  if (!asy_error_isany(L, rt, 1))
    return;
  lua_pushliteral(L, "traceback");
  lua_insert(L, -2);
  lua_rawset(L, 1);
}


int asy_task_rethrow(lua_State *L, asy_rt *rt) {
  if (rt->task != NULL)
    rt->task->tflags |= ASY_TASK_RETHROW;
  return lua_error(L);
}


/* As a handler of tasks it is a closure with the runtime. */
int asy_task_msgh(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_task *t;
  if (rt == NULL)
    rt = asy_rt_of(L);
  t = rt->task;
  lua_settop(L, 1);
  asy_error_nonil(L);
  if (t == NULL || asy_error_is(L, rt, 1, ASY_CANCELLED_ERROR))
    return 1;
  asy_task_push(L, t);
  if (!is_rethrown(L, t, 2, 1))
    note_traceback(L, rt);
  lua_settop(L, 1);
  return 1;
}


void asy_task_crossing(lua_State *L, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  asy_task *t = f->rt->task;
  int top = lua_gettop(L);
  idx = lua_absindex(L, idx);
  if (t == NULL || f->state != ASY_FAILED)
    return;
  asy_future_pusherror(L, idx);
  if (asy_future_gettraceback(L, idx) == LUA_TSTRING) {
    asy_task_push(L, t);
    asy_task_setcause(L, top + 3, top + 1, top + 2, false);
  }
  lua_settop(L, top);
}


/* Where the error of the failed future at 'idx' was raised: its own note, or
** that of the exception object. */
int asy_future_gettraceback(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (asy_future_getextra(L, idx, "traceback") == LUA_TSTRING)
    return LUA_TSTRING;
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    return LUA_TNIL;
  }
  lua_pushliteral(L, "traceback");
  lua_rawget(L, -2);
  lua_replace(L, -3);
  lua_pop(L, 1);
  return lua_type(L, -1);
}
