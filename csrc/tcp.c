/*
** open_connection: from a host and a port to a TCP connection.
*/
#include "tcp.h"

#include <sys/socket.h>

#include "address.h"
#include "callback.h"
#include "connect.h"
#include "dns.h"
#include "error.h"
#include "options.h"

#define DELAY 0.25 /* seconds until the next address is tried as well */


#define MAX_KEEPALIVE 32767 /* seconds: what Linux takes */


/* {====== Options of connections ====== */

static int get_keepalive(lua_State *L, int idx) {
  lua_Integer seconds;
  int isint;
  switch (lua_getfield(L, idx, "keepalive")) {
  case LUA_TNIL: return -1;
  case LUA_TBOOLEAN: return lua_toboolean(L, -1) ? 0 : -1;
  default:
    seconds = lua_tointegerx(L, -1, &isint);
    luaL_argcheck(L, isint && seconds >= 1 && seconds <= MAX_KEEPALIVE, idx,
                  "field 'keepalive' must be a boolean or a number of seconds");
    return (int)seconds;
  }
}


void asy_tcp_options(lua_State *L, int idx, asy_tcp_how *how) {
  how->delay = !asy_optflag(L, idx, "nodelay", true);
  how->keepalive = -1;
  if (!lua_isnoneornil(L, idx)) {
    how->keepalive = get_keepalive(L, idx);
    lua_pop(L, 1);
  }
}


void asy_tcp_set(uv_tcp_t *tcp, const asy_tcp_how *how) {
  if (!how->delay)
    uv_tcp_nodelay(tcp, 1);
  if (how->keepalive > 0) {
    uv_tcp_keepalive(tcp, 1, (unsigned)how->keepalive);
  } else if (how->keepalive == 0) {
    int on = 1;
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0)
      setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  }
}

/* }====== */


/* {====== open_connection ====== */

/* The field 'local_addr' of the options at 'idx': a numeric host and a port. */
static void get_local(lua_State *L, struct sockaddr_storage *local, int idx) {
  static const char what[] = "a numeric host and a port";
  int port;
  if (asy_address_field(L, idx, "local_addr", what, &port) &&
      (lua_isnil(L, -1) ||
       !asy_address_parse(lua_tostring(L, -1), port, local)))
    asy_address_badfield(L, idx, "local_addr", what);
  lua_pop(L, 1);
}


static void get_delay(lua_State *L, lua_Number *delay, int idx) {
  if (lua_getfield(L, idx, "happy_eyeballs_delay") != LUA_TNIL) {
    *delay = lua_tonumber(L, -1);
    luaL_argcheck(L, lua_isnumber(L, -1) && *delay >= 0, idx,
                  "field 'happy_eyeballs_delay' must be a number of seconds");
  }
  lua_pop(L, 1);
}


static const char *const option_names[] = {
    "limit",   "family",    "local_addr", "happy_eyeballs_delay",
    "nodelay", "keepalive", NULL,
};

/* What the options at 'idx', a table or nil, say of the connection. */
static void get_options(lua_State *L, int idx, asy_connect_how *how) {
  how->limit = asy_stream_limit(L, idx);
  asy_tcp_options(L, idx, &how->tcp);
  how->delay = DELAY;
  how->local.ss_family = 0;
  if (lua_isnil(L, idx))
    return;
  get_local(L, &how->local, idx);
  get_delay(L, &how->delay, idx);
}


/* Stack: host, port, options, the factory or nil, the lookup. */
static int resolved(lua_State *L, int status, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  asy_task *t = rt->task;
  struct asy_lookup *lookup = (struct asy_lookup *)lua_touserdata(L, 5);
  const struct sockaddr_storage *all;
  asy_connect_how how;
  int n;
  (void)ctx;
  if (status == LUA_YIELD)
    asy_woken(L, t);
  asy_dns_check(L, lookup);
  all = asy_dns_addresses(lookup, &n);
  if (n == 0)
    return asy_error_raise(L, ASY_OS_ERROR, "connect: the host has no address");
  get_options(L, 3, &how);
  how.factory = lua_isnil(L, 4) ? 0 : 4;
  return asy_connect(L, t, all, n, &how);
}


/* Host, port and options are at 'first', before them the loop and the factory,
** if there is room. Errors come before the lookup. */
static int look_up(lua_State *L, int first, const char *fname) {
  asy_rt *rt = asy_rt_up(L);
  const char *host = luaL_checkstring(L, first);
  int port = asy_address_checkport(L, first + 1), family;
  struct asy_lookup *lookup;
  asy_connect_how how;
  asy_task *t;
  luaL_argcheck(L, asy_address_ishost(L, first), first, "invalid host");
  lua_settop(L, first + 2);
  asy_options_check(L, first + 2, option_names);
  get_options(L, first + 2, &how);
  family = asy_dns_family(L, first + 2);
  t = asy_task_here(L, rt, fname);
  if (first == 1) {
    lua_pushnil(L);
  } else {
    asy_loop_task(L, (asy_loop *)lua_touserdata(L, 1), fname);
    lua_rotate(L, 2, -1); /* the factory comes last */
    lua_remove(L, 1);
  }
  lookup = asy_dns_lookup(L, rt, t->fut.loop, host, port, family, SOCK_STREAM);
  if (asy_dns_pending(lookup))
    return asy_dns_wait(L, t, lookup, 0, resolved);
  return resolved(L, LUA_OK, 0);
}


/* open_connection(host, port, options) */
static int open_connection(lua_State *L) {
  return look_up(L, 1, "open_connection");
}


/* loop:create_connection(factory, host, port, options) */
static int create_connection(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  asy_callback_checkfn(L, 2);
  return look_up(L, 3, "create_connection");
}

/* }====== */


void asy_tcp_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"open_connection", open_connection},
      {NULL, NULL},
  };
  static const luaL_Reg methods[] = {
      {"create_connection", create_connection},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
  asy_addmethods(L, ASY_LOOP, methods);
}
