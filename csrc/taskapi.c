/*
** Tasks as Lua sees them.
*/
#include "await.h"
#include "context.h"
#include "coroutine.h"
#include "error.h"
#include "graph.h"
#include "options.h"
#include "pin.h"
#include "traceback.h"


void asy_task_push(lua_State *L, asy_task *t) {
  asy_pin_push(L, t->fut.rt, t->fut.slot);
}


void asy_task_pushname(lua_State *L, asy_task *t, int idx) {
  if (asy_future_getextra(L, idx, "name") == LUA_TSTRING)
    return;
  lua_pop(L, 1);
  lua_pushfstring(L, "Task-%I", (LUAI_UACINT)t->id);
}


/* {====== Making ====== */

/* An error of the options at 'idx'. The loop was put before the arguments of
** the function that was called. */
static int options_error(lua_State *L, int idx, const char *fmt,
                         const char *what) {
  lua_pushfstring(L, fmt, what);
  return luaL_argerror(L, idx - 1, lua_tostring(L, -1));
}


/* Raises an argument error unless the options are a table or nil. */
static void check_table(lua_State *L, int idx) {
  if (!lua_isnil(L, idx) && !lua_istable(L, idx))
    options_error(L, idx, "table expected, got %s", luaL_typename(L, idx));
}


/* Replaces the options at 'idx' by a copy that names the loop, for a factory. */
static void add_loop(lua_State *L, int loopidx, int idx) {
  lua_newtable(L);
  if (lua_istable(L, idx)) {
    for (lua_pushnil(L); lua_next(L, idx) != 0;) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, -4);
    }
  }
  lua_pushvalue(L, loopidx);
  lua_setfield(L, -2, "loop");
  lua_replace(L, idx);
}


/* Checks the options at 'idx', which have these names, and pushes the name as a
** string or nil, the context or nil, and whether to start eagerly. */
static void check_options(lua_State *L, asy_rt *rt, int idx,
                          const char *const *names) {
  const char *message;
  check_table(L, idx);
  if (lua_isnil(L, idx)) {
    lua_settop(L, idx + 3);
    return;
  }
  message = asy_options_unknown(L, idx, names);
  if (message != NULL)
    options_error(L, idx, "%s", message);
  if (lua_getfield(L, idx, "name") != LUA_TNIL) {
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
  }
  if (lua_getfield(L, idx, "context") != LUA_TNIL &&
      asy_tokind(L, rt, -1, ASY_CONTEXT) == NULL)
    options_error(L, idx, "field 'context' must be a Context, not %s",
                  luaL_typename(L, -1));
  lua_getfield(L, idx, "eager_start");
}


/* In the registry: a table with weak keys, the factories that know no options
** but those of Task. */
static const char plain_factories;

/* The names of the options of a task. */
static const char *const task_options[] = {"name", "context", "eager_start",
                                           NULL};


/* plain_factory(factory): the factory, whose options are to be checked before
** it is called, so that an error names the function that they were given to */
static int plain_factory(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &plain_factories);
  lua_pushvalue(L, 1);
  lua_pushboolean(L, true);
  lua_rawset(L, 2);
  lua_settop(L, 1);
  return 1;
}


/* Whether the factory on the top is one of these. */
static bool is_plain(lua_State *L) {
  bool plain;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &plain_factories);
  lua_pushvalue(L, -2);
  plain = lua_rawget(L, -2) != LUA_TNIL;
  lua_pop(L, 2);
  return plain;
}


