/*
** asyncio.coroutine: Lua's coroutine library, but for that an await inside a
** coroutine suspends the task, and that cancellations and tracebacks pass
** through resume.
**
** As long as a coroutine waits in an await, it is "normal" for all others: it
** has been resumed, and has not yielded yet.
*/
#include "error.h"
#include "nest.h"
#include "wait.h"


typedef enum co_status {
  CO_RUNNING,
  CO_DEAD,
  CO_SUSPENDED,
  CO_NORMAL
} co_status;

static const char *const status_name[] = {"running", "dead", "suspended",
                                          "normal"};


static lua_State *check_co(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  return co;
}


/* Whether the thread, whose status is LUA_OK, has a function that runs. */
static bool has_frames(lua_State *co) {
  lua_Debug ar;
  return lua_getstack(co, 0, &ar) != 0;
}


static co_status get_status(lua_State *L, asy_rt *rt, lua_State *co) {
  if (L == co)
    return CO_RUNNING;
  switch (lua_status(co)) {
  case LUA_YIELD: return asy_nest_waits(rt, co) ? CO_NORMAL : CO_SUSPENDED;
  case LUA_OK:
    if (has_frames(co))
      return CO_NORMAL;
    return lua_gettop(co) == 0 ? CO_DEAD : CO_SUSPENDED;
  default: return CO_DEAD;
  }
}


/* {====== Resuming ====== */

/* So many values a C function may push without asking. */
#define MOST_FREE (LUA_MINSTACK / 2)

/* Moves the 'nargs' values on the top of L to the thread; or pushes an error and
** returns false. What waits in a function of ours has something on its stack,
** what has yielded has not: so the second question is rarely asked. */
static inline bool co_give(lua_State *L, asy_rt *rt, lua_State *co, int nargs) {
  if (asy_unlikely(lua_gettop(co) != 0) && asy_nest_waits(rt, co)) {
    lua_pushliteral(L, "cannot resume non-suspended coroutine");
    return false;
  }
  if (nargs == 0)
    return true;
  if (asy_unlikely(!lua_checkstack(co, nargs))) {
    lua_pushliteral(L, "too many arguments to resume");
    return false;
  }
  lua_xmove(L, co, nargs);
  return true;
}


/* Moves the results of the thread's step to L; or pushes an error and returns
** false. */
static inline bool co_take(lua_State *L, lua_State *co, int nres) {
  if (asy_unlikely(nres > MOST_FREE && !lua_checkstack(L, nres + 1))) {
    lua_pop(co, nres);
    lua_pushliteral(L, "too many results to resume");
    return false;
  }
  lua_xmove(co, L, nres);
  return true;
}


static inline bool is_error(int status) {
  return asy_unlikely(status != LUA_OK && status != LUA_YIELD);
}


/* Whether the thread has ended with an error. */
static bool has_failed(lua_State *co) {
  return is_error(lua_status(co));
}

/* }====== */


/* {====== resume ====== */

/* The error on the top goes no further, but for one that passes all protected
** calls of a program that runs a loop. */
static int resume_failed(lua_State *L, asy_rt *rt, lua_State *co) {
  if (rt->running != NULL && has_failed(co)) {
    if (asy_error_passes(L, rt, -1)) {
      asy_nest_close(L, rt, co);
      return lua_error(L);
    }
    if (lua_status(co) != LUA_ERRMEM) {
      asy_nest_traceback(L, rt, co);
      asy_nest_cause(L, rt, -2);
    }
  }
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}


static int resume_woken(lua_State *L, int status, lua_KContext ctx);


/* Stack: the coroutine, whose arguments have been given to it. */
static inline int resume_step(lua_State *L, asy_rt *rt, lua_State *co,
                              int nargs) {
  int nres, status = asy_nest_step(L, rt, co, nargs, &nres);
  if (is_error(status)) {
    if (status == ASY_NEST_AWAITS)
      return asy_nest_wait(L, rt, 0, resume_woken);
    lua_xmove(co, L, 1);
    return resume_failed(L, rt, co);
  }
  lua_pushboolean(L, 1);
  if (asy_likely(co_take(L, co, nres)))
    return nres + 1;
  return resume_failed(L, rt, co);
}


static int resume_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  lua_State *co = lua_tothread(L, 1);
  (void)status;
  (void)ctx;
  asy_nest_woken(L, rt, co);
  return resume_step(L, rt, co, 0);
}


/* resume(co, ...) */
static int resume(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_State *co = check_co(L);
  int nargs = lua_gettop(L) - 1;
  if (asy_likely(co_give(L, rt, co, nargs)))
    return resume_step(L, rt, co, nargs);
  return resume_failed(L, rt, co);
}

/* }====== */


/* {====== wrap ====== */

