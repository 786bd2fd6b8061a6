/*
** open_datagram: from addresses to an endpoint.
*/
#include "address.h"
#include "callback.h"
#include "dgram.h"
#include "dns.h"
#include "error.h"
#include "options.h"
#include "stream.h"
#include "udp.h"

/* Places on the stack. */
#define OPTIONS 1
#define LOCAL_HOST 2 /* strings, or nil */
#define REMOTE_HOST 3
#define ENDPOINT 4
#define TRANSPORT 5 /* before it is made the factory; nil without one */
#define LOCAL 6     /* lookups of these, or nil */
#define REMOTE 7

typedef struct failure {
  int err; /* 0 when there was none yet */
  const char *what;
  struct sockaddr_storage address;
} failure;


/* {====== Trying addresses ====== */

/* The addresses of the lookup at 'idx'; without one NULL, in the place of
** one. */
static const struct sockaddr_storage *get_addresses(lua_State *L, int idx,
                                                    int *n) {
  struct asy_lookup *l = (struct asy_lookup *)lua_touserdata(L, idx);
  *n = 1;
  return l != NULL ? asy_dns_addresses(l, n) : NULL;
}


/* Opens the endpoint with a pair of addresses of one family; 'remote' may be
** NULL. Notes the first failure. */
static bool open_pair(asy_endpoint *d, asy_loop *loop,
                      const struct sockaddr_storage *local,
                      const struct sockaddr_storage *remote, failure *f) {
  const char *what;
  int err;
  if (remote != NULL && remote->ss_family != local->ss_family)
    return false;
  err = asy_udp_open(d, loop, (const struct sockaddr *)local,
                     (const struct sockaddr *)remote, &what);
  if (err != 0 && f->err == 0) {
    f->err = err;
    f->what = what;
    f->address = remote != NULL && *what == 'c' ? *remote : *local;
  }
  return err == 0;
}


/* The same with all local addresses; where there is none, with every interface
** and the port. */
static bool open_from(asy_endpoint *d, asy_loop *loop,
                      const struct sockaddr_storage *local, int n, int port,
                      const struct sockaddr_storage *remote, failure *f) {
  struct sockaddr_storage any;
  int family = remote != NULL ? remote->ss_family : d->family;
  if (local == NULL) {
    asy_address_parse(family == AF_INET6 ? "::" : "0.0.0.0", port, &any);
    return open_pair(d, loop, &any, remote, f);
  }
  for (int i = 0; i < n; i++)
    if (open_pair(d, loop, &local[i], remote, f))
      return true;
  return false;
}


/* Tries all pairs of addresses; the first that can be opened is taken. */
static int open_any(lua_State *L, asy_endpoint *d, asy_loop *loop, int port) {
  int nlocal, nremote;
  const struct sockaddr_storage *local = get_addresses(L, LOCAL, &nlocal);
  const struct sockaddr_storage *remote = get_addresses(L, REMOTE, &nremote);
  char text[ASY_ADDRESS_TEXT];
  failure f = {0};
  for (int i = 0; i < nremote; i++)
    if (open_from(d, loop, local, nlocal, port,
                  remote != NULL ? &remote[i] : NULL, &f)) {
      if (d->transport != NULL)
        return asy_dgram_begin(L, d->transport, TRANSPORT);
      lua_pushvalue(L, ENDPOINT);
      return 1;
    }
  if (d->transport != NULL)
    asy_dgram_abandon(L, d->transport);
  if (nlocal == 0 || nremote == 0)
    return asy_error_raise(L, ASY_OS_ERROR,
                           "open_datagram: the host has no address");
  if (f.err == 0 && remote != NULL) { /* no pair was of one family */
    f.err = UV_EAFNOSUPPORT;
    f.what = "connect";
    f.address = *remote;
  }
  asy_address_format((const struct sockaddr *)&f.address, text);
  asy_error_os(L, d->rt, f.err, f.what, text);
  return lua_error(L);
}

