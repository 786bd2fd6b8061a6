/*
** getaddrinfo and getnameinfo, as functions and as methods of a loop.
*/
#include <string.h>

#include "address.h"
#include "dns.h"
#include "error.h"
#include "options.h"

typedef struct named_flag {
  const char *name;
  int value;
} named_flag;


/* {====== Options ====== */

/* The fields of the options at 'idx' that are true, as flags. */
static int get_flags(lua_State *L, int idx, const named_flag *known) {
  int flags = 0;
  for (; known->name != NULL; known++)
    if (asy_optflag(L, idx, known->name, false))
      flags |= known->value;
  return flags;
}


static int get_type(lua_State *L, int idx) {
  int type = 0;
  const char *name;
  if (lua_isnoneornil(L, idx))
    return 0;
  if (lua_getfield(L, idx, "type") != LUA_TNIL) {
    name = lua_tostring(L, -1);
    if (name != NULL && strcmp(name, "stream") == 0)
      type = SOCK_STREAM;
    else if (name != NULL && strcmp(name, "dgram") == 0)
      type = SOCK_DGRAM;
    else
      luaL_argerror(L, idx, "field 'type' must be \"stream\" or \"dgram\"");
  }
  lua_pop(L, 1);
  return type;
}


static const char *opt_host(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg))
    return NULL;
  if (lua_type(L, arg) != LUA_TSTRING)
    asy_typeerror(L, arg, "string or nil");
  luaL_argcheck(L, asy_address_ishost(L, arg), arg, "invalid host");
  return lua_tostring(L, arg);
}


/* A port, or the name of a service. */
static const char *opt_service(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg))
    return NULL;
  if (lua_type(L, arg) == LUA_TNUMBER)
    return lua_pushfstring(L, "%d", asy_address_checkport(L, arg));
  if (lua_type(L, arg) != LUA_TSTRING)
    asy_typeerror(L, arg, "number, string or nil");
  luaL_argcheck(L, asy_address_ishost(L, arg) && lua_rawlen(L, arg) < 256, arg,
                "invalid service");
  return lua_tostring(L, arg);
}

/* }====== */


/* The running task, which is to be one of the loop at 1 if that is there. */
static asy_task *task_here(lua_State *L, asy_rt *rt, int first,
                           const char *fname) {
  asy_task *t;
  if (first > 1)
    asy_loop_checkopen(L, (asy_loop *)asy_checkkind(L, 1, ASY_LOOP));
  t = asy_task_here(L, rt, fname);
  if (first > 1 && lua_touserdata(L, 1) != t->fut.loop)
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "%s: the event loop is not the one that runs", fname);
  return t;
}


/* The lookup on the top, which has ended. */
static struct asy_lookup *ended(lua_State *L, int status) {
  struct asy_lookup *l = (struct asy_lookup *)lua_touserdata(L, -1);
  if (status == LUA_YIELD)
    asy_woken(L, asy_rt_up(L)->task);
  asy_dns_check(L, l);
  return l;
}


/* {====== getaddrinfo ====== */

