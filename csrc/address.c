/*
** IPv4 and IPv6 addresses, and those of Unix sockets.
*/
#include "address.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "options.h"

#define TYPE_NAME "asyncio.Address"


static_assert(sizeof(struct sockaddr_un) < sizeof(struct sockaddr_storage),
              "a path ends within the storage, which is zero after it");


const char *asy_address_getpath(const struct sockaddr *address) {
  return ((const struct sockaddr_un *)address)->sun_path;
}


/* The abstract name in the address of a Unix socket, without its first zero;
** empty where it has none. */
static const char *abstract_name(const struct sockaddr *address) {
  const char *path = asy_address_getpath(address);
  return *path == '\0' ? path + 1 : "";
}


bool asy_address_path(const char *path, size_t n,
                      struct sockaddr_storage *address) {
  struct sockaddr_un *un = (struct sockaddr_un *)address;
  memset(address, 0, sizeof(*address));
  if (n >= sizeof(un->sun_path))
    return false;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path, n);
  return true;
}


void asy_address_local(int fd, struct sockaddr_storage *address) {
  socklen_t n = sizeof(*address);
  memset(address, 0, sizeof(*address));
  if (getsockname(fd, (struct sockaddr *)address, &n) != 0)
    address->ss_family = AF_UNSPEC;
}


void asy_address_peer(int fd, struct sockaddr_storage *address) {
  socklen_t n = sizeof(*address);
  memset(address, 0, sizeof(*address));
  if (getpeername(fd, (struct sockaddr *)address, &n) != 0)
    address->ss_family = AF_UNSPEC;
}


bool asy_address_known(const struct sockaddr *address) {
  if (address->sa_family == AF_UNIX)
    return *asy_address_getpath(address) != '\0' ||
           *abstract_name(address) != '\0';
  return address->sa_family == AF_INET || address->sa_family == AF_INET6;
}


size_t asy_address_size(const struct sockaddr *address) {
  if (address->sa_family == AF_UNIX) {
    size_t n = strlen(abstract_name(address));
    return n == 0 ? sizeof(struct sockaddr_un)
                  : offsetof(struct sockaddr_un, sun_path) + 1 + n;
  }
  return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                        : sizeof(struct sockaddr_in);
}


#define HOST_SIZE (INET6_ADDRSTRLEN + 1 + UV_IF_NAMESIZE)


/* Writes the numeric host; one that is valid on a link alone has "%" and the
** interface. */
static void get_host(const struct sockaddr *address, char *host) {
  const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)address;
  if (address->sa_family != AF_INET6) {
    uv_ip4_name((const struct sockaddr_in *)address, host, HOST_SIZE);
    return;
  }
  uv_ip6_name(a6, host, HOST_SIZE);
  if (a6->sin6_scope_id != 0) {
    size_t n = strlen(host), size = UV_IF_NAMESIZE;
    if (uv_if_indextoname(a6->sin6_scope_id, host + n + 1, &size) == 0)
      host[n] = '%';
    else
      host[n] = '\0';
  }
}


int asy_address_port(const struct sockaddr *address) {
  if (address->sa_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
  return ntohs(((const struct sockaddr_in *)address)->sin_port);
}


bool asy_address_equal(const struct sockaddr *a, const struct sockaddr *b) {
  const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
  const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
  if (a->sa_family != b->sa_family ||
      asy_address_port(a) != asy_address_port(b))
    return false;
  if (a->sa_family == AF_INET6)
    return a6->sin6_scope_id == b6->sin6_scope_id &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
  return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
         ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}


void asy_address_setport(struct sockaddr *address, int port) {
  if (address->sa_family == AF_INET6)
    ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
  else
    ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}


void asy_address_format(const struct sockaddr *address, char *text) {
  char host[HOST_SIZE];
  if (address->sa_family == AF_UNIX) {
    const char *name = abstract_name(address);
    snprintf(text, ASY_ADDRESS_TEXT, *name != '\0' ? "@%s" : "%s",
             *name != '\0' ? name : asy_address_getpath(address));
    return;
  }
  get_host(address, host);
  snprintf(text, ASY_ADDRESS_TEXT,
           address->sa_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
           asy_address_port(address));
}


static int address_tostring(lua_State *L) {
  const char *host;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "host");
  lua_getfield(L, 1, "port");
  host = lua_tostring(L, -2);
  if (host == NULL || !lua_isinteger(L, -1))
    return luaL_argerror(L, 1, "address expected");
  lua_pushfstring(L, strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host,
                  (int)lua_tointeger(L, -1));
  return 1;
}


