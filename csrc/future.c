/*
** Futures without anything that suspends: states, values, watchers.
*/
#include "future.h"

#include "anchor.h"
#include "debug.h"
#include "error.h"
#include "report.h"

#define MAX_DEPTH 64 /* of completions that complete others */


/* {====== Making ====== */

asy_future *asy_future_new(lua_State *L, asy_loop *loop, asy_kind kind,
                           size_t size, int nuv) {
  asy_future *f = (asy_future *)asy_new(L, loop->rt, kind, size, nuv);
  f->loop = loop;
  asy_list_init(&f->watchers);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, ASY_FUT_EXTRA);
  if (asy_unlikely(loop->debug) && kind != ASY_TASK) {
    asy_debug_source(L);
    asy_future_setextra(L, -2, "source");
  }
  return f;
}


asy_future *asy_checkfuture(lua_State *L, int arg) {
  asy_future *f = asy_tofuture(L, asy_rt_up(L), arg);
  if (asy_unlikely(f == NULL))
    asy_typeerror(L, arg, asy_kindname(ASY_FUTURE));
  return f;
}

/* }====== */


/* {====== Extras ====== */

void asy_future_extra(lua_State *L, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  idx = lua_absindex(L, idx);
  if (lua_getiuservalue(L, idx, ASY_FUT_EXTRA) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  if (lua_getiuservalue(L, idx, ASY_FUT_EXTRA) == LUA_TTABLE) {
    lua_remove(L, -2); /* a finalizer has made it meanwhile */
    return;
  }
  lua_setfield(L, -2, "loop");
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, idx, ASY_FUT_EXTRA);
  f->flags |= ASY_EXTRAS;
}


void asy_future_setextra(lua_State *L, int idx, const char *name) {
  asy_future_extra(L, idx);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}


int asy_future_getextra(lua_State *L, int idx, const char *name) {
  if (lua_getiuservalue(L, idx, ASY_FUT_EXTRA) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_pushnil(L);
    return LUA_TNIL;
  }
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
  return lua_type(L, -1);
}

void asy_future_pushloop(lua_State *L, int idx) {
  if (lua_getiuservalue(L, idx, ASY_FUT_EXTRA) != LUA_TTABLE)
    return;
  lua_getfield(L, -1, "loop");
  lua_remove(L, -2);
}

/* }====== */


/* {====== Ending ====== */

void asy_future_done(asy_future *f, asy_state state) {
  f->state = (uint8_t)state;
  while (!asy_list_empty(&f->watchers)) {
    asy_watch *w = asy_of(f->watchers.next, asy_watch, link);
    asy_list_remove(&w->link);
    w->fire(w, f);
  }
}


bool asy_future_follow(asy_future *f, asy_state state) {
  if (f->rt->depth >= MAX_DEPTH)
    return false;
  if (state != ASY_CANCELLED)
    f->flags |= ASY_UNSETTLED;
  f->rt->depth++;
  asy_future_done(f, state);
  f->rt->depth--;
  return true;
}


void asy_future_setresult(lua_State *L, asy_future *f, int idx, int n) {
  if (n > 1) {
    lua_createtable(L, n, 1);
    lua_insert(L, -n - 1);
    for (int i = n; i >= 1; i--)
      lua_rawseti(L, -i - 1, i);
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
  } else if (n == 0) {
    lua_pushnil(L);
  }
  lua_setiuservalue(L, idx, ASY_FUT_VALUE);
  f->nresults = (uint8_t)(n > 1 ? 2 : n);
  asy_future_done(f, ASY_FINISHED);
  if (asy_unlikely(f->flags & ASY_EXTRAS))
    asy_anchor_clear(L, idx);
}


void asy_future_seterror(lua_State *L, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  idx = lua_absindex(L, idx);
  lua_setiuservalue(L, idx, ASY_FUT_VALUE);
  asy_future_done(f, ASY_FAILED);
  if (f->flags & ASY_EXTRAS)
    asy_anchor_clear(L, idx);
  if (!(f->flags & ASY_RETRIEVED))
    asy_report_watch(L, idx);
}


bool asy_future_cancelplain(asy_future *f) {
  asy_future_done(f, ASY_CANCELLED);
  return true;
}


bool asy_future_cancel(asy_future *f) {
  if (f->state != ASY_PENDING)
    return false;
  return f->rt->ops[f->kind]->cancel(f);
}


