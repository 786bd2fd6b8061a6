/*
** Watchers of signals, and what the process does at their arrival. libuv has
** one handler for all its watchers in the process, of whatever loop, and resets
** a signal to its default with the last one. Here it gets back what it had
** before the first, or what was set meanwhile.
*/
#include "sig.h"

#ifndef _WIN32
#include <pthread.h>
#endif

#include "error.h"


#ifndef _WIN32

/* {====== What was there before ====== */

typedef struct sig_state {
  unsigned watchers; /* of ours, in all loops of all Lua states */
  struct sigaction before;
} sig_state;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sig_state states[NSIG];

typedef void (*sig_function)(int);

static sig_function libuvs; /* its handler, once that is known */


static bool is_libuvs(const struct sigaction *action) {
  return libuvs != NULL && action->sa_handler == libuvs;
}


/* Keeps what was there. If that is libuv's, somebody else watches, and it is
** what libuv resets to. */
static void keep(sig_state *s, const struct sigaction *before) {
  s->before = *before;
  if (is_libuvs(before))
    s->before = (struct sigaction){.sa_handler = SIG_DFL};
}


static int watch(uv_signal_t *h, int signum, uv_signal_cb arrived) {
  sig_state *s = &states[signum];
  struct sigaction before, now;
  int err;
  pthread_mutex_lock(&lock);
  sigaction(signum, NULL, &before);
  err = uv_signal_start(h, arrived, signum);
  if (err == 0 && sigaction(signum, NULL, &now) == 0)
    libuvs = now.sa_handler;
  if (err == 0 && s->watchers++ == 0)
    keep(s, &before);
  pthread_mutex_unlock(&lock);
  return err;
}


static void unwatch(uv_signal_t *h, int signum) {
  sig_state *s = &states[signum];
  struct sigaction before, after;
  pthread_mutex_lock(&lock);
  sigaction(signum, NULL, &before);
  uv_signal_stop(h);
  if (--s->watchers == 0) {
    if (!is_libuvs(&before)) /* set by somebody meanwhile */
      sigaction(signum, &before, NULL);
    else if (sigaction(signum, NULL, &after) == 0 && !is_libuvs(&after))
      sigaction(signum, &s->before, NULL);
  }
  pthread_mutex_unlock(&lock);
}


void asy_sig_hold(int signum) {
  sig_state *s = &states[signum];
  struct sigaction before;
  pthread_mutex_lock(&lock);
  if (s->watchers++ == 0 && sigaction(signum, NULL, &before) == 0)
    keep(s, &before);
  pthread_mutex_unlock(&lock);
}


void asy_sig_release(int signum) {
  sig_state *s = &states[signum];
  struct sigaction now;
  pthread_mutex_lock(&lock);
  if (--s->watchers == 0 && sigaction(signum, NULL, &now) == 0 &&
      now.sa_handler == SIG_DFL) /* what libuv resets it to */
    sigaction(signum, &s->before, NULL);
  pthread_mutex_unlock(&lock);
}


int asy_sig_getaction(int signum, struct sigaction *action) {
  int result = 0;
  pthread_mutex_lock(&lock);
  if (states[signum].watchers > 0)
    *action = states[signum].before;
  else
    result = sigaction(signum, NULL, action);
  pthread_mutex_unlock(&lock);
  return result;
}


int asy_sig_setaction(int signum, const struct sigaction *action) {
  int result = 0;
  pthread_mutex_lock(&lock);
  if (states[signum].watchers > 0)
    states[signum].before = *action;
  else
    result = sigaction(signum, action, NULL);
  pthread_mutex_unlock(&lock);
  return result;
}

/* }====== */

#else

static int watch(uv_signal_t *h, int signum, uv_signal_cb arrived) {
  return uv_signal_start(h, arrived, signum);
}


static void unwatch(uv_signal_t *h, int signum) {
  (void)signum;
  uv_signal_stop(h);
}


void asy_sig_hold(int signum) {
  (void)signum;
}


void asy_sig_release(int signum) {
  (void)signum;
}

#endif


int asy_sig_watch(asy_sigwatch *w, int signum, uv_signal_cb arrived) {
  int err = uv_signal_init(w->h.loop->engine->uv, &w->h.uv.signal);
  if (err != 0)
    return err;
  asy_handle_opened(&w->h);
  err = watch(&w->h.uv.signal, signum, arrived);
  if (err == 0)
    w->signum = signum;
  return err;
}


void asy_sig_unwatch(asy_sigwatch *w) {
  if (w->signum != 0)
    unwatch(&w->h.uv.signal, w->signum);
  w->signum = 0;
}


int asy_sig_raise(lua_State *L, asy_rt *rt, int err, int signum) {
  const char *name = asy_sig_pushname(L, signum);
  asy_error_osof(L, rt, err, "signal", "signal", name);
  return lua_error(L);
}


void asy_sig_open(lua_State *L) {
  asy_sighandler_open(L);
  asy_sigiter_open(L);
}
