/*
** Lua's own coroutine library in a worker: its functions that run a thread do
** what they always do, and note that thread, so that a job can be interrupted
** there (inner.h).
*/
#include "plainco.h"

#include "inner.h"


static bool has_failed(int status) {
  return status != LUA_OK && status != LUA_YIELD;
}


/* Gives the 'nargs' values on the top of L to the thread and runs it. Leaves its
** results on the top and returns their number; or leaves an error and returns
** -1. */
static int step(lua_State *L, asy_rt *rt, lua_State *co, int nargs) {
  int nres, status;
  if (asy_unlikely(!lua_checkstack(co, nargs))) {
    lua_pushliteral(L, "too many arguments to resume");
    return -1;
  }
  lua_xmove(L, co, nargs);
  status = asy_inner_resume(L, rt, co, nargs, &nres);
  if (asy_unlikely(has_failed(status))) {
    lua_xmove(co, L, 1);
    return -1;
  }
  if (asy_unlikely(!lua_checkstack(L, nres + 1))) {
    lua_pop(co, nres);
    lua_pushliteral(L, "too many results to resume");
    return -1;
  }
  lua_xmove(co, L, nres);
  return nres;
}


/* Calls Lua's own function, for what is an error. */
static int refuse(lua_State *L) {
  return lua_tocfunction(L, lua_upvalueindex(2))(L);
}


/* resume(co, ...) */
static int resume(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  int n;
  if (co == NULL)
    return refuse(L);
  n = step(L, asy_rt_up(L), co, lua_gettop(L) - 1);
  lua_pushboolean(L, n >= 0);
  if (n < 0)
    n = 1;
  lua_insert(L, -1 - n);
  return n + 1;
}


/* Raises the error on the top, with a position before a string. The thread, if
** it is that which failed, is closed, and may end with another error. */
static int wrap_failed(lua_State *L, asy_rt *rt, lua_State *co) {
  int status = lua_status(co);
  if (has_failed(status)) {
    status = asy_inner_close(L, rt, co);
    if (status != LUA_OK) {
      lua_pop(L, 1);
      lua_xmove(co, L, 1);
    }
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}


/* What wrap returns. The second upvalue is the coroutine. */
static int wrap_call(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_State *co = lua_tothread(L, lua_upvalueindex(2));
  int n = step(L, rt, co, lua_gettop(L));
  return asy_likely(n >= 0) ? n : wrap_failed(L, rt, co);
}


/* wrap(fn) */
static int wrap(lua_State *L) {
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushvalue(L, lua_upvalueindex(1));
  co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, wrap_call, 2);
  return 1;
}


/* Whether the thread neither runs nor has resumed another one. */
static bool can_close(lua_State *L, lua_State *co) {
  lua_Debug ar;
  return co != L && (lua_status(co) != LUA_OK || lua_getstack(co, 0, &ar) == 0);
}


/* close(co) */
static int close(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (co == NULL || !can_close(L, co))
    return refuse(L);
  if (asy_inner_close(L, asy_rt_up(L), co) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}


/* Puts the function into the library's table, at the top, in the place of Lua's
** own, its second upvalue. */
static void replace(lua_State *L, const char *name, lua_CFunction f) {
  asy_rt_open(L); /* pushes the runtime */
  lua_getfield(L, -2, name);
  lua_pushcclosure(L, f, 2);
  lua_setfield(L, -2, name);
}


void asy_plainco_open(lua_State *L) {
  lua_getglobal(L, LUA_COLIBNAME);
  replace(L, "resume", resume);
  replace(L, "wrap", wrap);
  replace(L, "close", close);
  lua_pop(L, 1);
}