/* Whether the future 'f' at 'idx' was cancelled with a message before. */
static bool has_message(lua_State *L, const asy_future *f, int idx) {
  bool has;
  if (!(f->flags & ASY_EXTRAS))
    return false;
  has = asy_future_getextra(L, idx, "message") != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}


bool asy_future_cancelwith(lua_State *L, asy_future *f, int idx, int msg) {
  if (f->state != ASY_PENDING)
    return false;
  if (!lua_isnoneornil(L, msg) || has_message(L, f, idx)) {
    lua_pushvalue(L, msg);
    asy_future_setextra(L, idx, "message");
  }
  if (!asy_future_cancel(f))
    return false;
  if (f->state != ASY_PENDING && (f->flags & ASY_EXTRAS))
    asy_anchor_clear(L, idx);
  return true;
}

/* }====== */


/* {====== Taking ====== */

/* Futures stand for futures that stand for futures...: those to be settled
** first pile up on the Lua stack, and the C stack stays flat. */
static void settle_all(lua_State *L, int idx) {
  int base = lua_gettop(L);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_pushvalue(L, idx);
  while (lua_gettop(L) > base) {
    asy_future *f = (asy_future *)lua_touserdata(L, -1);
    luaL_checkstack(L, LUA_MINSTACK, "too many nested futures");
    if (!f->rt->ops[f->kind]->settle(L, lua_gettop(L)))
      continue;
    f->flags &= (uint8_t)~ASY_UNSETTLED;
    if (f->flags & ASY_EXTRAS)
      asy_anchor_clear(L, -1);
    lua_pop(L, 1);
  }
}


static inline void settle(lua_State *L, asy_future *f, int idx) {
  if (asy_unlikely(f->flags & ASY_UNSETTLED))
    settle_all(L, idx);
}


/* Pushes the table's values 1 to n. */
static int push_packed(lua_State *L) {
  int n;
  lua_getfield(L, -1, "n");
  n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  luaL_checkstack(L, n, "too many results");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, -i, i);
  lua_remove(L, -n - 1);
  return n;
}


int asy_future_takefrom(lua_State *L, asy_future *f, int idx) {
  settle(L, f, idx);
  if (f->nresults == 0)
    return 0;
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
  return f->nresults == 1 ? 1 : push_packed(L);
}


int asy_future_take(lua_State *L, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  if (asy_unlikely(f->state != ASY_FINISHED))
    return asy_future_raise(L, idx);
  return asy_future_takefrom(L, f, idx);
}


