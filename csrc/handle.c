/*
** Allocation, closing and freeing of handles of all kinds.
*/
#include "handle.h"

#include <errno.h>
#include <stdlib.h>

#ifndef _WIN32
#include <sys/socket.h>
#endif


void *asy_handle_new(asy_loop *loop, size_t size) {
  asy_handle *h = (asy_handle *)calloc(1, size);
  if (h != NULL)
    h->loop = loop;
  return h;
}


void asy_handle_opened(asy_handle *h) {
  h->state = ASY_HANDLE_OPEN;
  h->uv.any.data = h;
  asy_list_append(&h->loop->engine->handles, &h->link);
}


int asy_handle_reuseport(asy_handle *h) {
#if defined(SO_REUSEPORT) && !defined(_WIN32)
  int on = 1;
  uv_os_fd_t fd;
  int err = uv_fileno(&h->uv.any, &fd);
  if (err == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
    err = uv_translate_sys_error(errno);
  return err;
#else
  (void)h;
  return UV_ENOTSUP;
#endif
}


static void handle_free(asy_handle *h) {
  if (h->release != NULL)
    h->release(h);
  free(h);
}


static void handle_closed(uv_handle_t *uv) {
  handle_free((asy_handle *)uv->data);
}


void asy_handle_close(asy_handle *h) {
  asy_handle_state state = h->state;
  if (state == ASY_HANDLE_CLOSING)
    return;
  h->state = ASY_HANDLE_CLOSING;
  if (h->detach != NULL)
    h->detach(h);
  if (state == ASY_HANDLE_NEW) {
    handle_free(h);
    return;
  }
  asy_list_remove(&h->link);
  uv_close(&h->uv.any, handle_closed);
}
