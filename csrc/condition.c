/*
** Condition: tasks that hold a lock wait for one another's news.
**
** A wait lets go of the lock, waits in the condition's queue, and then in the
** lock's. Cancelled in either, it still comes back with the lock: the error is
** put off until then. Only a task that ends with its loop cannot wait for the
** lock: it holds it beside others, so that its scopes have what to release.
*/
#include "error.h"
#include "lock.h"

typedef struct asy_condition {
  asy_sync sync;
  asy_lock *lock; /* alive by the user value below */
} asy_condition;

#define CONDITION_LOCK (ASY_SYNC_VALUES + 1)
#define CONDITION_VALUES (ASY_SYNC_VALUES + 1)

/* What has become of a wait: bits of its continuations' context. */
#define NOTIFIED 1
#define CANCELLED 2
#define PREDICATE 4 /* it is one of wait_for */

static const asy_wait condition_wait = {"a condition", asy_waitq_abort};


static asy_condition *check_condition(lua_State *L) {
  return (asy_condition *)asy_checkkind(L, 1, ASY_CONDITION);
}


/* Condition(lock) */
int asy_condition_create(lua_State *L) {
  asy_condition *c;
  lua_settop(L, 2);
  if (lua_isnil(L, 2))
    asy_lock_create(L);
  lua_replace(L, 1); /* the class */
  asy_checkkind(L, 1, ASY_LOCK);
  c = (asy_condition *)asy_sync_new(L, ASY_CONDITION, sizeof(*c),
                                    CONDITION_VALUES);
  c->lock = (asy_lock *)lua_touserdata(L, 1);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, CONDITION_LOCK);
  return 1;
}


/* {====== Waiting; the condition is at index 1 ====== */

static int ask(lua_State *L);


/* The task holds the lock again, the stack is that of the call. */
static int wait_over(lua_State *L, asy_task *t, lua_KContext ctx) {
  asy_condition *c = (asy_condition *)lua_touserdata(L, 1);
  if (asy_isending(t) || (ctx & CANCELLED)) {
    if (ctx & NOTIFIED)
      asy_waitq_wake(&c->sync.waiters);
    t->tflags |= ASY_TASK_CANCEL;
    asy_woken(L, t);
  }
  if (ctx & PREDICATE)
    return ask(L);
  lua_pushboolean(L, 1);
  return 1;
}


static int wait_relocked(lua_State *L, int status, lua_KContext ctx);


/* Comes back to the lock, and puts off a cancellation till it has it. */
static int relock(lua_State *L, asy_task *t, lua_KContext ctx) {
  asy_condition *c = (asy_condition *)lua_touserdata(L, 1);
  t->tflags &= (uint8_t)~ASY_TASK_CANCEL;
  if (asy_lock_isfree(c->lock) || (t->fut.flags & ASY_KILLED)) {
    asy_lock_take(c->lock, t);
    return wait_over(L, t, ctx);
  }
  lua_getiuservalue(L, 1, CONDITION_LOCK);
  return asy_lock_wait(L, t, ctx, wait_relocked);
}


/* The lock is on the top. */
static int wait_relocked(lua_State *L, int status, lua_KContext ctx) {
  asy_task *t = asy_rt_up(L)->task;
  asy_lock *l = (asy_lock *)lua_touserdata(L, -1);
  (void)status;
  asy_resumed(L, t);
  lua_pop(L, 1);
  if (asy_lock_came(l, t))
    return wait_over(L, t, ctx);
  return relock(L, t, ctx | CANCELLED);
}


static int wait_notified(lua_State *L, int status, lua_KContext ctx) {
  asy_task *t = asy_rt_up(L)->task;
  bool notified;
  (void)status;
  asy_resumed(L, t);
  notified = asy_waitq_got(t) != 0;
  if (notified)
    ctx |= NOTIFIED;
  if (!notified || asy_iscancelled(t))
    ctx |= CANCELLED;
  return relock(L, t, ctx);
}