/* Makes a task of the Coroutine at 'idx', with the options above it, by the
** loop's factory. */
static void call_factory(lua_State *L, asy_rt *rt, int loopidx, int idx) {
  lua_getiuservalue(L, loopidx, ASY_LOOP_FACTORY);
  if (is_plain(L)) {
    lua_settop(L, idx + 1);
    check_options(L, rt, idx + 1, task_options);
  }
  lua_settop(L, idx + 1);
  check_table(L, idx + 1);
  add_loop(L, loopidx, idx + 1);
  lua_getiuservalue(L, loopidx, ASY_LOOP_FACTORY);
  lua_insert(L, idx);
  lua_pushvalue(L, loopidx);
  lua_insert(L, idx + 1); /* factory, loop, coroutine, options */
  lua_call(L, 3, 1);
  if (asy_tokind(L, rt, -1, ASY_TASK) == NULL)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the task factory must return a task (got %s)",
                    luaL_typename(L, -1));
}


/* Makes a task of the Coroutine at 'idx', with the options above it. */
static void task_of_coroutine(lua_State *L, asy_rt *rt, int loopidx, int idx,
                              const char *const *names) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, loopidx);
  asy_task *t;
  int name = idx + 2, context = idx + 3, eager = idx + 4;
  lua_settop(L, idx + 1);
  check_options(L, rt, idx + 1, names);
  asy_loop_checkopen(L, loop);
  asy_coroutine_take(L, idx);
  lua_pushvalue(L, idx);
  t = asy_task_new(L, loop, 0);
  lua_replace(L, idx);
  if (!lua_isnil(L, name)) {
    lua_pushvalue(L, name);
    asy_future_setextra(L, idx, "name");
  }
  if (!lua_isnil(L, context)) {
    lua_pushvalue(L, context);
    asy_context_settask(L, idx);
  }
  if (lua_toboolean(L, eager))
    asy_task_eager(L, idx);
  else
    asy_task_schedule(L, t, idx);
  lua_settop(L, idx);
}


void asy_task_checkbody(lua_State *L, asy_rt *rt, int arg) {
  if (asy_tofuture(L, rt, arg) != NULL)
    luaL_argerror(L, arg,
                  "a future is no body of a task: await it, or use "
                  "ensure_future");
  if (!asy_await_is(L, rt, arg))
    asy_await_typeerror(L, arg);
}


/* Makes a Coroutine of the awaitable at 'idx', with the options above it, or
** of the function there, with its arguments; then come the options or nil. */
static void make_coroutine(lua_State *L, asy_rt *rt, int idx) {
  if (!lua_isfunction(L, idx)) {
    lua_settop(L, idx + 1);
    if (asy_tokind(L, rt, idx, ASY_COROUTINE) != NULL)
      return;
    lua_insert(L, idx); /* options, awaitable */
    asy_await_function(L, rt, idx + 1);
    asy_coroutine_new(L, rt, lua_gettop(L) - idx - 1);
    lua_insert(L, idx);
    return;
  }
  asy_await_function(L, rt, idx);
  asy_coroutine_new(L, rt, lua_gettop(L) - idx);
  lua_pushnil(L);
}


bool asy_task_offunction(lua_State *L, asy_loop *loop, int idx) {
  asy_task *t;
  if (asy_unlikely(!lua_isfunction(L, idx) || loop->factory))
    return false;
  if (asy_unlikely(asy_coroutine_isfunction(L, idx)))
    asy_coroutine_unwrap(L, idx);
  t = asy_task_new(L, loop, lua_gettop(L) - idx);
  asy_task_schedule(L, t, idx);
  return true;
}


void asy_task_create(lua_State *L, asy_rt *rt, int loopidx, int idx) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, loopidx);
  if (asy_task_offunction(L, loop, idx))
    return;
  if (!lua_isfunction(L, idx))
    asy_task_checkbody(L, rt, idx);
  make_coroutine(L, rt, idx);
  if (loop->factory)
    call_factory(L, rt, loopidx, idx);
  else
    task_of_coroutine(L, rt, loopidx, idx, task_options);
}


