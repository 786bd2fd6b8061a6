/*
** open_unix_connection and start_unix_server.
*/
#include "unix.h"

#include <string.h>

#include "address.h"
#include "callback.h"
#include "connect.h"
#include "error.h"
#include "options.h"
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


/* The path and the options are at 'first', before them the loop and the factory,
** if there is room. */
static int connect_path(lua_State *L, int first, const char *fname) {
  const char *path = check_path(L, first);
  asy_connect_how how = {.limit = asy_stream_onlylimit(L, first + 1)};
  struct sockaddr_storage address;
  asy_task *t = asy_task_here(L, asy_rt_up(L), fname);
  if (first != 1) {
    asy_loop_task(L, (asy_loop *)lua_touserdata(L, 1), fname);
    how.factory = 2;
  }
  get_address(L, path, "connect", &address);
  lua_settop(L, first + 1);
  return asy_connect(L, t, &address, 1, &how);
}


/* open_unix_connection(path, options) */
static int open_unix_connection(lua_State *L) {
  return connect_path(L, 1, "open_unix_connection");
}


/* loop:create_unix_connection(factory, path, options) */
static int create_unix_connection(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  asy_callback_checkfn(L, 2);
  return connect_path(L, 3, "create_unix_connection");
}


/* The handler, the path and the options are at 'first'. */
static int serve_path(lua_State *L, int first, const char *fname) {
  static const char *const names[] = {"limit", "backlog", "start_serving",
                                      NULL};
  asy_rt *rt = asy_rt_up(L);
  const char *path = check_path(L, first + 1);
  int options = first + 2, err;
  struct sockaddr_storage address;
  asy_server *server;
  asy_task *t;
  lua_settop(L, options);
  asy_options_check(L, options, names);
  t = asy_task_here(L, rt, fname);
  if (first != 1)
    asy_loop_task(L, (asy_loop *)lua_touserdata(L, 1), fname);
  get_address(L, path, "bind", &address);
  server = asy_server_new(L, rt, t->fut.loop, first, options);
  server->protocols = first != 1;
  err = asy_listen_bind(server, (const struct sockaddr *)&address, false);
  if (err != 0)
    raise_os(L, err, "bind", path);
  asy_server_bound(L, server, options);
  return 1;
}


/* start_unix_server(handler, path, options) */
static int start_unix_server(lua_State *L) {
  asy_server_checkhandler(L, 1);
  return serve_path(L, 1, "start_unix_server");
}


/* loop:create_unix_server(factory, path, options) */
static int create_unix_server(lua_State *L) {
  asy_checkkind(L, 1, ASY_LOOP);
  asy_callback_checkfn(L, 2);
  return serve_path(L, 2, "create_unix_server");
}


void asy_unix_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"open_unix_connection", open_unix_connection},
      {"start_unix_server", start_unix_server},
      {NULL, NULL},
  };
  static const luaL_Reg methods[] = {
      {"create_unix_connection", create_unix_connection},
      {"create_unix_server", create_unix_server},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
  asy_addmethods(L, ASY_LOOP, methods);
}
