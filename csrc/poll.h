/*
** Watching the program's own file descriptors, for callbacks (add_reader and
** add_writer) and for tasks that wait (wait_readable and wait_writable). The
** functions that take a Lua state have the loop's userdata at index 1.
*/
#ifndef asy_poll_h
#define asy_poll_h

#include "callback.h"
#include "handle.h"
#include "waitq.h"

typedef enum asy_poll_side { ASY_POLL_READ, ASY_POLL_WRITE } asy_poll_side;

/* A descriptor that is watched; its owner is the loop's data. */
typedef struct asy_poll {
  asy_handle h;
  int copy;                  /* of the program's descriptor */
  asy_callback *callback[2]; /* by side; NULL when there is none */
  asy_list waiters[2];       /* tasks, by side; woken with 1, or an error */
} asy_poll;

/* The argument: a number, a file of the io library, or an object with a method
** fileno or getfd. */
int asy_poll_checkfd(lua_State *L, asy_rt *rt, int arg);

/* Raises a RuntimeError if the descriptor is one of a stream. */
void asy_poll_checknotours(lua_State *L, asy_loop *loop, int fd);

/* The handle of the descriptor, or NULL. Never raises. */
asy_poll *asy_poll_find(lua_State *L, int fd);

/* The same, made when there is none. An OSError for a descriptor that cannot be
** watched, a RuntimeError for one of a stream. Whoever gets it gives it a
** callback or a waiter, or settles. */
asy_poll *asy_poll_get(lua_State *L, asy_loop *loop, int fd);

/* Watches for what there are callbacks and waiters for; 0 or a libuv error. */
int asy_poll_start(asy_poll *p);

/* Forgets the handle and closes it: waiters get EBADF. Never raises. */
void asy_poll_drop(lua_State *L, int fd, asy_poll *p);

/* A callback or a waiter has gone: watches for what is left; drops the handle
** when nothing is. Never raises. */
void asy_poll_settle(lua_State *L, int fd);

/* Raises the OSError; 'fd' below zero is not named. */
int asy_poll_raise(lua_State *L, asy_rt *rt, int err, int fd);

void asy_poll_open(lua_State *L);
void asy_pollwait_open(lua_State *L);

#endif
