/*
** fs.watch: a FileWatcher, an iterator that suspends and gives what
** happened to a file or in a directory. Between two turns of a loop events are
** queued, each once for a name, and up to a limit.
*/
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fswatch.h"
#include "stream.h"
#include "weak.h"

typedef struct fs_event {
  asy_list link;
  bool renamed; /* else it changed */
  char name[];
} fs_event;

/* User values of a watcher. */
#define WATCHER_LOOP 1
#define WATCHER_PATH 2


/* The watcher, or NULL when it is collected. */
static asy_watcher *owner_of(const asy_watch_dir *d) {
  return (asy_watcher *)asy_weak_get(d->h.loop->rt, d->owner);
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


void asy_watch_event(asy_watcher *w, const char *name, bool renamed) {
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
  asy_watch_dir *d = (asy_watch_dir *)uv->data;
  asy_watcher *w = owner_of(d);
  bool renamed = (events & UV_RENAME) != 0;
  if (w == NULL || w->root == NULL) {
    uv_fs_event_stop(uv);
    return;
  }
  if (status < 0)
    w->error = status;
  else if (w->tree && name != NULL)
    asy_watch_tree(w, d, name, renamed);
  else
    asy_watch_event(w, name != NULL ? name : "", renamed);
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


/* {====== The handles ====== */

/* Those below a directory close, too, but perhaps later. */
static void watch_detach(asy_handle *h) {
  asy_watch_dir *d = (asy_watch_dir *)h;
  asy_watcher *w = owner_of(d);
  asy_list_remove(&d->link);
  while (!asy_list_empty(&d->children)) {
    asy_watch_dir *child = asy_of(d->children.next, asy_watch_dir, link);
    asy_list_remove(&child->link);
    child->parent = NULL;
  }
  if (w == NULL || w->root != d)
    return;
  w->root = NULL;
  asy_waitq_wakeall(&w->waiters);
}


asy_watch_dir *asy_watch_open(asy_watcher *w, asy_watch_dir *parent,
                              const char *name, const char *path,
                              unsigned flags, int *err) {
  size_t size = strlen(name) + 1;
  asy_watch_dir *d =
      (asy_watch_dir *)asy_handle_new(w->loop, sizeof(asy_watch_dir) + size);
  *err = UV_ENOMEM;
  if (d == NULL)
    return NULL;
  memcpy(d->name, name, size);
  asy_list_init(&d->children);
  d->h.detach = watch_detach;
  d->owner = w->self;
  d->parent = parent;
  if (parent != NULL)
    asy_list_append(&parent->children, &d->link);
  *err = uv_fs_event_init(w->loop->engine->uv, &d->h.uv.fs_event);
  if (*err == 0) {
    asy_handle_opened(&d->h);
    *err = uv_fs_event_start(&d->h.uv.fs_event, watch_event, path, flags);
  }
  if (*err == 0)
    return d;
  asy_handle_close(&d->h);
  return NULL;
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
  while (w->root != NULL && has_events(w)) {
    if (take_event(L, w))
      return 1;
    lua_settop(L, 1);
  }
  if (w->root == NULL)
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
  if (w->root != NULL)
    asy_watch_close(w->root);
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
                  w->root != NULL ? "open" : "closed", lua_tostring(L, -1));
  return 1;
}


/* Whether the system itself looks below a directory. */
static bool can_recurse(void) {
#if defined(__APPLE__) || defined(_WIN32)
  return true;
#else
  return false;
#endif
}


/* watch(path, limit, recursive, root): what a generic for needs; the watcher is
** the iterator and the closing value. 'root' is the absolute path if there is
** to be a handle for each directory; 'recursive' leaves it to the system. */
static int fs_watch(lua_State *L) {
  const char *path = lua_tostring(L, 1), *root = lua_tostring(L, 4);
  unsigned flags = lua_toboolean(L, 3) ? UV_FS_EVENT_RECURSIVE : 0;
  asy_loop *loop = asy_stream_loop(L, "watch");
  asy_watcher *w =
      (asy_watcher *)asy_new(L, loop->rt, ASY_WATCHER, sizeof(*w), 2);
  int err = flags != 0 && !can_recurse() ? UV_ENOSYS : 0;
  asy_list_init(&w->events);
  asy_list_init(&w->waiters);
  w->self = asy_weak_new(L, loop->rt, -1);
  w->limit = (size_t)lua_tointeger(L, 2);
  w->tree = root != NULL;
  w->loop = loop;
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, WATCHER_LOOP);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, WATCHER_PATH);
  if (err == 0)
    w->root = asy_watch_open(w, NULL, w->tree ? root : "", path, flags, &err);
  if (err != 0)
    return asy_fs_raise(L, loop->rt, err, "watch", 1, 0);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, -3);
  return 4;
}


/* watch_below(watcher, name): watches a directory below the root, too; false if
** it is watched, has gone, or may not be looked into */
static int fs_watch_below(lua_State *L) {
  asy_watcher *w = check_watcher(L);
  int err = asy_watch_add(w, luaL_checkstring(L, 2));
  if (err != 0 && err != UV_EEXIST && !asy_watch_mayskip(err)) {
    lua_getiuservalue(L, 1, WATCHER_PATH);
    return asy_fs_raise(L, w->rt, err, "watch", lua_gettop(L), 0);
  }
  lua_pushboolean(L, err == 0);
  return 1;
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
  static const luaL_Reg funcs[] = {
      {"watch", fs_watch},
      {"watch_below", fs_watch_below},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_WATCHER, "asyncio.FileWatcher", methods, meta, 0);
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
  lua_pushboolean(L, ASY_WATCHES_TREES);
  lua_setfield(L, -2, "watches_trees");
}

/* }====== */
