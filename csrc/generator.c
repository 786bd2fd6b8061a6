/*
** generator(fn): a function that gives values to a loop, and may suspend the
** task that loops. Its body runs in a thread of its own (nest.h):
**   new       has not begun
**   waiting   in yield, for the next call
**   running   a call is under way, perhaps in an await
**   closing   the loop was left: yield raises, so that the body unwinds
**   over
** A generator that is collected while it waits is closed by a task.
*/
#include "coroutine.h"
#include "error.h"
#include "nest.h"
#include "report.h"
#include "wait.h"

typedef enum gen_state { NEW, WAITING, RUNNING, CLOSING, OVER } gen_state;

typedef struct asy_generator {
  asy_rt *rt;
  uint8_t kind;
  uint8_t state;
  bool ignored;   /* it has yielded while it was closing */
  lua_State *co;  /* the user value */
  asy_loop *loop; /* that ran at the last call; only to be compared */
} asy_generator;

/* User values. */
#define GEN_THREAD 1
#define GEN_EXIT 2 /* the error that closes it */
#define GEN_VALUES 2


static asy_generator *check_generator(lua_State *L) {
  return (asy_generator *)asy_checkkind(L, 1, ASY_GENERATOR);
}


/* The generator at 'idx' is over, and lets go of its thread. */
static void gen_over(lua_State *L, asy_generator *g, int idx) {
  g->state = OVER;
  g->co = NULL;
  for (int i = 1; i <= GEN_VALUES; i++) {
    lua_pushnil(L);
    lua_setiuservalue(L, idx, i);
  }
}


/* {====== Yielding ====== */

static int yield_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_generator *g = (asy_generator *)lua_touserdata(L, lua_upvalueindex(2));
  (void)status;
  (void)ctx;
  if (g->state == CLOSING) {
    lua_getiuservalue(L, lua_upvalueindex(2), GEN_EXIT);
    return lua_error(L);
  }
  if (g->state != RUNNING)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "a generator's coroutine was resumed by something "
                           "else than its loop");
  return 0;
}


/* yield(...), which the body gets. The second upvalue is the generator. */
static int gen_yield(lua_State *L) {
  asy_generator *g = (asy_generator *)lua_touserdata(L, lua_upvalueindex(2));
  if (g->co != L)
    return asy_error_raise(
        L, ASY_RUNTIME_ERROR,
        g->co == NULL ? "the generator of this 'yield' is over"
                      : "'yield' must be called by its generator's own "
                        "function, not in another coroutine or task");
  if (g->state == CLOSING && !g->ignored) {
    g->ignored = true;
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "generator ignored that it was closed");
  }
  if (lua_isnoneornil(L, 1))
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "a generator cannot yield nil first: it would end "
                           "the loop");
  if (!lua_isyieldable(L))
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "'yield' cannot be called below a C function that "
                           "cannot yield, such as table.sort");
  return lua_yieldk(L, lua_gettop(L), 0, yield_woken);
}

/* }====== */


/* {====== Calling ====== */

/* Stack of a call and of a closing. */
#define CALL_THREAD 1
#define CALL_GENERATOR 2


/* Arranges it; only the generator at 1 and the thread stay. */
static lua_State *push_call(lua_State *L) {
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, GEN_THREAD);
  lua_insert(L, CALL_THREAD);
  return lua_tothread(L, CALL_THREAD);
}


/* The body failed with the error on the top, which goes on unchanged. */
static int gen_failed(lua_State *L, asy_generator *g, lua_State *co) {
  gen_over(L, g, CALL_GENERATOR);
  if (lua_status(co) != LUA_ERRMEM) {
    asy_nest_traceback(L, g->rt, co);
    asy_nest_cause(L, g->rt, -2);
  }
  return lua_error(L);
}


static int next_woken(lua_State *L, int status, lua_KContext ctx);


static int next_step(lua_State *L, asy_generator *g, int nargs) {
  lua_State *co = g->co;
  int nres, status = asy_nest_step(L, g->rt, co, nargs, &nres);
  if (status == ASY_NEST_AWAITS)
    return asy_nest_wait(L, g->rt, 0, next_woken);
  if (status == LUA_OK) {
    gen_over(L, g, CALL_GENERATOR);
    return 0;
  }
  if (asy_unlikely(status != LUA_YIELD)) {
    lua_xmove(co, L, 1);
    return gen_failed(L, g, co);
  }
  g->state = WAITING;
  if (asy_unlikely(!lua_checkstack(L, nres))) {
    lua_pop(co, nres);
    return luaL_error(L, "too many values to yield");
  }
  lua_xmove(co, L, nres);
  return nres;
}


static int next_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_generator *g = (asy_generator *)lua_touserdata(L, CALL_GENERATOR);
  (void)status;
  (void)ctx;
  g->state = OVER; /* if the loop closes */
  asy_nest_woken(L, g->rt, g->co);
  g->state = RUNNING;
  return next_step(L, g, 0);
}


/* generator(): the next values, none at the end */
static int gen_next(lua_State *L) {
  asy_generator *g = check_generator(L);
  int nargs;
  if (g->state == OVER)
    return 0;
  if (g->state != WAITING && g->state != NEW)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           g->co == L ? "a generator cannot call itself"
                                      : "the generator is running already, in "
                                        "another task or coroutine");
  push_call(L);
  nargs = g->state == NEW ? lua_gettop(g->co) - 1 : 0;
  g->state = RUNNING;
  g->loop = g->rt->running;
  return next_step(L, g, nargs);
}

/* }====== */


