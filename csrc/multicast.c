/*
** Datagram endpoints: groups, broadcast, and how far datagrams go.
*/
#include "address.h"
#include "error.h"
#include "udp.h"


static int check(lua_State *L, int err, const char *fname, const char *what) {
  if (err == 0)
    return 0;
  asy_error_os(L, asy_rt_up(L), err, fname, what);
  return lua_error(L);
}


static const char *check_numeric(lua_State *L, int arg) {
  struct sockaddr_storage address;
  const char *text = luaL_checkstring(L, arg);
  luaL_argcheck(
      L, asy_address_ishost(L, arg) && asy_address_parse(text, 0, &address),
      arg, "numeric address expected");
  return text;
}


static const char *opt_numeric(lua_State *L, int arg) {
  return lua_isnoneornil(L, arg) ? NULL : check_numeric(L, arg);
}


static bool check_boolean(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TBOOLEAN);
  return lua_toboolean(L, arg);
}


static int check_ttl(lua_State *L, int arg, int least) {
  lua_Integer ttl = luaL_checkinteger(L, arg);
  if (ttl < least || ttl > 255)
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "out of range (%d to 255)", least));
  return (int)ttl;
}


static int set_membership(lua_State *L, const char *fname,
                          uv_membership membership) {
  uv_udp_t *uv;
  const char *group, *via;
  asy_endpoint_check(L);
  group = check_numeric(L, 2);
  via = opt_numeric(L, 3);
  uv = asy_endpoint_socket(L, fname);
  return check(L, uv_udp_set_membership(uv, group, via, membership), fname,
               group);
}


/* endpoint:join_group(group, interface) */
static int join_group(lua_State *L) {
  return set_membership(L, "join_group", UV_JOIN_GROUP);
}


/* endpoint:leave_group(group, interface) */
static int leave_group(lua_State *L) {
  return set_membership(L, "leave_group", UV_LEAVE_GROUP);
}


/* endpoint:set_broadcast(on) */
static int set_broadcast(lua_State *L) {
  bool on;
  asy_endpoint_check(L);
  on = check_boolean(L, 2);
  return check(
      L, uv_udp_set_broadcast(asy_endpoint_socket(L, "set_broadcast"), on),
      "set_broadcast", NULL);
}


/* endpoint:set_ttl(ttl) */
static int set_ttl(lua_State *L) {
  int ttl;
  asy_endpoint_check(L);
  ttl = check_ttl(L, 2, 1);
  return check(L, uv_udp_set_ttl(asy_endpoint_socket(L, "set_ttl"), ttl),
               "set_ttl", NULL);
}


/* endpoint:set_multicast_ttl(ttl) */
static int set_multicast_ttl(lua_State *L) {
  static const char name[] = "set_multicast_ttl";
  int ttl;
  asy_endpoint_check(L);
  ttl = check_ttl(L, 2, 0);
  return check(L, uv_udp_set_multicast_ttl(asy_endpoint_socket(L, name), ttl),
               name, NULL);
}


/* endpoint:set_multicast_loop(on) */
static int set_multicast_loop(lua_State *L) {
  static const char name[] = "set_multicast_loop";
  bool on;
  asy_endpoint_check(L);
  on = check_boolean(L, 2);
  return check(L, uv_udp_set_multicast_loop(asy_endpoint_socket(L, name), on),
               name, NULL);
}


/* endpoint:set_multicast_interface(interface) */
static int set_multicast_interface(lua_State *L) {
  static const char name[] = "set_multicast_interface";
  const char *via;
  uv_udp_t *uv;
  asy_endpoint_check(L);
  via = opt_numeric(L, 2);
  uv = asy_endpoint_socket(L, name);
  return check(L, uv_udp_set_multicast_interface(uv, via), name, via);
}


void asy_multicast_add(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"join_group", join_group},
      {"leave_group", leave_group},
      {"set_broadcast", set_broadcast},
      {"set_ttl", set_ttl},
      {"set_multicast_ttl", set_multicast_ttl},
      {"set_multicast_loop", set_multicast_loop},
      {"set_multicast_interface", set_multicast_interface},
      {NULL, NULL},
  };
  asy_setfuncs(L, methods);
}
