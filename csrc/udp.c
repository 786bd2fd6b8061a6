/*
** The socket side of datagrams: what was received waits in a list, what cannot
** be sent at once in libuv. Nothing here runs Lua, but for the making of the
** endpoint.
*/
#include "udp.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "weak.h"

#define MAX_DATAGRAM 65536 /* none is longer */

typedef struct udp_send {
  uv_udp_send_t req;
  asy_list link;
  asy_task *task; /* who waits for it, or NULL */
  char data[];
} udp_send;


/* {====== What was received ====== */

static void udp_flow(asy_endpoint *d);


/* The endpoint, or NULL when it is collected or not bound yet. */
static asy_endpoint *owner_of(const asy_udp *u) {
  return (asy_endpoint *)asy_weak_get(u->h.loop->rt, u->owner);
}


/* Stores what came; the system's same error again tells nothing new. Without
** memory it is lost, as it might have been on its way. */
static void keep(asy_endpoint *d, int error, const char *data, size_t n,
                 const struct sockaddr *from) {
  asy_list *all = &d->received;
  asy_received *r;
  if (error != 0 && from == NULL && !asy_list_empty(all) &&
      asy_of(all->prev, asy_received, link)->error == error)
    return;
  r = (asy_received *)malloc(sizeof(asy_received) + n);
  if (r == NULL)
    return;
  r->error = error;
  r->n = n;
  if (n > 0)
    memcpy(r->data, data, n);
  if (from != NULL)
    memcpy(&r->from, from, asy_address_size(from));
  asy_list_append(all, &r->link);
  d->count++;
  d->bytes += sizeof(asy_received) + n;
}


void asy_udp_serve(asy_endpoint *d) {
  if (d->notify != NULL) {
    d->notify(d);
    return;
  }
  while (d->count > d->promised && asy_waitq_wake(&d->receivers) != NULL)
    d->promised++;
}


void asy_udp_drop(asy_endpoint *d) {
  free(d->taken);
  d->taken = NULL;
}


void asy_udp_take(asy_endpoint *d) {
  asy_received *r = asy_of(d->received.next, asy_received, link);
  asy_list_remove(&r->link);
  d->count--;
  d->bytes -= sizeof(asy_received) + r->n;
  asy_udp_drop(d);
  d->taken = r;
  udp_flow(d);
}


static void drop_all(asy_endpoint *d) {
  while (!asy_list_empty(&d->received))
    asy_udp_take(d);
  asy_udp_drop(d);
  d->promised = 0;
}


static void udp_room(uv_handle_t *uv, size_t suggested, uv_buf_t *buf) {
  asy_udp *u = (asy_udp *)uv->data;
  (void)suggested;
  *buf = uv_buf_init(u->room, (unsigned)u->size);
}


static void udp_received(uv_udp_t *uv, ssize_t n, const uv_buf_t *buf,
                         const struct sockaddr *from, unsigned flags) {
  asy_endpoint *d;
  if (n == 0 && from == NULL)
    return; /* there is nothing more */
  d = owner_of((asy_udp *)uv->data);
  if (asy_unlikely(d == NULL)) {
    uv_udp_recv_stop(uv);
    return;
  }
  if (n < 0)
    keep(d, (int)n, NULL, 0, NULL);
  else if (flags & UV_UDP_PARTIAL)
    keep(d, UV_EMSGSIZE, NULL, 0, from);
  else
    keep(d, 0, buf->base, (size_t)n, from);
  asy_udp_serve(d);
  udp_flow(d);
}


/* Above its limit the endpoint receives no more, and starts again at half of
** it: the rest waits in the system, or is lost. */
static void udp_flow(asy_endpoint *d) {
  asy_udp *u = d->socket;
  bool wanted;
  if (u == NULL)
    return;
  wanted = u->reading ? d->bytes < d->limit : d->bytes <= d->limit / 2;
  if (wanted == u->reading)
    return;
  if (!wanted) {
    uv_udp_recv_stop(&u->h.uv.udp);
  } else {
    int err = uv_udp_recv_start(&u->h.uv.udp, udp_room, udp_received);
    if (err != 0) {
      keep(d, err, NULL, 0, NULL);
      return;
    }
  }
  u->reading = wanted;
}

/* }====== */


/* {====== Sending ====== */

int asy_udp_trysend(asy_endpoint *d, const char *data, size_t n,
                    const struct sockaddr *to) {
  uv_udp_t *uv = &d->socket->h.uv.udp;
  uv_buf_t buf;
  int sent;
  if (n > MAX_DATAGRAM)
    return UV_EMSGSIZE;
  buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)n);
  sent = uv_udp_try_send(uv, &buf, 1, to);
  if (sent == UV_ECONNREFUSED && d->connected) {
    /* the answer to an earlier datagram: it is for a receiver */
    asy_udp_error(d, sent);
    sent = uv_udp_try_send(uv, &buf, 1, to);
  }
  return sent < 0 ? sent : 0;
}


static void wake_sender(udp_send *s, int got) {
  asy_task *t = s->task;
  s->task = NULL;
  if (t == NULL)
    return;
  t->place.got = got;
  asy_unpark(t);
}


static void udp_sent(uv_udp_send_t *req, int status) {
  udp_send *s = (udp_send *)req;
  asy_endpoint *d = owner_of((asy_udp *)req->handle->data);
  wake_sender(s, status == 0 ? 1 : status);
  asy_list_remove(&s->link);
  free(s);
  if (d == NULL || d->notify == NULL)
    return;
  if (status < 0)
    asy_udp_error(d, status);
  else
    d->notify(d);
}


