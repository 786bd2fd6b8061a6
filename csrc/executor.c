/*
** ThreadPoolExecutor and ProcessPoolExecutor as Lua sees them, the default executor of a loop, and
** to_thread.
*/
#include "executor.h"

#include <string.h>

#include "await.h"
#include "block.h"
#include "error.h"
#include "job.h"
#include "options.h"
#include "quota.h"
#include "remote.h"
#include "settings.h"
#include "weak.h"
#include "work.h"
#include "worker.h"

#define MAX_WORKERS 10000

typedef struct asy_executor {
  asy_rt *rt;
  uint8_t kind;
  asy_pool *pool; /* NULL when there was no memory for it, or it is closed */
} asy_executor;


/* {====== Making ====== */

static uint32_t usable_cores(void) {
  return asy_quota_limit(uv_available_parallelism());
}


/* Pushes a new executor of that kind, of so many workers at most. */
static asy_executor *executor_new(lua_State *L, asy_rt *rt, asy_kind kind,
                                  uint32_t max) {
  const asy_worker_ops *ops =
      kind == ASY_THREADPOOL ? &asy_worker_threads : &asy_worker_processes;
  asy_executor *ex = (asy_executor *)asy_new(L, rt, kind, sizeof(*ex), 0);
  asy_pool_reap(rt);
  ex->pool = asy_pool_new(rt, max, ops);
  if (ex->pool == NULL)
    asy_error_memory(L);
  strcpy(ex->pool->settings.name, "asyncio");
  asy_settings_take(L, &ex->pool->settings, ops->flat);
  return ex;
}


/* The number of threads, the argument or that field of it, which has these
** names. */
static uint32_t check_max(lua_State *L, const char *const *names) {
  lua_Integer max;
  bool field = lua_istable(L, 1);
  if (field) {
    asy_options_check(L, 1, names);
    lua_getfield(L, 1, "max_workers");
  } else {
    lua_pushvalue(L, 1);
  }
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return usable_cores();
  }
  if (field) {
    int isnum;
    max = lua_tointegerx(L, -1, &isnum);
    luaL_argcheck(L, isnum, 1, "field 'max_workers' must be an integer");
  } else {
    max = luaL_checkinteger(L, 1);
  }
  luaL_argcheck(L, max > 0 && max <= MAX_WORKERS, 1,
                "max_workers must be from 1 to 10000");
  lua_pop(L, 1);
  return (uint32_t)max;
}


/* Sets what else the options at 1 say. */
static void take_options(lua_State *L, asy_settings *s, bool flat) {
  const asy_packing how = {"initializer", 1, flat};
  s->immune = !asy_optflag(L, 1, "interrupt", true);
  if (lua_getfield(L, 1, "name") != LUA_TNIL) {
    const char *name = lua_tostring(L, -1);
    luaL_argcheck(L, name != NULL, 1, "field 'name' must be a string");
    strncpy(s->name, name, sizeof(s->name) - 1);
  }
  if (lua_getfield(L, 1, "initializer") != LUA_TNIL) {
    luaL_argcheck(L, asy_settings_isfn(L, -1), 1,
                  "field 'initializer' must be a function or "
                  "\"module:function\"");
    s->initializer = asy_parcel_pack(L, lua_gettop(L), 1, &how);
  }
  lua_pop(L, 2);
}


/* ThreadPoolExecutor(n or options); the class comes first. */
int asy_executor_create(lua_State *L) {
  static const char *const names[] = {
      "max_workers", "initializer", "name", "interrupt", NULL,
  };
  asy_executor *ex;
  uint32_t max;
  lua_remove(L, 1);
  lua_settop(L, 1);
  max = check_max(L, names);
  ex = executor_new(L, asy_rt_up(L), ASY_THREADPOOL, max);
  if (lua_istable(L, 1))
    take_options(L, &ex->pool->settings, false);
  return 1;
}


