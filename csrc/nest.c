/*
** Threads inside the thread of a task.
*/
#include "nest.h"

#include "error.h"
#include "report.h"
#include "traceback.h"

const char asy_nest_mark = 0;


void asy_nest_pushclosure(lua_State *L, lua_CFunction f, int n) {
  asy_rt_open(L); /* pushes the runtime */
  lua_pushlightuserdata(L, (void *)&asy_nest_mark);
  lua_rotate(L, -2 - n, 2);
  lua_pushcclosure(L, f, 2 + n);
}


/* {====== Running ====== */

int asy_nest_wait(lua_State *L, asy_rt *rt, lua_KContext ctx, lua_KFunction k) {
  rt->nested++;
  return lua_yieldk(L, 0, ctx, k);
}


/* The task's loop closes: leads the inner threads to where they can be closed
** (see asy_woken), closes them, and goes there itself. */
static void kill_inner(lua_State *L, asy_task *t, lua_State *co) {
  asy_rt *rt = t->fut.rt;
  int nres, status;
  rt->active = co;
  lua_resume(co, L, 0, &nres);
  rt->active = L;
  status = asy_inner_close(L, rt, co);
  if (status != LUA_OK && status != LUA_YIELD) {
    asy_task_push(L, t);
    lua_xmove(co, L, 1);
    asy_report_error(L, t->fut.loop,
                     "error while a pending task was closed with its loop",
                     lua_gettop(L) - 1);
  }
  asy_woken(L, t);
}


void asy_nest_woken(lua_State *L, asy_rt *rt, lua_State *co) {
  asy_task *t = rt->task;
  if (asy_likely(t != NULL && rt->active == L)) {
    rt->nested--;
    if (asy_unlikely(t->fut.flags & ASY_KILLED))
      kill_inner(L, t, co);
    return;
  }
  asy_refuse(L);
}

/* }====== */


/* {====== Looking inside ====== */

/* Pushes the C function in which the thread is onto it. */
static bool push_function(lua_State *co, lua_Debug *ar) {
  if (!lua_checkstack(co, 2) || !lua_getstack(co, 0, ar))
    return false;
  lua_getinfo(co, "f", ar);
  if (lua_iscfunction(co, -1))
    return true;
  lua_pop(co, 1);
  return false;
}


/* Whether the n-th upvalue of the function on the top is that pointer. */
static bool has_upvalue(lua_State *co, int n, const void *p) {
  bool has;
  if (lua_getupvalue(co, -1, n) == NULL)
    return false;
  has = lua_touserdata(co, -1) == p;
  lua_pop(co, 1);
  return has;
}


bool asy_nest_waits(asy_rt *rt, lua_State *co) {
  lua_Debug ar;
  bool waits;
  if (lua_status(co) != LUA_YIELD || !push_function(co, &ar))
    return false;
  waits = has_upvalue(co, 1, rt);
  lua_pop(co, 1);
  return waits;
}


lua_State *asy_nest_inner(lua_State *co) {
  lua_Debug ar;
  lua_State *inner = NULL;
  bool nests;
  if (!push_function(co, &ar))
    return NULL;
  nests = has_upvalue(co, 2, &asy_nest_mark);
  lua_pop(co, 1);
  if (nests && lua_getlocal(co, &ar, 1) != NULL) {
    inner = lua_tothread(co, -1);
    lua_pop(co, 1);
  }
  return inner != co ? inner : NULL;
}


bool asy_nest_has(lua_State *co, const lua_State *inner) {
  while (co != NULL && co != inner)
    co = asy_nest_inner(co);
  return co != NULL;
}


bool asy_nest_isleft(lua_State *co) {
  while ((co = asy_nest_inner(co)) != NULL)
    if (lua_status(co) != LUA_YIELD && !asy_task_isin(co))
      return true;
  return false;
}

/* }====== */


/* {====== Errors ====== */

/* Stack: the message handler, the results or the error. */
static int main_done(lua_State *co, int status, lua_KContext ctx) {
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(co) - 1;
  return lua_error(co);
}


/* Calls its upvalue with the arguments. */
static int nest_main(lua_State *co) {
  int status;
  lua_pushcfunction(co, asy_task_msgh);
  lua_pushvalue(co, lua_upvalueindex(1));
  lua_rotate(co, 1, 2);
  status = lua_pcallk(co, lua_gettop(co) - 2, LUA_MULTRET, 1, 0, main_done);
  return main_done(co, status, 0);
}


void asy_nest_protect(lua_State *L, lua_State *co) {
  if (lua_tocfunction(co, -1) == nest_main)
    return;
  lua_pushvalue(co, -1);
  lua_xmove(co, L, 1);
  lua_pushcclosure(L, nest_main, 1);
  lua_xmove(L, co, 1);
  lua_remove(co, -2);
}


void asy_nest_close(lua_State *L, asy_rt *rt, lua_State *co) {
  int status = asy_inner_close(L, rt, co);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_xmove(co, L, 1);
    lua_remove(L, -2);
  }
}


/* Whether the thread, which has ended with an error, ran in a protected call, so
** that all that is left of its stack is this. */
static bool was_protected(lua_State *co) {
  lua_Debug ar;
  bool was;
  if (!push_function(co, &ar))
    return false;
  was = lua_tocfunction(co, -1) == nest_main;
  lua_pop(co, 1);
  return was;
}


void asy_nest_traceback(lua_State *L, asy_rt *rt, lua_State *co) {
  int err = lua_gettop(L);
  asy_task *t = rt->task;
  if (t == NULL || asy_error_is(L, rt, err, ASY_CANCELLED_ERROR)) {
    lua_pushnil(L);
    return;
  }
  asy_task_push(L, t);
  if (!was_protected(co))
    asy_task_pushtraceback(L, co, err + 1, err, 0);
  else if (asy_future_getextra(L, err + 1, "last") == LUA_TNIL ||
           !lua_rawequal(L, -1, err))
    lua_pushnil(L);
  else
    asy_future_getextra(L, err + 1, "traceback");
  lua_replace(L, err + 1);
  lua_settop(L, err + 1);
}


void asy_nest_cause(lua_State *L, asy_rt *rt, int err) {
  int text = lua_gettop(L);
  if (lua_isstring(L, text)) {
    err = lua_absindex(L, err);
    asy_task_push(L, rt->task);
    asy_task_setcause(L, text + 1, err, text, true);
  }
  lua_settop(L, text - 1);
}

/* }====== */
