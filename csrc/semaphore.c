/*
** Semaphore and BoundedSemaphore: a number of permits. One that is given back
** goes at once to the task that has waited longest. Until that task runs all
** others wait behind it, even for permits that are left, so that tasks also run
** in the order in which they came.
*/
#include "error.h"
#include "sync.h"

typedef struct asy_semaphore {
  asy_sync sync;
  lua_Integer value;  /* permits left */
  lua_Integer max;    /* never more than so many */
  lua_Integer handed; /* permits of tasks that have yet to run */
} asy_semaphore;

static const asy_wait semaphore_wait = {"a semaphore", asy_waitq_abort};


static asy_semaphore *check_semaphore(lua_State *L) {
  asy_object *o = asy_toobject(L, asy_rt_up(L), 1);
  if (asy_unlikely(o == NULL || (o->kind != ASY_SEMAPHORE &&
                                 o->kind != ASY_BOUNDEDSEMAPHORE)))
    asy_typeerror(L, 1, asy_kindname(ASY_SEMAPHORE));
  return (asy_semaphore *)o;
}


static asy_semaphore *new_semaphore(lua_State *L, asy_kind kind) {
  lua_Integer value;
  asy_semaphore *s;
  lua_remove(L, 1); /* the class */
  value = luaL_optinteger(L, 1, 1);
  luaL_argcheck(L, value >= 0, 1, "the value is negative");
  s = (asy_semaphore *)asy_sync_new(L, kind, sizeof(*s), ASY_SYNC_VALUES);
  s->value = value;
  s->max = LUA_MAXINTEGER;
  return s;
}


/* Semaphore(value) */
int asy_semaphore_create(lua_State *L) {
  new_semaphore(L, ASY_SEMAPHORE);
  return 1;
}


/* BoundedSemaphore(value) */
int asy_semaphore_createbounded(lua_State *L) {
  asy_semaphore *s = new_semaphore(L, ASY_BOUNDEDSEMAPHORE);
  s->max = s->value;
  return 1;
}


static bool is_locked(const asy_semaphore *s) {
  return s->value == 0 || s->handed > 0;
}


/* Hands the permits that are left to those who wait. */
static void hand_out(asy_semaphore *s) {
  while (s->value > 0 && asy_waitq_wake(&s->sync.waiters) != NULL) {
    s->value--;
    s->handed++;
  }
}


static int semaphore_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_task *t = asy_rt_up(L)->task;
  asy_semaphore *s = (asy_semaphore *)lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  if (asy_waitq_got(t)) {
    s->handed--;
    s->value += asy_isending(t);
    hand_out(s);
  }
  asy_waitq_woken(L, t);
  return 1;
}


/* semaphore:acquire() */
static int acquire(lua_State *L) {
  asy_semaphore *s = check_semaphore(L);
  asy_task *t = asy_task_here(L, asy_rt_up(L), "acquire");
  lua_settop(L, 1);
  if (is_locked(s))
    return asy_sync_wait(L, t, 1, &semaphore_wait, 0, semaphore_woken);
  s->value--;
  return 1;
}


/* semaphore:release(), and __close */
static int release(lua_State *L) {
  asy_semaphore *s = check_semaphore(L);
  if (asy_unlikely(s->value >= s->max))
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "semaphore released too many times");
  s->value++;
  hand_out(s);
  return 0;
}


static int locked(lua_State *L) {
  lua_pushboolean(L, is_locked(check_semaphore(L)));
  return 1;
}


static int statistics(lua_State *L) {
  asy_semaphore *s = check_semaphore(L);
  asy_sync_statistics(L, &s->sync);
  lua_pushinteger(L, s->value);
  lua_setfield(L, -2, "value");
  if (s->sync.kind == ASY_BOUNDEDSEMAPHORE) {
    lua_pushinteger(L, s->max);
    lua_setfield(L, -2, "max_value");
  }
  return 1;
}


static int semaphore_tostring(lua_State *L) {
  asy_semaphore *s = check_semaphore(L);
  if (is_locked(s))
    lua_pushliteral(L, "locked");
  else
    lua_pushfstring(L, "unlocked, value:%I", (LUAI_UACINT)s->value);
  asy_sync_pushtext(L, &s->sync);
  return 1;
}


void asy_semaphore_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"acquire", acquire},       {"release", release}, {"locked", locked},
      {"statistics", statistics}, {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", release},
      {"__tostring", semaphore_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_SEMAPHORE, asy_kindname(ASY_SEMAPHORE), methods, meta, 0);
  asy_newmeta(L, ASY_BOUNDEDSEMAPHORE, asy_kindname(ASY_BOUNDEDSEMAPHORE), NULL,
              meta, ASY_SEMAPHORE);
  lua_pop(L, 2);
}
