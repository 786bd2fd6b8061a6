/*
** signals(...): an iterator that suspends and gives the names of the signals in
** the order in which they arrive. It listens from the call until its loop is
** left. A signal that arrives again before the loop took it is one, as signals
** that are pending are.
*/
#include "error.h"
#include "sig.h"
#include "waitq.h"
#include "weak.h"

typedef struct asy_signals {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self; /* its number (weak.h) */
  asy_loop *loop;
  asy_list watchers; /* open ones (sig_listener) */
  asy_list arrived;  /* those whose signal is to be taken, in order */
  asy_list waiters;  /* tasks */
} asy_signals;

#define SIGNALS_LOOP 1 /* user value: keeps the loop alive */

typedef struct sig_listener {
  asy_sigwatch w;
  uint32_t owner;   /* number of the asy_signals; 0: it closes */
  asy_list link;    /* in the owner's watchers */
  asy_list arrival; /* in its arrivals */
} sig_listener;


/* {====== Listening ====== */

/* Who listens, or NULL when that is collected. */
static asy_signals *owner_of(const sig_listener *l) {
  return (asy_signals *)asy_weak_get(l->w.h.loop->rt, l->owner);
}


static void listener_detach(asy_handle *h) {
  sig_listener *l = (sig_listener *)h;
  asy_signals *s = owner_of(l);
  asy_sig_unwatch(&l->w);
  if (s == NULL)
    return;
  l->owner = 0;
  asy_list_remove(&l->link);
  asy_list_remove(&l->arrival);
  if (asy_list_empty(&s->watchers))
    asy_waitq_wakeall(&s->waiters);
}


static void listener_arrived(uv_signal_t *uv, int signum) {
  sig_listener *l = (sig_listener *)uv->data;
  asy_signals *s = owner_of(l);
  (void)signum;
  if (s == NULL || asy_list_linked(&l->arrival))
    return;
  asy_list_append(&s->arrived, &l->arrival);
  asy_waitq_wake(&s->waiters);
}


static bool is_listening(const asy_signals *s, int signum) {
  for (asy_list *n = s->watchers.next; n != &s->watchers; n = n->next)
    if (asy_of(n, sig_listener, link)->w.signum == signum)
      return true;
  return false;
}


/* Returns 0 or a libuv error. */
static int listen_to(asy_signals *s, int signum) {
  int err;
  sig_listener *l =
      (sig_listener *)asy_handle_new(s->loop, sizeof(sig_listener));
  if (l == NULL)
    return UV_ENOMEM;
  l->w.h.detach = listener_detach;
  err = asy_sig_watch(&l->w, signum, listener_arrived);
  if (err != 0) {
    asy_handle_close(&l->w.h);
    return err;
  }
  l->owner = s->self;
  asy_list_append(&s->watchers, &l->link);
  return 0;
}


static void stop_listening(asy_signals *s) {
  while (!asy_list_empty(&s->watchers))
    asy_handle_close(&asy_of(s->watchers.next, sig_listener, link)->w.h);
}

/* }====== */


/* {====== Lua's view ====== */

static const asy_wait signal_wait = {"a signal", asy_waitq_abort};


/* Takes the signal that arrived first, or waits for one; the iterator is at 1.
** It ends when it listens no more. */
static int next_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_signals *s = (asy_signals *)lua_touserdata(L, 1);
  asy_task *t = s->rt->task;
  (void)ctx;
  if (status == LUA_YIELD) {
    asy_resumed(L, t);
    if (asy_isending(t) && asy_waitq_got(t) && !asy_list_empty(&s->arrived))
      asy_waitq_wake(&s->waiters);
    asy_waitq_woken(L, t);
  }
  if (!asy_list_empty(&s->arrived)) {
    sig_listener *l = asy_of(s->arrived.next, sig_listener, arrival);
    asy_sig_pushname(L, l->w.signum);
    asy_list_remove(&l->arrival);
    return 1;
  }
  if (asy_list_empty(&s->watchers))
    return 0;
  t = asy_task_here(L, s->rt, "signals");
  if (t->fut.loop != s->loop)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "'signals' belongs to a different event loop");
  return asy_waitq_wait(L, t, &s->waiters, &signal_wait, NULL, 0, next_woken);
}


/* The iterator; its second upvalue is the object. */
static int signals_next(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  return next_woken(L, LUA_OK, 0);
}


static int signals_close(lua_State *L) {
  stop_listening((asy_signals *)asy_checkkind(L, 1, ASY_SIGNALS));
  return 0;
}


static int signals_gc(lua_State *L) {
  asy_signals *s = (asy_signals *)asy_checkkind(L, 1, ASY_SIGNALS);
  stop_listening(s);
  asy_weak_free(s->rt, &s->self);
  return 0;
}


/* signals(signal, ...): what a generic for needs */
static int signals(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  int n = lua_gettop(L), err;
  asy_signals *s;
  for (int i = 1; i == 1 || i <= n; i++)
    asy_sig_checkcaught(L, i);
  if (rt->running == NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "'signals' must be called while an event loop runs");
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  s = (asy_signals *)asy_new(L, rt, ASY_SIGNALS, sizeof(*s), 1);
  asy_list_init(&s->watchers);
  asy_list_init(&s->arrived);
  asy_list_init(&s->waiters);
  s->self = asy_weak_new(L, rt, -1);
  s->loop = rt->running;
  asy_loop_push(L, s->loop);
  lua_setiuservalue(L, -2, SIGNALS_LOOP);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, signals_next, 2);
  for (int i = 1; i <= n; i++) {
    int signum = asy_sig_check(L, i);
    err = is_listening(s, signum) ? 0 : listen_to(s, signum);
    if (err != 0) {
      stop_listening(s);
      return asy_sig_raise(L, rt, err, signum);
    }
  }
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, -4);
  return 4;
}


void asy_sigiter_open(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__close", signals_close},
      {"__gc", signals_gc},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {{"signals", signals}, {NULL, NULL}};
  asy_newmeta(L, ASY_SIGNALS, "asyncio.Signals", NULL, meta, 0);
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}

/* }====== */
