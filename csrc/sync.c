/*
** What the synchronisation primitives have in common.
*/
#include "sync.h"

#include <string.h>

#include "error.h"


void *asy_sync_new(lua_State *L, asy_kind kind, size_t size, int nuv) {
  asy_sync *s = (asy_sync *)asy_new(L, asy_rt_up(L), kind, size, nuv);
  asy_list_init(&s->waiters);
  return s;
}


void asy_sync_bind(lua_State *L, asy_task *t, int idx) {
  asy_sync *s = (asy_sync *)lua_touserdata(L, idx);
  if (asy_likely(s->loop == t->fut.loop))
    return;
  idx = lua_absindex(L, idx);
  if (s->loop != NULL)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "%s is bound to a different event loop",
                    luaL_tolstring(L, idx, NULL));
  asy_loop_push(L, t->fut.loop);
  lua_setiuservalue(L, idx, ASY_SYNC_LOOP);
  s->loop = t->fut.loop;
}


int asy_sync_wait(lua_State *L, asy_task *t, int idx, const asy_wait *how,
                  lua_KContext ctx, lua_KFunction k) {
  asy_sync *s = (asy_sync *)lua_touserdata(L, idx);
  asy_sync_bind(L, t, idx);
  return asy_waitq_wait(L, t, &s->waiters, how, s, ctx, k);
}


void asy_sync_pushtext(lua_State *L, const asy_sync *s) {
  const char *name = strchr(asy_kindname((asy_kind)s->kind), '.') + 1;
  const char *state = lua_tostring(L, -1);
  if (asy_list_empty(&s->waiters))
    lua_pushfstring(L, "<%s [%s]>", name, state);
  else
    lua_pushfstring(L, "<%s [%s, waiters:%I]>", name, state,
                    (LUAI_UACINT)asy_waitq_count(&s->waiters));
  lua_remove(L, -2);
}


void asy_sync_statistics(lua_State *L, const asy_sync *s) {
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, asy_waitq_count(&s->waiters));
  lua_setfield(L, -2, "tasks_waiting");
}
