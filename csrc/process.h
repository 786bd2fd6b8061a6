/*
** Subprocesses: the child, as libuv and the system know it, and the Process that
** stands for it. The child lives until it has ended and was reaped; a Process
** that is collected before that leaves it to the loop. POSIX only.
*/
#ifndef asy_process_h
#define asy_process_h

#include "handle.h"
#include "stream.h"
#include "waitq.h"

struct asy_process;

typedef struct asy_child {
  asy_handle h;
  uint32_t owner;  /* number of the Process, or 0 (weak.h) */
  asy_timer grace; /* at its end the child is killed */
  int pid;
  bool running; /* not reaped yet */
} asy_child;

typedef struct asy_process {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self; /* its number (weak.h) */
  int pid;
  int returncode;    /* once it has ended; of signal n it is -n */
  lua_Number grace;  /* seconds between being asked to end, and killed */
  asy_child *child;  /* NULL once it has ended */
  asy_list waiters;  /* tasks */
  asy_writer *input; /* its pipes, or NULL; kept as user values */
  asy_reader *output[2];
} asy_process;

/* User values of a Process. */
#define ASY_PROCESS_LOOP 1
#define ASY_PROCESS_STDIN 2 /* that, stdout and stderr; nil if not piped */
#define ASY_PROCESS_VALUES 4

/* {====== process.c; none of these raises ====== */

/* Pushes a new Process without a child. May raise. */
asy_process *asy_process_new(lua_State *L, asy_loop *loop);

/* Starts a child, with libuv's options but for the callback. Returns 0 or a libuv
** error. */
int asy_process_start(asy_process *p, asy_loop *loop, uv_process_options_t *o);

/* Sends the signal to the child, which is there. Returns 0 or a libuv error. */
int asy_process_signal(asy_process *p, int signum);

/* Asks the child to end, and kills it when it has not after its time. */
void asy_process_terminate(asy_process *p);

/* Kills the child and waits for its end, which blocks for a moment. */
void asy_process_killnow(asy_process *p);

/* Closes the pipes; what was received can still be read. */
void asy_process_closepipes(asy_process *p);

/* The Process lets go of the child. */
void asy_process_leave(asy_process *p);

/* }====== */

/* spawn.c: spawn(...), see there. */
int asy_process_spawn(lua_State *L);

/* processapi.c: opens all of it. */
void asy_process_open(lua_State *L);

#endif
