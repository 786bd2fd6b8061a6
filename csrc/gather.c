/*
** gather: a future of the results of several. It is pinned, or kept by its
** children, until the last of these is done, even if it has failed before: so
** late errors of children are taken note of, and not reported as lost.
*/
#include "anchor.h"
#include "await.h"
#include "error.h"
#include "options.h"
#include "wait.h"

typedef struct asy_child {
  asy_watch watch;
  asy_future *fut;
  struct asy_gather *owner;
} asy_child;

typedef struct asy_gather {
  asy_future fut;
  asy_ready ready;         /* completes it when the C stack is deep */
  struct asy_gather *next; /* in the line of those to be cancelled */
  uint32_t nplaces;        /* results */
  uint32_t nchildren;      /* futures, each counted once */
  uint32_t pending;        /* children not done */
  uint32_t failed;         /* the child that failed it + 1, or 0 */
  uint32_t settled;        /* children whose values are known to be there */
  bool return_exceptions;
  bool as_list; /* one list, not several values */
  bool cancel_requested;
  uint8_t outcome; /* state to come, when 'ready' is queued */
  asy_child child[];
} asy_gather;


/* {====== Completing ====== */

static void unpin_if_over(asy_gather *g) {
  if (g->pending == 0 && g->fut.state != ASY_PENDING)
    asy_anchor_drop(g->fut.rt, &g->fut.slot);
}


/* Ends the gather; below some depth the loop goes on with it. */
static void gather_complete(asy_gather *g, asy_state state) {
  if (asy_future_follow(&g->fut, state))
    return;
  g->outcome = (uint8_t)state;
  asy_anchor_hold(g->fut.rt, g->fut.slot);
  asy_loop_ready(g->fut.loop, &g->ready);
}


/* Whoever has called set_result meanwhile has ended it before. */
static void gather_run(lua_State *L, asy_ready *e) {
  asy_gather *g = asy_of(e, asy_gather, ready);
  (void)L;
  if (g->fut.state == ASY_PENDING)
    asy_future_follow(&g->fut, (asy_state)g->outcome);
  unpin_if_over(g);
}


static void gather_lost(lua_State *L, asy_ready *e) {
  (void)L;
  (void)e; /* gather_run cannot raise */
}


static const asy_ready_ops gather_entry = {gather_run, gather_lost, gather_run};


static void child_ended(asy_gather *g, asy_future *f, uint32_t i) {
  bool failed = f->state != ASY_FINISHED;
  g->pending--;
  if (g->fut.state != ASY_PENDING || asy_ready_queued(&g->ready)) {
    f->flags |= ASY_RETRIEVED;
  } else if (failed && !g->return_exceptions) {
    g->failed = i + 1;
    gather_complete(g, ASY_FAILED);
  } else {
    if (failed)
      f->flags |= ASY_RETRIEVED;
    if (g->pending == 0)
      gather_complete(g, g->cancel_requested ? ASY_FAILED : ASY_FINISHED);
  }
  unpin_if_over(g);
}


static void child_done(asy_watch *w, asy_future *f) {
  asy_child *c = asy_of(w, asy_child, watch);
  child_ended(c->owner, f, (uint32_t)(c - c->owner->child));
}

/* }====== */


/* {====== Cancelling ====== */

static bool cancel_children(asy_gather *g) {
  bool any = false;
  for (uint32_t i = 0; i < g->nchildren; i++) {
    if (asy_list_linked(&g->child[i].watch.link))
      any = asy_future_cancel(g->child[i].fut) || any;
  }
  return any;
}


