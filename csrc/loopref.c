/*
** References to loops of other Lua states, and the calls that are posted to
** them: a parcel of a function and its arguments, which the loop's state unpacks
** and calls as call_soon does.
*/
#include "loopref.h"

#include <stdlib.h>

#include "callback.h"
#include "crossing.h"
#include "error.h"
#include "inbox.h"
#include "report.h"

typedef struct loopref {
  asy_shared shared;
  asy_letter address; /* never sent: keeps the loop's inbox */
} loopref;

typedef struct posted {
  asy_letter letter;
  asy_parcel *parcel;
} posted;


/* {====== References ====== */

static void loopref_push(lua_State *L, asy_rt *rt, asy_shared *s) {
  asy_shared_pushproxy(L, rt, s, ASY_LOOPREF);
}


static void loopref_free(loopref *ref) {
  asy_letter_drop(&ref->address);
  free(ref);
}


/* The last that is left is the loop's own: nobody else can wake it any more. */
static void loopref_unref(asy_shared *s) {
  loopref *ref = asy_of(s, loopref, shared);
  asy_letter inbox = {.to = NULL}; /* stays while the loop may drop the last */
  int refs;
  asy_letter_address(&inbox, ref->address.to);
  refs = __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL);
  if (refs == 1)
    asy_inbox_wake(inbox.to);
  else if (refs == 0)
    loopref_free(ref);
  asy_letter_drop(&inbox);
}


bool asy_loopref_isheld(const asy_loop *loop) {
  return loop->ref != NULL &&
         __atomic_load_n(&loop->ref->refs, __ATOMIC_ACQUIRE) > 1;
}


/* In its own state the reference is the loop itself. */
asy_shared *asy_loopref_of(lua_State *L, asy_loop *loop) {
  static const asy_shared_ops ops = {loopref_push, loopref_unref, NULL};
  asy_inbox *inbox;
  loopref *ref;
  if (loop->ref != NULL)
    return loop->ref;
  asy_loop_checkopen(L, loop);
  inbox = asy_inbox_of(L, loop);
  ref = (loopref *)calloc(1, sizeof(loopref));
  if (ref == NULL) {
    luaL_error(L, "not enough memory");
    return NULL; /* never */
  }
  asy_shared_init(&ref->shared, &ops);
  asy_letter_address(&ref->address, inbox);
  loop->ref = &ref->shared;
  asy_loop_push(L, loop);
  asy_shared_know(L, loop->rt, loop->ref);
  lua_pop(L, 1);
  return loop->ref;
}


static loopref *check_ref(lua_State *L) {
  asy_proxy *proxy = (asy_proxy *)asy_checkkind(L, 1, ASY_LOOPREF);
  luaL_argcheck(L, proxy->shared != NULL, 1, "the loop is gone");
  return asy_of(proxy->shared, loopref, shared);
}

/* }====== */


/* {====== Calls ====== */

static posted *posted_of(asy_ready *e) {
  return asy_of(asy_of(e, asy_letter, ready), posted, letter);
}


static void posted_free(posted *p) {
  asy_parcel_free(p->parcel);
  asy_letter_drop(&p->letter);
  free(p);
}


/* Calls it at once, in the place of the entry that runs: a loop that closes after
** this turn has made the call. */
static void posted_run(lua_State *L, asy_ready *e) {
  posted *p = posted_of(e);
  asy_rt *rt = asy_rt_of(L);
  asy_loop *loop = rt->running;
  asy_callback *cb;
  int base = lua_gettop(L), n;
  asy_loop_push(L, loop);
  n = asy_parcel_unpack(L, p->parcel);
  cb = asy_callback_new(L, rt, ASY_HANDLE, base + 1, n - 1);
  posted_free(p);
  lua_settop(L, base);
  loop->entry = &cb->ready; /* is told of its errors */
  cb->ready.ops->run(L, &cb->ready);
}


/* It could not even be unpacked. */
static void posted_fail(lua_State *L, asy_ready *e) {
  posted_free(posted_of(e));
  asy_report_error(L, asy_rt_of(L)->running,
                   "error in a call that another thread posted", 0);
}


static int push_lost(lua_State *L) {
  asy_error_push(L, asy_rt_of(L), ASY_RUNTIME_ERROR,
                 "the event loop was closed before the call was made");
  return 1;
}


static void posted_drop(lua_State *L, asy_ready *e) {
  posted *p = posted_of(e);
  asy_loop *loop = asy_inbox_loop(p->letter.to);
  posted_free(p);
  lua_pushcfunction(L, push_lost);
  lua_pcall(L, 0, 1, 0);
  asy_report_error(L, loop, "a call that another thread posted was lost", 0);
}


static void posted_refused(asy_letter *m) {
  posted_free(asy_of(m, posted, letter));
}


/* Posts the function at index 2 and its arguments; the first of these values is
** argument 'number' in messages. */
static int post(lua_State *L, int number) {
  static const asy_ready_ops ops = {posted_run, posted_fail, posted_drop};
  asy_packing how = {"argument", 0, false};
  loopref *ref = check_ref(L);
  asy_parcel *parcel;
  posted *p;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  how.number = number;
  parcel = asy_parcel_pack(L, 2, lua_gettop(L) - 1, &how);
  p = (posted *)calloc(1, sizeof(posted));
  if (p == NULL) {
    asy_parcel_free(parcel);
    return luaL_error(L, "not enough memory");
  }
  p->parcel = parcel;
  p->letter.ready.ops = &ops;
  p->letter.refused = posted_refused;
  asy_letter_address(&p->letter, ref->address.to);
  if (asy_letter_offer(&p->letter))
    return 0;
  posted_free(p);
  return asy_error_raise(L, ASY_RUNTIME_ERROR, "the event loop is closed");
}


/* loop:call_soon_threadsafe(fn, ...), where the loop is another state's */
static int call_soon_threadsafe(lua_State *L) {
  return post(L, 1);
}


/* loop_post(loop, serve, fn, ...): for run_coroutine_threadsafe */
static int loop_post(lua_State *L) {
  return post(L, 0);
}


static int is_closed(lua_State *L) {
  lua_pushboolean(L, !asy_inbox_isopen(check_ref(L)->address.to));
  return 1;
}


static int loopref_tostring(lua_State *L) {
  lua_pushfstring(L, "<LoopReference closed=%s>",
                  asy_inbox_isopen(check_ref(L)->address.to) ? "false"
                                                             : "true");
  return 1;
}


void asy_loopref_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"call_soon_threadsafe", call_soon_threadsafe},
      {"is_closed", is_closed},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", asy_proxy_gc},
      {"__tostring", loopref_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {{"loop_post", loop_post}, {NULL, NULL}};
  asy_newmeta(L, ASY_LOOPREF, asy_kindname(ASY_LOOPREF), methods, meta, 0);
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}

/* }====== */
