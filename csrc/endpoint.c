/*
** DatagramEndpoint: receiving and sending as Lua sees it, and the end.
*/
#include <string.h>

#include "address.h"
#include "dgram.h"
#include "dns.h"
#include "error.h"
#include "report.h"
#include "udp.h"
#include "weak.h"

static asy_future *send_abort(asy_task *t);

static const asy_wait recv_wait = {"recv", asy_waitq_abort};
static const asy_wait send_wait = {"send", send_abort};

/* What a call of recv is for. */
#define ONE_DATAGRAM 0
#define ITERATION 1


asy_endpoint *asy_endpoint_check(lua_State *L) {
  return (asy_endpoint *)asy_checkkind(L, 1, ASY_ENDPOINT);
}


static int raise_os(lua_State *L, asy_endpoint *d, int err, const char *fname,
                    const struct sockaddr *address) {
  char text[ASY_ADDRESS_TEXT];
  if (address != NULL)
    asy_address_format(address, text);
  asy_error_os(L, d->rt, err, fname, address != NULL ? text : NULL);
  return lua_error(L);
}


uv_udp_t *asy_endpoint_socket(lua_State *L, const char *fname) {
  asy_endpoint *d = asy_endpoint_check(L);
  if (asy_unlikely(d->socket == NULL))
    raise_os(L, d, UV_EBADF, fname, NULL);
  return &d->socket->h.uv.udp;
}


/* The running task, which is to wait for the open endpoint. */
static asy_task *waiter(lua_State *L, asy_endpoint *d, const char *fname) {
  return asy_task_hereon(L, d->socket->h.loop, "endpoint", fname);
}


/* {====== Receiving ====== */

/* Pushes the first datagram, which is there, or raises the error in its place.
** Those that wait come first to what remains. */
static int push_first(lua_State *L, asy_endpoint *d) {
  asy_received *r;
  struct sockaddr_storage name; /* a finalizer may close the endpoint */
  const struct sockaddr *from = (const struct sockaddr *)&name;
  asy_udp_take(d);
  asy_udp_serve(d);
  r = d->taken;
  name = r->from;
  if (asy_unlikely(r->error != 0))
    return raise_os(L, d, r->error, "recv",
                    d->connected ? (const struct sockaddr *)&d->peer : NULL);
  lua_pushlstring(L, r->data, r->n);
  asy_address_pushhost(L, from);
  lua_pushinteger(L, asy_address_port(from));
  asy_udp_drop(d);
  return 3;
}


static int received(lua_State *L, int status, lua_KContext ctx);


static int recv_closed(lua_State *L, asy_endpoint *d, lua_KContext ctx) {
  return ctx == ITERATION ? 0 : raise_os(L, d, UV_EBADF, "recv", NULL);
}


/* The endpoint is at 1. */
static int receive(lua_State *L, asy_endpoint *d, lua_KContext ctx) {
  asy_task *t;
  if (d->socket == NULL)
    return recv_closed(L, d, ctx);
  if (d->count > 0 && d->promised == 0)
    return push_first(L, d);
  t = waiter(L, d, ctx == ITERATION ? "datagrams" : "recv");
  lua_settop(L, 1);
  return asy_waitq_wait(L, t, &d->receivers, &recv_wait, d, ctx, received);
}


static int received(lua_State *L, int status, lua_KContext ctx) {
  asy_endpoint *d = (asy_endpoint *)lua_touserdata(L, 1);
  asy_task *t = d->rt->task;
  bool mine;
  (void)status;
  asy_resumed(L, t);
  mine = asy_waitq_got(t) != 0 && d->promised > 0;
  if (mine)
    d->promised--;
  if (asy_isending(t))
    asy_udp_serve(d);
  asy_waitq_woken(L, t);
  return mine ? push_first(L, d) : recv_closed(L, d, ctx);
}


/* endpoint:recv() */
static int endpoint_recv(lua_State *L) {
  return receive(L, asy_endpoint_check(L), ONE_DATAGRAM);
}


static int next_datagram(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  return receive(L, (asy_endpoint *)lua_touserdata(L, 1), ITERATION);
}


/* for data, host, port in endpoint:datagrams() do */
static int endpoint_datagrams(lua_State *L) {
  asy_endpoint_check(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_datagram, 2);
  return 1;
}

/* }====== */


/* {====== Sending ====== */

static asy_future *send_abort(asy_task *t) {
  asy_udp_forget((asy_endpoint *)t->on, t);
  return NULL;
}


/* What waited to be sent was, or failed. */
static int sent(lua_State *L, int status, lua_KContext ctx) {
  asy_endpoint *d = (asy_endpoint *)lua_touserdata(L, 1);
  asy_task *t = d->rt->task;
  int got;
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  got = asy_waitq_got(t);
  asy_waitq_woken(L, t);
  return got < 0 ? raise_os(L, d, got, "send", NULL) : 0;
}


/* Sends the data at 2 to the address, NULL for the peer. */
static int send_to(lua_State *L, asy_endpoint *d, const struct sockaddr *to) {
  size_t n;
  const char *data = lua_tolstring(L, 2, &n);
  asy_task *t;
  int err;
  if (d->socket == NULL)
    return raise_os(L, d, UV_EBADF, "send", NULL);
  err = asy_udp_trysend(d, data, n, to);
  if (asy_likely(err == 0))
    return 0;
  if (err == UV_EAGAIN) {
    t = waiter(L, d, "send");
    err = asy_udp_sendlater(d, data, n, to, t);
    if (err == 0)
      return asy_park(L, t, &send_wait, d, 0, sent);
  }
  if (to == NULL)
    to = (const struct sockaddr *)&d->peer;
  return raise_os(L, d, err, "send", to);
}