void asy_address_pushhost(lua_State *L, const struct sockaddr *address) {
  char host[HOST_SIZE];
  get_host(address, host);
  lua_pushstring(L, host);
}


void asy_address_push(lua_State *L, const struct sockaddr *address) {
  if (!asy_address_known(address)) {
    lua_pushnil(L);
    return;
  }
  if (address->sa_family == AF_UNIX) {
    const char *path = asy_address_getpath(address);
    const char *name = abstract_name(address);
    lua_pushlstring(L, path, *name != '\0' ? strlen(name) + 1 : strlen(path));
    return;
  }
  lua_createtable(L, 0, 3);
  asy_address_pushhost(L, address);
  lua_setfield(L, -2, "host");
  lua_pushinteger(L, asy_address_port(address));
  lua_setfield(L, -2, "port");
  lua_pushstring(L, address->sa_family == AF_INET6 ? "inet6" : "inet");
  lua_setfield(L, -2, "family");
  if (luaL_newmetatable(L, TYPE_NAME)) {
    lua_pushcfunction(L, address_tostring);
    lua_setfield(L, -2, "__tostring");
  }
  lua_setmetatable(L, -2);
}


bool asy_address_parse(const char *host, int port,
                       struct sockaddr_storage *address) {
  return uv_ip4_addr(host, port, (struct sockaddr_in *)address) == 0 ||
         uv_ip6_addr(host, port, (struct sockaddr_in6 *)address) == 0;
}


bool asy_address_ishost(lua_State *L, int idx) {
  return lua_type(L, idx) == LUA_TSTRING &&
         strlen(lua_tostring(L, idx)) == lua_rawlen(L, idx);
}


int asy_address_checkport(lua_State *L, int arg) {
  lua_Integer port = luaL_checkinteger(L, arg);
  luaL_argcheck(L, port >= 0 && port <= 65535, arg,
                "port out of range (0 to 65535)");
  return (int)port;
}


int asy_address_badfield(lua_State *L, int idx, const char *name,
                         const char *what) {
  return luaL_argerror(
      L, idx, lua_pushfstring(L, "field '%s' must have %s", name, what));
}


/* Checks the names of the fields in the address on the top, a table, which is in
** the field of the options at 'idx'. */
static void check_names(lua_State *L, int idx, const char *name) {
  static const char *const names[] = {"host", "port", "family", NULL};
  const char *message = asy_options_unknown(L, lua_gettop(L), names);
  if (message != NULL)
    luaL_argerror(L, idx,
                  lua_pushfstring(L, "field '%s' has an %s", name, message));
  if (lua_getfield(L, -1, "family") != LUA_TNIL &&
      lua_type(L, -1) != LUA_TSTRING)
    asy_address_badfield(L, idx, name, "a family that is a string");
  lua_pop(L, 1);
}


bool asy_address_field(lua_State *L, int idx, const char *name,
                       const char *what, int *port) {
  lua_Integer n = 0;
  int isint = 1;
  *port = 0;
  if (lua_getfield(L, idx, name) == LUA_TNIL)
    return false;
  if (!lua_istable(L, -1))
    luaL_argerror(
        L, idx,
        lua_pushfstring(L, "field '%s' must be a table {host=, port=}", name));
  check_names(L, idx, name);
  if (lua_getfield(L, -1, "port") != LUA_TNIL)
    n = lua_tointegerx(L, -1, &isint);
  lua_pop(L, 1);
  lua_getfield(L, -1, "host");
  lua_remove(L, -2);
  if (!isint || n < 0 || n > 65535 ||
      (!lua_isnil(L, -1) && !asy_address_ishost(L, -1)))
    asy_address_badfield(L, idx, name, what);
  *port = (int)n;
  return true;
}
