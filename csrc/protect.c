/*
** pcall, xpcall and catch: protected calls that let a cancellation pass.
*/
#include "error.h"
#include "task.h"
#include "wait.h"


/* The call returned: its results are above index 1, which becomes true. */
static int return_true(lua_State *L) {
  lua_pushboolean(L, 1);
  lua_replace(L, 1);
  return lua_gettop(L);
}


/* It failed with the value on the top. */
static int return_false(lua_State *L) {
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}


/* Stack: the message handler, then the results or the error. */
static int pcall_done(lua_State *L, int status, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD)
    return return_true(L);
  if (asy_error_passes(L, rt, -1))
    return asy_task_rethrow(L, rt);
  return return_false(L);
}


/* pcall(fn, ...) */
static int pcall_(lua_State *L) {
  int status;
  luaL_checkany(L, 1);
  lua_pushcfunction(L, asy_task_msgh);
  lua_insert(L, 1);
  status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, pcall_done);
  return pcall_done(L, status, 0);
}


/* The message handler of xpcall; upvalues: the runtime, the user's handler, and
** whether the error must pass, in which case the user's is not asked. */
static int xpcall_msgh(lua_State *L) {
  lua_settop(L, 1);
  if (asy_error_passes(L, asy_rt_up(L), 1)) {
    lua_pushboolean(L, 1);
    lua_replace(L, lua_upvalueindex(3));
    return 1;
  }
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}


static int xpcall_done(lua_State *L, int status, lua_KContext ctx) {
  bool passes;
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD)
    return return_true(L);
  lua_getupvalue(L, 1, 3);
  passes = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (passes)
    return asy_task_rethrow(L, asy_rt_up(L));
  return return_false(L);
}


/* xpcall(fn, msgh, ...) */
static int xpcall_(lua_State *L) {
  int status;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 2);
  lua_pushboolean(L, 0);
  lua_pushcclosure(L, xpcall_msgh, 3);
  lua_remove(L, 2);
  lua_insert(L, 1);
  status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, xpcall_done);
  return xpcall_done(L, status, 0);
}


/* Stack: the message handler, the classes, then the results or the error. */
static int catch_done(lua_State *L, int status, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  (void)ctx;
  if (status == LUA_OK || status == LUA_YIELD) {
    lua_remove(L, 2);
    return return_true(L);
  }
  if (!asy_error_isoneof(L, -1, 2))
    return asy_task_rethrow(L, rt);
  return return_false(L);
}


/* catch(class or list of classes, fn, ...) */
static int catch_(lua_State *L) {
  int status;
  asy_error_checkclasses(L, 1);
  luaL_checkany(L, 2);
  lua_pushcfunction(L, asy_task_msgh);
  lua_insert(L, 1);
  status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 1, 0, catch_done);
  return catch_done(L, status, 0);
}


/* rethrow(err): raises again what one of these has caught; the traceback stays
** that of the first time. For the library. */
static int rethrow(lua_State *L) {
  lua_settop(L, 1);
  return asy_task_rethrow(L, asy_rt_up(L));
}


/* {====== atomic ====== */

/* Calls the function at 2 with the message handler at 1. Nothing below can yield,
** and the task's flag makes every await say why. */
static int atomic_call(lua_State *L, asy_task *t) {
  uint8_t outer = t != NULL ? (t->tflags & ASY_TASK_ATOMIC) : 0;
  int status;
  if (t != NULL)
    t->tflags |= ASY_TASK_ATOMIC;
  status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1);
  if (t != NULL && outer == 0)
    t->tflags &= (uint8_t)~ASY_TASK_ATOMIC;
  return status;
}


/* atomic(fn, ...) */
static int atomic(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  luaL_checkany(L, 1);
  lua_pushcfunction(L, asy_task_msgh);
  lua_insert(L, 1);
  if (atomic_call(L, rt->task) != LUA_OK)
    return asy_task_rethrow(L, rt);
  return lua_gettop(L) - 1;
}

/* }====== */


void asy_protect_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"pcall", pcall_},    {"xpcall", xpcall_}, {"catch", catch_},
      {"rethrow", rethrow}, {"atomic", atomic},  {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
