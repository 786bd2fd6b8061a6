/*
** What a worker process and the thread that has it send each other: frames, each
** a parcel or nothing, over a socket. Both sides block. Needs no Lua.
*/
#ifndef asy_wire_h
#define asy_wire_h

#include "crossing.h"

typedef enum asy_frame {
  ASY_FRAME_PRELOAD,     /* first to the process: a table of package.preload, */
  ASY_FRAME_INITIALIZER, /* then what it is to call; both may be nothing */
  ASY_FRAME_READY,       /* from the process: it takes jobs, */
  ASY_FRAME_UNREADY,     /* or its initializer has failed with this error */
  ASY_FRAME_JOB,         /* to the process: a function and its arguments */
  ASY_FRAME_RETURNED,    /* from the process: the results, */
  ASY_FRAME_FAILED       /* or error and traceback */
} asy_frame;

/* One end. */
typedef struct asy_wire {
  int fd;
  size_t at, end; /* of what is there and not read yet */
  char bytes[4096];
} asy_wire;

void asy_wire_open(asy_wire *w, int fd);

/* Sends a frame; the parcel may be NULL. False: the other side is gone. */
bool asy_wire_send(asy_wire *w, asy_frame frame, asy_parcel *p);

/* Waits for a frame. Its parcel is the caller's; NULL when there is none, or no
** memory for it. False: the other side is gone, or sends something else. */
bool asy_wire_receive(asy_wire *w, asy_frame *frame, asy_parcel **p);

#endif