void asy_future_pushfirst(lua_State *L, asy_future *f, int idx) {
  settle(L, f, idx);
  lua_getiuservalue(L, idx, ASY_FUT_VALUE); /* nil when there is none */
  if (f->nresults == 2) {
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
}


void asy_future_pushraw(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  settle(L, (asy_future *)lua_touserdata(L, idx), idx);
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
}


void asy_future_pusherror(lua_State *L, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  idx = lua_absindex(L, idx);
  f->flags |= ASY_RETRIEVED;
  settle(L, f, idx);
  if (lua_getiuservalue(L, idx, ASY_FUT_VALUE) == LUA_TTABLE ||
      f->state == ASY_FAILED)
    return;
  lua_pop(L, 1);
  asy_future_getextra(L, idx, "message");
  asy_error_wrap(L, f->rt, ASY_CANCELLED_ERROR);
}


int asy_future_raise(lua_State *L, int idx) {
  asy_future_pusherror(L, idx);
  return lua_error(L);
}

/* }====== */


/* {====== Lua's view ====== */

static int done(lua_State *L) {
  lua_pushboolean(L, asy_checkfuture(L, 1)->state != ASY_PENDING);
  return 1;
}


static int cancelled(lua_State *L) {
  lua_pushboolean(L, asy_checkfuture(L, 1)->state == ASY_CANCELLED);
  return 1;
}


static int not_done(lua_State *L) {
  return asy_error_raise(L, ASY_INVALID_STATE_ERROR, "result is not set");
}


static int result(lua_State *L) {
  if (asy_checkfuture(L, 1)->state == ASY_PENDING)
    return not_done(L);
  return asy_future_take(L, 1);
}


static int exception(lua_State *L) {
  asy_future *f = asy_checkfuture(L, 1);
  if (f->state == ASY_PENDING)
    return asy_error_raise(L, ASY_INVALID_STATE_ERROR, "exception is not set");
  if (f->state == ASY_CANCELLED)
    return asy_future_raise(L, 1);
  if (f->state == ASY_FINISHED)
    lua_pushnil(L);
  else
    asy_future_pusherror(L, 1);
  return 1;
}


/* The future that set_result or set_exception is to end. */
static asy_future *check_pending(lua_State *L, const char *fname) {
  asy_future *f = asy_checkfuture(L, 1);
  if (f->kind == ASY_TASK)
    asy_error_raise(L, ASY_RUNTIME_ERROR, "a task does not support %s", fname);
  if (f->state != ASY_PENDING)
    asy_error_raise(L, ASY_INVALID_STATE_ERROR, "%s: the future is %s", fname,
                    f->state == ASY_CANCELLED ? "cancelled" : "already done");
  return f;
}


static int set_result(lua_State *L) {
  asy_future *f = check_pending(L, "set_result");
  asy_future_setresult(L, f, 1, lua_gettop(L) - 1);
  return 0;
}


static int set_exception(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  check_pending(L, "set_exception");
  if (lua_isnoneornil(L, 2))
    return asy_typeerror(L, 2, "error value");
  lua_settop(L, 2);
  asy_error_instantiate(L, rt, 2);
  asy_future_seterror(L, 1);
  return 0;
}


static int cancel(lua_State *L) {
  asy_future *f = asy_checkfuture(L, 1);
  lua_settop(L, 2);
  lua_pushboolean(L, asy_future_cancelwith(L, f, 1, 2));
  return 1;
}


static int get_loop(lua_State *L) {
  asy_checkfuture(L, 1);
  asy_future_pushloop(L, 1);
  return 1;
}


/* Adds " result=..." or " exception=..." to the buffer. */
static void describe_value(lua_State *L, luaL_Buffer *b, asy_future *f) {
  if (f->flags & ASY_UNSETTLED)
    return;
  luaL_addstring(b, f->state == ASY_FINISHED ? " result=" : " exception=");
  if (f->state == ASY_FINISHED)
    asy_future_pushfirst(L, f, 1);
  else
    lua_getiuservalue(L, 1, ASY_FUT_VALUE);
  if (lua_type(L, -1) == LUA_TSTRING) {
    lua_pushfstring(L, "'%s'", lua_tostring(L, -1));
    lua_remove(L, -2);
  } else {
    asy_error_text(L, -1);
    lua_remove(L, -2);
  }
  luaL_addvalue(b);
}


static int future_tostring(lua_State *L) {
  static const char *const state[] = {"pending", "finished", "finished",
                                      "cancelled"};
  asy_future *f = asy_checkfuture(L, 1);
  luaL_Buffer b;
  lua_settop(L, 1);
  luaL_buffinit(L, &b);
  lua_pushfstring(L, "<Future %s", state[f->state]);
  luaL_addvalue(&b);
  if (f->state == ASY_FINISHED || f->state == ASY_FAILED)
    describe_value(L, &b, f);
  if (asy_future_getextra(L, 1, "source") == LUA_TSTRING) {
    lua_pushfstring(L, " created at %s", lua_tostring(L, -1));
    lua_remove(L, -2);
    luaL_addvalue(&b);
  } else {
    lua_pop(L, 1);
  }
  luaL_addchar(&b, '>');
  luaL_pushresult(&b);
  return 1;
}


int asy_future_create(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = rt->running != NULL ? rt->running : asy_loop_get(L, rt);
  asy_future_new(L, loop, ASY_FUTURE, sizeof(asy_future), ASY_FUT_VALUES);
  return 1;
}


void asy_future_open(lua_State *L) {
  static const asy_future_ops plain = {asy_future_cancelplain, NULL};
  static const luaL_Reg methods[] = {
      {"done", done},
      {"cancelled", cancelled},
      {"result", result},
      {"exception", exception},
      {"set_result", set_result},
      {"set_exception", set_exception},
      {"cancel", cancel},
      {"get_loop", get_loop},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__tostring", future_tostring},
      {NULL, NULL},
  };
  asy_rt_of(L)->ops[ASY_FUTURE] = &plain;
  asy_newmeta(L, ASY_FUTURE, "asyncio.Future", methods, meta, 0);
  lua_pop(L, 1);
}

/* }====== */
