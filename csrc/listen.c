/*
** The listening sockets of a server. What they accept waits in a list until
** the drain starts its handler.
**
** The sockets are not libuv's, which would accept and close connections at once
** when there is no descriptor for them, and then spin. Here they stay in the
** system's queue until there is one.
*/
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "server.h"
#include "socket.h"
#include "unix.h"
#include "weak.h"

#define RETRY 0.1 /* seconds until there may be memory or a descriptor again */

typedef struct asy_listener {
  asy_handle h;       /* a poll of the descriptor */
  asy_list link;      /* among the server's */
  asy_server *server; /* pinned from the moment on when it may accept */
  uint32_t owner;     /* its number, until then (weak.h) */
  int fd;             /* -1 unless the handle is open */
  int error;          /* to be reported, or 0 */
  bool paused;        /* accepts nothing until the server tries again */
  bool starved;       /* it could not accept, and has not caught up since */
  asy_unix_file file; /* of a Unix socket */
} asy_listener;


/* Sockets that close with their loop end the server. */
static void listener_detach(asy_handle *h) {
  asy_listener *l = (asy_listener *)h;
  asy_server *server = (asy_server *)asy_weak_get(h->loop->rt, l->owner);
  if (l->fd >= 0) {
    uv_poll_stop(&h->uv.poll);
    close(l->fd);
  }
  asy_unix_remove(&l->file);
  if (server == NULL)
    return;
  asy_list_remove(&l->link);
  if (h->loop->closing)
    asy_server_close(server);
}


/* {====== Accepting ====== */

static void get_name(const asy_listener *l, struct sockaddr_storage *name) {
  asy_address_local(l->fd, name);
}


/* Opens the handle on the descriptor of a connection, which is closed if that
** fails. */
static int client_open(asy_listener *l, asy_stream *s, int fd) {
  int err;
  if (l->file.path != NULL)
    return asy_stream_openfd(s, fd);
  err = uv_tcp_init(s->h.loop->engine->uv, &s->h.uv.tcp);
  if (err == 0) {
    asy_handle_opened(&s->h);
    err = uv_tcp_open(&s->h.uv.tcp, fd);
  }
  if (err == 0)
    asy_tcp_set(&s->h.uv.tcp, &l->server->tcp);
  else
    close(fd);
  return err;
}


/* Accepts one connection into a stream of the server. */
static int listener_accept(asy_listener *l) {
  asy_server *server = l->server;
  asy_stream *s = (asy_stream *)asy_stream_new(server->loop, sizeof(*s));
  int fd, err;
  if (s == NULL)
    return UV_ENOMEM;
  fd = asy_socket_accept(l->fd);
  err = fd < 0 ? fd : client_open(l, s, fd);
  if (err != 0) {
    asy_handle_close(&s->h);
    return err;
  }
  s->server = server;
  asy_list_append(&server->accepted, &s->client);
  if (server->queues)
    asy_server_offer(server, s);
  return 0;
}


static void retry_due(asy_timer *timer) {
  asy_server *server = asy_of(timer, asy_server, retry);
  asy_loop_ready(server->loop, &server->ready);
}


/* Accepts nothing for a while. A shortage is reported once. */
static void listener_pause(asy_listener *l, int err) {
  asy_server *server = l->server;
  uv_poll_stop(&l->h.uv.poll);
  l->paused = true;
  if (!l->starved)
    l->error = err;
  l->starved = true;
  if (!asy_list_linked(&server->retry.link))
    asy_loop_settimer(server->loop, &server->retry, asy_loop_after(RETRY),
                      retry_due);
}


/* Accepts what is there, within limits: others want their turn, too. Where too
** many wait already, nothing until one is taken. */
static void listener_ready(uv_poll_t *uv, int status, int events) {
  asy_listener *l = (asy_listener *)uv->data;
  int err = 0;
  (void)status; /* accepting shows what is wrong */
  (void)events;
  for (int n = 0; n < l->server->backlog && err == 0; n++) {
    if (asy_server_isfull(l->server)) {
      uv_poll_stop(uv);
      l->paused = true;
      return;
    }
    err = listener_accept(l);
  }
  if (err == UV_EAGAIN)
    l->starved = false;
  else if (err != 0)
    listener_pause(l, err);
  asy_loop_ready(l->server->loop, &l->server->ready);
}


