/*
** What watches files and directories: a FileWatcher and its handles, of which
** there is one for each directory where the system does not look below them.
*/
#ifndef asy_fswatch_h
#define asy_fswatch_h

#include "fs.h"
#include "handle.h"

/* A handle, which watches a file or a directory. */
typedef struct asy_watch_dir {
  asy_handle h;
  uint32_t owner;               /* number of the watcher (weak.h) */
  struct asy_watch_dir *parent; /* NULL: it has none, or that closes */
  asy_list link;                /* among the children of its parent */
  asy_list children;
  asy_list unread; /* in the list of those to be looked through */
  char name[];     /* in its parent; the root's: its absolute path */
} asy_watch_dir;

typedef struct asy_watcher {
  asy_rt *rt;
  uint8_t kind;
  bool tree;     /* it is to have a handle for each directory */
  bool overflow; /* events were lost after those in the queue */
  uint32_t self; /* its number (weak.h) */
  int error;     /* a libuv code, for after these, or 0 */
  asy_loop *loop;
  asy_watch_dir *root; /* NULL once closed */
  size_t count, limit; /* of events */
  unsigned removed;    /* how often some were taken out of the queue */
  asy_list events;
  asy_list waiters; /* tasks */
} asy_watcher;

/* Makes a handle for the path and starts it; its name in 'parent', or the root's
** path, is 'name'. NULL without memory or when libuv refuses, then *err is its
** code. Never raises. */
asy_watch_dir *asy_watch_open(asy_watcher *w, asy_watch_dir *parent,
                              const char *name, const char *path,
                              unsigned flags, int *err);

/* Queues an event, unless the same is queued. Never raises. */
void asy_watch_event(asy_watcher *w, const char *name, bool renamed);

/* {====== fstree.c: a handle for each directory ====== */

/* An event of a directory of the tree: queues what it says, and sees to it that
** the tree has what is there now. Never raises. */
void asy_watch_tree(asy_watcher *w, asy_watch_dir *d, const char *name,
                    bool renamed);

/* Adds the directory with that name below the root, whose parent is there.
** Returns 0, a libuv error, or UV_EEXIST if the tree has it. Never raises. */
int asy_watch_add(asy_watcher *w, const char *name);

/* Whether such an error only says that there is no such directory any more, or
** that it may not be looked into. */
bool asy_watch_mayskip(int err);

/* Closes the handle, and those of the directories below. */
void asy_watch_close(asy_watch_dir *d);

/* }====== */

#endif
