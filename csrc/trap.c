/*
** Hooks set from signal handlers.
*/
#include "trap.h"

#include "inner.h"

/* Coroutines resume each other so deep at most, as LUAI_MAXCCALLS says. */
#define MAX_NESTED 200


/* Puts back the hook that was there before ours. */
static void unhook(asy_trap *t, lua_State *L) {
  if (L == t->L) {
    lua_sethook(L, t->hook, t->mask, t->count);
    t->L = NULL;
  } else {
    lua_sethook(L, NULL, 0, 0);
  }
}


static void set_hook(lua_State *L, lua_Hook hook) {
  lua_sethook(L, hook,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}


static void set_trap(asy_trap *t, lua_State *L, lua_Hook hook) {
  if (lua_gethook(L) != hook) {
    t->L = L;
    t->hook = lua_gethook(L);
    t->mask = lua_gethookmask(L);
    t->count = lua_gethookcount(L);
  }
  t->raise = hook;
  t->waits = 1;
  set_hook(L, hook);
}


/* Whether the thread is further in than the one that is active. */
static bool is_innermost(const asy_rt *rt, const asy_inner *in) {
  return in != NULL && in->active == rt->active;
}


static lua_State *innermost(const asy_rt *rt, lua_State *L) {
  const asy_inner *in = rt->inner;
  return is_innermost(rt, in) ? in->co : L;
}


void asy_trap_set(asy_rt *rt, lua_State *L, lua_Hook hook) {
  set_trap(&rt->trap, innermost(rt, L), hook);
}


/* The coroutine that the thread has resumed, or NULL: an argument of
** coroutine.resume, an upvalue of what coroutine.wrap made. */
static lua_State *resumed_by(lua_State *L) {
  lua_Debug ar;
  lua_State *co;
  if (!lua_getstack(L, 0, &ar) || !lua_getinfo(L, "S", &ar) || *ar.what != 'C')
    return NULL;
  co = lua_tothread(L, 1);
  if (co == NULL)
    co = lua_tothread(L, lua_upvalueindex(1));
  if (co == NULL || co == L || lua_status(co) != LUA_OK ||
      !lua_getstack(co, 0, &ar))
    return NULL;
  return co;
}


bool asy_trap_deepen(asy_rt *rt, lua_State *L) {
  lua_Hook hook = rt->trap.raise;
  L = innermost(rt, L);
  for (int n = 0; n < MAX_NESTED && L != NULL; n++) {
    if (lua_gethook(L) != hook) {
      set_hook(L, hook);
      return true;
    }
    L = resumed_by(L);
  }
  return false;
}


void asy_trap_setall(asy_rt *rt, lua_State *L, lua_Hook hook) {
  rt->trap.raise = hook;
  rt->trap.all = true;
  rt->trap.waits = 1;
  set_hook(L, hook);
  for (asy_inner *in = rt->inner; is_innermost(rt, in); in = in->outer)
    set_hook(in->co, hook);
}


bool asy_trap_sprung(asy_rt *rt, lua_State *L) {
  bool waited = rt->trap.waits;
  unhook(&rt->trap, L);
  rt->trap.waits = 0;
  return waited;
}


void asy_trap_unset(asy_rt *rt, lua_State *L, lua_Hook hook) {
  rt->trap.waits = 0;
  rt->trap.all = false;
  if (lua_gethook(L) == hook)
    unhook(&rt->trap, L);
}


void asy_trap_move(asy_rt *rt, lua_State *from, lua_State *to) {
  lua_Hook hook = rt->trap.raise;
  if (lua_gethook(from) != hook)
    return;
  if (rt->trap.all) {
    set_hook(to, hook);
  } else {
    unhook(&rt->trap, from);
    set_trap(&rt->trap, to, hook);
  }
}
