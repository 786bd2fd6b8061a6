/*
** Barrier: a place where a number of tasks wait for one another.
**
**   filling     tasks come inside; the last of the number lets all go: draining,
**               unless it was alone
**   draining    until all of them have left: filling
**   resetting   the same, but they leave with an error
**   broken      whoever comes or waits gets an error, until reset()
**
** While it is not filling, those who come wait outside. When it fills again, so
** many of them are invited as there are places; they come inside once they
** run, and nobody takes their places before. After reset() they may have to
** wait outside again.
*/
#include <limits.h>
#include <string.h>

#include "error.h"
#include "sync.h"

typedef enum barrier_state {
  FILLING,
  DRAINING,
  RESETTING,
  BROKEN
} barrier_state;

typedef struct asy_barrier {
  asy_sync sync;    /* waiters: those inside, while it is filling */
  asy_list outside; /* those who wait to come in */
  uint8_t state;
  int parties;
  int inside;  /* how many wait inside, or are about to leave */
  int invited; /* how many are on their way inside */
} asy_barrier;

/* What those outside are woken with; those inside get their index. */
#define INVITED 1
#define ABORTED 2


/* {====== Coming and going ====== */

static bool has_place(const asy_barrier *b) {
  return b->state == FILLING && b->inside + b->invited < b->parties;
}


static void invite(asy_barrier *b) {
  while (has_place(b) && asy_waitq_wakewith(&b->outside, INVITED) != NULL)
    b->invited++;
}


/* One who was let go has left. */
static void leave(asy_barrier *b) {
  if (--b->inside > 0 || b->state == BROKEN)
    return;
  b->state = FILLING;
  invite(b);
}


/* All who wait inside are to leave, and are numbered. */
static void let_go(asy_barrier *b, barrier_state state) {
  int index = 0;
  b->state = (uint8_t)state;
  while (asy_waitq_wakewith(&b->sync.waiters, index + 1) != NULL)
    index++;
}


/* One who waits inside, so that it is filling, is cancelled: that makes room. */
static asy_future *inside_abort(asy_task *t) {
  asy_barrier *b = (asy_barrier *)t->on;
  asy_waitq_abort(t);
  b->inside--;
  invite(b);
  return NULL;
}


static const asy_wait wait_inside = {"a barrier", inside_abort};
static const asy_wait wait_outside = {"a barrier", asy_waitq_abort};

/* }====== */


/* {====== Waiting; the barrier is at index 1 ====== */

static int raise_broken(lua_State *L) {
  return asy_error_raise(L, ASY_BROKEN_BARRIER_ERROR,
                         "the barrier was reset or aborted");
}


static int inside_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_task *t = asy_rt_up(L)->task;
  asy_barrier *b = (asy_barrier *)lua_touserdata(L, 1);
  bool is_pass = b->state == DRAINING;
  int index;
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  index = asy_waitq_got(t);
  if (index != 0)
    leave(b);
  asy_waitq_woken(L, t);
  if (!is_pass)
    return raise_broken(L);
  lua_pushinteger(L, index);
  return 1;
}


/* There is a place inside; the last to come need not wait. */
static int enter(lua_State *L, asy_task *t, asy_barrier *b) {
  if (b->inside + 1 < b->parties) {
    b->inside++;
    return asy_waitq_wait(L, t, &b->sync.waiters, &wait_inside, b, 0,
                          inside_woken);
  }
  if (b->inside > 0)
    let_go(b, DRAINING);
  lua_pushinteger(L, b->parties);
  return 1;
}


static int outside_woken(lua_State *L, int status, lua_KContext ctx);


static int come(lua_State *L, asy_task *t, asy_barrier *b) {
  if (b->state == BROKEN)
    return raise_broken(L);
  if (has_place(b))
    return enter(L, t, b);
  return asy_waitq_wait(L, t, &b->outside, &wait_outside, b, 0, outside_woken);
}


