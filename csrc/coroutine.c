/*
** Coroutine objects and the functions that make them.
*/
#include "coroutine.h"

#include "debug.h"
#include "error.h"
#include "loop.h"
#include "report.h"

typedef enum co_state { CO_NEW, CO_TAKEN, CO_STARTED, CO_CLOSED } co_state;

typedef struct asy_coroutine {
  asy_rt *rt;
  uint8_t kind;
  uint8_t state;
  int nargs;
} asy_coroutine;

/* User values: the function, where it was made, then the arguments. */
#define CO_FUNCTION 1
#define CO_SOURCE 2
#define CO_VALUES 2

/* A userdata has fewer than 2^16 user values. */
#define MAX_ARGS 65000


static int call_coroutine_function(lua_State *L) {
  int nargs = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(ASY_COROUTINE_FUNCTION));
  lua_insert(L, 1);
  asy_coroutine_new(L, asy_rt_up(L), nargs);
  return 1;
}


bool asy_coroutine_isfunction(lua_State *L, int idx) {
  return lua_tocfunction(L, idx) == call_coroutine_function;
}


void asy_coroutine_wrap(lua_State *L, asy_rt *rt) {
  lua_pushlightuserdata(L, rt);
  lua_insert(L, -2);
  lua_pushcclosure(L, call_coroutine_function, ASY_COROUTINE_FUNCTION);
}


void asy_coroutine_unwrap(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  lua_getupvalue(L, idx, ASY_COROUTINE_FUNCTION);
  lua_replace(L, idx);
}


/* In debug mode a Coroutine has a finalizer, which says that it never ran. */
static void watch_unawaited(lua_State *L) {
  asy_debug_source(L);
  lua_setiuservalue(L, -2, CO_SOURCE);
  lua_getmetatable(L, -1);
  lua_getfield(L, -1, "__debugmeta");
  lua_setmetatable(L, -3);
  lua_pop(L, 1);
}


void asy_coroutine_new(lua_State *L, asy_rt *rt, int nargs) {
  int first = lua_gettop(L) - nargs;
  asy_coroutine *co;
  if (nargs > MAX_ARGS)
    luaL_error(L, "too many arguments to a coroutine (more than %d)", MAX_ARGS);
  co = (asy_coroutine *)asy_new(L, rt, ASY_COROUTINE, sizeof(asy_coroutine),
                                CO_VALUES + nargs);
  co->nargs = nargs;
  lua_insert(L, first);
  for (int i = nargs; i >= 1; i--)
    lua_setiuservalue(L, first, CO_VALUES + i);
  lua_setiuservalue(L, first, CO_FUNCTION);
  if (rt->running != NULL && rt->running->debug)
    watch_unawaited(L);
}


static int already_used(lua_State *L) {
  return asy_error_raise(L, ASY_RUNTIME_ERROR,
                         "cannot reuse a coroutine that was awaited or closed");
}


void asy_coroutine_take(lua_State *L, int idx) {
  asy_coroutine *co = (asy_coroutine *)lua_touserdata(L, idx);
  if (co->state != CO_NEW)
    already_used(L);
  co->state = CO_TAKEN;
}


static void let_go(lua_State *L, asy_coroutine *co, int idx) {
  idx = lua_absindex(L, idx);
  for (int i = 1; i <= CO_VALUES + co->nargs; i++) {
    lua_pushnil(L);
    lua_setiuservalue(L, idx, i);
  }
}


int asy_coroutine_start(lua_State *L, int idx) {
  asy_coroutine *co = (asy_coroutine *)lua_touserdata(L, idx);
  idx = lua_absindex(L, idx);
  if (co->state >= CO_STARTED)
    already_used(L);
  luaL_checkstack(L, co->nargs + LUA_MINSTACK, "too many arguments");
  lua_getiuservalue(L, idx, CO_FUNCTION);
  for (int i = 1; i <= co->nargs; i++)
    lua_getiuservalue(L, idx, CO_VALUES + i);
  co->state = CO_STARTED;
  let_go(L, co, idx);
  return 1 + co->nargs;
}


void asy_coroutine_close(lua_State *L, int idx) {
  asy_coroutine *co = (asy_coroutine *)lua_touserdata(L, idx);
  if (co->state >= CO_STARTED)
    return;
  co->state = CO_CLOSED;
  let_go(L, co, idx);
}


/* {====== Lua's view ====== */

/* async(fn) */
static int async(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  asy_coroutine_wrap(L, asy_rt_up(L));
  return 1;
}


static int iscoroutinefunction(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, asy_coroutine_isfunction(L, 1));
  return 1;
}


static int iscoroutine(lua_State *L) {
  luaL_checkany(L, 1);
  lua_pushboolean(L, asy_tokind(L, asy_rt_up(L), 1, ASY_COROUTINE) != NULL);
  return 1;
}


static int close(lua_State *L) {
  asy_checkkind(L, 1, ASY_COROUTINE);
  asy_coroutine_close(L, 1);
  return 0;
}


static int coroutine_tostring(lua_State *L) {
  static const char *const name[] = {"created", "scheduled", "started",
                                     "closed"};
  asy_coroutine *co = (asy_coroutine *)asy_checkkind(L, 1, ASY_COROUTINE);
  lua_pushfstring(L, "<Coroutine %s %p>", name[co->state], (void *)co);
  return 1;
}


static int coroutine_gc(lua_State *L) {
  asy_coroutine *co = (asy_coroutine *)asy_checkkind(L, 1, ASY_COROUTINE);
  if (co->state != CO_NEW)
    return 0;
  lua_getiuservalue(L, 1, CO_SOURCE);
  asy_report_warn(L, "coroutine was never awaited (created at %s)",
                  lua_tostring(L, -1));
  return 0;
}


void asy_coroutine_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__tostring", coroutine_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg gc[] = {{"__gc", coroutine_gc}, {NULL, NULL}};
  static const luaL_Reg funcs[] = {
      {"async", async},
      {"iscoroutinefunction", iscoroutinefunction},
      {"iscoroutine", iscoroutine},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_COROUTINE, "asyncio.Coroutine", methods, meta, 0);
  lua_newtable(L); /* the same metatable with a finalizer */
  for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
  }
  asy_setfuncs(L, gc);
  lua_setfield(L, -2, "__debugmeta");
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}

/* }====== */
