/*
** watch(path, options): a FileWatcher, an iterator that suspends and gives what
** happened to a file or in a directory. Between two turns of a loop events are
** queued, each once for a name, and up to a limit.
*/
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fs.h"
#include "handle.h"
#include "options.h"
#include "stream.h"
#include "weak.h"

#define LIMIT 1024 /* events that are queued */

typedef struct fs_event {
  asy_list link;
  bool renamed; /* else it changed */
  char name[];
} fs_event;

typedef struct asy_watcher {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self; /* its number (weak.h) */
  bool overflow; /* events were lost after those in the queue */
  int error;     /* a libuv code, for after these, or 0 */
  asy_loop *loop;
  struct fs_watch *watch; /* NULL once closed */
  size_t count, limit;    /* of events */
  unsigned removed;       /* how often some were taken out of the queue */
  asy_list events;
  asy_list waiters; /* tasks */
} asy_watcher;

/* User values of a watcher. */
#define WATCHER_LOOP 1
#define WATCHER_PATH 2

typedef struct fs_watch {
  asy_handle h;
  uint32_t owner; /* number of the watcher */
} fs_watch;


/* The watcher, or NULL when it is collected. */
static asy_watcher *owner_of(const fs_watch *watch) {
  return (asy_watcher *)asy_weak_get(watch->h.loop->rt, watch->owner);
}


/* {====== Events ====== */

static bool has_events(const asy_watcher *w) {
  return w->count > 0 || w->overflow || w->error != 0;
}


static void drop_all(asy_watcher *w) {
  for (asy_list *next, *n = w->events.next; n != &w->events; n = next) {
    next = n->next;
    free(asy_of(n, fs_event, link));
  }
  asy_list_init(&w->events);
  w->count = 0;
  w->removed++;
}


static bool is_queued(const asy_watcher *w, const char *name, bool renamed) {
  for (asy_list *n = w->events.next; n != &w->events; n = n->next) {
    fs_event *e = asy_of(n, fs_event, link);
    if (e->renamed == renamed && strcmp(e->name, name) == 0)
      return true;
  }
  return false;
}


static void add_event(asy_watcher *w, const char *name, bool renamed) {
  size_t size = strlen(name) + 1;
  fs_event *e;
  if (w->overflow || is_queued(w, name, renamed))
    return;
  e = w->count < w->limit ? (fs_event *)malloc(sizeof(fs_event) + size) : NULL;
  if (e == NULL) {
    w->overflow = true;
    return;
  }
  e->renamed = renamed;
  memcpy(e->name, name, size);
  memset(&e->link, 0, sizeof(e->link));
  asy_list_append(&w->events, &e->link);
  w->count++;
}


static void watch_event(uv_fs_event_t *uv, const char *name, int events,
                        int status) {
  asy_watcher *w = owner_of((fs_watch *)uv->data);
  if (w == NULL) {
    uv_fs_event_stop(uv);
    return;
  }
  if (status < 0)
    w->error = status;
  else
    add_event(w, name != NULL ? name : "", (events & UV_RENAME) != 0);
  if (has_events(w))
    asy_waitq_wake(&w->waiters);
}


/* Fills the table on the top with the first event and takes that out of the
** queue; false if a finalizer that ran meanwhile did so before. */
static bool take_first(lua_State *L, asy_watcher *w) {
  fs_event *e = asy_of(w->events.next, fs_event, link);
  bool renamed = e->renamed;
  unsigned removed = w->removed;
  lua_pushstring(L, e->name);
  lua_setfield(L, -2, "filename");
  lua_pushstring(L, renamed ? "rename" : "change");
  lua_setfield(L, -2, "type");
  if (w->removed != removed)
    return false;
  asy_list_remove(&e->link);
  w->count--;
  w->removed++;
  free(e);
  return true;
}


/* Pushes what is first in the queue, a table, and takes it out; the error is
** raised. False if there is nothing any more. */
static bool take_event(lua_State *L, asy_watcher *w) {
  int err;
  lua_createtable(L, 0, 2);
  if (w->count > 0)
    return take_first(L, w);
  if (w->overflow) {
    lua_pushliteral(L, "overflow");
    lua_setfield(L, -2, "type");
    w->overflow = false;
    return true;
  }
  err = w->error;
  if (err == 0)
    return false;
  w->error = 0;
  lua_getiuservalue(L, 1, WATCHER_PATH);
  asy_error_osof(L, w->rt, err, "watch", "path", lua_tostring(L, -1));
  return lua_error(L);
}

/* }====== */


/* {====== The handle ====== */

static void watch_detach(asy_handle *h) {
  asy_watcher *w = owner_of((fs_watch *)h);
  if (w == NULL)
    return;
  w->watch = NULL;
  asy_waitq_wakeall(&w->waiters);
}


/* Whether the system itself looks below a directory. */
static bool can_recurse(void) {
#if defined(__APPLE__) || defined(_WIN32)
  return true;
#else
  return false;
#endif
}


