/*
** The event loop as Lua sees it: running, stopping, closing, and its settings.
** Callbacks are in callback.c, the libuv side in engine.c.
*/
#include "loop.h"

#include "await.h"
#include "debug.h"
#include "error.h"
#include "executor.h"
#include "graph.h"
#include "inbox.h"
#include "pin.h"
#include "report.h"
#include "shared.h"
#include "task.h"
#include "weak.h"


/* {====== Which loop ====== */

/* Pushes the loop, found among the keys of the table on the top. */
static void find_loop(lua_State *L, asy_loop *loop) {
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TUSERDATA && lua_touserdata(L, -1) == loop)
      return;
  }
  lua_pushnil(L); /* never: it is a key as long as it is there */
}


/* What is only reached by finalizers has gone from the values of weak tables
** before they run, but not from the keys. */
void asy_loop_push(lua_State *L, asy_loop *loop) {
  if (asy_likely(loop == loop->rt->running)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, loop->rt->running_loop);
    return;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, loop->rt->loops);
  if (lua_rawgetp(L, -1, loop) == LUA_TNIL) {
    lua_pop(L, 1);
    find_loop(L, loop);
  }
  lua_remove(L, -2);
}


asy_loop *asy_loop_enter(lua_State *L, asy_loop *loop) {
  asy_rt *rt = loop->rt;
  asy_loop *outer = rt->running;
  if (loop == outer)
    return outer;
  asy_loop_push(L, loop);
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->running_loop);
  rt->running = loop;
  return outer;
}


void asy_loop_leave(lua_State *L, asy_rt *rt, asy_loop *outer) {
  if (rt->running == outer)
    return;
  rt->running = NULL;
  if (outer != NULL)
    asy_loop_push(L, outer);
  else
    lua_pushboolean(L, 0);
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->running_loop);
  rt->running = outer;
}


void asy_loop_checkopen(lua_State *L, const asy_loop *loop) {
  if (asy_unlikely(loop->engine == NULL || loop->closing))
    asy_error_raise(L, ASY_RUNTIME_ERROR, "the event loop is closed");
}


/* Pushes a new open loop. */
static asy_loop *loop_new(lua_State *L, asy_rt *rt) {
  asy_loop *loop =
      (asy_loop *)asy_new(L, rt, ASY_LOOP, sizeof(asy_loop), ASY_LOOP_VALUES);
  uint32_t number;
  int err;
  if (rt->over)
    asy_error_raise(L, ASY_RUNTIME_ERROR, "the Lua state is closing");
  asy_queue_init(&loop->ready);
  asy_queue_init(&loop->turn);
  loop->slow = 0.1;
  loop->interrupter = rt->interrupter;
  loop->debug = asy_debug_env();
  lua_newtable(L);
  lua_setiuservalue(L, -2, ASY_LOOP_DATA);
  asy_report_newset(L);
  lua_setiuservalue(L, -2, ASY_LOOP_FAILED);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->loops);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, loop);
  lua_pushvalue(L, -2);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  number = asy_weak_new(L, rt, -1);
  err = asy_engine_new(loop);
  if (err == 0) {
    loop->engine->owner = number;
  } else {
    asy_weak_free(rt, &number);
    asy_error_os(L, rt, err, "uv_loop_init", NULL);
    lua_error(L);
  }
  return loop;
}


asy_loop *asy_loop_get(lua_State *L, asy_rt *rt) {
  if (rt->running != NULL) {
    asy_loop_push(L, rt->running);
    return rt->running;
  }
  if (rt->current_loop == LUA_NOREF) {
    loop_new(L, rt);
    lua_pushvalue(L, -1);
    rt->current_loop = luaL_ref(L, LUA_REGISTRYINDEX);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->current_loop);
  }
  return (asy_loop *)lua_touserdata(L, -1);
}

/* }====== */


/* {====== Running ====== */

static void awaited_done(asy_watch *w, asy_future *f) {
  (void)w;
  asy_loop_stop(f->loop);
}


void asy_loop_fail(lua_State *L, asy_loop *loop) {
  loop->failed = true;
  asy_loop_push(L, loop);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, ASY_LOOP_FAILURE);
  lua_pop(L, 1);
  if (loop->engine != NULL)
    uv_stop(loop->engine->uv);
}


