/*
** Lost errors. A failed future gets a sentinel, which it alone refers to and
** which refers to it: both are collected together, and the finalizer of the
** sentinel then has the future once more. A finalizer runs anywhere, so it only
** queues an entry: the loop reports in its next turn, or when it closes.
*/
#include "error.h"
#include "pin.h"
#include "report.h"

typedef struct asy_sentinel {
  asy_rt *rt;
  uint8_t kind;  /* none: pinned, it must not look like a task */
  uint32_t slot; /* pin while queued */
  asy_ready ready;
} asy_sentinel;

#define SENTINEL_FUTURE 1 /* user value */

/* Registry key of the metatable of sentinels. */
static const char meta_key = 0;


static const char *lost_message(const asy_future *f) {
  return f->kind == ASY_TASK ? "Task exception was never retrieved"
                             : "Future exception was never retrieved";
}


/* Whether the future at 'idx' is still to be reported. */
static bool is_lost(lua_State *L, int idx) {
  const asy_future *f = (const asy_future *)lua_touserdata(L, idx);
  return f != NULL && !(f->flags & (ASY_RETRIEVED | ASY_REPORTED));
}


/* Reports the future at 'idx', unless that was done or its error is taken. */
static void report_future(lua_State *L, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  idx = lua_absindex(L, idx);
  if (!is_lost(L, idx))
    return;
  f->flags |= ASY_REPORTED;
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
  asy_report_error(L, f->loop, lost_message(f), idx);
}


/* {====== Sentinels ====== */

static void sentinel_run(lua_State *L, asy_ready *e) {
  asy_sentinel *s = asy_of(e, asy_sentinel, ready);
  int base = lua_gettop(L);
  asy_pin_push(L, s->rt, s->slot);
  lua_getiuservalue(L, base + 1, SENTINEL_FUTURE);
  report_future(L, base + 2);
  asy_unpin(L, s->rt, &s->slot);
  lua_settop(L, base);
}


static void sentinel_dropped(lua_State *L, asy_ready *e) {
  asy_sentinel *s = asy_of(e, asy_sentinel, ready);
  asy_unpin(L, s->rt, &s->slot);
}


static void sentinel_failed(lua_State *L, asy_ready *e) {
  sentinel_dropped(L, e);
  lua_pop(L, 1);
}


static const asy_ready_ops sentinel_ops = {sentinel_run, sentinel_failed,
                                           sentinel_dropped};


/* Writes of a future whose loop is closed, and has no turns any more. */
static void write_late(lua_State *L, asy_future *f, int idx) {
  f->flags |= ASY_REPORTED;
  lua_createtable(L, 0, 3);
  lua_pushstring(L, lost_message(f));
  lua_setfield(L, -2, "message");
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
  lua_setfield(L, -2, "exception");
  lua_pushvalue(L, idx);
  lua_setfield(L, -2, f->kind == ASY_TASK ? "task" : "future");
  asy_report_write(L, -1);
}


static int sentinel_gc(lua_State *L) {
  asy_sentinel *s = (asy_sentinel *)lua_touserdata(L, 1);
  asy_future *f;
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, SENTINEL_FUTURE);
  f = (asy_future *)lua_touserdata(L, 2);
  if (!is_lost(L, 2))
    return 0;
  if (f->loop->engine == NULL) {
    write_late(L, f, 2);
  } else {
    s->slot = asy_pin(L, s->rt, 1);
    asy_loop_ready(f->loop, &s->ready);
  }
  return 0;
}

/* }====== */


/* {====== The loop's set ====== */

/* The set's keys are the futures, its values the order in which they failed;
** at 1 is the last number. */
void asy_report_newset(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushinteger(L, 0);
  lua_rawseti(L, -2, 1);
}


/* watch(future) */
static int watch(lua_State *L) {
  asy_future *f = (asy_future *)lua_touserdata(L, 1);
  asy_sentinel *s =
      (asy_sentinel *)lua_newuserdatauv(L, sizeof(asy_sentinel), 1);
  *s = (asy_sentinel){.rt = f->rt, .ready = {NULL, &sentinel_ops}};
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 2, SENTINEL_FUTURE);
  lua_pushvalue(L, 2);
  asy_future_setextra(L, 1, "sentinel");
  asy_future_pushloop(L, 1);
  lua_getiuservalue(L, 3, ASY_LOOP_FAILED);
  lua_rawgeti(L, 4, 1);
  lua_pushinteger(L, lua_tointeger(L, 5) + 1);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 6);
  lua_rawset(L, 4);
  lua_rawseti(L, 4, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
  lua_setmetatable(L, 2);
  return 0;
}


void asy_report_watch(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (!lua_checkstack(L, LUA_MINSTACK))
    return;
  lua_pushcfunction(L, watch);
  lua_pushvalue(L, idx);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}


static lua_Integer integer_at(lua_State *L, int list, lua_Integer i) {
  lua_Integer n;
  lua_rawgeti(L, list, i);
  n = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return n;
}


/* A shell sort of the list of 'n' integers at 'list'. */
static void sort(lua_State *L, int list, lua_Integer n) {
  for (lua_Integer gap = n / 2; gap > 0; gap /= 2) {
    for (lua_Integer i = gap + 1; i <= n; i++) {
      lua_Integer value = integer_at(L, list, i), j = i;
      for (; j > gap && integer_at(L, list, j - gap) > value; j -= gap) {
        lua_rawgeti(L, list, j - gap);
        lua_rawseti(L, list, j);
      }
      lua_pushinteger(L, value);
      lua_rawseti(L, list, j);
    }
  }
}


/* Pushes the lost futures of the set on the top by their numbers, and the
** sorted list of these; returns how many there are. */
static lua_Integer list_lost(lua_State *L) {
  int set = lua_gettop(L), futures = set + 1, numbers = set + 2;
  lua_Integer n = 0;
  lua_newtable(L);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, set) != 0; lua_pop(L, 1)) {
    if (!is_lost(L, -2))
      continue;
    lua_pushvalue(L, -1);
    lua_rawseti(L, numbers, ++n);
    lua_pushvalue(L, -2);
    lua_rawseti(L, futures, lua_tointeger(L, -2));
  }
  sort(L, numbers, n);
  return n;
}


void asy_report_lost(lua_State *L, asy_loop *loop) {
  int base = lua_gettop(L);
  lua_Integer n;
  asy_loop_push(L, loop);
  lua_getiuservalue(L, base + 1, ASY_LOOP_FAILED);
  n = list_lost(L);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, base + 3, integer_at(L, base + 4, i));
    report_future(L, -1);
    lua_pop(L, 1);
  }
  lua_settop(L, base);
}

/* }====== */


void asy_lost_open(lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, sentinel_gc);
  lua_setfield(L, -2, "__gc");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
}