static int listener_start(asy_listener *l) {
  return uv_poll_start(&l->h.uv.poll, UV_READABLE, listener_ready);
}


void asy_listen_retry(asy_server *server) {
  asy_list *all = &server->listeners;
  if (asy_list_linked(&server->retry.link) || asy_server_isfull(server))
    return;
  for (asy_list *n = all->next; n != all; n = n->next) {
    asy_listener *l = asy_of(n, asy_listener, link);
    int err = l->paused ? listener_start(l) : 0;
    if (err == 0)
      l->paused = false;
    else
      listener_pause(l, err);
  }
}


int asy_listen_error(asy_server *server, char *text) {
  asy_list *all = &server->listeners;
  for (asy_list *n = all->next; n != all; n = n->next) {
    asy_listener *l = asy_of(n, asy_listener, link);
    struct sockaddr_storage name;
    int err = l->error;
    if (err == 0)
      continue;
    l->error = 0;
    get_name(l, &name);
    asy_address_format((const struct sockaddr *)&name, text);
    return err;
  }
  return 0;
}

/* }====== */


/* {====== Sockets ====== */

/* An address that was in use a moment ago is taken, and IPv6 leaves IPv4
** alone. */
static int set_options(int fd, int family) {
  int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
    return uv_translate_sys_error(errno);
  if (family == AF_INET6 &&
      setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
    return uv_translate_sys_error(errno);
  return 0;
}


/* Watches the descriptor, which is the listener's then, or is closed. */
static int listener_adopt(asy_listener *l, int fd) {
  int err;
  if (fd < 0)
    return fd;
  err = uv_poll_init(l->h.loop->engine->uv, &l->h.uv.poll, fd);
  if (err != 0) {
    close(fd);
    return err;
  }
  asy_handle_opened(&l->h);
  l->fd = fd;
  return 0;
}


static int bind_network(asy_listener *l, const struct sockaddr *address,
                        bool reuse_port) {
  int err = listener_adopt(l, asy_socket_new(address->sa_family));
  if (err == 0)
    err = set_options(l->fd, address->sa_family);
  if (err == 0 && reuse_port)
    err = asy_handle_reuseport(&l->h);
  if (err == 0 &&
      bind(l->fd, address, (socklen_t)asy_address_size(address)) != 0)
    err = uv_translate_sys_error(errno);
  return err;
}


int asy_listen_bind(asy_server *server, const struct sockaddr *address,
                    bool reuse_port) {
  asy_listener *l =
      (asy_listener *)asy_handle_new(server->loop, sizeof(asy_listener));
  int err;
  if (l == NULL)
    return UV_ENOMEM;
  l->fd = -1;
  l->server = server;
  l->owner = server->self;
  l->h.detach = listener_detach;
  asy_list_append(&server->listeners, &l->link);
  err = address->sa_family == AF_UNIX
            ? listener_adopt(l, asy_unix_bind(address, &l->file))
            : bind_network(l, address, reuse_port);
  if (err != 0)
    asy_handle_close(&l->h);
  return err;
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


bool asy_listen_start(asy_server *server) {
  asy_list *all = &server->listeners;
  for (asy_list *n = all->next; n != all; n = n->next) {
    asy_listener *l = asy_of(n, asy_listener, link);
    if (listen(l->fd, server->backlog) != 0)
      l->error = uv_translate_sys_error(errno);
    else
      l->error = listener_start(l);
    if (l->error != 0)
      return false;
  }
  return true;
}


void asy_listen_close(asy_server *server) {
  while (!asy_list_empty(&server->listeners))
    asy_handle_close(&asy_of(server->listeners.next, asy_listener, link)->h);
}


/* The name of the listener after 'i' others, if there is one. */
static bool nth_name(const asy_server *server, lua_Integer i,
                     struct sockaddr_storage *name) {
  const asy_list *all = &server->listeners, *n = all->next;
  while (i-- > 0 && n != all)
    n = n->next;
  if (n == all)
    return false;
  get_name(asy_of(n, asy_listener, link), name);
  return true;
}


/* A finalizer that runs meanwhile may close the server. */
void asy_listen_sockets(lua_State *L, asy_server *server) {
  struct sockaddr_storage name;
  lua_Integer i = 0;
  lua_newtable(L);
  while (nth_name(server, i, &name)) {
    asy_address_push(L, (const struct sockaddr *)&name);
    lua_rawseti(L, -2, ++i);
  }
}

/* }====== */
