/*
** wait and as_completed: several futures watched at once, by a userdata. That of
** a wait has the watches in itself: it lives on the stack of its task, and has
** none left when the wait ends. That of an iterator takes them back when it is
** closed or collected; as nothing else keeps it, they lie in C memory.
*/
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "error.h"
#include "options.h"
#include "wait.h"
#include "weak.h"

typedef enum wait_until {
  ALL_COMPLETED,
  FIRST_EXCEPTION,
  FIRST_COMPLETED
} wait_until;

static const char *const until_name[] = {"ALL_COMPLETED", "FIRST_EXCEPTION",
                                         "FIRST_COMPLETED", NULL};

typedef struct asy_member {
  asy_watch watch;
  asy_future *fut;
  struct asy_waitset *set; /* of a wait; an iterator's has a number */
  uint32_t number;
  uint32_t next; /* member that was done after this one, from 1 */
} asy_member;

/* What others point to. */
typedef struct asy_watches {
  asy_timer timer;
  asy_rt *rt;
  uint32_t number; /* of an iterator's set (weak.h) */
  asy_member member[];
} asy_watches;

typedef struct asy_waitset {
  asy_rt *rt;
  uint8_t kind;
  uint8_t until; /* of a wait */
  bool timed_out;
  asy_loop *loop;
  asy_task *task; /* who waits now, or NULL */
  uint32_t n;
  uint32_t left;  /* members watched */
  uint32_t first; /* of an iterator: the members done and not given out yet, */
  uint32_t last;  /* from the first to the last, by number, 0 when none */
  asy_watches *watches; /* of a wait they follow */
} asy_waitset;

static const char *const other_loop =
    "the futures belong to a different event loop";

/* User value of a set: the list of its futures, in the order of the members. */
#define SET_LIST 1


/* {====== Sets ====== */

