/*
** Lock: one holder at a time. It is handed from holder to holder, so that
** nobody can come between a release and the task that waited.
*/
#include "lock.h"

#include "error.h"
#include "pin.h"

static const asy_wait lock_wait = {"a lock", asy_waitq_abort};


void asy_lock_drop(asy_lock *l) {
  if (--l->holders == 0 && !l->handed) {
    const asy_task *next = asy_waitq_wake(&l->sync.waiters);
    if (next == NULL)
      return;
    l->handed = true;
    asy_lock_own(l, next);
  }
}


/* Unfinished tasks are pinned. */
asy_task *asy_lock_pushowner(lua_State *L, const asy_lock *l) {
  asy_rt *rt = l->sync.rt;
  asy_task *t;
  asy_pin_push(L, rt, l->owner_slot);
  t = (asy_task *)asy_tokind(L, rt, -1, ASY_TASK);
  if (t != NULL && t->id == l->owner)
    return t;
  lua_pop(L, 1);
  return NULL;
}


int asy_lock_wait(lua_State *L, asy_task *t, lua_KContext ctx,
                  lua_KFunction k) {
  return asy_sync_wait(L, t, lua_gettop(L), &lock_wait, ctx, k);
}


bool asy_lock_came(asy_lock *l, const asy_task *t) {
  if (asy_waitq_got(t) == 0)
    return false;
  l->handed = false;
  asy_lock_take(l, t);
  return true;
}


/* The lock, 'ctx', is on the top; index 1 is what the call returns. */
static int lock_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_lock *l = (asy_lock *)ctx;
  asy_task *t = l->sync.rt->task;
  (void)status;
  asy_resumed(L, t);
  if (asy_lock_came(l, t) && asy_unlikely(asy_isending(t)))
    asy_lock_drop(l);
  asy_waitq_woken(L, t);
  lua_settop(L, 1);
  return 1;
}


int asy_lock_acquire(lua_State *L, asy_task *t, asy_lock *l) {
  if (!asy_lock_isfree(l))
    return asy_lock_wait(L, t, (lua_KContext)l, lock_woken);
  asy_lock_take(l, t);
  lua_settop(L, 1);
  return 1;
}


void asy_lock_release(lua_State *L, asy_lock *l) {
  if (asy_unlikely(!asy_lock_isheld(l)))
    asy_error_raise(L, ASY_RUNTIME_ERROR, "cannot release un-acquired lock");
  asy_lock_drop(l);
}


void asy_lock_pushstate(lua_State *L, const asy_lock *l) {
  lua_pushstring(L, asy_lock_isfree(l) ? "unlocked" : "locked");
}


void asy_lock_statistics(lua_State *L, const asy_lock *l) {
  asy_sync_statistics(L, &l->sync);
  lua_pushboolean(L, !asy_lock_isfree(l));
  lua_setfield(L, -2, "locked");
}


/* {====== Lua's view ====== */

static asy_lock *check_lock(lua_State *L) {
  return (asy_lock *)asy_checkkind(L, 1, ASY_LOCK);
}


/* Lock() */
int asy_lock_create(lua_State *L) {
  asy_sync_new(L, ASY_LOCK, sizeof(asy_lock), ASY_SYNC_VALUES);
  return 1;
}


/* lock:acquire() */
static int acquire(lua_State *L) {
  asy_lock *l = check_lock(L);
  lua_settop(L, 1);
  return asy_lock_acquire(L, asy_task_here(L, l->sync.rt, "acquire"), l);
}


/* lock:release(), and __close */
static int release(lua_State *L) {
  asy_lock_release(L, check_lock(L));
  return 0;
}


static int locked(lua_State *L) {
  lua_pushboolean(L, !asy_lock_isfree(check_lock(L)));
  return 1;
}


static int statistics(lua_State *L) {
  asy_lock_statistics(L, check_lock(L));
  return 1;
}


static int lock_tostring(lua_State *L) {
  asy_lock *l = check_lock(L);
  asy_lock_pushstate(L, l);
  asy_sync_pushtext(L, &l->sync);
  return 1;
}


void asy_lock_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"acquire", acquire},       {"release", release}, {"locked", locked},
      {"statistics", statistics}, {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", release},
      {"__tostring", lock_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_LOCK, asy_kindname(ASY_LOCK), methods, meta, 0);
  lua_pop(L, 1);
}

/* }====== */
