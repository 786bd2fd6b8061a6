/*
** Event: a flag that tasks wait for.
*/
#include "sync.h"

typedef struct asy_event {
  asy_sync sync;
  bool set; /* then nobody waits */
} asy_event;

static const asy_wait event_wait = {"an event", asy_waitq_abort};


static asy_event *check_event(lua_State *L) {
  return (asy_event *)asy_checkkind(L, 1, ASY_EVENT);
}


/* Event() */
int asy_event_create(lua_State *L) {
  asy_sync_new(L, ASY_EVENT, sizeof(asy_event), ASY_SYNC_VALUES);
  return 1;
}


static int set(lua_State *L) {
  asy_event *e = check_event(L);
  e->set = true;
  asy_waitq_wakeall(&e->sync.waiters);
  return 0;
}


static int clear(lua_State *L) {
  check_event(L)->set = false;
  return 0;
}


static int is_set(lua_State *L) {
  lua_pushboolean(L, check_event(L)->set);
  return 1;
}


/* The event was set, though it may be cleared again. */
static int event_woken(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  asy_waitq_woken(L, asy_rt_up(L)->task);
  lua_pushboolean(L, 1);
  return 1;
}


/* event:wait() */
static int wait(lua_State *L) {
  asy_event *e = check_event(L);
  asy_task *t = asy_task_here(L, asy_rt_up(L), "wait");
  if (!e->set)
    return asy_sync_wait(L, t, 1, &event_wait, 0, event_woken);
  lua_pushboolean(L, 1);
  return 1;
}


static int statistics(lua_State *L) {
  asy_event *e = check_event(L);
  asy_sync_statistics(L, &e->sync);
  lua_pushboolean(L, e->set);
  lua_setfield(L, -2, "is_set");
  return 1;
}


static int event_tostring(lua_State *L) {
  asy_event *e = check_event(L);
  lua_pushstring(L, e->set ? "set" : "unset");
  asy_sync_pushtext(L, &e->sync);
  return 1;
}


void asy_event_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"set", set},   {"clear", clear},           {"is_set", is_set},
      {"wait", wait}, {"statistics", statistics}, {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__tostring", event_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_EVENT, asy_kindname(ASY_EVENT), methods, meta, 0);
  lua_pop(L, 1);
}
