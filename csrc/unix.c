/*
** open_unix_connection and start_unix_server.
*/
#include "unix.h"

#include <string.h>

#include "address.h"
#include "callback.h"
#include "compat.h"
#include "connect.h"
#include "error.h"
#include "options.h"
#include "server.h"

/* seconds until a server with too many connections may accept again */
#define BUSY_DELAY 0.01


static int raise_os(lua_State *L, int err, const char *syscall,
                    const char *path) {
  asy_error_os(L, asy_rt_of(L), err, syscall, path);
  return lua_error(L);
}


/* Checks the argument, a path, or an abstract name where there are such. */
static void check_path(lua_State *L, int arg) {
  const char *path;
  size_t n, first;
  luaL_checktype(L, arg, LUA_TSTRING);
  path = lua_tolstring(L, arg, &n);
  luaL_argcheck(L, n > 0, arg, "empty path");
  first = ASY_ABSTRACT_NAMES && *path == '\0';
  luaL_argcheck(L, n > first, arg, "empty name");
  luaL_argcheck(L, strlen(path + first) == n - first, arg,
                "path with a zero in it");
}


/* The address of the path at 'idx', which 'syscall' cannot have when it is too
** long. */
static void get_address(lua_State *L, int idx, const char *syscall,
                        struct sockaddr_storage *address) {
  const char *path = lua_tostring(L, idx);
  if (asy_address_path(path, lua_rawlen(L, idx), address))
    return;
  if (*path == '\0')
    path = lua_pushfstring(L, "@%s", path + 1);
  raise_os(L, UV_ENAMETOOLONG, syscall, path);
}


/* The path and the options are at 'first', before them the loop and the factory,
** if there is room. */
static int connect_path(lua_State *L, int first, const char *fname) {
  asy_connect_how how = {.delay = BUSY_DELAY};
  struct sockaddr_storage address;
  asy_task *t;
  check_path(L, first);
  how.limit = asy_stream_onlylimit(L, first + 1);
  t = asy_task_here(L, asy_rt_up(L), fname);
  if (first != 1) {
    asy_loop_task(L, (asy_loop *)lua_touserdata(L, 1), fname);
    how.factory = 2;
  }
  get_address(L, first, "connect", &address);
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
  char text[ASY_ADDRESS_TEXT];
  int options = first + 2, err;
  struct sockaddr_storage address;
  asy_server *server;
  asy_task *t;
  check_path(L, first + 1);
  lua_settop(L, options);
  asy_options_check(L, options, names);
  t = asy_task_here(L, rt, fname);
  if (first != 1)
    asy_loop_task(L, (asy_loop *)lua_touserdata(L, 1), fname);
  get_address(L, first + 1, "bind", &address);
  server = asy_server_new(L, rt, t->fut.loop, first, options);
  server->protocols = first != 1;
  err = asy_listen_bind(server, (const struct sockaddr *)&address, false);
  if (err != 0) {
    asy_address_format((const struct sockaddr *)&address, text);
    raise_os(L, err, "bind", text);
  }
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