/* Stores the list of the members' futures in the set on the top. */
static void store_list(lua_State *L, asy_waitset *set, int list) {
  lua_Integer given = 0;
  lua_createtable(L, (int)set->n, 0);
  for (uint32_t i = 0; i < set->n; i++) {
    while (lua_rawgeti(L, list, ++given),
           lua_touserdata(L, -1) != set->watches->member[i].fut)
      lua_pop(L, 1);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setiuservalue(L, -2, SET_LIST);
}


/* Makes the watches of the set, which is on the top. */
static asy_watches *watches_new(lua_State *L, asy_waitset *set, bool inside,
                                size_t size) {
  asy_watches *w =
      (asy_watches *)(inside ? (void *)(set + 1) : calloc(1, size));
  if (w == NULL) {
    luaL_error(L, "not enough memory");
    return NULL; /* never */
  }
  set->watches = w;
  w->rt = set->rt;
  if (!inside)
    w->number = asy_weak_new(L, set->rt, -1);
  return w;
}


/* Puts a new set in the place of the block on the top: of the futures there,
** which are those of the list at 'list', each once; they are on one loop, or it
** is a RuntimeError. 'inside' says where the watches lie. */
static asy_waitset *set_new(lua_State *L, asy_rt *rt, int list,
                            asy_future **futures, lua_Integer n, bool inside,
                            const char *fname) {
  uint32_t count = asy_wait_unique(L, futures, n, fname);
  size_t size = sizeof(asy_watches) + count * sizeof(asy_member);
  asy_waitset *set = (asy_waitset *)asy_new(
      L, rt, ASY_WAITSET, sizeof(*set) + (inside ? size : 0), 1);
  asy_watches *w = watches_new(L, set, inside, size);
  set->n = count;
  for (uint32_t i = 0; i < count; i++) {
    w->member[i].set = set;
    w->member[i].number = w->number;
    w->member[i].fut = futures[i];
  }
  if (count > 0)
    set->loop = futures[0]->loop;
  lua_remove(L, -2);
  store_list(L, set, list);
  return set;
}


/* Takes all watches and the timer back. */
static void set_unlink(asy_waitset *set) {
  if (set->left > 0)
    for (uint32_t i = 0; i < set->n; i++)
      asy_list_remove(&set->watches->member[i].watch.link);
  set->left = 0;
  if (set->watches != NULL && asy_list_linked(&set->watches->timer.link))
    asy_loop_unsettimer(set->loop, &set->watches->timer);
}


static void set_wake(asy_waitset *set) {
  asy_task *t = set->task;
  set->task = NULL;
  if (t != NULL)
    asy_unpark(t);
}


/* Pushes the field 'timeout' of the options at 'idx' and returns whether there
** is one. */
static bool get_timeout(lua_State *L, int idx, lua_Number *timeout) {
  bool timed;
  if (lua_isnil(L, idx))
    return false;
  timed = lua_getfield(L, idx, "timeout") != LUA_TNIL;
  if (timed) {
    luaL_argcheck(L, lua_isnumber(L, -1), idx,
                  "field 'timeout' must be a number");
    *timeout = lua_tonumber(L, -1);
    luaL_argcheck(L, *timeout == *timeout, idx, "field 'timeout' is nan");
  }
  lua_pop(L, 1);
  return timed;
}

/* }====== */


/* {====== wait() ====== */

static void wait_over(asy_waitset *set) {
  set_unlink(set);
  set_wake(set);
}


static bool is_enough(const asy_waitset *set, const asy_future *f) {
  return set->until == FIRST_COMPLETED ||
         (set->until == FIRST_EXCEPTION && f->state == ASY_FAILED);
}


static void wait_member_done(asy_watch *w, asy_future *f) {
  asy_waitset *set = asy_of(w, asy_member, watch)->set;
  set->left--;
  if (set->left == 0 || is_enough(set, f))
    wait_over(set);
}


static void wait_timed_out(asy_timer *timer) {
  wait_over(asy_of(timer, asy_watches, timer)->member[0].set);
}


static asy_future *wait_abort(asy_task *t) {
  asy_waitset *set = (asy_waitset *)t->on;
  set->task = NULL;
  set_unlink(set);
  return NULL;
}


static const asy_wait wait_wait = {"wait", wait_abort};


/* Pushes the list of the done futures and that of the others. The set is at the
** only index. */
static int push_results(lua_State *L, asy_waitset *set) {
  lua_Integer n[2] = {0, 0};
  lua_getiuservalue(L, 1, SET_LIST);
  lua_newtable(L);
  lua_newtable(L);
  for (uint32_t i = 0; i < set->n; i++) {
    int pending = set->watches->member[i].fut->state == ASY_PENDING;
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    lua_rawseti(L, 3 + pending, ++n[pending]);
  }
  return 2;
}


static int wait_woken(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  asy_woken(L, asy_rt_up(L)->task);
  return push_results(L, (asy_waitset *)lua_touserdata(L, 1));
}


/* Whether the futures that are done already are all that is waited for. */
static bool is_over(const asy_waitset *set) {
  bool all = true;
  for (uint32_t i = 0; i < set->n; i++) {
    const asy_future *f = set->watches->member[i].fut;
    if (f->state == ASY_PENDING)
      all = false;
    else if (is_enough(set, f))
      return true;
  }
  return all;
}


static int wait_park(lua_State *L, asy_task *t, asy_waitset *set, bool timed,
                     lua_Number timeout) {
  for (uint32_t i = 0; i < set->n; i++) {
    asy_member *m = &set->watches->member[i];
    if (m->fut->state != ASY_PENDING)
      continue;
    asy_future_watch(m->fut, &m->watch, wait_member_done);
    set->left++;
  }
  if (timed)
    asy_loop_settimer(set->loop, &set->watches->timer, asy_loop_after(timeout),
                      wait_timed_out);
  set->task = t;
  return asy_park(L, t, &wait_wait, set, 0, wait_woken);
}


/* Replaces the list at 1 by a copy, whose elements must be futures, and what is
** at 2 by a block of these. */
static asy_future **copy_futures(lua_State *L, asy_rt *rt, lua_Integer n) {
  asy_future **futures;
  lua_settop(L, 1);
  futures = asy_wait_block(L, n);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, 1, i);
    futures[i - 1] = asy_tofuture(L, rt, -1);
    if (futures[i - 1] == NULL) {
      lua_pushfstring(L, "task or future expected at [%I], got %s",
                      (LUAI_UACINT)i, luaL_typename(L, -1));
      luaL_argerror(L, 1, lua_tostring(L, -1));
    }
    lua_rawseti(L, -2, i);
  }
  lua_replace(L, 1);
  return futures;
}


