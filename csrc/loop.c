/*
** The life of event loops: making them, which one runs, and closing them.
** Running one is in looprun.c, what Lua sees of them in loopapi.c, callbacks are
** in callback.c, and the libuv side in engine.c.
*/
#include "loop.h"

#include "debug.h"
#include "error.h"
#include "executor.h"
#include "inbox.h"
#include "report.h"
#include "sigint.h"
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


asy_loop *asy_loop_new(lua_State *L, asy_rt *rt) {
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
    asy_loop_new(L, rt);
    lua_pushvalue(L, -1);
    rt->current_loop = luaL_ref(L, LUA_REGISTRYINDEX);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->current_loop);
  }
  return (asy_loop *)lua_touserdata(L, -1);
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
  asy_sigint_loopclosed(L, loop);
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
