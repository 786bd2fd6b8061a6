/*
** Tracebacks: taken where an error is raised, and carried from the task that
** failed to those that awaited it.
*/
#include "error.h"
#include "task.h"
#include "traceback.h"


/* Pushes the traceback of 'L' from 'level' on. With a cause known for the error
** at 'err', that comes first. */
static void push_traceback(lua_State *L, int task, int err, int level) {
  int top = lua_gettop(L);
  asy_traceback(L, L, level, -1);
  if (asy_future_getextra(L, task, "cause") == LUA_TTABLE) {
    lua_rawgeti(L, -1, 1); /* the error */
    if (lua_rawequal(L, -1, err)) {
      lua_rawgeti(L, -2, 2); /* its traceback */
      lua_pushliteral(L, "\nawaited by ");
      asy_task_pushname(L, (asy_task *)lua_touserdata(L, task), task);
      lua_pushliteral(L, ":\n");
      lua_pushvalue(L, top + 1);
      lua_concat(L, 5);
      lua_replace(L, top + 1);
    }
  }
  lua_settop(L, top + 1);
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
  push_traceback(L, 2, 1, 1);
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


int asy_task_msgh(lua_State *L) {
  asy_rt *rt = asy_rt_of(L);
  asy_task *t = rt->task;
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
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, top + 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, top + 2);
    lua_rawseti(L, -2, 2);
    asy_future_setextra(L, -2, "cause");
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