/* }====== */


/* {====== open_datagram ====== */

/* 'port' is the local one, where there is no local host. */
static int looked_up(lua_State *L, int status, lua_KContext port) {
  asy_endpoint *d = (asy_endpoint *)lua_touserdata(L, ENDPOINT);
  asy_task *t = d->rt->task;
  if (status == LUA_YIELD)
    asy_woken(L, t);
  for (int idx = LOCAL; idx <= REMOTE; idx++) {
    struct asy_lookup *l = (struct asy_lookup *)lua_touserdata(L, idx);
    if (l == NULL)
      continue;
    if (asy_dns_pending(l))
      return asy_dns_wait(L, t, l, port, looked_up);
    asy_dns_check(L, l);
  }
  if (!lua_isnil(L, TRANSPORT)) {
    asy_dgram_new(L, d, t->fut.loop, TRANSPORT, ENDPOINT);
    lua_replace(L, TRANSPORT);
  }
  return open_any(L, d, t->fut.loop, (int)port);
}


/* Pushes the host of the address in the field of the options at 'idx', or nil,
** and returns its port. */
static int push_host(lua_State *L, int idx, const char *name, bool remote) {
  static const char what[] = "a host and a port";
  int port = 0;
  if (lua_isnil(L, idx))
    lua_pushnil(L);
  else if (asy_address_field(L, idx, name, what, &port) && remote &&
           (lua_isnil(L, -1) || port == 0))
    asy_address_badfield(L, idx, name, what);
  return port;
}


/* Pushes a lookup of the host at 'idx', or nil. */
static void push_lookup(lua_State *L, asy_endpoint *d, asy_loop *loop, int idx,
                        int port) {
  const char *host = lua_tostring(L, idx);
  if (host != NULL)
    asy_dns_lookup(L, d->rt, loop, host, port, d->family, SOCK_DGRAM);
  else
    lua_pushnil(L);
}


/* The options are at 'idx', before them the loop and the factory, if there is
** room. */
static int open_endpoint(lua_State *L, int idx, const char *fname) {
  static const char *const names[] = {
      "local_addr", "remote_addr", "family", "reuse_port",
      "broadcast",  "limit",       NULL,
  };
  asy_rt *rt = asy_rt_up(L);
  int local, remote, family;
  asy_endpoint *d;
  size_t limit;
  asy_task *t;
  lua_settop(L, idx);
  asy_options_check(L, idx, names);
  limit = asy_stream_limit(L, idx);
  family = asy_dns_family(L, idx);
  local = push_host(L, idx, "local_addr", false);
  remote = push_host(L, idx, "remote_addr", true);
  t = asy_task_here(L, rt, fname);
  if (idx != OPTIONS)
    asy_loop_task(L, (asy_loop *)lua_touserdata(L, 1), fname);
  d = asy_udp_new(L, rt, t->fut.loop, limit);
  d->family = family;
  d->reuse_port = asy_optflag(L, idx, "reuse_port", false);
  d->broadcast = asy_optflag(L, idx, "broadcast", false);
  if (idx == OPTIONS) {
    lua_pushnil(L);
  } else {
    lua_pushvalue(L, 2);
    lua_rotate(L, 1, -2);
    lua_pop(L, 2);
  }
  push_lookup(L, d, t->fut.loop, LOCAL_HOST, local);
  push_lookup(L, d, t->fut.loop, REMOTE_HOST, remote);
  return looked_up(L, LUA_OK, local);
}


/* open_datagram(options) */
int asy_endpoint_opendatagram(lua_State *L) {
  return open_endpoint(L, OPTIONS, "open_datagram");
}


/* loop:create_datagram_endpoint(factory, options) */
int asy_endpoint_create(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  asy_callback_checkfn(L, 2);
  return open_endpoint(L, 3, "create_datagram_endpoint");
}

/* }====== */
