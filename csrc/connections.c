/*
** Servers without a handler: what they accept waits until the program takes it.
** When as many wait as the backlog allows, no more are accepted.
*/
#include "error.h"
#include "server.h"

/* What is on the stack of a call. */
#define SERVER 1
#define READER 2
#define WRITER 3


/* {====== What waits ====== */

bool asy_server_isfull(const asy_server *server) {
  return server->queues && server->count >= server->backlog;
}


/* Wakes a taker for each connection that nobody is to take yet. */
static void wake_takers(asy_server *server) {
  while (server->count > server->promised &&
         asy_waitq_wake(&server->takers) != NULL)
    server->promised++;
}


void asy_server_offer(asy_server *server, asy_stream *s) {
  s->offered = true;
  server->count++;
  wake_takers(server);
}


void asy_server_missed(asy_server *server) {
  server->count--;
  if (!server->closed)
    asy_loop_ready(server->loop, &server->ready);
}


void asy_server_stoptakers(asy_server *server) {
  server->promised = 0;
  asy_waitq_wakeall(&server->takers);
}

/* }====== */


/* {====== Taking ====== */

/* Gives the first connection, which is there, to the reader and the writer. None
** of this raises, so that none is lost. */
static int take_first(lua_State *L, asy_server *server) {
  asy_stream *s = asy_of(server->accepted.next, asy_stream, client);
  asy_list_remove(&s->client);
  asy_list_append(&server->clients, &s->client);
  s->offered = false;
  server->count--;
  wake_takers(server);
  asy_listen_retry(server);
  lua_settop(L, WRITER);
  asy_stream_attach(L, s, READER, ASY_STREAM_BOTH);
  return 2;
}


static int taken(lua_State *L, int status, lua_KContext ctx);


static int take(lua_State *L, asy_server *server) {
  static const asy_wait how = {"a connection", asy_waitq_abort};
  asy_task *t;
  if (server->closed)
    return 0;
  if (server->count > 0 && server->promised == 0)
    return take_first(L, server);
  t = asy_task_hereon(L, server->loop, "server", "connections");
  return asy_waitq_wait(L, t, &server->takers, &how, server, 0, taken);
}


/* A connection for which the task was woken, but that it does not take, is for
** the next; one that has closed meanwhile is waited for no more. */
static int taken(lua_State *L, int status, lua_KContext ctx) {
  asy_server *server = (asy_server *)lua_touserdata(L, SERVER);
  asy_task *t = server->rt->task;
  (void)status;
  (void)ctx;
  asy_resumed(L, t);
  if (asy_waitq_got(t) != 0 && server->promised > 0)
    server->promised--;
  if (asy_isending(t))
    wake_takers(server);
  asy_waitq_woken(L, t);
  if (!server->closed && server->count > server->promised)
    return take_first(L, server);
  return take(L, server);
}


/* The reader and the writer are made first, for that may fail. */
static int next_connection(lua_State *L) {
  asy_server *server;
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  server = (asy_server *)lua_touserdata(L, SERVER);
  if (server->closed)
    return 0;
  asy_task_hereon(L, server->loop, "server", "connections");
  asy_stream_make(L, server->loop, ASY_STREAM_BOTH, server->limit);
  return take(L, server);
}


/* for reader, writer in server:connections() do */
static int server_connections(lua_State *L) {
  asy_server *server = (asy_server *)asy_checkkind(L, 1, ASY_SERVER);
  if (!server->queues)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "connections: the server has a handler, which gets "
                           "them");
  if (!server->closed)
    asy_server_start(L, server);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_connection, 2);
  return 1;
}

/* }====== */


void asy_connections_add(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"connections", server_connections},
      {NULL, NULL},
  };
  asy_setfuncs(L, methods);
}
