/*
** open_unix_connection and start_unix_server.
*/
#include "unix.h"

#include <string.h>

#include "address.h"
#include "connect.h"
#include "error.h"
#include "server.h"


static int raise_os(lua_State *L, int err, const char *syscall,
                    const char *path) {
  asy_error_os(L, asy_rt_of(L), err, syscall, path);
  return lua_error(L);
}


/* The argument, a path. */
static const char *check_path(lua_State *L, int arg) {
  const char *path;
  luaL_checktype(L, arg, LUA_TSTRING);
  path = lua_tostring(L, arg);
  luaL_argcheck(L, lua_rawlen(L, arg) > 0, arg, "empty path");
  luaL_argcheck(L, strlen(path) == lua_rawlen(L, arg), arg,
                "path with a zero in it");
  return path;
}


/* The address of the path, which 'syscall' cannot have when it is too long. */
static void get_address(lua_State *L, const char *path, const char *syscall,
                        struct sockaddr_storage *address) {
  if (!asy_address_path(path, address))
    raise_os(L, UV_ENAMETOOLONG, syscall, path);
}


/* open_unix_connection(path, options) */
static int open_unix_connection(lua_State *L) {
  const char *path = check_path(L, 1);
  asy_connect_how how = {.limit = asy_stream_limit(L, 2)};
  struct sockaddr_storage address;
  asy_task *t = asy_task_here(L, asy_rt_up(L), "open_unix_connection");
  get_address(L, path, "connect", &address);
  lua_settop(L, 2);
  return asy_connect(L, t, &address, 1, &how);
}


/* start_unix_server(handler, path, options) */
static int start_unix_server(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  const char *path;
  struct sockaddr_storage address;
  asy_server *server;
  asy_task *t;
  int err;
  asy_server_checkhandler(L, 1);
  path = check_path(L, 2);
  lua_settop(L, 3);
  asy_stream_limit(L, 3); /* checks that the options are a table */
  t = asy_task_here(L, rt, "start_unix_server");
  get_address(L, path, "bind", &address);
  server = asy_server_new(L, rt, t->fut.loop, 3);
  err = asy_listen_bind(server, (const struct sockaddr *)&address, false);
  if (err != 0)
    raise_os(L, err, "bind", path);
  asy_server_bound(L, server, 3);
  return 1;
}


void asy_unix_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"open_unix_connection", open_unix_connection},
      {"start_unix_server", start_unix_server},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