/* Children may await gathers whose children await gathers...: those line up
** behind the first, so that the C stack stays flat, and stay in line until all
** are through, so that each has its turn once even if they form a ring. */
static bool gather_cancel(asy_future *f) {
  asy_rt *rt = f->rt;
  asy_gather *g = (asy_gather *)f, *next;
  bool any;
  g->cancel_requested = true;
  if (g->next != NULL)
    return true;
  g->next = g; /* the last in line is its own successor */
  if (rt->cancelling != NULL) {
    rt->cancelling->next = g;
    rt->cancelling = g;
    return true;
  }
  rt->cancelling = g;
  any = cancel_children(g);
  for (next = g; next != next->next;) {
    next = next->next;
    cancel_children(next);
  }
  rt->cancelling = NULL;
  while (g->next != g) {
    next = g->next;
    g->next = NULL;
    g = next;
  }
  g->next = NULL;
  return any;
}

/* }====== */


/* {====== Results ====== */

/* Pushes what takes the place of the child on the top: its first value, or,
** with return_exceptions, its error. */
static void push_outcome(lua_State *L) {
  asy_future *f = (asy_future *)lua_touserdata(L, -1);
  if (f->state == ASY_FINISHED)
    asy_future_pushfirst(L, f, -1);
  else
    asy_future_pusherror(L, -1);
}


/* Pushes child 'i', found in the list on the top: each child stands there at
** its own place or, after duplicates, behind it. */
static asy_future *push_child(lua_State *L, const asy_gather *g, uint32_t i) {
  lua_Integer place = i;
  do {
    lua_rawgeti(L, -1, ++place);
    if (lua_touserdata(L, -1) == g->child[i].fut)
      return g->child[i].fut;
    lua_pop(L, 1);
  } while (place < g->nplaces);
  return NULL; /* never: the list is ours */
}


/* The list of children, which has been the value so far, becomes the result. */
static bool settle_results(lua_State *L, asy_gather *g, int idx) {
  int children;
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
  children = lua_gettop(L);
  for (; g->settled < g->nchildren; g->settled++) {
    if (g->child[g->settled].fut->flags & ASY_UNSETTLED) {
      push_child(L, g, g->settled);
      lua_replace(L, children);
      return false;
    }
  }
  lua_createtable(L, (int)g->nplaces, 1);
  for (uint32_t i = 1; i <= g->nplaces; i++) {
    lua_rawgeti(L, children, i);
    push_outcome(L);
    lua_rawseti(L, children + 1, i);
    lua_pop(L, 1);
  }
  lua_pushinteger(L, g->nplaces);
  lua_setfield(L, -2, "n");
  g->fut.nresults = g->as_list ? 1 : 2;
  lua_setiuservalue(L, idx, ASY_FUT_VALUE);
  lua_pop(L, 1);
  return true;
}


static bool settle_error(lua_State *L, asy_gather *g, int idx) {
  asy_future *f;
  if (g->failed == 0) {
    asy_future_getextra(L, idx, "message");
    asy_error_wrap(L, g->fut.rt, ASY_CANCELLED_ERROR);
    lua_setiuservalue(L, idx, ASY_FUT_VALUE);
    return true;
  }
  lua_getiuservalue(L, idx, ASY_FUT_VALUE);
  f = push_child(L, g, g->failed - 1);
  if (f->flags & ASY_UNSETTLED) {
    lua_remove(L, -2);
    return false;
  }
  asy_future_pusherror(L, -1);
  if (asy_future_gettraceback(L, -2) == LUA_TSTRING)
    asy_future_setextra(L, idx, "traceback");
  else
    lua_pop(L, 1);
  lua_setiuservalue(L, idx, ASY_FUT_VALUE);
  lua_pop(L, 2);
  return true;
}


static bool gather_settle(lua_State *L, int idx) {
  asy_gather *g = (asy_gather *)lua_touserdata(L, idx);
  if (g->fut.state == ASY_FINISHED)
    return settle_results(L, g, idx);
  return settle_error(L, g, idx);
}

/* }====== */


/* {====== Making ====== */

