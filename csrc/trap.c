/*
** Hooks set from signal handlers.
*/
#include "trap.h"

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


static void set_hook(lua_State *L, lua_Hook hook) {
  lua_sethook(L, hook,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}


void asy_trap_set(asy_trap *t, lua_State *L, lua_Hook hook) {
  lua_State *co;
  for (int n = 0; n < MAX_NESTED && (co = resumed_by(L)) != NULL; n++)
    L = co;
  if (lua_gethook(L) != hook) {
    t->L = L;
    t->hook = lua_gethook(L);
    t->mask = lua_gethookmask(L);
    t->count = lua_gethookcount(L);
  }
  t->waits = 1;
  set_hook(L, hook);
}


void asy_trap_setall(lua_State *L, lua_Hook hook) {
  for (int n = 0; n <= MAX_NESTED && L != NULL; n++) {
    set_hook(L, hook);
    L = resumed_by(L);
  }
}


bool asy_trap_sprung(asy_trap *t, lua_State *L) {
  bool waited = t->waits;
  unhook(t, L);
  t->waits = 0;
  return waited;
}


void asy_trap_unset(asy_trap *t, lua_State *L, lua_Hook hook) {
  t->waits = 0;
  if (lua_gethook(L) == hook)
    unhook(t, L);
}