/* Raises what left the loop, if anything did. */
static void raise_failure(lua_State *L, asy_loop *loop) {
  if (!loop->failed)
    return;
  loop->failed = false;
  asy_loop_push(L, loop);
  lua_getiuservalue(L, -1, ASY_LOOP_FAILURE);
  lua_pushnil(L);
  lua_setiuservalue(L, -3, ASY_LOOP_FAILURE);
  lua_error(L);
}


/* Calls uv_run until something ends it. A stop() that came before lets one
** turn run. */
static void loop_spin(asy_loop *loop, bool forever) {
  asy_engine *e = loop->engine;
  uv_run_mode mode = UV_RUN_DEFAULT;
  if (loop->stopping) {
    asy_loop_kick(loop);
    mode = UV_RUN_NOWAIT;
  }
  if (forever)
    uv_ref((uv_handle_t *)&e->wake);
  uv_update_time(e->uv);
  uv_run(e->uv, mode);
  if (forever)
    uv_unref((uv_handle_t *)&e->wake);
}


void asy_loop_run(lua_State *L, asy_loop *loop, asy_future *fut) {
  asy_rt *rt = loop->rt;
  asy_watch watch = {{NULL, NULL}, NULL};
  bool stopped;
  asy_loop_checkopen(L, loop);
  if (rt->running != NULL)
    asy_error_raise(L, ASY_RUNTIME_ERROR, "%s",
                    rt->running == loop
                        ? "this event loop is already running"
                        : "cannot run the event loop while another is running");
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (fut != NULL && fut->state == ASY_PENDING)
    asy_future_watch(fut, &watch, awaited_done);
  else if (fut != NULL)
    loop->stopping = true;
  asy_loop_enter(L, loop);
  loop->L = L;
  loop_spin(loop, fut == NULL);
  asy_loop_leave(L, rt, NULL);
  loop->L = NULL;
  rt->active = NULL;
  stopped = loop->stopping;
  loop->stopping = false;
  asy_list_remove(&watch.link);
  if (fut != NULL && fut->state == ASY_PENDING)
    fut->flags &= (uint8_t)~ASY_RETRIEVED; /* nobody takes it any more */
  raise_failure(L, loop);
  if (fut == NULL || fut->state != ASY_PENDING)
    return;
  if (stopped)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the event loop was stopped before the future was done");
  asy_graph_deadlock(L, loop);
  lua_error(L);
}

/* }====== */


/* {====== Closing ====== */

/* Ends all tasks, also those that their ends create. */
static int close_tasks(lua_State *L) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, 1);
  lua_settop(L, 1);
  while (loop->tasks > 0) {
    uint32_t n = asy_task_list(L, loop->rt, loop);
    for (uint32_t i = 1; i <= n; i++) {
      lua_rawgeti(L, 2, i);
      asy_task_kill(L, (asy_task *)lua_touserdata(L, -1));
      lua_pop(L, 1);
    }
    lua_settop(L, 1);
  }
  return 0;
}


static int close_reports(lua_State *L) {
  asy_report_lost(L, (asy_loop *)lua_touserdata(L, 1));
  return 0;
}


/* Calls 'f' with the loop at 'idx', whatever it raises. */
static void call_anyway(lua_State *L, lua_CFunction f, int idx) {
  idx = lua_absindex(L, idx);
  lua_pushcfunction(L, f);
  lua_pushvalue(L, idx);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}


static void drop_ready(lua_State *L, asy_loop *loop) {
  while (!asy_queue_empty(&loop->ready)) {
    asy_ready *e = asy_queue_pop(&loop->ready);
    e->ops->drop(L, e);
  }
}


void asy_loop_close(lua_State *L, asy_loop *loop) {
  if (loop->engine == NULL || loop->closing)
    return;
  loop->closing = true;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  asy_loop_push(L, loop);
  call_anyway(L, asy_executor_loopclosed, -1);
  call_anyway(L, close_tasks, -1);
  call_anyway(L, close_reports, -1);
  asy_inbox_shut(loop);
  asy_wheel_advance(&loop->engine->wheel, ASY_NEVER); /* unsets all timers */
  drop_ready(L, loop);
  asy_engine_free(loop);
  drop_ready(L, loop);
  lua_pop(L, 1);
}

/* }====== */


/* {====== Lua's view ====== */

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
  asy_await_ensure(L, rt, 1, 2);
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
  loop_new(L, asy_rt_up(L));
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

/* }====== */
