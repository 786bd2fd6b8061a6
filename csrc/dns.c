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
#include "weak.h"

#define MAX_HOST 256

typedef struct dns_req {
  asy_req r;
  asy_rt *rt;
  uint32_t lookup; /* its number; 0: nobody wants the answer any more */
} dns_req;

typedef struct asy_lookup {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self; /* its number (weak.h) */
  bool pending;
  int error;
  int n;
  const asy_wait *how;
  dns_req *req;   /* holds the answer when it has ended; NULL if it failed */
  asy_task *task; /* who waits, or NULL */
  struct sockaddr_storage *addresses; /* NULL: the numeric one */
  struct sockaddr_storage numeric;
  char what[MAX_HOST]; /* is looked up */
} asy_lookup;


/* {====== Requests ====== */

/* Frees a request that has ended, and its answer. */
static void req_free(dns_req *req) {
  if (req->r.uv.any.type == UV_GETADDRINFO)
    uv_freeaddrinfo(req->r.uv.getaddrinfo.addrinfo);
  free(req);
}


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


/* The lookup has ended, and keeps what it has found in the request. */
static void keep_answer(asy_lookup *l, dns_req *req, int status) {
  l->pending = false;
  l->error = status;
  l->req = req;
  if (status == 0 && req->r.uv.any.type == UV_GETADDRINFO &&
      !copy_addresses(l, req->r.uv.getaddrinfo.addrinfo))
    l->error = UV_ENOMEM;
}


static void req_done(dns_req *req, int status) {
  asy_lookup *l = (asy_lookup *)asy_weak_get(req->rt, req->lookup);
  asy_task *t;
  asy_req_ended(&req->r);
  if (l == NULL) {
    req_free(req);
    return;
  }
  t = l->task;
  l->task = NULL;
  keep_answer(l, req, status);
  if (t != NULL)
    asy_unpark(t);
}


static void found_addresses(uv_getaddrinfo_t *uv, int status,
                            struct addrinfo *list) {
  (void)list; /* it is in the request, too */
  req_done((dns_req *)uv->data, status);
}


static void found_names(uv_getnameinfo_t *uv, int status, const char *host,
                        const char *service) {
  (void)host;
  (void)service;
  req_done((dns_req *)uv->data, status);
}


/* libuv took the request, or refused it; one that is not to use the pool has
** ended. */
static void req_begun(asy_lookup *l, dns_req *req, int err, bool ended) {
  if (err != 0) {
    free(req);
    l->error = err;
  } else if (ended) {
    keep_answer(l, req, 0);
  } else {
    asy_req_started(&req->r);
    req->rt = l->rt;
    req->lookup = l->self;
    l->req = req;
    l->pending = true;
  }
}