/* What worker processes are to begin with is to be read by several threads. */
static void seal(asy_parcel *p) {
  size_t len;
  if (p != NULL)
    asy_parcel_bytes(p, &len);
}


/* ProcessPoolExecutor(n or options), the same. */
int asy_executor_createprocesses(lua_State *L) {
  static const char *const names[] = {
      "max_workers", "initializer", "name", "interrupt", "executable", NULL,
  };
  const char *executable = NULL;
  asy_settings *s;
  uint32_t max;
  lua_remove(L, 1);
  lua_settop(L, 1);
  max = check_max(L, names);
  s = &executor_new(L, asy_rt_up(L), ASY_PROCESSPOOL, max)->pool->settings;
  if (lua_istable(L, 1)) {
    take_options(L, s, true);
    if (lua_getfield(L, 1, "executable") != LUA_TNIL) {
      luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1,
                    "field 'executable' must be a string");
      executable = lua_tostring(L, -1);
    }
  }
  asy_remote_take(L, s, executable);
  seal(s->preload);
  seal(s->initializer);
  lua_settop(L, 2);
  return 1;
}

/* }====== */


/* {====== Using ====== */

/* The value at 'idx', or NULL when it is no executor of ours. */
static asy_executor *to_executor(lua_State *L, asy_rt *rt, int idx) {
  asy_object *o = asy_toobject(L, rt, idx);
  bool is =
      o != NULL && (o->kind == ASY_THREADPOOL || o->kind == ASY_PROCESSPOOL);
  return is ? (asy_executor *)o : NULL;
}


static asy_executor *check_executor(lua_State *L, int arg) {
  asy_executor *ex = to_executor(L, asy_rt_up(L), arg);
  if (ex == NULL)
    asy_typeerror(L, arg, asy_kindname(ASY_EXECUTOR));
  luaL_argcheck(L, ex != NULL && ex->pool != NULL, arg,
                "the executor was never made");
  return ex;
}


/* executor:submit(fn, ...) */
static int submit(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_executor *ex = check_executor(L, 1);
  asy_loop *loop = rt->running;
  asy_settings_checkfn(L, 2);
  if (loop == NULL) {
    loop = asy_loop_get(L, rt);
    lua_pop(L, 1);
  }
  asy_loop_checkopen(L, loop);
  asy_job_submit(L, loop, ex->pool, 2, 1);
  return 1;
}


/* executor_stop(executor, cancel_futures) */
static int executor_stop(lua_State *L) {
  asy_executor *ex = check_executor(L, 1);
  asy_pool_stop(ex->pool);
  if (lua_toboolean(L, 2))
    asy_job_cancelqueued(ex->pool);
  return 0;
}


/* executor_left(executor): a future, done when all its threads have left, or nil
** in another process, where there are none */
static int executor_left(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_executor *ex = check_executor(L, 1);
  if (rt->running == NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "no running event loop");
  if (asy_pool_isleft(ex->pool))
    lua_pushnil(L);
  else
    asy_job_submit(L, rt->running, ex->pool, 0, 0);
  return 1;
}


/* executor_join(executor): waits for its threads, which are to leave */
static int executor_join(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_executor *ex = check_executor(L, 1);
  if (!asy_pool_join(ex->pool, rt->worker != NULL ? rt->block : NULL))
    return asy_block_raise(L, rt);
  return 0;
}


static int statistics(lua_State *L) {
  asy_poolstats s;
  asy_pool_stats(check_executor(L, 1)->pool, &s);
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, s.max);
  lua_setfield(L, -2, "max_workers");
  lua_pushinteger(L, s.alive);
  lua_setfield(L, -2, "workers");
  lua_pushinteger(L, s.running);
  lua_setfield(L, -2, "running");
  lua_pushinteger(L, s.queued);
  lua_setfield(L, -2, "queued");
  return 1;
}