/* create_task(fn, ...) */
static int create_task(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  if (asy_likely(rt->running != NULL) && asy_task_offunction(L, rt->running, 1))
    return 1;
  if (!lua_isfunction(L, 1))
    asy_task_checkbody(L, rt, 1);
  if (rt->running == NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "create_task: no running event loop (use "
                           "loop:create_task outside of one)");
  asy_loop_push(L, rt->running);
  lua_insert(L, 1);
  asy_task_create(L, rt, 1, 2);
  return 1;
}


/* loop:create_task(fn, ...) */
static int loop_create_task(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  if (asy_task_offunction(L, (asy_loop *)asy_checkkind(L, 1, ASY_LOOP), 2))
    return 1;
  if (!lua_isfunction(L, 2))
    asy_task_checkbody(L, rt, 2);
  lua_pushvalue(L, 1);
  lua_insert(L, 1); /* loop, loop, body, arguments or options */
  asy_task_create(L, rt, 1, 3);
  return 1;
}


/* Task(coro, options): what a task factory calls */
int asy_task_construct(lua_State *L) {
  static const char *const names[] = {"name", "context", "eager_start", "loop",
                                      NULL};
  asy_rt *rt = asy_rt_up(L);
  lua_remove(L, 1); /* the class */
  asy_checkkind(L, 1, ASY_COROUTINE);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2))
    luaL_checktype(L, 2, LUA_TTABLE);
  if (lua_istable(L, 2) && lua_getfield(L, 2, "loop") != LUA_TNIL)
    asy_checkkind(L, 3, ASY_LOOP);
  else
    asy_loop_get(L, rt);
  lua_insert(L, 1);
  lua_settop(L, 3);
  task_of_coroutine(L, rt, 1, 2, names);
  return 1;
}

/* }====== */


/* {====== Methods ====== */

static asy_task *check_task(lua_State *L) {
  return (asy_task *)asy_checkkind(L, 1, ASY_TASK);
}


static int get_name(lua_State *L) {
  asy_task_pushname(L, check_task(L), 1);
  return 1;
}


static int task_set_name(lua_State *L) {
  check_task(L);
  luaL_checkany(L, 2);
  luaL_tolstring(L, 2, NULL);
  asy_future_setextra(L, 1, "name");
  lua_settop(L, 1);
  return 1;
}


/* The Coroutine object the task was made of, else its thread while it has
** one. */
static int get_coro(lua_State *L) {
  asy_task *t = check_task(L);
  if (t->tflags & ASY_TASK_HASCORO)
    lua_getiuservalue(L, 1, asy_task_values(t) + 1);
  else if (t->co != NULL)
    lua_getiuservalue(L, 1, ASY_FUT_VALUE);
  else
    lua_pushnil(L);
  return 1;
}


static int get_context(lua_State *L) {
  check_task(L);
  asy_context_pushtask(L, 1);
  return 1;
}


/* The task that the parked task awaits, or NULL. */
static asy_task *find_awaited(const asy_task *t) {
  asy_future *on = (asy_future *)t->on;
  if (!(t->tflags & ASY_TASK_PARKED) || t->how != &asy_wait_future ||
      asy_task_isleft(t) || on->kind != ASY_TASK)
    return NULL;
  return (asy_task *)on;
}


/* Gives the message at 2 to all the tasks that the cancellation goes down to; a
** ring of them ends where a second pointer at half the speed is met. */
static void carry_message(lua_State *L, asy_task *t) {
  asy_task *slow = t;
  for (unsigned hops = 1; (t = find_awaited(t)) != NULL && t != slow; hops++) {
    asy_task_push(L, t);
    lua_pushvalue(L, 2);
    asy_future_setextra(L, -2, "message");
    lua_pop(L, 1);
    if (hops % 2 == 0)
      slow = find_awaited(slow);
  }
}


static int task_cancel(lua_State *L) {
  asy_task *t = check_task(L);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2) && t->fut.state == ASY_PENDING)
    carry_message(L, t);
  lua_pushboolean(L, asy_future_cancelwith(L, &t->fut, 1, 2));
  return 1;
}


