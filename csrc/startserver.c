/*
** start_server: from hosts and a port to a server that listens there.
*/
#include "address.h"
#include "callback.h"
#include "context.h"
#include "dns.h"
#include "error.h"
#include "options.h"
#include "pin.h"
#include "server.h"
#include "weak.h"

#define BACKLOG 100


void asy_server_checkhandler(lua_State *L, int arg) {
  luaL_checkany(L, arg);
  if (!lua_isnil(L, arg))
    luaL_checktype(L, arg, LUA_TFUNCTION);
}


asy_server *asy_server_new(lua_State *L, asy_rt *rt, asy_loop *loop,
                           int handler, int options) {
  asy_server *server = (asy_server *)asy_new(
      L, rt, ASY_SERVER, sizeof(asy_server), ASY_SERVER_VALUES);
  int idx = lua_gettop(L);
  lua_Integer backlog = BACKLOG;
  asy_list_init(&server->listeners);
  asy_list_init(&server->accepted);
  asy_list_init(&server->clients);
  asy_list_init(&server->takers);
  asy_list_init(&server->closers);
  server->ready.ops = &asy_server_entry;
  server->loop = loop;
  server->self = asy_weak_new(L, rt, -1); /* may raise: to be closed then */
  server->limit = asy_stream_limit(L, options);
  asy_tcp_options(L, options, &server->tcp);
  if (!lua_isnil(L, options) &&
      lua_getfield(L, options, "backlog") != LUA_TNIL) {
    backlog = lua_tointeger(L, -1);
    luaL_argcheck(L, backlog > 0 && backlog <= INT32_MAX, options,
                  "field 'backlog' must be a positive integer");
  }
  lua_settop(L, idx);
  server->backlog = (int)backlog;
  server->queues = lua_isnil(L, handler);
  lua_pushvalue(L, handler);
  lua_setiuservalue(L, idx, ASY_SERVER_HANDLER);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, idx, ASY_SERVER_LOOP);
  if (rt->contexts) {
    asy_context_copy(L, rt);
    lua_setiuservalue(L, idx, ASY_SERVER_CONTEXT);
  }
  return server;
}


void asy_server_bound(lua_State *L, asy_server *server, int options) {
  server->slot = asy_pin(L, server->rt, -1);
  if (asy_optflag(L, options, "start_serving", true))
    asy_server_start(L, server);
}


static int raise_os(lua_State *L, asy_rt *rt, int err, const char *syscall,
                    const struct sockaddr *address) {
  char text[ASY_ADDRESS_TEXT];
  asy_address_format(address, text);
  asy_error_os(L, rt, err, syscall, text);
  return lua_error(L);
}


/* Binds to the addresses of the lookup, each once, however many hosts have it.
** A port that the system chose for the first socket is taken for the others,
** too. Where every interface is meant, a family that the system does not know
** is left out. */
static void bind_all(lua_State *L, asy_server *server,
                     const struct asy_lookup *lookup, bool everywhere) {
  bool reuse_port = asy_optflag(L, 4, "reuse_port", false);
  int n;
  const struct sockaddr_storage *all = asy_dns_addresses(lookup, &n);
  for (int i = 0; i < n; i++) {
    struct sockaddr_storage copy = all[i];
    struct sockaddr *address = (struct sockaddr *)&copy;
    int chosen = asy_listen_port(server), err;
    if (chosen != 0 && asy_address_port(address) == 0)
      asy_address_setport(address, chosen);
    if (asy_listen_has(server, address))
      continue;
    err = asy_listen_bind(server, address, reuse_port);
    if (everywhere && !asy_list_empty(&server->listeners) &&
        (err == UV_EAFNOSUPPORT || err == UV_EADDRNOTAVAIL))
      continue;
    if (err != 0) {
      asy_listen_close(server);
      raise_os(L, server->rt, err, "bind", address);
    }
  }
}