/* Stack: endpoint, data, host, port, lookup. */
static int resolved(lua_State *L, int status, lua_KContext ctx) {
  asy_endpoint *d = (asy_endpoint *)lua_touserdata(L, 1);
  struct asy_lookup *l = (struct asy_lookup *)lua_touserdata(L, 5);
  const struct sockaddr_storage *all;
  int n;
  (void)ctx;
  if (status == LUA_YIELD)
    asy_woken(L, d->rt->task);
  asy_dns_check(L, l);
  all = asy_dns_addresses(l, &n);
  if (n == 0)
    return asy_error_raise(L, ASY_OS_ERROR, "send: the host has no address");
  return send_to(L, d, (const struct sockaddr *)all);
}


/* endpoint:send(data, host, port) */
static int endpoint_send(lua_State *L) {
  asy_endpoint *d = asy_endpoint_check(L);
  struct sockaddr_storage to;
  struct asy_lookup *l;
  const char *host;
  asy_task *t;
  int port;
  luaL_checkstring(L, 2);
  lua_settop(L, 4);
  if (d->connected) {
    luaL_argcheck(L, lua_isnil(L, 3) && lua_isnil(L, 4), 3,
                  "the endpoint is connected, and sends to its peer only");
    return send_to(L, d, NULL);
  }
  host = luaL_checkstring(L, 3);
  luaL_argcheck(L, asy_address_ishost(L, 3), 3, "invalid host");
  port = asy_address_checkport(L, 4);
  if (d->socket == NULL)
    return raise_os(L, d, UV_EBADF, "send", NULL);
  if (asy_address_parse(host, port, &to)) {
    if (to.ss_family != d->family)
      return raise_os(L, d, UV_EAFNOSUPPORT, "send",
                      (const struct sockaddr *)&to);
    return send_to(L, d, (const struct sockaddr *)&to);
  }
  t = waiter(L, d, "send");
  l = asy_dns_lookup(L, d->rt, t->fut.loop, host, port, d->family, SOCK_DGRAM);
  if (asy_dns_pending(l))
    return asy_dns_wait(L, t, l, 0, resolved);
  return resolved(L, LUA_OK, 0);
}

/* }====== */


/* {====== The end, and information ====== */

/* endpoint:close(), and __close */
static int endpoint_close(lua_State *L) {
  asy_udp_close(asy_endpoint_check(L));
  return 0;
}


static int endpoint_isclosing(lua_State *L) {
  lua_pushboolean(L, asy_endpoint_check(L)->socket == NULL);
  return 1;
}


void asy_endpoint_pushnames(lua_State *L, const asy_endpoint *d) {
  char local[ASY_ADDRESS_TEXT] = "?", peer[ASY_ADDRESS_TEXT] = "";
  if (d->local.ss_family != 0)
    asy_address_format((const struct sockaddr *)&d->local, local);
  if (d->peer.ss_family != 0)
    asy_address_format((const struct sockaddr *)&d->peer, peer);
  lua_pushfstring(L, "%s%s%s", local, *peer != '\0' ? " to " : "", peer);
}


/* The warning comes last, since it may fail for want of memory. */
static int endpoint_gc(lua_State *L) {
  asy_endpoint *d = asy_endpoint_check(L);
  bool warns;
  warns = d->socket != NULL && d->socket->h.loop->debug;
  asy_udp_close(d);
  asy_weak_free(d->rt, &d->self);
  if (warns) {
    asy_endpoint_pushnames(L, d);
    asy_report_warn(L, "datagram endpoint %s was collected while open",
                    lua_tostring(L, -1));
  }
  return 0;
}


int asy_endpoint_info(lua_State *L, const asy_endpoint *d) {
  const char *key = luaL_checkstring(L, 2);
  uv_os_fd_t fd;
  lua_settop(L, 3);
  if (strcmp(key, "peername") == 0 && d->peer.ss_family != 0)
    asy_address_push(L, (const struct sockaddr *)&d->peer);
  else if (strcmp(key, "sockname") == 0 && d->local.ss_family != 0)
    asy_address_push(L, (const struct sockaddr *)&d->local);
  else if ((strcmp(key, "fd") == 0 || strcmp(key, "socket") == 0) &&
           d->socket != NULL && uv_fileno(&d->socket->h.uv.any, &fd) == 0)
    lua_pushinteger(L, (lua_Integer)fd);
  return 1;
}


/* endpoint:get_extra_info(key, default) */
static int endpoint_getextrainfo(lua_State *L) {
  return asy_endpoint_info(L, asy_endpoint_check(L));
}


static int endpoint_tostring(lua_State *L) {
  asy_endpoint *d = asy_endpoint_check(L);
  asy_endpoint_pushnames(L, d);
  lua_pushfstring(L, "<DatagramEndpoint %s %s>",
                  d->socket == NULL ? "closed" : "open", lua_tostring(L, -1));
  return 1;
}

/* }====== */


void asy_endpoint_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"recv", endpoint_recv},
      {"datagrams", endpoint_datagrams},
      {"send", endpoint_send},
      {"close", endpoint_close},
      {"is_closing", endpoint_isclosing},
      {"get_extra_info", endpoint_getextrainfo},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", endpoint_close},
      {"__gc", endpoint_gc},
      {"__tostring", endpoint_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"open_datagram", asy_endpoint_opendatagram},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
  asy_newmeta(L, ASY_ENDPOINT, "asyncio.DatagramEndpoint", methods, meta, 0);
  lua_getfield(L, -1, "__methods");
  asy_multicast_add(L);
  lua_pop(L, 2);
  asy_dgram_open(L);
}
