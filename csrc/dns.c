/*
** Name lookups. The request lies in C memory and outlives the userdata that
** asked, if that goes first: neither waits for the other.
*/
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "error.h"
#include "req.h"

#define MAX_HOST 256

typedef struct dns_req {
  asy_req r;
  struct asy_lookup *lookup; /* NULL when nobody wants the answer any more */
} dns_req;

typedef struct asy_lookup {
  asy_rt *rt;
  uint8_t kind;
  bool pending;
  int error;
  int n;
  dns_req *req;   /* while pending */
  asy_task *task; /* who waits, or NULL */
  struct sockaddr_storage *addresses;
  struct sockaddr_storage numeric;
  char host[MAX_HOST];
} asy_lookup;


/* Copies the addresses; false without memory. */
static bool copy_addresses(asy_lookup *l, const struct addrinfo *list) {
  const struct addrinfo *a;
  int n = 0;
  for (a = list; a != NULL; a = a->ai_next)
    n++;
  l->addresses =
      (struct sockaddr_storage *)calloc((size_t)n + 1, sizeof(*l->addresses));
  if (l->addresses == NULL)
    return false;
  for (a = list; a != NULL; a = a->ai_next)
    if (a->ai_addrlen <= sizeof(*l->addresses))
      memcpy(&l->addresses[l->n++], a->ai_addr, a->ai_addrlen);
  return true;
}


static void lookup_done(uv_getaddrinfo_t *uv, int status,
                        struct addrinfo *list) {
  dns_req *req = (dns_req *)uv->data;
  asy_lookup *l = req->lookup;
  asy_task *t;
  asy_req_ended(&req->r);
  free(req);
  if (l != NULL) {
    t = l->task;
    l->req = NULL;
    l->task = NULL;
    l->pending = false;
    l->error = status;
    if (status == 0 && !copy_addresses(l, list))
      l->error = UV_ENOMEM;
    if (t != NULL)
      asy_unpark(t);
  }
  uv_freeaddrinfo(list);
}


static int lookup_start(asy_lookup *l, asy_loop *loop, int port, int family) {
  struct addrinfo hints = {0};
  char service[16];
  int err;
  dns_req *req = (dns_req *)asy_req_new(loop, sizeof(dns_req));
  if (req == NULL)
    return UV_ENOMEM;
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  snprintf(service, sizeof(service), "%d", port);
  err = uv_getaddrinfo(loop->engine->uv, &req->r.uv.getaddrinfo, lookup_done,
                       l->host, service, &hints);
  if (err != 0) {
    free(req);
    return err;
  }
  asy_req_started(&req->r);
  req->lookup = l;
  l->req = req;
  l->pending = true;
  return 0;
}


asy_lookup *asy_dns_lookup(lua_State *L, asy_rt *rt, asy_loop *loop,
                           const char *host, int port, int family) {
  asy_lookup *l =
      (asy_lookup *)asy_new(L, rt, ASY_LOOKUP, sizeof(asy_lookup), 0);
  size_t length = strlen(host);
  if (length < MAX_HOST)
    memcpy(l->host, host, length + 1);
  else
    l->error = UV_ENAMETOOLONG;
  if (l->error == 0 && asy_address_parse(host, port, &l->numeric)) {
    l->n = 1;
    if (family != AF_UNSPEC && l->numeric.ss_family != family)
      l->error = UV_EAI_ADDRFAMILY;
  } else if (l->error == 0) {
    l->error = lookup_start(l, loop, port, family);
  }
  return l;
}


bool asy_dns_pending(const asy_lookup *l) {
  return l->pending;
}


/* The request goes on by itself if it cannot be cancelled. */
static void lookup_abandon(asy_lookup *l) {
  if (l->req != NULL) {
    l->req->lookup = NULL;
    uv_cancel(&l->req->r.uv.any);
    l->req = NULL;
  }
  l->pending = false;
  l->task = NULL;
}


static asy_future *lookup_abort(asy_task *t) {
  lookup_abandon((asy_lookup *)t->on);
  return NULL;
}


static const asy_wait lookup_wait = {"getaddrinfo", lookup_abort};


int asy_dns_wait(lua_State *L, asy_task *t, asy_lookup *l, lua_KContext ctx,
                 lua_KFunction k) {
  l->task = t;
  return asy_park(L, t, &lookup_wait, l, ctx, k);
}


bool asy_dns_failed(const asy_lookup *l) {
  return l->error != 0;
}


void asy_dns_check(lua_State *L, const asy_lookup *l) {
  if (l->error == 0)
    return;
  asy_error_os(L, l->rt, l->error, "getaddrinfo", l->host);
  lua_error(L);
}


const struct sockaddr_storage *asy_dns_addresses(const asy_lookup *l, int *n) {
  *n = l->n;
  return l->addresses != NULL ? l->addresses : &l->numeric;
}


int asy_dns_family(lua_State *L, int idx) {
  int family = AF_UNSPEC;
  const char *name;
  if (lua_isnoneornil(L, idx))
    return AF_UNSPEC;
  luaL_checktype(L, idx, LUA_TTABLE);
  if (lua_getfield(L, idx, "family") != LUA_TNIL) {
    name = lua_tostring(L, -1);
    if (name != NULL && strcmp(name, "inet") == 0)
      family = AF_INET;
    else if (name != NULL && strcmp(name, "inet6") == 0)
      family = AF_INET6;
    else
      luaL_argerror(L, idx, "field 'family' must be \"inet\" or \"inet6\"");
  }
  lua_pop(L, 1);
  return family;
}


static int lookup_gc(lua_State *L) {
  asy_lookup *l = (asy_lookup *)asy_checkkind(L, 1, ASY_LOOKUP);
  lookup_abandon(l);
  free(l->addresses);
  l->addresses = NULL;
  return 0;
}


void asy_dns_open(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", lookup_gc}, {NULL, NULL}};
  asy_newmeta(L, ASY_LOOKUP, "asyncio.Lookup", NULL, meta, 0);
  lua_pop(L, 1);
}
