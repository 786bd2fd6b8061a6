/*
** Event loops as Lua sees them: the methods, their settings, and which loop is
** the current one.
*/
#include "loop.h"

#include "await.h"
#include "error.h"
#include "shared.h"
#include "task.h"


asy_task *asy_loop_task(lua_State *L, asy_loop *loop, const char *fname) {
  asy_task *t = asy_task_here(L, loop->rt, fname);
  if (t->fut.loop != loop)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "%s: the task is one of another event loop", fname);
  return t;
}


static asy_loop *check_loop(lua_State *L) {
  return (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
}


/* loop:run_until_complete(aw, ...) */
static int run_until_complete(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = check_loop(L);
  bool was_future = asy_tofuture(L, rt, 2) != NULL;
  asy_future *fut;
  luaL_checkany(L, 2);
  asy_loop_checkopen(L, loop);
  if (rt->running != NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "run_until_complete cannot be called while an "
                           "event loop is running");
  if (!was_future && !asy_await_is(L, rt, 2))
    return asy_await_typeerror(L, 2);
  lua_pushvalue(L, 1);
  lua_insert(L, 1); /* loop, loop, awaitable, arguments or options */
  asy_await_ensure(L, rt, 1, 3);
  lua_remove(L, 1);
  fut = asy_tofuture(L, rt, 2);
  if (fut->loop != loop)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "the future belongs to a different event loop");
  if (!was_future)
    fut->flags |= ASY_RETRIEVED;
  asy_loop_run(L, loop, fut);
  return asy_future_take(L, 2);
}


static int run_forever(lua_State *L) {
  asy_loop_run(L, check_loop(L), NULL);
  return 0;
}


static int loop_stop(lua_State *L) {
  asy_loop_stop(check_loop(L));
  return 0;
}


static int loop_close(lua_State *L) {
  asy_loop *loop = check_loop(L);
  if (loop->rt->running == loop)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "cannot close a running event loop");
  lua_settop(L, 1);
  asy_loop_close(L, loop);
  return 0;
}


/* While uv_run is on the C stack (the state is closed from inside a task) the
** engine is in use: the runtime frees it at the very end. */
static int loop_gc(lua_State *L) {
  asy_loop *loop = check_loop(L);
  asy_shared_unref(loop->ref);
  loop->ref = NULL;
  if (loop->rt->running == loop || loop->engine == NULL)
    return 0;
  asy_loop_close(L, loop);
  return 0;
}


static int is_running(lua_State *L) {
  asy_loop *loop = check_loop(L);
  lua_pushboolean(L, loop->rt->running == loop);
  return 1;
}


static int is_closed(lua_State *L) {
  lua_pushboolean(L, check_loop(L)->engine == NULL);
  return 1;
}


static int loop_time(lua_State *L) {
  check_loop(L);
  lua_pushnumber(L, (lua_Number)asy_loop_now() * 1e-9);
  return 1;
}


/* monotonic(): the clock of all loops, in seconds */
static int monotonic(lua_State *L) {
  lua_pushnumber(L, (lua_Number)asy_loop_now() * 1e-9);
  return 1;
}


static int create_future(lua_State *L) {
  asy_future_new(L, check_loop(L), ASY_FUTURE, sizeof(asy_future),
                 ASY_FUT_VALUES);
  return 1;
}


static int get_debug(lua_State *L) {
  lua_pushboolean(L, check_loop(L)->debug);
  return 1;
}


static int set_debug(lua_State *L) {
  check_loop(L)->debug = lua_toboolean(L, 2);
  return 0;
}


/* Stores a function or nil, the argument, as a user value of the loop; returns
** whether it is a function. */
static bool set_function(lua_State *L, int value) {
  bool some = !lua_isnoneornil(L, 2);
  check_loop(L);
  if (some && luaL_getmetafield(L, 2, "__call") == LUA_TNIL)
    luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, value);
  return some;
}


static int set_exception_handler(lua_State *L) {
  set_function(L, ASY_LOOP_HANDLER);
  return 0;
}


static int get_exception_handler(lua_State *L) {
  check_loop(L);
  lua_getiuservalue(L, 1, ASY_LOOP_HANDLER);
  return 1;
}


static int set_task_factory(lua_State *L) {
  check_loop(L)->factory = set_function(L, ASY_LOOP_FACTORY);
  return 0;
}


static int get_task_factory(lua_State *L) {
  check_loop(L);
  lua_getiuservalue(L, 1, ASY_LOOP_FACTORY);
  return 1;
}


static int loop_tostring(lua_State *L) {
  asy_loop *loop = check_loop(L);
  lua_pushfstring(L, "<EventLoop running=%s closed=%s debug=%s>",
                  loop->rt->running == loop ? "true" : "false",
                  loop->engine == NULL ? "true" : "false",
                  loop->debug ? "true" : "false");
  return 1;
}


/* Methods, from the second upvalue, and the field slow_callback_duration. */
static int loop_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
    return 1;
  lua_pushliteral(L, "slow_callback_duration");
  if (lua_rawequal(L, 2, -1))
    lua_pushnumber(L, check_loop(L)->slow);
  else
    lua_pushnil(L);
  return 1;
}


static int loop_newindex(lua_State *L) {
  asy_loop *loop = check_loop(L);
  lua_pushliteral(L, "slow_callback_duration");
  if (!lua_rawequal(L, 2, -1))
    return luaL_error(L, "an event loop has no field '%s'",
                      luaL_tolstring(L, 2, NULL));
  loop->slow = luaL_checknumber(L, 3);
  return 0;
}


static int new_event_loop(lua_State *L) {
  asy_loop_new(L, asy_rt_up(L));
  return 1;
}


static int get_running_loop(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  if (rt->running == NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "no running event loop");
  asy_loop_push(L, rt->running);
  return 1;
}


/* is_running(): whether any loop of this Lua state runs */
static int any_running(lua_State *L) {
  lua_pushboolean(L, asy_rt_up(L)->running != NULL);
  return 1;
}


static int get_event_loop(lua_State *L) {
  asy_loop_get(L, asy_rt_up(L));
  return 1;
}


static int set_event_loop(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  int ref = LUA_NOREF;
  if (!lua_isnoneornil(L, 1)) {
    check_loop(L);
    lua_settop(L, 1);
    ref = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  luaL_unref(L, LUA_REGISTRYINDEX, rt->current_loop);
  rt->current_loop = ref;
  return 0;
}


void asy_loop_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"run_until_complete", run_until_complete},
      {"run_forever", run_forever},
      {"stop", loop_stop},
      {"close", loop_close},
      {"is_running", is_running},
      {"is_closed", is_closed},
      {"time", loop_time},
      {"create_future", create_future},
      {"get_debug", get_debug},
      {"set_debug", set_debug},
      {"set_exception_handler", set_exception_handler},
      {"get_exception_handler", get_exception_handler},
      {"set_task_factory", set_task_factory},
      {"get_task_factory", get_task_factory},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", loop_gc},
      {"__close", loop_close},
      {"__tostring", loop_tostring},
      {"__newindex", loop_newindex},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"new_event_loop", new_event_loop},
      {"get_running_loop", get_running_loop},
      {"get_event_loop", get_event_loop},
      {"set_event_loop", set_event_loop},
      {"is_running", any_running},
      {"monotonic", monotonic},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_LOOP, "asyncio.EventLoop", methods, meta, 0);
  asy_rt_open(L);
  lua_getfield(L, -2, "__methods");
  lua_pushcclosure(L, loop_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}