static wait_until get_until(lua_State *L) {
  wait_until until = ALL_COMPLETED;
  if (lua_isnil(L, 2))
    return until;
  if (lua_getfield(L, 2, "return_when") != LUA_TNIL) {
    const char *name = lua_tostring(L, -1);
    while (until_name[until] != NULL &&
           (name == NULL || strcmp(name, until_name[until]) != 0))
      until++;
    luaL_argcheck(L, until_name[until] != NULL, 2,
                  "field 'return_when' must be FIRST_COMPLETED, "
                  "FIRST_EXCEPTION or ALL_COMPLETED");
  }
  lua_pop(L, 1);
  return until;
}


/* wait(list, {timeout=, return_when=}) */
static int wait_(lua_State *L) {
  static const char *const names[] = {"timeout", "return_when", NULL};
  asy_rt *rt = asy_rt_up(L);
  lua_Number timeout = 0;
  bool timed;
  wait_until until;
  lua_Integer n;
  asy_future **futures;
  asy_waitset *set;
  asy_task *t;
  lua_settop(L, 2);
  asy_options_check(L, 2, names);
  timed = get_timeout(L, 2, &timeout);
  until = get_until(L);
  n = asy_wait_length(L, 1);
  luaL_argcheck(L, n > 0, 1, "the list is empty");
  futures = copy_futures(L, rt, n);
  set = set_new(L, rt, 1, futures, n, true, "wait");
  lua_replace(L, 1);
  set->until = (uint8_t)until;
  if (is_over(set))
    return push_results(L, set);
  t = asy_task_here(L, rt, "wait");
  if (set->loop != t->fut.loop)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "wait: %s", other_loop);
  return wait_park(L, t, set, timed, timeout);
}

/* }====== */


/* {====== as_completed() ====== */

/* Puts the member at the end of those to be given out. */
static void give_out(asy_waitset *set, asy_member *m) {
  uint32_t number = (uint32_t)(m - set->watches->member) + 1;
  if (set->last == 0)
    set->first = number;
  else
    set->watches->member[set->last - 1].next = number;
  set->last = number;
}


static void iterator_member_done(asy_watch *w, asy_future *f) {
  asy_member *m = asy_of(w, asy_member, watch);
  asy_waitset *set = (asy_waitset *)asy_weak_get(f->rt, m->number);
  if (set == NULL)
    return;
  set->left--;
  give_out(set, m);
  if (set->left == 0)
    set_unlink(set);
  set_wake(set);
}


static void iterator_timed_out(asy_timer *timer) {
  const asy_watches *w = asy_of(timer, asy_watches, timer);
  asy_waitset *set = (asy_waitset *)asy_weak_get(w->rt, w->number);
  if (set == NULL)
    return;
  set->timed_out = true;
  set_unlink(set);
  set_wake(set);
}


static asy_future *iterator_abort(asy_task *t) {
  ((asy_waitset *)t->on)->task = NULL;
  return NULL;
}


static const asy_wait iterator_wait = {"as_completed", iterator_abort};