static int executor_tostring(lua_State *L) {
  const asy_executor *ex = check_executor(L, 1);
  asy_poolstats s;
  asy_pool_stats(ex->pool, &s);
  lua_pushfstring(L, "<%s '%s' workers:%d/%d%s>",
                  asy_kindname((asy_kind)ex->kind) + strlen("asyncio."),
                  ex->pool->settings.name, (int)s.alive, (int)s.max,
                  s.stopping ? " shut down" : "");
  return 1;
}


static int executor_gc(lua_State *L) {
  asy_executor *ex = to_executor(L, asy_rt_up(L), 1);
  if (ex == NULL || ex->pool == NULL)
    return 0;
  ex->pool->orphan = true;
  asy_pool_stop(ex->pool);
  ex->pool = NULL;
  asy_pool_reap(ex->rt);
  return 0;
}

/* }====== */


/* {====== The default executor ====== */

/* The argument, an executor: of threads, or anything with a method 'submit'. */
static void check_submits(lua_State *L, int arg) {
  bool is = to_executor(L, asy_rt_up(L), arg) != NULL;
  if (!is && (lua_istable(L, arg) || lua_isuserdata(L, arg)) &&
      (lua_istable(L, arg) || luaL_getmetafield(L, arg, "__index") != 0)) {
    lua_getfield(L, arg, "submit");
    is = lua_isfunction(L, -1);
    lua_pop(L, 1);
  }
  if (!is)
    asy_typeerror(L, arg, "executor");
}


#define DEFAULT "executor" /* the field of the loop's data */


/* Pushes the loop's default executor, made on first use, and nil where it is not
** wanted any more. The loop is the running one, or on the stack. */
static void push_default(lua_State *L, asy_loop *loop) {
  asy_loop_push(L, loop);
  lua_getiuservalue(L, -1, ASY_LOOP_DATA);
  lua_remove(L, -2);
  if (lua_getfield(L, -1, DEFAULT) == LUA_TNIL) {
    lua_pop(L, 1);
    executor_new(L, loop->rt, ASY_THREADPOOL, usable_cores());
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, DEFAULT);
  }
  lua_remove(L, -2);
  if (lua_isboolean(L, -1))
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the default executor has been shut down");
}


/* Submits the function at 'fn' and the arguments above it to the executor on the
** top, which it moves below these, and pushes the future. */
static void submit_to(lua_State *L, asy_loop *loop, int fn, int arg) {
  const asy_executor *ex = to_executor(L, loop->rt, -1);
  if (ex != NULL) {
    lua_insert(L, fn); /* its owner may let go of it meanwhile */
    asy_job_submit(L, loop, ex->pool, fn + 1, arg);
    return;
  }
  lua_getfield(L, -1, "submit");
  lua_insert(L, fn);
  lua_insert(L, fn + 1);
  lua_call(L, lua_gettop(L) - fn, 1);
  if (asy_tofuture(L, loop->rt, -1) == NULL)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "the executor's 'submit' did not return a future");
}


/* loop:run_in_executor(executor or nil, fn, ...) */
static int run_in_executor(lua_State *L) {
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  luaL_checkany(L, 2);
  asy_settings_checkfn(L, 3);
  asy_loop_checkopen(L, loop);
  if (lua_isnil(L, 2)) {
    push_default(L, loop);
  } else {
    check_submits(L, 2);
    lua_pushvalue(L, 2);
  }
  submit_to(L, loop, 3, 2);
  return 1;
}


/* loop:set_default_executor(executor) */
static int set_default_executor(lua_State *L) {
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  check_submits(L, 2);
  asy_loop_checkopen(L, loop);
  lua_getiuservalue(L, 1, ASY_LOOP_DATA);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, DEFAULT);
  return 0;
}


