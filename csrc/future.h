/*
** Futures: a result to come, and those who wait for it. Tasks, gathers and
** shields have a future as their first member.
*/
#ifndef asy_future_h
#define asy_future_h

#include "list.h"
#include "loop.h"

typedef enum asy_state {
  ASY_PENDING,
  ASY_FINISHED, /* has values */
  ASY_FAILED,   /* has an error */
  ASY_CANCELLED
} asy_state;

/* Flags of a future. */
#define ASY_RETRIEVED 1 /* somebody took the error, or will */
#define ASY_REPORTED 2  /* its lost error was told to the handler */
#define ASY_UNSETTLED 4 /* its value is still with those it stands for */
#define ASY_KILLED 8    /* a task whose loop closes: it wakes up no more */
#define ASY_MARKED 16   /* scratch of whoever looks for duplicates */
#define ASY_LEFT 32     /* a task that others may point to for ever */
#define ASY_KEPT 64     /* a task of a group: it stays pinned when it ends */
#define ASY_EXTRAS 128  /* it has a table of extras */

struct asy_future;

/* What happens when a future is done: an entry in its list of watchers. 'fire'
** is called once, unlinked; it neither raises nor runs Lua. */
typedef struct asy_watch {
  asy_list link;
  void (*fire)(struct asy_watch *w, struct asy_future *f);
} asy_watch;

typedef struct asy_future {
  asy_rt *rt;
  uint8_t kind;
  uint8_t state;
  uint8_t flags;
  uint8_t nresults; /* 0, 1, or 2 for a packed table of several */
  uint32_t slot;    /* pin, while C points here */
  asy_loop *loop;   /* alive by the user value below */
  asy_list watchers;
} asy_future;

/* User values of a future. */
#define ASY_FUT_VALUE 1 /* the result, the error; before: a task's body */
#define ASY_FUT_EXTRA 2 /* the loop, or a table with more: loop, name, source */
#define ASY_FUT_VALUES 2

/* What differs from kind to kind; NULL for what a plain future does. */
typedef struct asy_future_ops {
  bool (*cancel)(asy_future *f); /* of a pending future; runs no Lua */
  /* Stores the value or the error of the done future at 'idx', which so far
  ** is with those it stands for (ASY_UNSETTLED); or pushes the one of those
  ** that has to be settled before, and returns false. May raise. */
  bool (*settle)(lua_State *L, int idx);
} asy_future_ops;

void asy_future_open(lua_State *L);

/* Whether 'o' is a future of any kind. */
static inline bool asy_isfuture(const asy_object *o) {
  return o != NULL && o->kind >= ASY_FUTURE && o->kind < ASY_KINDS;
}

/* The future at 'idx', or NULL. */
static inline asy_future *asy_tofuture(lua_State *L, asy_rt *rt, int idx) {
  asy_object *o = asy_toobject(L, rt, idx);
  return asy_isfuture(o) ? (asy_future *)o : NULL;
}

asy_future *asy_checkfuture(lua_State *L, int arg);

/* Lua's constructor Future(), for a closure with the runtime. */
int asy_future_create(lua_State *L);

/* Pushes a new pending future of the kind on the loop, which is the running one
** or is kept by the caller. */
asy_future *asy_future_new(lua_State *L, asy_loop *loop, asy_kind kind,
                           size_t size, int nuv);

/* Pushes the loop of the future at 'idx'. */
void asy_future_pushloop(lua_State *L, int idx);

/* Registers a watcher of a pending future. The watcher's memory must stay:
** it is pinned, or unlinked in time. */
static inline void asy_future_watch(asy_future *f, asy_watch *w,
                                    void (*fire)(asy_watch *, asy_future *)) {
  w->fire = fire;
  asy_list_append(&f->watchers, &w->link);
}

/* Ends a pending future: the state, whose value is stored, then all watchers.
** Never raises, runs no Lua. */
void asy_future_done(asy_future *f, asy_state state);

/* The same for a pending future that stands for others, and that others may
** stand for in turn: its value is still with those. When the C stack is deep
** this does nothing and returns false: the loop has to do it. */
bool asy_future_follow(asy_future *f, asy_state state);

/* Ends the pending future 'f', which is at 'idx', with the 'n' values on the
** top, which it pops. May raise, before anything changed. */
void asy_future_setresult(lua_State *L, asy_future *f, int idx, int n);

/* Ends the pending future at 'idx' with the error on the top, which it pops,
** and sees to it that the error is reported if nobody takes it. Never raises
** once the future is failed; without memory it only forgoes the report. */
void asy_future_seterror(lua_State *L, int idx);

/* Asks for cancellation; false when it was done. No Lua runs. */
bool asy_future_cancel(asy_future *f);

/* What that does to a plain future: it is cancelled at once. */
bool asy_future_cancelplain(asy_future *f);

/* The same with the message at index 'msg', nil for none. May raise. */
bool asy_future_cancelwith(lua_State *L, asy_future *f, int idx, int msg);

/* Pushes the values of the done future at 'idx' and returns their number, or
** raises its error, or CancelledError. */
int asy_future_take(lua_State *L, int idx);

/* The values of the finished future 'f', which is at 'idx'. */
int asy_future_takefrom(lua_State *L, asy_future *f, int idx);

/* Pushes its value as it is stored: nothing's nil, one, or the packed table. */
void asy_future_pushraw(lua_State *L, int idx);

/* Pushes the error of the future at 'idx', which failed, or the
** CancelledError of one that was cancelled: that with which a task ended, else
** a new one with its message. */
void asy_future_pusherror(lua_State *L, int idx);

/* Pushes the first value of the finished future 'f', which is at 'idx', nil if
** it has none. */
void asy_future_pushfirst(lua_State *L, asy_future *f, int idx);

/* Raises the error of the future at 'idx', which failed or was cancelled. */
int asy_future_raise(lua_State *L, int idx);

/* Pushes the future's table of extras, made when missing. */
void asy_future_extra(lua_State *L, int idx);

/* Sets extras[name] to the value on the top, which it pops. */
void asy_future_setextra(lua_State *L, int idx, const char *name);

/* Pushes extras[name], or nil; allocates nothing. */
int asy_future_getextra(lua_State *L, int idx, const char *name);

#endif
