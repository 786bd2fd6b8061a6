/*
** Callbacks: a function and its arguments, to be called by the loop; what
** call_soon, call_later, add_done_callback and add_reader make.
*/
#ifndef asy_callback_h
#define asy_callback_h

#include "future.h"

typedef struct asy_callback {
  asy_rt *rt;
  uint8_t kind; /* ASY_HANDLE, ASY_TIMERHANDLE or ASY_CALLBACK */
  bool cancelled;
  bool repeats; /* stays registered after it ran (a descriptor's) */
  uint8_t nargs;
  uint32_t slot; /* pin while scheduled or registered */
  asy_loop *loop;
  asy_ready ready;
  asy_timer timer; /* of a TimerHandle */
  asy_watch watch; /* of a future's done callback */
} asy_callback;

/* User values; the arguments follow. */
#define ASY_CB_FUNCTION 1
#define ASY_CB_LOOP 2
#define ASY_CB_CONTEXT 3
#define ASY_CB_SOURCE 4
#define ASY_CB_VALUES 4

/* Makes a callback of the function and its 'nargs' arguments on the top, which
** it replaces; pinned, and not scheduled yet. */
asy_callback *asy_callback_new(lua_State *L, asy_rt *rt, asy_kind kind,
                               int loopidx, int nargs);

/* The C function below which every callback runs; its argument is the
** callback. */
int asy_callback_call(lua_State *L);

/* Cancels it: it will not be called, and its function can go. Never raises. */
void asy_callback_cancel(lua_State *L, asy_callback *cb);

/* Raises an argument error unless the argument can be called. */
void asy_callback_checkfn(lua_State *L, int arg);

void asy_callback_open(lua_State *L);

#endif
