/*
** Trees of directories where the system watches each for itself: a handle for
** each. A directory that appears is watched first and looked through then, at
** once and in the callback that tells of it: what is in it already is queued as
** having appeared. Whatever the system tells of the same entries comes before
** any task can take these events out of the queue, and so is not doubled.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fswatch.h"


/* {====== Names ====== */

/* The path of the directory: from the root, "" for that itself, or absolute.
** Writes it before 'end', and returns its beginning; with 'end' NULL only tells
** how long it is. */
static size_t put_path(const asy_watch_dir *d, bool absolute, char *end) {
  size_t size = 0;
  for (; d != NULL && (absolute || d->parent != NULL); d = d->parent) {
    size_t n = strlen(d->name);
    size += n + 1;
    if (end != NULL) {
      end -= n + 1;
      memcpy(end, d->name, n);
      end[n] = '/';
    }
  }
  return size;
}


/* The path of the name in that directory, which the caller frees; NULL without
** memory. */
static char *path_in(const asy_watch_dir *d, bool absolute, const char *name) {
  size_t size = put_path(d, absolute, NULL), n = strlen(name) + 1;
  char *path = (char *)malloc(size + n);
  if (path == NULL)
    return NULL;
  put_path(d, absolute, path + size);
  memcpy(path + size, name, n);
  return path;
}


static void queue_event(asy_watcher *w, const asy_watch_dir *d,
                        const char *name, bool renamed) {
  char *path = path_in(d, false, name);
  if (path == NULL)
    w->overflow = true;
  else
    asy_watch_event(w, path, renamed);
  free(path);
}

/* }====== */


/* {====== The tree ====== */

static asy_watch_dir *find_child(const asy_watch_dir *d, const char *name,
                                 size_t n) {
  for (asy_list *l = d->children.next; l != &d->children; l = l->next) {
    asy_watch_dir *child = asy_of(l, asy_watch_dir, link);
    if (strncmp(child->name, name, n) == 0 && child->name[n] == '\0')
      return child;
  }
  return NULL;
}


/* The last that has none below it goes first. */
void asy_watch_close(asy_watch_dir *d) {
  asy_watch_dir *at = d;
  for (;;) {
    asy_watch_dir *parent = at->parent;
    if (!asy_list_empty(&at->children)) {
      at = asy_of(at->children.prev, asy_watch_dir, link);
      continue;
    }
    asy_handle_close(&at->h);
    if (at == d)
      return;
    at = parent;
  }
}


bool asy_watch_mayskip(int err) {
  return err == UV_ENOENT || err == UV_ENOTDIR || err == UV_EACCES ||
         err == UV_EPERM || err == UV_ENAMETOOLONG || err == UV_ELOOP;
}


static bool is_directory(const char *path) {
  uv_fs_t req;
  bool is = uv_fs_lstat(NULL, &req, path, NULL) == 0 &&
            (req.statbuf.st_mode & S_IFMT) == S_IFDIR;
  uv_fs_req_cleanup(&req);
  return is;
}


/* A directory has appeared: watches it. NULL if that cannot be. */
static asy_watch_dir *open_child(asy_watcher *w, asy_watch_dir *d,
                                 const char *name, const char *path) {
  int err = 0;
  asy_watch_dir *child = asy_watch_open(w, d, name, path, 0, &err);
  if (child == NULL && !asy_watch_mayskip(err))
    w->error = err;
  return child;
}

/* }====== */


/* {====== What is in a new directory ====== */

static void read_entry(asy_watcher *w, asy_watch_dir *d,
                       const uv_dirent_t *entry, asy_list *unread) {
  char *path;
  queue_event(w, d, entry->name, true);
  if (entry->type != UV_DIRENT_DIR && entry->type != UV_DIRENT_UNKNOWN)
    return;
  path = path_in(d, true, entry->name);
  if (path == NULL) {
    w->overflow = true;
  } else if (entry->type == UV_DIRENT_DIR || is_directory(path)) {
    asy_watch_dir *child = open_child(w, d, entry->name, path);
    if (child != NULL)
      asy_list_append(unread, &child->unread);
  }
  free(path);
}


static void read_entries(asy_watcher *w, asy_watch_dir *d, asy_list *unread) {
  char *path = path_in(d, true, "");
  uv_dirent_t entry;
  uv_fs_t req;
  int err = path == NULL ? UV_ENOMEM : uv_fs_scandir(NULL, &req, path, 0, NULL);
  if (err >= 0)
    while (uv_fs_scandir_next(&req, &entry) == 0)
      read_entry(w, d, &entry, unread);
  else if (!asy_watch_mayskip(err))
    w->error = err;
  if (path != NULL)
    uv_fs_req_cleanup(&req);
  free(path);
}


/* Queues all that is in the directory, and watches what is below. */
static void read_all(asy_watcher *w, asy_watch_dir *d) {
  asy_list unread;
  asy_list_init(&unread);
  asy_list_append(&unread, &d->unread);
  while (!asy_list_empty(&unread)) {
    d = asy_of(unread.next, asy_watch_dir, unread);
    asy_list_remove(&d->unread);
    read_entries(w, d, &unread);
  }
}

/* }====== */


/* {====== Events ====== */

/* The name has appeared, disappeared, or another has taken its place. A watch of
** the same directory has the same number, which no other gets. */
static void look_at(asy_watcher *w, asy_watch_dir *d, const char *name,
                    const char *path) {
  asy_watch_dir *known = find_child(d, name, strlen(name)), *child = NULL;
  if (is_directory(path))
    child = open_child(w, d, name, path);
  if (child != NULL && known != NULL &&
      asy_watch_number(&child->h.uv.fs_event) ==
          asy_watch_number(&known->h.uv.fs_event)) {
    asy_watch_close(child);
    return;
  }
  if (known != NULL)
    asy_watch_close(known);
  if (child != NULL)
    read_all(w, child);
}


/* Whether the name, which libuv has given, is the directory's own: then it is in
** the path that libuv has. */
static bool is_own(const asy_watch_dir *d, const char *name) {
  const char *path = d->h.uv.fs_event.path;
  return path == NULL || ((uintptr_t)name >= (uintptr_t)path &&
                          (uintptr_t)name <= (uintptr_t)path + strlen(path));
}


void asy_watch_tree(asy_watcher *w, asy_watch_dir *d, const char *name,
                    bool renamed) {
  char *path;
  if (is_own(d, name)) { /* which the parent tells, too */
    if (d == w->root)
      asy_watch_event(w, name, renamed);
    return;
  }
  queue_event(w, d, name, renamed);
  if (!renamed)
    return;
  path = path_in(d, true, name);
  if (path == NULL)
    w->overflow = true;
  else
    look_at(w, d, name, path);
  free(path);
}


int asy_watch_add(asy_watcher *w, const char *name) {
  asy_watch_dir *d = w->root;
  const char *slash;
  int err = 0;
  char *path;
  for (; d != NULL && (slash = strchr(name, '/')) != NULL; name = slash + 1)
    d = find_child(d, name, (size_t)(slash - name));
  if (d == NULL)
    return UV_ENOENT;
  if (find_child(d, name, strlen(name)) != NULL)
    return UV_EEXIST;
  path = path_in(d, true, name);
  if (path == NULL)
    return UV_ENOMEM;
  asy_watch_open(w, d, name, path, 0, &err);
  free(path);
  return err;
}

/* }====== */