/* {====== Closing ====== */

static int close_woken(lua_State *L, int status, lua_KContext ctx);


/* It yields even now: it is closed as a coroutine is. */
static int close_forced(lua_State *L, asy_generator *g) {
  asy_error_push(L, g->rt, ASY_RUNTIME_ERROR,
                 "generator ignored that it was closed");
  asy_nest_close(L, g->rt, g->co);
  gen_over(L, g, CALL_GENERATOR);
  return lua_error(L);
}


static int close_step(lua_State *L, asy_generator *g) {
  lua_State *co = g->co;
  int nres, status = asy_nest_step(L, g->rt, co, 0, &nres);
  if (status == ASY_NEST_AWAITS)
    return asy_nest_wait(L, g->rt, 0, close_woken);
  if (status == LUA_YIELD) {
    lua_pop(co, nres);
    return close_forced(L, g);
  }
  if (status != LUA_OK) {
    lua_getiuservalue(L, CALL_GENERATOR, GEN_EXIT);
    lua_xmove(co, L, 1);
    if (!lua_rawequal(L, -1, -2))
      return gen_failed(L, g, co);
  }
  gen_over(L, g, CALL_GENERATOR);
  return 0;
}


static int close_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_generator *g = (asy_generator *)lua_touserdata(L, CALL_GENERATOR);
  (void)status;
  (void)ctx;
  g->state = OVER;
  asy_nest_woken(L, g->rt, g->co);
  g->state = CLOSING;
  return close_step(L, g);
}


/* generator:close(), and the end of its loop: <close> variables of the body are
** closed, and may suspend. */
static int gen_close(lua_State *L) {
  asy_generator *g = check_generator(L);
  lua_State *co = push_call(L);
  if (g->state == OVER)
    return 0;
  if (g->state == NEW) {
    gen_over(L, g, CALL_GENERATOR);
    return 0;
  }
  if (g->state != WAITING)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "cannot close a generator that is running");
  if (!lua_checkstack(co, 1))
    return luaL_error(L, "stack overflow");
  asy_error_push(L, g->rt, ASY_CANCELLED_ERROR, "generator closed");
  lua_setiuservalue(L, CALL_GENERATOR, GEN_EXIT);
  g->state = CLOSING;
  g->loop = g->rt->running;
  return close_step(L, g);
}


/* Closes the generator at 1 in a task, whose first step is now, so that nothing
** can cancel it before. */
static void close_in_task(lua_State *L, asy_rt *rt) {
  asy_nest_pushclosure(L, gen_close, 0);
  lua_pushvalue(L, 1);
  asy_task_new(L, rt->running, 1);
  lua_pushliteral(L, "close of a generator");
  asy_future_setextra(L, 2, "name");
  asy_task_eager(L, 2);
}


static void close_now(lua_State *L) {
  asy_nest_pushclosure(L, gen_close, 0);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK)
    return;
  luaL_tolstring(L, -1, NULL);
  asy_report_warn(L, "error while an abandoned generator was closed: %s",
                  lua_tostring(L, -1));
}


/* Abandoned. In the run in which it was used, its end may suspend. */
static int gen_gc(lua_State *L) {
  asy_generator *g = check_generator(L);
  asy_loop *loop = g->rt->running;
  lua_settop(L, 1);
  if (g->state != WAITING)
    return 0;
  if (loop != NULL && loop == g->loop && loop->engine != NULL && !loop->closing)
    close_in_task(L, g->rt);
  else
    close_now(L);
  return 0;
}

/* }====== */


static int gen_tostring(lua_State *L) {
  static const char *const name[] = {"created", "suspended", "running",
                                     "closing", "finished"};
  asy_generator *g = check_generator(L);
  lua_pushfstring(L, "<Generator %s %p>", name[g->state], (void *)g);
  return 1;
}


/* Moves the body, the function yield and the arguments, which are above index
** 1, to the thread of the generator at 1. */
static void give_body(lua_State *L, lua_State *co) {
  int n = lua_gettop(L) - 1;
  if (!lua_checkstack(co, n + 1))
    luaL_error(L, "too many arguments");
  lua_pushvalue(L, 2);
  lua_xmove(L, co, 1);
  asy_nest_protect(L, co);
  lua_xmove(L, co, n - 1);
  lua_settop(L, 1);
}


/* generator(fn, ...): what a generic for needs; fn(yield, ...) is the body */
static int generator(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_generator *g;
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  if (asy_coroutine_isfunction(L, 1))
    asy_coroutine_unwrap(L, 1);
  g = (asy_generator *)asy_new(L, rt, ASY_GENERATOR, sizeof(*g), GEN_VALUES);
  lua_insert(L, 1); /* generator, function, arguments */
  co = lua_newthread(L);
  lua_setiuservalue(L, 1, GEN_THREAD);
  g->co = co;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, gen_yield, 2);
  lua_insert(L, 3);
  give_body(L, co);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  return 4;
}


void asy_generator_open(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__tostring", gen_tostring},
      {"__gc", gen_gc},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {{"generator", generator}, {NULL, NULL}};
  asy_newmeta(L, ASY_GENERATOR, "asyncio.Generator", NULL, meta, 0);
  asy_nest_pushclosure(L, gen_next, 0);
  lua_setfield(L, -2, "__call");
  asy_nest_pushclosure(L, gen_close, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__close");
  lua_getfield(L, -2, "__methods");
  lua_insert(L, -2);
  lua_setfield(L, -2, "close");
  lua_pop(L, 2);
  asy_setfuncs(L, funcs);
}