static int start_wait(lua_State *L, const char *fname, lua_KContext ctx) {
  asy_condition *c = check_condition(L);
  asy_task *t = asy_task_here(L, asy_rt_up(L), fname);
  if (!asy_lock_isheld(c->lock))
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "cannot wait on un-acquired lock");
  lua_getiuservalue(L, 1, CONDITION_LOCK);
  asy_sync_bind(L, t, -1); /* from here on nothing may raise */
  lua_pop(L, 1);
  asy_sync_bind(L, t, 1);
  asy_lock_drop(c->lock);
  return asy_sync_wait(L, t, 1, &condition_wait, ctx, wait_notified);
}


/* condition:wait() */
static int wait(lua_State *L) {
  return start_wait(L, "wait", 0);
}


/* Above the 'n' values of the call are those of the predicate. */
static int answered(lua_State *L, int status, lua_KContext n) {
  int nres = lua_gettop(L) - (int)n;
  (void)status;
  if (nres > 0 && lua_toboolean(L, (int)n + 1))
    return nres;
  lua_settop(L, (int)n);
  return start_wait(L, "wait_for", PREDICATE);
}


/* Calls the predicate, at index 2, with the arguments above it. */
static int ask(lua_State *L) {
  int n = lua_gettop(L);
  luaL_checkstack(L, n, "too many arguments");
  for (int i = 2; i <= n; i++)
    lua_pushvalue(L, i);
  lua_callk(L, n - 2, LUA_MULTRET, n, answered);
  return answered(L, LUA_OK, n);
}


/* condition:wait_for(predicate, ...) */
static int wait_for(lua_State *L) {
  check_condition(L);
  if (asy_unlikely(!lua_isfunction(L, 2))) {
    if (luaL_getmetafield(L, 2, "__call") == LUA_TNIL)
      return asy_typeerror(L, 2, "function");
    lua_pop(L, 1);
  }
  asy_task_here(L, asy_rt_up(L), "wait_for");
  return ask(L);
}

/* }====== */


/* {====== Notifying ====== */

static int notify_some(lua_State *L, asy_condition *c, lua_Integer n) {
  if (!asy_lock_isheld(c->lock))
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "cannot notify on un-acquired lock");
  while (n > 0 && asy_waitq_wake(&c->sync.waiters) != NULL)
    n--;
  return 0;
}


/* condition:notify(n) */
static int notify(lua_State *L) {
  asy_condition *c = check_condition(L);
  return notify_some(L, c, luaL_optinteger(L, 2, 1));
}


static int notify_all(lua_State *L) {
  return notify_some(L, check_condition(L), LUA_MAXINTEGER);
}

/* }====== */


/* {====== The lock ====== */

/* condition:acquire() */
static int acquire(lua_State *L) {
  asy_task *t;
  check_condition(L);
  t = asy_task_here(L, asy_rt_up(L), "acquire");
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, CONDITION_LOCK);
  return asy_lock_acquire(L, t, (asy_lock *)lua_touserdata(L, -1));
}


/* condition:release(), and __close */
static int release(lua_State *L) {
  asy_lock_release(L, check_condition(L)->lock);
  return 0;
}


static int locked(lua_State *L) {
  lua_pushboolean(L, !asy_lock_isfree(check_condition(L)->lock));
  return 1;
}

/* }====== */


static int statistics(lua_State *L) {
  asy_condition *c = check_condition(L);
  asy_sync_statistics(L, &c->sync);
  asy_lock_statistics(L, c->lock);
  lua_setfield(L, -2, "lock_statistics");
  return 1;
}


static int condition_tostring(lua_State *L) {
  asy_condition *c = check_condition(L);
  asy_lock_pushstate(L, c->lock);
  asy_sync_pushtext(L, &c->sync);
  return 1;
}


void asy_condition_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"acquire", acquire},
      {"release", release},
      {"locked", locked},
      {"wait", wait},
      {"wait_for", wait_for},
      {"notify", notify},
      {"notify_all", notify_all},
      {"statistics", statistics},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", release},
      {"__tostring", condition_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_CONDITION, asy_kindname(ASY_CONDITION), methods, meta, 0);
  lua_pop(L, 1);
}