void asy_udp_error(asy_endpoint *d, int error) {
  keep(d, error, NULL, 0, NULL);
  asy_udp_serve(d);
  udp_flow(d);
}


size_t asy_udp_queued(const asy_endpoint *d) {
  return d->socket == NULL ? 0
                           : uv_udp_get_send_queue_size(&d->socket->h.uv.udp);
}


bool asy_udp_idle(const asy_endpoint *d) {
  return d->socket == NULL || asy_list_empty(&d->socket->sends);
}


int asy_udp_sendlater(asy_endpoint *d, const char *data, size_t n,
                      const struct sockaddr *to, asy_task *t) {
  udp_send *s = (udp_send *)malloc(sizeof(udp_send) + n);
  uv_buf_t buf;
  int err;
  if (s == NULL)
    return UV_ENOMEM;
  memcpy(s->data, data, n);
  buf = uv_buf_init(s->data, (unsigned)n);
  err = uv_udp_send(&s->req, &d->socket->h.uv.udp, &buf, 1, to, udp_sent);
  if (err != 0) {
    free(s);
    return err;
  }
  s->task = t;
  if (t != NULL)
    t->place.got = 0;
  asy_list_append(&d->socket->sends, &s->link);
  return 0;
}


void asy_udp_forget(asy_endpoint *d, const asy_task *t) {
  asy_list *all = d->socket != NULL ? &d->socket->sends : NULL;
  if (all == NULL)
    return;
  for (asy_list *n = all->next; n != all; n = n->next) {
    udp_send *s = asy_of(n, udp_send, link);
    if (s->task == t)
      s->task = NULL;
  }
}

/* }====== */


/* {====== Beginning and end ====== */

static void udp_detach(asy_handle *h) {
  asy_udp *u = (asy_udp *)h;
  asy_endpoint *d = owner_of(u);
  u->owner = 0;
  for (asy_list *n = u->sends.next; n != &u->sends; n = n->next)
    wake_sender(asy_of(n, udp_send, link), UV_EBADF);
  if (d == NULL)
    return;
  d->socket = NULL;
  drop_all(d);
  asy_waitq_wakeall(&d->receivers);
  if (d->notify != NULL)
    d->notify(d);
}


asy_endpoint *asy_udp_new(lua_State *L, asy_rt *rt, asy_loop *loop,
                          size_t limit) {
  asy_endpoint *d =
      (asy_endpoint *)asy_new(L, rt, ASY_ENDPOINT, sizeof(asy_endpoint), 1);
  d->limit = limit;
  asy_list_init(&d->received);
  asy_list_init(&d->receivers);
  d->self = asy_weak_new(L, rt, -1);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, ASY_ENDPOINT_LOOP);
  return d;
}


/* libuv sets options by the family of the bound address, so that a socket is
** bound before it is connected, too. */
static int udp_bind(asy_udp *u, const asy_endpoint *d,
                    const struct sockaddr *local, const struct sockaddr *remote,
                    const char **failed) {
  uv_udp_t *uv = &u->h.uv.udp;
  int err = d->reuse_port ? asy_handle_reuseport(&u->h) : 0;
  if (err == 0)
    err = uv_udp_bind(uv, local, 0);
  if (err == 0 && d->broadcast)
    err = uv_udp_set_broadcast(uv, 1);
  if (err == 0 && remote != NULL) {
    *failed = "connect";
    err = uv_udp_connect(uv, remote);
  }
  return err;
}


static void get_names(asy_endpoint *d, bool connected) {
  const uv_udp_t *uv = &d->socket->h.uv.udp;
  int n = sizeof(d->local);
  d->connected = connected;
  if (uv_udp_getsockname(uv, (struct sockaddr *)&d->local, &n) != 0)
    d->local.ss_family = 0;
  n = sizeof(d->peer);
  if (!connected ||
      uv_udp_getpeername(uv, (struct sockaddr *)&d->peer, &n) != 0)
    d->peer.ss_family = 0;
}


int asy_udp_open(asy_endpoint *d, asy_loop *loop, const struct sockaddr *local,
                 const struct sockaddr *remote, const char **failed) {
  size_t size = d->limit < MAX_DATAGRAM ? d->limit : MAX_DATAGRAM;
  asy_udp *u = (asy_udp *)asy_handle_new(loop, sizeof(asy_udp) + size);
  int err;
  *failed = "bind";
  if (u == NULL)
    return UV_ENOMEM;
  u->size = size;
  u->h.detach = udp_detach;
  asy_list_init(&u->sends);
  err = uv_udp_init_ex(loop->engine->uv, &u->h.uv.udp,
                       (unsigned)local->sa_family);
  if (err == 0) {
    asy_handle_opened(&u->h);
    err = udp_bind(u, d, local, remote, failed);
  }
  if (err != 0) {
    asy_handle_close(&u->h);
    return err;
  }
  u->owner = d->self;
  d->socket = u;
  d->family = local->sa_family;
  get_names(d, remote != NULL);
  udp_flow(d);
  return 0;
}


void asy_udp_close(asy_endpoint *d) {
  if (d->socket != NULL)
    asy_handle_close(&d->socket->h);
}

/* }====== */
