/*
** The life of a uv_handle_t, the same for all kinds:
**
**   new      memory is there, libuv does not know it yet
**   open     libuv knows it; it is in its loop's list of handles
**   closing  uv_close was called; the owner was told and lets go of it
**   closed   libuv is done with it; the memory is freed
**
** A handle lies in C memory. Whoever owns it (a userdata, a table of
** descriptors) keeps a pointer until 'detach' says that it is closing, which
** also happens when the loop closes. A kind has the struct as first member.
*/
#ifndef asy_handle_h
#define asy_handle_h

#include "loop.h"

typedef enum asy_handle_state {
  ASY_HANDLE_NEW,
  ASY_HANDLE_OPEN,
  ASY_HANDLE_CLOSING
} asy_handle_state;

/* What is used all the time comes last, beside what the kind uses so. */
typedef struct asy_handle {
  union {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    uv_tty_t tty;
    uv_udp_t udp;
    uv_poll_t poll;
    uv_signal_t signal;
    uv_idle_t idle;
    uv_async_t async;
    uv_process_t process;
    uv_fs_event_t fs_event;
  } uv;
  asy_list link; /* in the engine's handles while open */
  /* Told once that the handle starts to close: the owner forgets it, those who
  ** wait on it are woken. Neither raises nor runs Lua. */
  void (*detach)(struct asy_handle *h);
  /* Called instead of closing when the loop closes, if not NULL: the handle is
  ** to close by itself, for which the loop waits. */
  void (*finish)(struct asy_handle *h);
  /* Frees what the kind holds besides the struct; may be NULL. */
  void (*release)(struct asy_handle *h);
  asy_loop *loop; /* valid until closing; the owner keeps it alive */
  asy_handle_state state;
} asy_handle;

/* Allocates a zeroed struct of 'size' bytes in state 'new'; NULL without
** memory. Never raises. */
void *asy_handle_new(asy_loop *loop, size_t size);

/* To be called when uv_x_init succeeded: the handle is open. */
void asy_handle_opened(asy_handle *h);

/* Lets the open socket, before it is bound, share its port with others that do
** so; returns 0 or a libuv error. */
int asy_handle_reuseport(asy_handle *h);

/* Starts closing, from any state; again is harmless. A new one is freed at
** once. The pointer must not be used afterwards. */
void asy_handle_close(asy_handle *h);

#endif
