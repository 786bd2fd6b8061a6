/*
** Running an event loop from a C function, until a future is done or something
** else ends it.
*/
#include "loop.h"

#include "error.h"
#include "future.h"
#include "graph.h"
#include "loopref.h"


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


/* Looks whether something has come, or waits for it; then goes on as long as
** there is something to do. Returns whether there was. */
static bool look_once(asy_loop *loop, uv_run_mode mode) {
  asy_engine *e = loop->engine;
  bool alive;
  uv_ref((uv_handle_t *)&e->wake);
  uv_run(e->uv, mode);
  uv_unref((uv_handle_t *)&e->wake);
  alive = uv_loop_alive(e->uv);
  if (alive && !loop->stopping && !loop->failed)
    uv_run(e->uv, UV_RUN_DEFAULT);
  return alive;
}


/* Nothing here can wake the loop any more. While other states can, by what they
** post, it goes on; references may lie in garbage, in channels, say. The last
** one who had it may have posted something before. */
static void await_others(lua_State *L, asy_loop *loop) {
  bool held, more = loop->ref != NULL && !loop->stopping && !loop->failed;
  if (more && asy_loopref_isheld(loop)) {
    lua_gc(L, LUA_GCCOLLECT, 0);
    if (loop->stopping || loop->failed) /* by a finalizer: the stop is over */
      uv_run(loop->engine->uv, UV_RUN_NOWAIT);
  }
  while (more && !loop->stopping && !loop->failed) {
    held = asy_loopref_isheld(loop);
    more = look_once(loop, held ? UV_RUN_ONCE : UV_RUN_NOWAIT) || held;
  }
}


/* Calls uv_run until something ends it. A stop() that came before lets one
** turn run. */
static void loop_spin(lua_State *L, asy_loop *loop, bool forever) {
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
  else if (mode == UV_RUN_DEFAULT)
    await_others(L, loop);
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
  loop_spin(L, loop, fut == NULL);
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