/* Returns 0 or a libuv error. */
static int watch_open(asy_watcher *w, const char *path, bool recursive) {
  fs_watch *watch;
  int err;
  if (recursive && !can_recurse())
    return UV_ENOSYS;
  watch = (fs_watch *)asy_handle_new(w->loop, sizeof(fs_watch));
  if (watch == NULL)
    return UV_ENOMEM;
  watch->h.detach = watch_detach;
  watch->owner = w->self;
  w->watch = watch;
  err = uv_fs_event_init(w->loop->engine->uv, &watch->h.uv.fs_event);
  if (err == 0) {
    asy_handle_opened(&watch->h);
    err = uv_fs_event_start(&watch->h.uv.fs_event, watch_event, path,
                            recursive ? UV_FS_EVENT_RECURSIVE : 0);
  }
  if (err != 0)
    asy_handle_close(&watch->h);
  return err;
}

/* }====== */


/* {====== Lua's view ====== */

static const asy_wait event_wait = {"an event of a file", asy_waitq_abort};


static asy_watcher *check_watcher(lua_State *L) {
  return (asy_watcher *)asy_checkkind(L, 1, ASY_WATCHER);
}


static int next_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_watcher *w = (asy_watcher *)lua_touserdata(L, 1);
  asy_task *t = w->rt->task;
  (void)ctx;
  if (status == LUA_YIELD) {
    asy_resumed(L, t);
    if (asy_isending(t) && asy_waitq_got(t) && has_events(w))
      asy_waitq_wake(&w->waiters);
    asy_waitq_woken(L, t);
  }
  while (w->watch != NULL && has_events(w)) {
    if (take_event(L, w))
      return 1;
    lua_settop(L, 1);
  }
  if (w->watch == NULL)
    return 0;
  t = asy_task_hereon(L, w->loop, "watcher", "watch");
  return asy_waitq_wait(L, t, &w->waiters, &event_wait, w, 0, next_woken);
}


/* watcher(): the next event, or nil when it is closed */
static int watcher_call(lua_State *L) {
  check_watcher(L);
  lua_settop(L, 1);
  return next_woken(L, LUA_OK, 0);
}


/* watcher:close() */
static int watcher_close(lua_State *L) {
  asy_watcher *w = check_watcher(L);
  if (w->watch != NULL)
    asy_handle_close(&w->watch->h);
  drop_all(w);
  return 0;
}


static int watcher_gc(lua_State *L) {
  asy_watcher *w = check_watcher(L);
  watcher_close(L);
  asy_weak_free(w->rt, &w->self);
  return 0;
}


static int watcher_tostring(lua_State *L) {
  asy_watcher *w = check_watcher(L);
  lua_getiuservalue(L, 1, WATCHER_PATH);
  lua_pushfstring(L, "<FileWatcher %s '%s'>",
                  w->watch != NULL ? "open" : "closed", lua_tostring(L, -1));
  return 1;
}


/* The limit in the options at 'idx', a table or nil. */
static size_t get_limit(lua_State *L, int idx) {
  lua_Integer limit = LIMIT;
  if (!lua_isnil(L, idx) && lua_getfield(L, idx, "limit") != LUA_TNIL) {
    limit = lua_tointeger(L, -1);
    luaL_argcheck(L, limit > 0 && limit <= INT32_MAX, idx,
                  "field 'limit' must be a positive integer");
  }
  return (size_t)limit;
}


/* watch(path, options): what a generic for needs; the watcher is the iterator
** and the closing value */
static int fs_watch_path(lua_State *L) {
  static const char *const names[] = {"recursive", "limit", NULL};
  const char *path = asy_fs_checkpath(L, 1);
  asy_loop *loop;
  asy_watcher *w;
  size_t limit;
  int err;
  lua_settop(L, 2);
  asy_options_check(L, 2, names);
  limit = get_limit(L, 2);
  loop = asy_stream_loop(L, "watch");
  w = (asy_watcher *)asy_new(L, loop->rt, ASY_WATCHER, sizeof(*w), 2);
  asy_list_init(&w->events);
  asy_list_init(&w->waiters);
  w->self = asy_weak_new(L, loop->rt, -1);
  w->limit = limit;
  w->loop = loop;
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, WATCHER_LOOP);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, WATCHER_PATH);
  err = watch_open(w, path, asy_optflag(L, 2, "recursive", false));
  if (err != 0)
    return asy_fs_raise(L, loop->rt, err, "watch", 1, 0);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, -3);
  return 4;
}


void asy_fswatch_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"close", watcher_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__call", watcher_call},
      {"__close", watcher_close},
      {"__gc", watcher_gc},
      {"__tostring", watcher_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {{"watch", fs_watch_path}, {NULL, NULL}};
  asy_newmeta(L, ASY_WATCHER, "asyncio.FileWatcher", methods, meta, 0);
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}

/* }====== */