/* Whether the library has sockets of that kind. */
static bool is_known(const struct addrinfo *a) {
  return (a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
         (a->ai_socktype == SOCK_STREAM || a->ai_socktype == SOCK_DGRAM);
}


static void push_entry(lua_State *L, const struct addrinfo *a) {
  asy_address_push(L, a->ai_addr);
  lua_pushstring(L, a->ai_socktype == SOCK_STREAM ? "stream" : "dgram");
  lua_setfield(L, -2, "type");
  if (a->ai_protocol != 0) {
    lua_pushinteger(L, a->ai_protocol);
    lua_setfield(L, -2, "proto");
  }
  if (a->ai_canonname != NULL) {
    lua_pushstring(L, a->ai_canonname);
    lua_setfield(L, -2, "canonname");
  }
}


static int push_list(lua_State *L, int status, lua_KContext ctx) {
  struct asy_lookup *l = ended(L, status);
  lua_Integer n = 0;
  (void)ctx;
  lua_newtable(L);
  for (const struct addrinfo *a = asy_dns_list(l); a != NULL; a = a->ai_next) {
    if (!is_known(a))
      continue;
    push_entry(L, a);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}


/* The arguments begin at 'first'. */
static int resolve(lua_State *L, int first) {
  static const char *const names[] = {
      "family",      "type",        "passive",    "canonname",
      "numerichost", "numericserv", "addrconfig", NULL,
  };
  static const named_flag known[] = {
      {"passive", AI_PASSIVE},         {"canonname", AI_CANONNAME},
      {"numerichost", AI_NUMERICHOST}, {"numericserv", AI_NUMERICSERV},
      {"addrconfig", AI_ADDRCONFIG},   {NULL, 0},
  };
  asy_rt *rt = asy_rt_up(L);
  struct addrinfo hints = {0};
  const char *host, *service;
  struct asy_lookup *l;
  asy_task *t;
  lua_settop(L, first + 2);
  host = opt_host(L, first);
  service = opt_service(L, first + 1);
  luaL_argcheck(L, host != NULL || service != NULL, first + 1,
                "a host or a port is needed");
  asy_options_check(L, first + 2, names);
  hints.ai_family = asy_dns_family(L, first + 2);
  hints.ai_socktype = get_type(L, first + 2);
  hints.ai_flags = get_flags(L, first + 2, known);
  luaL_argcheck(L, host != NULL || !(hints.ai_flags & AI_CANONNAME), first + 2,
                "field 'canonname' needs a host");
  t = task_here(L, rt, first, "getaddrinfo");
  l = asy_dns_resolve(L, rt, t->fut.loop, host, service, &hints);
  if (asy_dns_pending(l))
    return asy_dns_wait(L, t, l, 0, push_list);
  return push_list(L, LUA_OK, 0);
}


/* getaddrinfo(host, port, options) */
static int getaddrinfo_function(lua_State *L) {
  return resolve(L, 1);
}


/* loop:getaddrinfo(host, port, options) */
static int getaddrinfo_method(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  return resolve(L, 2);
}

/* }====== */


/* {====== getnameinfo ====== */

static int push_names(lua_State *L, int status, lua_KContext ctx) {
  struct asy_lookup *l = ended(L, status);
  (void)ctx;
  lua_pushstring(L, asy_dns_host(l));
  lua_pushstring(L, asy_dns_service(l));
  return 2;
}


/* The address of a host and port at 'first', or of an address there, which
** becomes both. */
static void check_address(lua_State *L, int first,
                          struct sockaddr_storage *address) {
  int port;
  if (lua_istable(L, first)) {
    int isint;
    lua_getfield(L, first, "host");
    lua_getfield(L, first, "port");
    port = (int)lua_tointegerx(L, -1, &isint);
    luaL_argcheck(
        L, isint && lua_tointeger(L, -1) == port && port >= 0 && port <= 65535,
        first, "an address must have a port");
    lua_insert(L, first + 1);
    lua_replace(L, first);
  } else {
    if (lua_type(L, first) != LUA_TSTRING)
      asy_typeerror(L, first, "address or string");
    port = asy_address_checkport(L, first + 1);
  }
  luaL_argcheck(L,
                asy_address_ishost(L, first) &&
                    asy_address_parse(lua_tostring(L, first), port, address),
                first, "the host must be numeric");
}


static int reverse(lua_State *L, int first) {
  static const char *const names[] = {
      "numerichost", "numericserv", "namereqd", "dgram", NULL,
  };
  static const named_flag known[] = {
      {"numerichost", NI_NUMERICHOST},
      {"numericserv", NI_NUMERICSERV},
      {"namereqd", NI_NAMEREQD},
      {"dgram", NI_DGRAM},
      {NULL, 0},
  };
  asy_rt *rt = asy_rt_up(L);
  struct sockaddr_storage address;
  struct asy_lookup *l;
  int flags, options = first + (lua_istable(L, first) ? 1 : 2);
  asy_task *t;
  lua_settop(L, options);
  asy_options_check(L, options, names);
  flags = get_flags(L, options, known);
  check_address(L, first, &address);
  t = task_here(L, rt, first, "getnameinfo");
  l = asy_dns_reverse(L, rt, t->fut.loop, (const struct sockaddr *)&address,
                      flags);
  if (asy_dns_pending(l))
    return asy_dns_wait(L, t, l, 0, push_names);
  return push_names(L, LUA_OK, 0);
}


/* getnameinfo(host, port, options), getnameinfo(address, options) */
static int getnameinfo_function(lua_State *L) {
  return reverse(L, 1);
}


/* loop:getnameinfo, with the same arguments */
static int getnameinfo_method(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  return reverse(L, 2);
}

/* }====== */


void asy_names_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"getaddrinfo", getaddrinfo_function},
      {"getnameinfo", getnameinfo_function},
      {NULL, NULL},
  };
  static const luaL_Reg methods[] = {
      {"getaddrinfo", getaddrinfo_method},
      {"getnameinfo", getnameinfo_method},
      {NULL, NULL},
  };
  asy_dns_open(L);
  asy_setfuncs(L, funcs);
  lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_of(L)->meta[ASY_LOOP]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
}