static int cancelling(lua_State *L) {
  lua_pushinteger(L, check_task(L)->cancels);
  return 1;
}


static int uncancel(lua_State *L) {
  lua_pushinteger(L, asy_task_uncancel(check_task(L)));
  return 1;
}


/* Where the task waits, where it is, or where it failed. */
static int traceback(lua_State *L) {
  asy_task *t = check_task(L);
  lua_settop(L, 1);
  if (t->fut.state == ASY_FINISHED || t->fut.state == ASY_CANCELLED)
    lua_pushnil(L);
  else if (t->fut.state == ASY_FAILED)
    asy_future_gettraceback(L, 1);
  else if (t->co == NULL)
    lua_pushliteral(L, "stack traceback:\n\t(the task has not started)");
  else
    asy_traceback_nested(L, t->co);
  return 1;
}


static int task_tostring(lua_State *L) {
  static const char *const state[] = {"pending", "finished", "failed",
                                      "cancelled"};
  asy_task *t = check_task(L);
  bool cancelling_ = t->fut.state == ASY_PENDING && t->cancels > 0;
  lua_settop(L, 1);
  asy_task_pushname(L, t, 1);
  lua_pushfstring(L, "<Task %s name='%s'",
                  cancelling_ ? "cancelling" : state[t->fut.state],
                  lua_tostring(L, 2));
  if (t->fut.state == ASY_PENDING) {
    lua_pushliteral(L, " ");
    asy_graph_describe(L, t);
  } else if (t->fut.state == ASY_FAILED) {
    lua_pushliteral(L, " exception=");
    lua_getiuservalue(L, 1, ASY_FUT_VALUE);
    asy_error_text(L, -1);
    lua_remove(L, -2);
  }
  if (asy_future_getextra(L, 1, "source") == LUA_TSTRING)
    lua_pushfstring(L, " created at %s", lua_tostring(L, -1));
  else
    lua_pushliteral(L, "");
  lua_remove(L, -2);
  lua_pushliteral(L, ">");
  lua_concat(L, lua_gettop(L) - 2);
  return 1;
}


/* current_task(loop) */
static int current_task(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = rt->running;
  if (!lua_isnoneornil(L, 1))
    loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  if (rt->task != NULL && rt->task->fut.loop == loop)
    asy_task_push(L, rt->task);
  else
    lua_pushnil(L);
  return 1;
}


/* all_tasks(loop) */
static int all_tasks(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = rt->running;
  if (!lua_isnoneornil(L, 1))
    loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  else if (loop == NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "no running event loop");
  asy_task_list(L, rt, loop);
  return 1;
}

/* }====== */


void asy_task_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"get_name", get_name},
      {"set_name", task_set_name},
      {"get_coro", get_coro},
      {"get_context", get_context},
      {"cancel", task_cancel},
      {"cancelling", cancelling},
      {"uncancel", uncancel},
      {"traceback", traceback},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__tostring", task_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"create_task", create_task},     {"loop_create_task", loop_create_task},
      {"current_task", current_task},   {"all_tasks", all_tasks},
      {"plain_factory", plain_factory}, {NULL, NULL},
  };
  asy_rt *rt = asy_rt_of(L);
  asy_newmeta(L, ASY_TASK, "asyncio.Task", methods, meta, ASY_FUTURE);
  lua_pop(L, 1);
  asy_rt_open(L);
  lua_pushcclosure(L, asy_task_msgh, 1);
  rt->msgh = luaL_ref(L, LUA_REGISTRYINDEX);
  asy_setfuncs(L, funcs);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[ASY_LOOP]);
  lua_getfield(L, -1, "__methods");
  lua_getfield(L, -3, "loop_create_task");
  lua_setfield(L, -2, "create_task");
  lua_pop(L, 2);
  lua_pushnil(L);
  lua_setfield(L, -2, "loop_create_task");
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &plain_factories);
  asy_task_opencore(L);
}