/* The request goes on by itself if it cannot be cancelled. */
static void lookup_abandon(asy_lookup *l) {
  if (l->pending) {
    l->req->lookup = 0;
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


static const asy_wait addresses_wait = {"getaddrinfo", lookup_abort};
static const asy_wait names_wait = {"getnameinfo", lookup_abort};

/* }====== */


/* {====== Lookups ====== */

/* Pushes a lookup. */
static asy_lookup *lookup_new(lua_State *L, asy_rt *rt, const asy_wait *how,
                              const char *what) {
  size_t length = strlen(what);
  asy_lookup *l =
      (asy_lookup *)asy_new(L, rt, ASY_LOOKUP, sizeof(asy_lookup), 0);
  l->self = asy_weak_new(L, rt, -1);
  l->how = how;
  if (length < MAX_HOST)
    memcpy(l->what, what, length + 1);
  else
    l->error = UV_ENAMETOOLONG;
  return l;
}


/* Makes the lookup's request; NULL if it has failed. */
static dns_req *lookup_req(asy_lookup *l, asy_loop *loop) {
  dns_req *req;
  if (l->error != 0)
    return NULL;
  req = (dns_req *)asy_req_new(loop, sizeof(dns_req));
  if (req == NULL)
    l->error = UV_ENOMEM;
  return req;
}


/* Whether the host is numeric; the lookup fails if it is of another family. */
static bool is_numeric(asy_lookup *l, const char *host, int port, int family) {
  if (l->error != 0 || !asy_address_parse(host, port, &l->numeric))
    return false;
  if (family != AF_UNSPEC && l->numeric.ss_family != family)
    l->error = UV_EAI_ADDRFAMILY;
  return true;
}


static bool is_number(const char *service) {
  size_t n = strspn(service, "0123456789");
  return n > 0 && service[n] == '\0';
}


asy_lookup *asy_dns_resolve(lua_State *L, asy_rt *rt, asy_loop *loop,
                            const char *host, const char *service,
                            const struct addrinfo *hints) {
  asy_lookup *l =
      lookup_new(L, rt, &addresses_wait, host != NULL ? host : service);
  struct addrinfo asked = *hints;
  bool numeric = true;
  dns_req *req;
  if (host != NULL) {
    numeric = is_numeric(l, host, 0, hints->ai_family);
    if (numeric)
      asked.ai_flags |= AI_NUMERICHOST;
  }
  numeric = numeric && (service == NULL || is_number(service));
  req = lookup_req(l, loop);
  if (req != NULL)
    req_begun(l, req,
              uv_getaddrinfo(loop->engine->uv, &req->r.uv.getaddrinfo,
                             numeric ? NULL : found_addresses, host, service,
                             &asked),
              numeric);
  return l;
}


asy_lookup *asy_dns_lookup(lua_State *L, asy_rt *rt, asy_loop *loop,
                           const char *host, int port, int family, int type) {
  asy_lookup *l = lookup_new(L, rt, &addresses_wait, host);
  struct addrinfo hints = {0};
  char service[16];
  dns_req *req;
  if (is_numeric(l, host, port, family)) {
    l->n = 1;
    return l;
  }
  req = lookup_req(l, loop);
  hints.ai_family = family;
  hints.ai_socktype = type;
  snprintf(service, sizeof(service), "%d", port);
  if (req != NULL)
    req_begun(l, req,
              uv_getaddrinfo(loop->engine->uv, &req->r.uv.getaddrinfo,
                             found_addresses, host, service, &hints),
              false);
  return l;
}


asy_lookup *asy_dns_reverse(lua_State *L, asy_rt *rt, asy_loop *loop,
                            const struct sockaddr *address, int flags) {
  bool numeric = (flags & NI_NUMERICHOST) && (flags & NI_NUMERICSERV);
  char text[ASY_ADDRESS_TEXT];
  dns_req *req;
  asy_lookup *l;
  asy_address_format(address, text);
  l = lookup_new(L, rt, &names_wait, text);
  req = lookup_req(l, loop);
  if (req != NULL)
    req_begun(l, req,
              uv_getnameinfo(loop->engine->uv, &req->r.uv.getnameinfo,
                             numeric ? NULL : found_names, address, flags),
              numeric);
  return l;
}


bool asy_dns_pending(const asy_lookup *l) {
  return l->pending;
}


int asy_dns_wait(lua_State *L, asy_task *t, asy_lookup *l, lua_KContext ctx,
                 lua_KFunction k) {
  l->task = t;
  return asy_park(L, t, l->how, l, ctx, k);
}


bool asy_dns_failed(const asy_lookup *l) {
  return l->error != 0;
}


void asy_dns_check(lua_State *L, const asy_lookup *l) {
  if (l->error == 0)
    return;
  asy_error_os(L, l->rt, l->error, l->how->what, l->what);
  lua_error(L);
}


const struct sockaddr_storage *asy_dns_addresses(const asy_lookup *l, int *n) {
  *n = l->n;
  return l->addresses != NULL ? l->addresses : &l->numeric;
}


const struct addrinfo *asy_dns_list(const asy_lookup *l) {
  return l->req->r.uv.getaddrinfo.addrinfo;
}


const char *asy_dns_host(const asy_lookup *l) {
  return l->req->r.uv.getnameinfo.host;
}


const char *asy_dns_service(const asy_lookup *l) {
  return l->req->r.uv.getnameinfo.service;
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
  asy_weak_free(l->rt, &l->self);
  if (l->req != NULL)
    req_free(l->req);
  l->req = NULL;
  free(l->addresses);
  l->addresses = NULL;
  return 0;
}


void asy_dns_open(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", lookup_gc}, {NULL, NULL}};
  asy_newmeta(L, ASY_LOOKUP, "asyncio.Lookup", NULL, meta, 0);
  lua_pop(L, 1);
}

/* }====== */
