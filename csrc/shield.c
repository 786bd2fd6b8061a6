/*
** shield: a future that ends as another does, and can be cancelled without it.
*/
#include "anchor.h"
#include "await.h"
#include "wait.h"

typedef struct asy_shield {
  asy_future fut;
  asy_watch watch; /* of the inner future */
  asy_ready ready; /* ends it when the C stack is deep */
  uint8_t outcome; /* state to come, when 'ready' is queued */
} asy_shield;


static void unpin(asy_shield *s) {
  asy_anchor_drop(s->fut.rt, &s->fut.slot);
}


/* The inner future is done. Whoever has cancelled the shield meanwhile, or has
** called set_result, has ended it before. */
static void shield_run(lua_State *L, asy_ready *e) {
  asy_shield *s = asy_of(e, asy_shield, ready);
  (void)L;
  if (s->fut.state == ASY_PENDING)
    asy_future_follow(&s->fut, (asy_state)s->outcome);
  unpin(s);
}


static void shield_lost(lua_State *L, asy_ready *e) {
  (void)L;
  (void)e; /* shield_run cannot raise */
}


static const asy_ready_ops shield_entry = {shield_run, shield_lost, shield_run};


/* Shields of shields of shields...: below some depth the loop goes on. */
static void inner_done(asy_watch *w, asy_future *inner) {
  asy_shield *s = asy_of(w, asy_shield, watch);
  if (s->fut.state == ASY_PENDING &&
      !asy_future_follow(&s->fut, (asy_state)inner->state)) {
    s->outcome = inner->state;
    asy_anchor_hold(s->fut.rt, s->fut.slot);
    asy_loop_ready(s->fut.loop, &s->ready);
    return;
  }
  unpin(s);
}


/* The inner future goes on, and reports its own errors. */
static bool shield_cancel(asy_future *f) {
  asy_shield *s = (asy_shield *)f;
  asy_list_remove(&s->watch.link);
  asy_future_done(f, ASY_CANCELLED);
  if (!asy_ready_queued(&s->ready)) /* else when its turn comes */
    unpin(s);
  return true;
}


/* The inner future is the value so far. */
static bool shield_settle(lua_State *L, int idx) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx), *inner;
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
  inner = (asy_future *)lua_touserdata(L, -1);
  if (inner->flags & ASY_UNSETTLED)
    return false;
  if (f->state == ASY_FAILED) {
    asy_future_pusherror(L, -1);
  } else {
    f->nresults = inner->nresults;
    asy_future_pushraw(L, -1);
  }
  lua_setiuservalue(L, idx, ASY_FUT_VALUE);
  lua_pop(L, 1);
  return true;
}


/* shield(aw, ...) */
static int shield(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_shield *s;
  asy_future *inner;
  if (!asy_await_is(L, rt, 1))
    return asy_await_typeerror(L, 1);
  asy_loop_get(L, rt);
  lua_insert(L, 1);
  asy_await_ensure(L, rt, 1, 2);
  inner = (asy_future *)lua_touserdata(L, 2);
  if (inner->state != ASY_PENDING)
    return 1;
  s = (asy_shield *)asy_future_new(L, inner->loop, ASY_SHIELD,
                                   sizeof(asy_shield), ASY_FUT_VALUES);
  s->ready.ops = &shield_entry;
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, ASY_FUT_VALUE);
  if (asy_anchor_issure(inner)) {
    s->fut.slot = asy_pin(L, rt, -1);
  } else {
    asy_anchor_keep(L, 2, -1);
    s->fut.slot = asy_anchor_new(L, rt, -1);
  }
  if (inner->state == ASY_PENDING)
    asy_future_watch(inner, &s->watch, inner_done);
  else /* a finalizer has ended it meanwhile */
    inner_done(&s->watch, inner);
  return 1;
}


void asy_shield_open(lua_State *L) {
  static const asy_future_ops ops = {shield_cancel, shield_settle};
  static const luaL_Reg funcs[] = {{"shield", shield}, {NULL, NULL}};
  asy_rt *rt = asy_rt_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[ASY_FUTURE]);
  rt->meta[ASY_SHIELD] = luaL_ref(L, LUA_REGISTRYINDEX);
  rt->ops[ASY_SHIELD] = &ops;
  asy_setfuncs(L, funcs);
}