/* The thread has ended with the error at 'err', the top: closes it. Pushes the
** traceback, or nil. */
static void wrap_close(lua_State *L, asy_rt *rt, lua_State *co, int err) {
  if (lua_status(co) == LUA_ERRMEM)
    lua_pushnil(L);
  else
    asy_nest_traceback(L, rt, co);
  lua_pushvalue(L, err);
  asy_nest_close(L, rt, co);
  if (!lua_rawequal(L, -1, err)) {
    lua_pushnil(L);
    lua_replace(L, err + 1);
  }
  lua_replace(L, err);
}


/* Raises the error on the top, with a position before a string. */
static int wrap_failed(lua_State *L, asy_rt *rt, lua_State *co) {
  int err = lua_gettop(L), status = lua_status(co);
  if (has_failed(co))
    wrap_close(L, rt, co, err);
  else
    lua_pushnil(L);
  if (status != LUA_ERRMEM && lua_type(L, err) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_pushvalue(L, err);
    lua_concat(L, 2);
    lua_replace(L, err);
  }
  asy_nest_cause(L, rt, err);
  return lua_error(L);
}


static int wrap_woken(lua_State *L, int status, lua_KContext ctx);


/* Stack: the coroutine, whose arguments have been given to it. */
static inline int wrap_step(lua_State *L, asy_rt *rt, lua_State *co,
                            int nargs) {
  int nres, status = asy_nest_step(L, rt, co, nargs, &nres);
  if (is_error(status)) {
    if (status == ASY_NEST_AWAITS)
      return asy_nest_wait(L, rt, 0, wrap_woken);
    lua_xmove(co, L, 1);
    return wrap_failed(L, rt, co);
  }
  if (asy_likely(co_take(L, co, nres)))
    return nres;
  return wrap_failed(L, rt, co);
}


static int wrap_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  lua_State *co = lua_tothread(L, 1);
  (void)status;
  (void)ctx;
  asy_nest_woken(L, rt, co);
  return wrap_step(L, rt, co, 0);
}


/* What wrap returns. The third upvalue is the coroutine. Nobody can look at it
** after an error, so in a task its function runs in a protected call, where
** <close> variables may suspend. */
static int wrap_call(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_State *co = lua_tothread(L, lua_upvalueindex(3));
  int nargs = lua_gettop(L);
  if (asy_unlikely(lua_status(co) == LUA_OK) && !has_frames(co) &&
      lua_gettop(co) == 1 && asy_task_able(L, rt) != NULL)
    asy_nest_protect(L, co);
  if (asy_unlikely(!co_give(L, rt, co, nargs)))
    return wrap_failed(L, rt, co);
  lua_pushvalue(L, lua_upvalueindex(3));
  return wrap_step(L, rt, co, nargs);
}

/* }====== */


/* {====== The rest of the library ====== */

/* create(fn) */
static int create(lua_State *L) {
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}


/* wrap(fn) */
static int wrap(lua_State *L) {
  create(L);
  asy_nest_pushclosure(L, wrap_call, 1);
  return 1;
}


/* yield(...) */
static int yield(lua_State *L) {
  return lua_yield(L, lua_gettop(L));
}


/* status(co) */
static int status(lua_State *L) {
  lua_State *co = check_co(L);
  lua_pushstring(L, status_name[get_status(L, asy_rt_up(L), co)]);
  return 1;
}


/* isyieldable(co): of the running one when it is missing */
static int isyieldable(lua_State *L) {
  lua_State *co = lua_isnone(L, 1) ? L : check_co(L);
  lua_pushboolean(L, lua_isyieldable(co));
  return 1;
}


/* running(): also whether that is the main one */
static int running(lua_State *L) {
  int is_main = lua_pushthread(L);
  lua_pushboolean(L, is_main);
  return 2;
}


/* close(co) */
static int close(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_State *co = check_co(L);
  co_status is = get_status(L, rt, co);
  int failed;
  if (is != CO_DEAD && is != CO_SUSPENDED)
    return luaL_error(L, "cannot close a %s coroutine", status_name[is]);
  failed = asy_inner_close(L, rt, co);
  if (failed == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}


void asy_colib_open(lua_State *L) {
  static const luaL_Reg plain[] = {
      {"create", create},   {"yield", yield}, {"isyieldable", isyieldable},
      {"running", running}, {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"wrap", wrap},
      {"status", status},
      {"close", close},
      {NULL, NULL},
  };
  lua_newtable(L);
  luaL_setfuncs(L, plain, 0);
  asy_setfuncs(L, funcs);
  asy_nest_pushclosure(L, resume, 0);
  lua_setfield(L, -2, "resume");
  lua_setfield(L, -2, "coroutine");
}

/* }====== */
