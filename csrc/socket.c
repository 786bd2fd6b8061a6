/*
** Making and accepting sockets.
*/
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif

#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "compat.h"


int asy_socket_new(int family) {
#ifdef SOCK_CLOEXEC
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
#else
  int fd = socket(family, SOCK_STREAM, 0);
  if (fd >= 0)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
  return fd >= 0 ? fd : uv_translate_sys_error(errno);
}


static int accept_one(int fd) {
#ifdef SOCK_CLOEXEC
  return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
  int client = accept(fd, NULL, NULL);
  if (client >= 0) {
    fcntl(client, F_SETFD, FD_CLOEXEC);
    fcntl(client, F_SETFL, fcntl(client, F_GETFL) | O_NONBLOCK);
  }
  return client;
#endif
}


/* The connection was gone before it came to be accepted: the next one counts. */
static bool is_gone(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO;
}


int asy_socket_accept(int fd) {
  int client;
  do
    client = accept_one(fd);
  while (client < 0 && is_gone(errno));
  return client >= 0 ? client : uv_translate_sys_error(errno);
}