/* Stack: handler, list of hosts, port, options, server, whether every interface
** is meant, and the lookup of the i-th host, which may have ended just now. */
static int bind_hosts(lua_State *L, int status, lua_KContext i) {
  asy_rt *rt = asy_rt_up(L);
  asy_task *t = rt->task;
  asy_server *server = (asy_server *)lua_touserdata(L, 5);
  int port = (int)lua_tointeger(L, 3), family = asy_dns_family(L, 4);
  lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  if (status == LUA_YIELD) {
    asy_resumed(L, t);
    if (asy_iscancelled(t))
      asy_listen_close(server);
    asy_woken(L, t);
  }
  for (;;) {
    struct asy_lookup *lookup = (struct asy_lookup *)lua_touserdata(L, 7);
    if (lookup != NULL) {
      if (asy_dns_pending(lookup))
        return asy_dns_wait(L, t, lookup, i, bind_hosts);
      if (asy_dns_failed(lookup))
        asy_listen_close(server);
      asy_dns_check(L, lookup);
      bind_all(L, server, lookup, lua_toboolean(L, 6));
    }
    if (++i > n)
      break;
    lua_settop(L, 6);
    lua_rawgeti(L, 2, i);
    asy_dns_lookup(L, rt, t->fut.loop, lua_tostring(L, 7), port, family,
                   SOCK_STREAM);
    lua_replace(L, 7);
  }
  lua_settop(L, 5);
  asy_server_bound(L, server, 4);
  return 1;
}


/* Makes the hosts at 'at' a list: nil is every interface. */
static void check_hosts(lua_State *L, int at, int options) {
  lua_Integer n;
  if (lua_isnil(L, at)) {
    int family = asy_dns_family(L, options);
    lua_newtable(L);
    if (family != AF_INET6) {
      lua_pushliteral(L, "0.0.0.0");
      lua_rawseti(L, -2, 1);
    }
    if (family != AF_INET) {
      lua_pushliteral(L, "::");
      lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
    lua_replace(L, at);
  } else if (lua_type(L, at) == LUA_TSTRING) {
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, at);
    lua_rawseti(L, -2, 1);
    lua_replace(L, at);
  }
  if (!lua_istable(L, at))
    asy_typeerror(L, at, "host, list of hosts or nil");
  n = (lua_Integer)lua_rawlen(L, at);
  luaL_argcheck(L, n > 0, at, "no hosts");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, at, i);
    luaL_argcheck(L, asy_address_ishost(L, -1), at,
                  "hosts must be strings without zeros");
    lua_pop(L, 1);
  }
}


/* Whether the host is to be every interface; an empty one becomes nil. */
static bool is_everywhere(lua_State *L, int at) {
  if (lua_type(L, at) == LUA_TSTRING && lua_rawlen(L, at) == 0) {
    lua_pushnil(L);
    lua_replace(L, at);
  }
  return lua_isnil(L, at);
}


/* The handler, the hosts, the port and the options are at 'first'. */
static int start(lua_State *L, int first, const char *fname) {
  static const char *const names[] = {
      "limit",   "family",    "backlog",       "reuse_port",
      "nodelay", "keepalive", "start_serving", NULL,
  };
  asy_rt *rt = asy_rt_up(L);
  int options = first + 3;
  bool everywhere;
  asy_server *server;
  asy_task *t;
  lua_settop(L, options);
  everywhere = is_everywhere(L, first + 1);
  asy_address_checkport(L, first + 2);
  asy_options_check(L, options, names);
  check_hosts(L, first + 1, options);
  t = asy_task_here(L, rt, fname);
  if (first != 1)
    asy_loop_task(L, (asy_loop *)lua_touserdata(L, 1), fname);
  server = asy_server_new(L, rt, t->fut.loop, first, options);
  server->protocols = first != 1;
  lua_pushboolean(L, everywhere);
  if (first != 1)
    lua_remove(L, 1);
  return bind_hosts(L, LUA_OK, 0);
}


/* start_server(handler, host, port, options) */
int asy_server_startserver(lua_State *L) {
  asy_server_checkhandler(L, 1);
  return start(L, 1, "start_server");
}


/* loop:create_server(factory, host, port, options) */
int asy_server_createserver(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  asy_callback_checkfn(L, 2);
  return start(L, 2, "create_server");
}