/* Replaces element 'i' of the list at 'list' by a future of it. Coroutines and
** functions that stand there twice run once: 'seen' maps them to futures. */
static asy_future *ensure_child(lua_State *L, asy_rt *rt, int list, int seen,
                                lua_Integer i) {
  int top = lua_gettop(L);
  asy_future *f;
  lua_rawgeti(L, list, i);
  f = asy_tofuture(L, rt, -1);
  if (f == NULL) {
    lua_pushvalue(L, -1);
    if (lua_rawget(L, seen) == LUA_TNIL) {
      lua_pop(L, 1);
      lua_pushvalue(L, -1);
      asy_await_ensure(L, rt, 1, top + 2);
      lua_pushvalue(L, top + 1);
      lua_pushvalue(L, top + 2);
      lua_rawset(L, seen);
    }
    f = (asy_future *)lua_touserdata(L, top + 2);
    lua_rawseti(L, list, i);
  }
  lua_settop(L, top);
  return f;
}


/* A metamethod may claim any length. */
lua_Integer asy_wait_length(lua_State *L, int arg) {
  lua_Integer n;
  luaL_checktype(L, arg, LUA_TTABLE);
  n = luaL_len(L, arg);
  luaL_argcheck(L, n >= 0, arg, "the list has a negative length");
  luaL_argcheck(L, n < INT32_MAX, arg, "the list is too long");
  return n;
}


asy_future **asy_wait_block(lua_State *L, lua_Integer n) {
  return (asy_future **)lua_newuserdatauv(
      L, (size_t)n * sizeof(asy_future *) + 1, 0);
}


void asy_wait_children(lua_State *L, asy_rt *rt, int arg, int list,
                       asy_future **futures, int src, lua_Integer n) {
  bool all_futures = true;
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, src, i);
    futures[i - 1] = asy_tofuture(L, rt, -1);
    if (asy_unlikely(futures[i - 1] == NULL)) {
      all_futures = false;
      if (!asy_await_is(L, rt, -1)) {
        lua_pushfstring(L, "function or awaitable expected at [%I], got %s",
                        (LUAI_UACINT)i, luaL_typename(L, -1));
        luaL_argerror(L, arg, lua_tostring(L, -1));
      }
    }
    lua_rawseti(L, list, i);
  }
  if (all_futures)
    return;
  lua_newtable(L);
  for (lua_Integer i = 1; i <= n; i++)
    futures[i - 1] = ensure_child(L, rt, list, lua_gettop(L), i);
  lua_pop(L, 1);
}


/* Leaves each of the 'n' futures once, in order; returns how many are left. */
static uint32_t drop_duplicates(asy_future **futures, lua_Integer n) {
  uint32_t count = 0;
  for (lua_Integer i = 0; i < n; i++) {
    if (!(futures[i]->flags & ASY_MARKED)) {
      futures[i]->flags |= ASY_MARKED;
      futures[count++] = futures[i];
    }
  }
  for (uint32_t i = 0; i < count; i++)
    futures[i]->flags &= (uint8_t)~ASY_MARKED;
  return count;
}


uint32_t asy_wait_unique(lua_State *L, asy_future **futures, lua_Integer n,
                         const char *fname) {
  for (lua_Integer i = 1; i < n; i++)
    if (asy_unlikely(futures[i]->loop != futures[0]->loop))
      asy_error_raise(L, ASY_RUNTIME_ERROR,
                      "%s: the futures belong to different event loops", fname);
  return drop_duplicates(futures, n);
}


/* Whether a child will surely be done, or none is pending. */
static bool is_sure(const asy_gather *g) {
  bool pending = false;
  for (uint32_t i = 0; i < g->nchildren; i++) {
    const asy_future *f = g->child[i].fut;
    if (f->state != ASY_PENDING)
      continue;
    if (asy_likely(asy_anchor_issure(f)))
      return true;
    pending = true;
  }
  return !pending;
}


