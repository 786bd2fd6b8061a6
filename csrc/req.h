/*
** The life of a uv_req_t that runs by itself (name look-ups, files, work on
** the pool): it lies in C memory until its callback, and the loop knows it so
** that closing can cancel it and wait for it.
*/
#ifndef asy_req_h
#define asy_req_h

#include "loop.h"

typedef struct asy_req {
  asy_list link; /* in the engine's requests while under way */
  asy_loop *loop;
  union {
    uv_req_t any;
    uv_getaddrinfo_t getaddrinfo;
    uv_getnameinfo_t getnameinfo;
    uv_fs_t fs;
    uv_work_t work;
  } uv;
} asy_req;

/* Allocates a zeroed struct of 'size' bytes that begins with an asy_req; NULL
** without memory. Never raises. */
void *asy_req_new(asy_loop *loop, size_t size);

/* To be called when libuv took the request. */
void asy_req_started(asy_req *r);

/* To be called first in its callback; the caller then frees the memory. */
void asy_req_ended(asy_req *r);

/* Cancels what can be cancelled; the callbacks still come. */
void asy_req_cancelall(asy_engine *e);

#endif
