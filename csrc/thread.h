/*
** Threads of our own: started with the signals blocked, so that these go to the
** program's, interrupted from outside, and what a fork leaves of them.
*/
#ifndef asy_thread_h
#define asy_thread_h

#include <stdbool.h>

#include "compat.h"

/* How often the process has been forked since the library was loaded. */
unsigned asy_thread_forks(void);

/* Whether what was made at that count belongs to the process before a fork: its
** threads are not there, and what they had locked stays so. */
static inline bool asy_thread_isleft(unsigned forks) {
  return asy_thread_forks() != forks;
}

/* A thread: lies in the struct of whoever starts it. */
typedef struct asy_thread {
  uv_thread_t id;
  /* Called when it is interrupted, in a signal handler, wherever it is. */
  void (*interrupted)(struct asy_thread *t);
} asy_thread;

/* Starts a thread that runs the function; 0 or a libuv error. It must be joined,
** by the thread that started it. */
int asy_thread_start(asy_thread *t, void (*run)(void *), void *arg);
void asy_thread_join(asy_thread *t);

/* To be called first by the thread itself; its name is for debuggers. */
void asy_thread_begin(asy_thread *t, const char *name);

/* Called by other threads while the thread is there. Does nothing where there
** are no signals. */
void asy_thread_interrupt(asy_thread *t);

/* Calls the function, a value of the C function's first upvalue, with its
** arguments, and with those signals let through that its maker did. */
int asy_thread_callunblocked(lua_State *L);

#endif
