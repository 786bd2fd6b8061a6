/*
** Signals: their names, what the process does at their arrival, and the
** watchers that tell a loop of it. Ctrl-C in a run is apart (sigint.h).
*/
#ifndef asy_sig_h
#define asy_sig_h

#include <signal.h>

#include "handle.h"

/* {====== signame.c ====== */

/* The argument, "SIGTERM", "TERM" or a number; an argument error for what is no
** signal. */
int asy_sig_check(lua_State *L, int arg);

/* The same, but SIGKILL and SIGSTOP are argument errors, too. */
int asy_sig_checkcaught(lua_State *L, int arg);

/* Pushes the signal's name, "SIGTERM"; its number for one without. */
const char *asy_sig_pushname(lua_State *L, int signum);

/* }====== */

/* {====== sigwatch.c ====== */

/* Watches a signal. A kind of watcher has the struct as first member; its
** handle's 'detach' calls asy_sig_unwatch. */
typedef struct asy_sigwatch {
  asy_handle h;
  int signum; /* 0 while it watches nothing */
} asy_sigwatch;

/* Starts to watch with a handle in state 'new', which is open then; 'arrived'
** is called at each arrival. Returns 0 or a libuv error. Never raises. */
int asy_sig_watch(asy_sigwatch *w, int signum, uv_signal_cb arrived);

/* Ends that. With the last watcher of the process the signal does what it did
** before the first. */
void asy_sig_unwatch(asy_sigwatch *w);

/* For a signal that libuv watches for reasons of its own: what it did before is
** kept from the first hold to the last release. Neither raises. */
void asy_sig_hold(int signum);
void asy_sig_release(int signum);

/* Raises the OSError of a watcher that could not start. */
int asy_sig_raise(lua_State *L, asy_rt *rt, int err, int signum);

#ifndef _WIN32
/* What sigaction gets and sets, apart from watchers: while there are some, it
** is what the signal will do after the last. */
int asy_sig_getaction(int signum, struct sigaction *action);
int asy_sig_setaction(int signum, const struct sigaction *action);
#endif

/* }====== */

void asy_sighandler_open(lua_State *L);
void asy_sigiter_open(lua_State *L);

/* Opens both. */
void asy_sig_open(lua_State *L);

#endif
