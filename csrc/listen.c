/*
** The listening sockets of a server. What they accept waits in a list until
** the drain starts its handler.
*/
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "server.h"
#include "unix.h"

#define RETRY 1.0 /* seconds until there may be memory again */

typedef struct asy_listener {
  asy_handle h;
  asy_list link; /* among the server's */
  asy_server *server;
  bool waits;         /* a connection does, for which there was no memory */
  asy_unix_file file; /* of a Unix socket */
} asy_listener;


/* Sockets that close with their loop end the server. */
static void listener_detach(asy_handle *h) {
  asy_listener *l = (asy_listener *)h;
  asy_list_remove(&l->link);
  asy_unix_remove(&l->file);
  if (l->server->loop->closing)
    asy_server_close(l->server);
}


/* {====== Accepting ====== */

/* Opens a handle for a connection of the listener's type. */
static int client_init(asy_listener *l, asy_stream *s) {
  uv_loop_t *uv = s->h.loop->engine->uv;
  int err = l->h.uv.any.type == UV_TCP ? uv_tcp_init(uv, &s->h.uv.tcp)
                                       : uv_pipe_init(uv, &s->h.uv.pipe, 0);
  if (err == 0)
    asy_handle_opened(&s->h);
  return err;
}


/* Accepts one connection into a stream of the server. */
static int listener_accept(asy_listener *l) {
  asy_server *server = l->server;
  asy_stream *s = (asy_stream *)asy_stream_new(server->loop, sizeof(*s));
  int err;
  if (s == NULL)
    return UV_ENOMEM;
  err = client_init(l, s);
  if (err == 0)
    err = uv_accept(&l->h.uv.stream, &s->h.uv.stream);
  if (err != 0) {
    asy_handle_close(&s->h);
    return err;
  }
  if (s->h.uv.any.type == UV_TCP)
    uv_tcp_nodelay(&s->h.uv.tcp, 1);
  s->server = server;
  asy_list_append(&server->accepted, &s->client);
  return 0;
}


static void retry_due(asy_timer *timer) {
  asy_server *server = asy_of(timer, asy_server, retry);
  asy_loop_ready(server->loop, &server->ready);
}


void asy_listen_retry(asy_server *server) {
  asy_list *all = &server->listeners;
  if (asy_list_linked(&server->retry.link))
    return;
  for (asy_list *n = all->next; n != all; n = n->next) {
    asy_listener *l = asy_of(n, asy_listener, link);
    int err = l->waits ? listener_accept(l) : 0;
    l->waits = err == UV_ENOMEM;
    if (err != 0)
      server->accept_error = err;
    if (l->waits && !asy_list_linked(&server->retry.link))
      asy_loop_settimer(server->loop, &server->retry, asy_loop_after(RETRY),
                        retry_due);
  }
}


/* libuv looks for no further connection until this one is accepted: where there
** was no memory for it, the server asks for it again. */
static void listener_ready(uv_stream_t *uv, int status) {
  asy_listener *l = (asy_listener *)uv->data;
  int err = status < 0 ? status : listener_accept(l);
  if (status == 0 && err == UV_ENOMEM)
    l->waits = true;
  else if (err != 0)
    l->server->accept_error = err;
  asy_loop_ready(l->server->loop, &l->server->ready);
}

/* }====== */


/* {====== Sockets ====== */

/* libuv keeps the error of a bind for later; asking for the name shows it. */
static int bind_tcp(asy_listener *l, const struct sockaddr *address,
                    bool reuse_port) {
  bool v6 = address->sa_family == AF_INET6;
  struct sockaddr_storage name;
  int n = sizeof(name);
  int err =
      uv_tcp_init_ex(l->h.loop->engine->uv, &l->h.uv.tcp, address->sa_family);
  if (err != 0)
    return err;
  asy_handle_opened(&l->h);
  if (reuse_port)
    err = asy_handle_reuseport(&l->h);
  if (err == 0)
    err = uv_tcp_bind(&l->h.uv.tcp, address, v6 ? UV_TCP_IPV6ONLY : 0);
  if (err == 0)
    err = uv_tcp_getsockname(&l->h.uv.tcp, (struct sockaddr *)&name, &n);
  return err;
}


/* libuv would unlink the path at the end, whoever has taken it over: it gets a
** socket that is bound already. */
static int bind_unix(asy_listener *l, const struct sockaddr *address) {
  int fd, err = uv_pipe_init(l->h.loop->engine->uv, &l->h.uv.pipe, 0);
  if (err != 0)
    return err;
  asy_handle_opened(&l->h);
  fd = asy_unix_bind(address, &l->file);
  if (fd < 0)
    return fd;
  err = uv_pipe_open(&l->h.uv.pipe, fd);
  if (err != 0)
    close(fd);
  return err;
}


int asy_listen_bind(asy_server *server, const struct sockaddr *address,
                    bool reuse_port) {
  asy_listener *l =
      (asy_listener *)asy_handle_new(server->loop, sizeof(asy_listener));
  int err;
  if (l == NULL)
    return UV_ENOMEM;
  l->server = server;
  l->h.detach = listener_detach;
  asy_list_append(&server->listeners, &l->link);
  err = address->sa_family == AF_UNIX ? bind_unix(l, address)
                                      : bind_tcp(l, address, reuse_port);
  if (err != 0)
    asy_handle_close(&l->h);
  return err;
}


static void get_name(asy_listener *l, struct sockaddr_storage *name) {
  uv_os_fd_t fd;
  asy_address_local(uv_fileno(&l->h.uv.any, &fd) == 0 ? fd : -1, name);
}


bool asy_listen_has(const asy_server *server, const struct sockaddr *address) {
  const asy_list *all = &server->listeners;
  for (asy_list *n = all->next; n != all; n = n->next) {
    struct sockaddr_storage name;
    get_name(asy_of(n, asy_listener, link), &name);
    if (asy_address_equal((const struct sockaddr *)&name, address))
      return true;
  }
  return false;
}


int asy_listen_port(const asy_server *server) {
  struct sockaddr_storage name;
  if (asy_list_empty(&server->listeners))
    return 0;
  get_name(asy_of(server->listeners.next, asy_listener, link), &name);
  return asy_address_port((const struct sockaddr *)&name);
}


int asy_listen_start(asy_server *server) {
  asy_list *all = &server->listeners;
  for (asy_list *n = all->next; n != all; n = n->next) {
    asy_listener *l = asy_of(n, asy_listener, link);
    int err = uv_listen(&l->h.uv.stream, server->backlog, listener_ready);
    if (err != 0)
      return err;
  }
  return 0;
}


void asy_listen_close(asy_server *server) {
  while (!asy_list_empty(&server->listeners))
    asy_handle_close(&asy_of(server->listeners.next, asy_listener, link)->h);
}


void asy_listen_sockets(lua_State *L, asy_server *server) {
  asy_list *all = &server->listeners;
  lua_Integer i = 0;
  lua_newtable(L);
  for (asy_list *n = all->next; n != all; n = n->next) {
    struct sockaddr_storage name;
    get_name(asy_of(n, asy_listener, link), &name);
    asy_address_push(L, (const struct sockaddr *)&name);
    lua_rawseti(L, -2, ++i);
  }
}

/* }====== */