/* Takes the first member that is done and pushes its future. */
static int take_first(lua_State *L, asy_waitset *set) {
  uint32_t number = set->first;
  set->first = set->watches->member[number - 1].next;
  if (set->first == 0)
    set->last = 0;
  lua_getiuservalue(L, lua_upvalueindex(2), SET_LIST);
  lua_rawgeti(L, -1, number);
  return 1;
}


static int iterator_next(lua_State *L, int status, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  asy_waitset *set = (asy_waitset *)lua_touserdata(L, lua_upvalueindex(2));
  asy_task *t;
  (void)ctx;
  if (status == LUA_YIELD)
    asy_woken(L, rt->task);
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2)); /* see asy_park */
  if (set->first != 0)
    return take_first(L, set);
  if (set->timed_out)
    return asy_error_raise(L, ASY_TIMEOUT_ERROR, "timed out");
  if (set->left == 0)
    return 0;
  t = asy_task_here(L, rt, "as_completed");
  if (set->loop != t->fut.loop)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "as_completed: %s",
                           other_loop);
  if (set->task != NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "another task waits in this iterator");
  set->task = t;
  return asy_park(L, t, &iterator_wait, set, 0, iterator_next);
}


static int iterator(lua_State *L) {
  return iterator_next(L, LUA_OK, 0);
}


static int set_close(lua_State *L) {
  asy_waitset *set = (asy_waitset *)asy_checkkind(L, 1, ASY_WAITSET);
  set_unlink(set);
  set_wake(set);
  return 0;
}


static int set_gc(lua_State *L) {
  asy_waitset *set = (asy_waitset *)asy_checkkind(L, 1, ASY_WAITSET);
  asy_watches *w = set->watches;
  set_close(L);
  if (w == NULL || (void *)w == (void *)(set + 1))
    return 0;
  set->watches = NULL;
  set->first = set->n = 0;
  asy_weak_free(set->rt, &w->number);
  free(w);
  return 0;
}


static void iterator_start(asy_waitset *set, bool timed, lua_Number timeout) {
  for (uint32_t i = 0; i < set->n; i++) {
    asy_member *m = &set->watches->member[i];
    if (m->fut->state != ASY_PENDING) {
      give_out(set, m);
      continue;
    }
    asy_future_watch(m->fut, &m->watch, iterator_member_done);
    set->left++;
  }
  if (timed && set->left > 0)
    asy_loop_settimer(set->loop, &set->watches->timer, asy_loop_after(timeout),
                      iterator_timed_out);
}


/* as_completed(list, {timeout=}) returns an iterator, and the value that a 'for'
** closes when it ends early. */
static int as_completed(lua_State *L) {
  static const char *const names[] = {"timeout", NULL};
  asy_rt *rt = asy_rt_up(L);
  lua_Number timeout = 0;
  asy_future **futures;
  asy_waitset *set;
  lua_Integer n;
  bool timed;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  asy_options_check(L, 2, names);
  timed = get_timeout(L, 2, &timeout);
  n = asy_wait_length(L, 1);
  asy_loop_get(L, rt);
  lua_replace(L, 2);
  lua_insert(L, 1); /* loop, source */
  lua_createtable(L, (int)n, 0);
  futures = asy_wait_block(L, n);
  asy_wait_children(L, rt, 1, 3, futures, 2, n);
  set = set_new(L, rt, 3, futures, n, false, "as_completed");
  if (set->loop != NULL)
    asy_loop_checkopen(L, set->loop);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 4);
  lua_pushcclosure(L, iterator, 2);
  iterator_start(set, timed, timeout);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, 4);
  return 4;
}

/* }====== */


void asy_waitset_open(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__close", set_close},
      {"__gc", set_gc},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"wait", wait_},
      {"as_completed", as_completed},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_WAITSET, "asyncio.WaitSet", NULL, meta, 0);
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
  for (int i = 0; until_name[i] != NULL; i++) {
    lua_pushstring(L, until_name[i]);
    lua_setfield(L, -2, until_name[i]);
  }
}