/* The gather on the top is pinned, or else its children keep it. */
static void gather_keep(lua_State *L, asy_gather *g, int list) {
  if (asy_likely(is_sure(g))) {
    g->fut.slot = asy_pin(L, g->fut.rt, -1);
    return;
  }
  lua_pushvalue(L, list);
  for (uint32_t i = 0; i < g->nchildren; i++) {
    if (g->child[i].fut->state != ASY_PENDING)
      continue;
    push_child(L, g, i);
    asy_anchor_keep(L, -1, -3);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  g->fut.slot = asy_anchor_new(L, g->fut.rt, -1);
}


/* Makes the gather of the 'n' futures in the list at 'list', which the block
** holds, too. */
static asy_gather *gather_new(lua_State *L, int list, asy_future **futures,
                              lua_Integer n) {
  uint32_t count = asy_wait_unique(L, futures, n, "gather");
  asy_loop *loop =
      count > 0 ? futures[0]->loop : (asy_loop *)lua_touserdata(L, 1);
  asy_gather *g = (asy_gather *)asy_future_new(
      L, loop, ASY_GATHER, sizeof(asy_gather) + count * sizeof(asy_child),
      ASY_FUT_VALUES);
  lua_pushvalue(L, list);
  lua_setiuservalue(L, -2, ASY_FUT_VALUE);
  g->ready.ops = &gather_entry;
  g->nplaces = (uint32_t)n;
  g->nchildren = g->pending = count;
  for (uint32_t i = 0; i < count; i++) {
    g->child[i].owner = g;
    g->child[i].fut = futures[i];
  }
  gather_keep(L, g, list);
  return g;
}


/* Watches the children; those that are done count at once. */
static void gather_start(asy_gather *g) {
  for (uint32_t i = 0; i < g->nchildren; i++) {
    asy_child *c = &g->child[i];
    if (c->fut->state == ASY_PENDING)
      asy_future_watch(c->fut, &c->watch, child_done);
  }
  for (uint32_t i = 0; i < g->nchildren; i++) {
    asy_future *f = g->child[i].fut;
    if (!asy_list_linked(&g->child[i].watch.link))
      child_ended(g, f, i);
  }
  if (g->nchildren == 0) {
    gather_complete(g, ASY_FINISHED);
    unpin_if_over(g);
  }
}


/* Whether the arguments are one list, and not awaitables themselves. */
static bool is_list(lua_State *L, asy_rt *rt) {
  return lua_istable(L, 1) && !asy_await_is(L, rt, 1);
}


/* gather(list, {return_exceptions=}) or gather(a, b, ...) */
static int gather(lua_State *L) {
  static const char *const names[] = {"return_exceptions", NULL};
  asy_rt *rt = asy_rt_up(L);
  bool as_list = is_list(L, rt), return_exceptions = false;
  lua_Integer n = lua_gettop(L);
  asy_future **futures;
  asy_gather *g;
  if (as_list) {
    lua_settop(L, 2);
    n = asy_wait_length(L, 1);
    asy_options_check(L, 2, names);
    return_exceptions = asy_optflag(L, 2, names[0], false);
    lua_settop(L, 1);
  } else {
    for (int i = 1; i <= (int)n; i++)
      if (!asy_await_is(L, rt, i))
        return asy_await_typeerror(L, i);
    lua_createtable(L, (int)n, 0);
    lua_insert(L, 1);
    for (lua_Integer i = n; i >= 1; i--)
      lua_rawseti(L, 1, i);
  }
  asy_loop_get(L, rt);
  lua_insert(L, 1); /* loop, source */
  lua_createtable(L, (int)n, 0);
  futures = asy_wait_block(L, n);
  asy_wait_children(L, rt, 1, 3, futures, 2, n);
  g = gather_new(L, 3, futures, n);
  g->as_list = as_list;
  g->return_exceptions = return_exceptions;
  gather_start(g);
  return 1;
}


void asy_gather_open(lua_State *L) {
  static const asy_future_ops ops = {gather_cancel, gather_settle};
  static const luaL_Reg funcs[] = {{"gather", gather}, {NULL, NULL}};
  asy_rt *rt = asy_rt_of(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[ASY_FUTURE]);
  rt->meta[ASY_GATHER] = luaL_ref(L, LUA_REGISTRYINDEX);
  rt->ops[ASY_GATHER] = &ops;
  asy_setfuncs(L, funcs);
}

/* }====== */