static int outside_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_task *t = asy_rt_up(L)->task;
  asy_barrier *b = (asy_barrier *)lua_touserdata(L, 1);
  int got;
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  got = asy_waitq_got(t);
  if (got == INVITED)
    b->invited--;
  if (asy_isending(t))
    invite(b);
  asy_waitq_woken(L, t);
  if (got == ABORTED)
    return raise_broken(L);
  return come(L, t, b);
}

/* }====== */


/* {====== Lua's view ====== */

static asy_barrier *check_barrier(lua_State *L) {
  return (asy_barrier *)asy_checkkind(L, 1, ASY_BARRIER);
}


/* Barrier(parties) */
int asy_barrier_create(lua_State *L) {
  lua_Integer parties;
  asy_barrier *b;
  lua_remove(L, 1); /* the class */
  parties = luaL_checkinteger(L, 1);
  luaL_argcheck(L, parties > 0 && parties <= INT_MAX, 1,
                "the number of parties is out of range");
  b = (asy_barrier *)asy_sync_new(L, ASY_BARRIER, sizeof(*b), ASY_SYNC_VALUES);
  asy_list_init(&b->outside);
  b->parties = (int)parties;
  return 1;
}


/* barrier:wait() */
static int wait(lua_State *L) {
  asy_barrier *b = check_barrier(L);
  asy_task *t = asy_task_here(L, asy_rt_up(L), "wait");
  lua_settop(L, 1);
  asy_sync_bind(L, t, 1);
  return come(L, t, b);
}


/* barrier:reset() */
static int reset(lua_State *L) {
  asy_barrier *b = check_barrier(L);
  if (b->inside > 0) {
    let_go(b, RESETTING);
  } else {
    b->state = FILLING;
    invite(b);
  }
  return 0;
}


/* barrier:abort() */
static int barrier_abort(lua_State *L) {
  asy_barrier *b = check_barrier(L);
  let_go(b, BROKEN);
  while (asy_waitq_wakewith(&b->outside, ABORTED) != NULL)
    continue;
  return 0;
}


static int n_waiting(const asy_barrier *b) {
  return b->state == FILLING ? b->inside : 0;
}


/* Pushes the field of that name, if there is one. */
static bool push_field(lua_State *L, const asy_barrier *b, const char *name) {
  if (strcmp(name, "parties") == 0)
    lua_pushinteger(L, b->parties);
  else if (strcmp(name, "n_waiting") == 0)
    lua_pushinteger(L, n_waiting(b));
  else if (strcmp(name, "broken") == 0)
    lua_pushboolean(L, b->state == BROKEN);
  else
    return false;
  return true;
}


/* Fields and methods. */
static int barrier_index(lua_State *L) {
  asy_barrier *b = check_barrier(L);
  if (lua_type(L, 2) == LUA_TSTRING && push_field(L, b, lua_tostring(L, 2)))
    return 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, b->sync.rt->meta[ASY_BARRIER]);
  lua_getfield(L, -1, "__methods");
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}


static int statistics(lua_State *L) {
  asy_barrier *b = check_barrier(L);
  asy_sync_statistics(L, &b->sync);
  lua_pushinteger(L, asy_waitq_count(&b->sync.waiters) +
                         asy_waitq_count(&b->outside));
  lua_setfield(L, -2, "tasks_waiting");
  lua_pushinteger(L, b->parties);
  lua_setfield(L, -2, "parties");
  lua_pushinteger(L, n_waiting(b));
  lua_setfield(L, -2, "n_waiting");
  return 1;
}


static int barrier_tostring(lua_State *L) {
  static const char *const name[] = {"filling", "draining", "resetting"};
  asy_barrier *b = check_barrier(L);
  if (b->state == BROKEN)
    lua_pushliteral(L, "<Barrier [broken]>");
  else
    lua_pushfstring(L, "<Barrier [%s, waiters:%d/%d]>", name[b->state],
                    n_waiting(b), b->parties);
  return 1;
}


void asy_barrier_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", wait},
      {"reset", reset},
      {"abort", barrier_abort},
      {"statistics", statistics},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__index", barrier_index},
      {"__tostring", barrier_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_BARRIER, asy_kindname(ASY_BARRIER), methods, meta, 0);
  lua_pop(L, 1);
}

/* }====== */