/* drop_default_executor(loop): that executor or nil, and the loop has none any
** more */
static int drop_default_executor(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  lua_getiuservalue(L, 1, ASY_LOOP_DATA);
  if (lua_getfield(L, -1, DEFAULT) == LUA_TBOOLEAN) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  lua_pushboolean(L, 0);
  lua_setfield(L, -3, DEFAULT);
  return 1;
}


int asy_executor_loopclosed(lua_State *L) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, 1);
  const asy_executor *ex;
  lua_getiuservalue(L, 1, ASY_LOOP_DATA);
  lua_getfield(L, -1, DEFAULT);
  ex = to_executor(L, loop->rt, -1);
  if (ex != NULL && ex->pool != NULL)
    asy_pool_stop(ex->pool);
  return 0;
}


/* to_thread(fn, ...) */
static int to_thread(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop;
  asy_settings_checkfn(L, 1);
  loop = asy_task_here(L, rt, "to_thread")->fut.loop;
  push_default(L, loop);
  submit_to(L, loop, 1, 1);
  lua_insert(L, 1);
  return asy_await_future(L, rt, asy_tofuture(L, rt, 1), "to_thread");
}

/* }====== */


/* executor_onclose(fn): what closing a variable that holds any of ours calls */
static int executor_onclose(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  for (int kind = ASY_THREADPOOL; kind <= ASY_PROCESSPOOL; kind++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_up(L)->meta[kind]);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__close");
  }
  return 0;
}


/* is_closing(): whether a loop is being closed, so that this may be its task */
static int is_closing(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  bool is = false;
  for (asy_list *n = rt->engines.next; n != &rt->engines && !is; n = n->next) {
    uint32_t owner = asy_of(n, asy_engine, link)->owner;
    const asy_loop *loop = (const asy_loop *)asy_weak_get(rt, owner);
    is = loop != NULL && loop->closing;
  }
  lua_pushboolean(L, is);
  return 1;
}


/* check_function(fn, fname): fn, a function or the name of one, the first
** argument of the Lua function that was called by that name */
static int check_function(lua_State *L) {
  if (!asy_settings_isfn(L, 1)) {
    luaL_where(L, 2);
    lua_pushfstring(L,
                    "bad argument #1 to '%s' (function or "
                    "\"module:function\" expected, got %s)",
                    luaL_checkstring(L, 2), luaL_typename(L, 1));
    lua_concat(L, 2);
    return lua_error(L);
  }
  lua_settop(L, 1);
  return 1;
}


/* named_function(fn): fn, or the function of that name */
static int named_function(lua_State *L) {
  lua_settop(L, 1);
  asy_settings_resolve(L, 1);
  return 1;
}


/* cpu_count(): cores that this process may use */
static int cpu_count(lua_State *L) {
  lua_pushinteger(L, usable_cores());
  return 1;
}


void asy_executor_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"submit", submit},
      {"statistics", statistics},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", executor_gc},
      {"__tostring", executor_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg loop[] = {
      {"run_in_executor", run_in_executor},
      {"set_default_executor", set_default_executor},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"to_thread", to_thread},
      {"cpu_count", cpu_count},
      {"executor_stop", executor_stop},
      {"executor_left", executor_left},
      {"executor_join", executor_join},
      {"executor_onclose", executor_onclose},
      {"is_closing", is_closing},
      {"check_function", check_function},
      {"named_function", named_function},
      {"drop_default_executor", drop_default_executor},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
  asy_newmeta(L, ASY_EXECUTOR, asy_kindname(ASY_EXECUTOR), methods, meta, 0);
  for (int kind = ASY_THREADPOOL; kind <= ASY_PROCESSPOOL; kind++)
    asy_newmeta(L, (asy_kind)kind, asy_kindname((asy_kind)kind), NULL, meta,
                ASY_EXECUTOR);
  lua_pop(L, 3);
  lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_of(L)->meta[ASY_LOOP]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, loop);
  lua_pop(L, 2);
  asy_job_open(L);
  asy_work_open(L);
  asy_quota_open(L);
}
