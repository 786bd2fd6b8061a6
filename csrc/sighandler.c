/*
** add_signal_handler: a callback for each signal of a loop.
*/
#include "callback.h"
#include "error.h"
#include "sig.h"

typedef struct sig_handler {
  asy_sigwatch w;
  asy_callback *callback; /* NULL when closing */
} sig_handler;


static void handler_detach(asy_handle *h) {
  sig_handler *s = (sig_handler *)h;
  asy_sig_unwatch(&s->w);
  if (s->callback != NULL)
    asy_callback_cancel(asy_rt_state(h->loop->rt), s->callback);
  s->callback = NULL;
}


/* Arrivals before the callback ran are one, as pending signals are. */
static void handler_arrived(uv_signal_t *uv, int signum) {
  sig_handler *s = (sig_handler *)uv->data;
  (void)signum;
  if (s->callback != NULL)
    asy_loop_ready(s->w.h.loop, &s->callback->ready);
}


/* The loop's handler of the signal, or NULL. There are few handles of signals,
** and they are looked for rarely. */
static sig_handler *find_handler(asy_loop *loop, int signum) {
  asy_list *all = &loop->engine->handles;
  for (asy_list *n = all->next; n != all; n = n->next) {
    asy_handle *h = asy_of(n, asy_handle, link);
    if (h->detach == handler_detach && ((sig_handler *)h)->w.signum == signum)
      return (sig_handler *)h;
  }
  return NULL;
}


/* Starts a handler that has no callback yet. */
static sig_handler *handler_new(asy_loop *loop, int signum, int *err) {
  sig_handler *s = (sig_handler *)asy_handle_new(loop, sizeof(sig_handler));
  *err = UV_ENOMEM;
  if (s == NULL)
    return NULL;
  s->w.h.detach = handler_detach;
  *err = asy_sig_watch(&s->w, signum, handler_arrived);
  if (*err == 0)
    return s;
  asy_handle_close(&s->w.h);
  return NULL;
}


static asy_loop *check_loop(lua_State *L) {
  asy_loop *loop = (asy_loop *)asy_checkkind(L, 1, ASY_LOOP);
  asy_loop_checkopen(L, loop);
  return loop;
}


/* loop:add_signal_handler(signal, fn, ...) */
static int add_signal_handler(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop = check_loop(L);
  int signum = asy_sig_checkcaught(L, 2), err;
  asy_callback *cb;
  sig_handler *s;
  asy_callback_checkfn(L, 3);
  cb = asy_callback_new(L, rt, ASY_HANDLE, 1, lua_gettop(L) - 3);
  cb->repeats = true;
  s = find_handler(loop, signum);
  if (s == NULL)
    s = handler_new(loop, signum, &err);
  if (s == NULL) {
    asy_callback_cancel(L, cb);
    return asy_sig_raise(L, rt, err, signum);
  }
  if (s->callback != NULL)
    asy_callback_cancel(L, s->callback);
  s->callback = cb;
  return 0;
}


/* loop:remove_signal_handler(signal) returns whether there was one */
static int remove_signal_handler(lua_State *L) {
  asy_loop *loop = check_loop(L);
  sig_handler *s = find_handler(loop, asy_sig_check(L, 2));
  if (s != NULL)
    asy_handle_close(&s->w.h);
  lua_pushboolean(L, s != NULL);
  return 1;
}


void asy_sighandler_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"add_signal_handler", add_signal_handler},
      {"remove_signal_handler", remove_signal_handler},
      {NULL, NULL},
  };
  lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_of(L)->meta[ASY_LOOP]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
}
