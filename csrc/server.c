/*
** Servers: a task per connection, the methods, and the end of it all.
*/
#include "server.h"

#include "address.h"
#include "context.h"
#include "error.h"
#include "pin.h"
#include "report.h"
#include "transport.h"
#include "weak.h"


/* {====== The end ====== */

/* Closed and without clients the server is over; while it is queued it must
** stay pinned, and is over when its turn has come. */
static void wake_if_over(asy_server *server) {
  if (!server->closed || !asy_list_empty(&server->clients) ||
      !asy_list_empty(&server->accepted) || asy_ready_queued(&server->ready))
    return;
  asy_waitq_wakeall(&server->closers);
  asy_unpin(asy_rt_state(server->rt), server->rt, &server->slot);
}


void asy_server_left(asy_stream *s) {
  asy_server *server = s->server;
  asy_list_remove(&s->client);
  s->server = NULL;
  if (asy_list_linked(&server->retry.link)) { /* what was short is free */
    asy_loop_unsettimer(server->loop, &server->retry);
    asy_loop_ready(server->loop, &server->ready);
  }
  if (s->offered)
    asy_server_missed(server);
  wake_if_over(server);
}


/* Closes all connections of the list: now, or when all is written. */
static void close_list(asy_list *list, bool now) {
  for (asy_list *next, *n = list->next; n != list; n = next) {
    asy_stream *s = asy_of(n, asy_stream, client);
    next = n->next;
    if (now)
      asy_handle_close(&s->h);
    else
      asy_stream_close(s);
  }
}


void asy_server_close(asy_server *server) {
  asy_task *t = server->forever;
  if (server->closed)
    return;
  server->closed = true;
  server->serving = false;
  server->forever = NULL;
  asy_loop_unsettimer(server->loop, &server->retry);
  asy_listen_close(server);
  if (t != NULL)
    asy_unpark(t);
  if (server->queues) {
    close_list(&server->accepted, true);
    asy_server_stoptakers(server);
  }
  wake_if_over(server);
}


static void close_clients(asy_server *server, bool now) {
  close_list(&server->accepted, true);
  close_list(&server->clients, now);
}

/* }====== */


/* {====== Handlers ====== */

/* A handler's task, the argument, ended; upvalues: the runtime, the writer. What
** the connection still is to do is up to those who hold it, unless it failed. */
static int handler_done(lua_State *L) {
  asy_future *f = asy_checkfuture(L, 1);
  asy_writer *w = (asy_writer *)lua_touserdata(L, lua_upvalueindex(2));
  if (f->state == ASY_FINISHED)
    return 0;
  if (w->stream != NULL)
    asy_stream_close(w->stream);
  if (f->state == ASY_FAILED) {
    asy_future_pusherror(L, 1);
    asy_report_error(L, f->loop, "unhandled error in a connection handler", 1);
  }
  return 0;
}


/* Pushes a task of the handler for the reader and the writer on the top, at
** 'base' + 1 and 'base' + 2. The server is at 'base'. */
static void start_handler(lua_State *L, asy_rt *rt, int base) {
  int previous;
  lua_getiuservalue(L, base, ASY_SERVER_LOOP);
  lua_getiuservalue(L, base, ASY_SERVER_HANDLER);
  lua_pushvalue(L, base + 1);
  lua_pushvalue(L, base + 2);
  previous = asy_context_enter(L, rt, base, ASY_SERVER_CONTEXT);
  asy_task_create(L, rt, base + 3, base + 4);
  asy_context_leave(L, rt, previous);
  lua_getfield(L, base + 4, "add_done_callback");
  lua_pushvalue(L, base + 4);
  asy_rt_open(L);
  lua_pushvalue(L, base + 2);
  lua_pushcclosure(L, handler_done, 2);
  lua_call(L, 2, 0);
}


/* Gives an accepted connection its handler, or its transport. */
static void serve(lua_State *L, asy_server *server, asy_stream *s, int base) {
  if (server->protocols) {
    if (!asy_transport_accept(L, s, base)) {
      asy_handle_close(&s->h);
      if (asy_error_is(L, server->rt, -1, ASY_KEYBOARD_INTERRUPT))
        asy_loop_fail(L, server->loop);
      else
        asy_report_error(L, server->loop, "error in a protocol factory", 0);
      return;
    }
  } else {
    asy_stream_push(L, s, server->limit);
    start_handler(L, server->rt, base);
  }
  if (s->server != NULL) { /* else it was closed meanwhile */
    asy_list_remove(&s->client);
    asy_list_append(&server->clients, &s->client);
  }
}


static void report_errors(lua_State *L, asy_server *server) {
  char text[ASY_ADDRESS_TEXT];
  int err;
  while ((err = asy_listen_error(server, text)) != 0) {
    asy_error_os(L, server->rt, err, "accept", text);
    asy_report_error(L, server->loop, "connections wait to be accepted", 0);
  }
}


/* Gives each accepted connection its handler. One whose turn fails is closed;
** the others wait for the next turn then. */
static void server_run(lua_State *L, asy_ready *e) {
  asy_server *server = asy_of(e, asy_server, ready);
  asy_rt *rt = server->rt;
  int base = lua_gettop(L) + 1;
  asy_pin_push(L, rt, server->slot);
  asy_listen_retry(server);
  while (!server->queues && !asy_list_empty(&server->accepted)) {
    serve(L, server, asy_of(server->accepted.next, asy_stream, client), base);
    lua_settop(L, base);
  }
  report_errors(L, server);
  wake_if_over(server);
  lua_settop(L, base - 1);
}


static void server_fail(lua_State *L, asy_ready *e) {
  asy_server *server = asy_of(e, asy_server, ready);
  if (server->slot != 0)
    asy_loop_ready(server->loop, &server->ready);
  if (!server->queues && !asy_list_empty(&server->accepted))
    asy_handle_close(&asy_of(server->accepted.next, asy_stream, client)->h);
  asy_report_error(L, server->loop, "a connection handler could not start", 0);
}


static void server_drop(lua_State *L, asy_ready *e) {
  (void)L; /* closing the loop closes its handles */
  wake_if_over(asy_of(e, asy_server, ready));
}


const asy_ready_ops asy_server_entry = {server_run, server_fail, server_drop};


void asy_server_start(lua_State *L, asy_server *server) {
  if (server->serving)
    return;
  if (!asy_listen_start(server)) {
    char text[ASY_ADDRESS_TEXT];
    int err = asy_listen_error(server, text);
    asy_server_close(server);
    asy_error_os(L, server->rt, err, "listen", text);
    lua_error(L);
  }
  server->serving = true;
}

/* }====== */


/* {====== Methods ====== */

static const asy_wait closed_wait = {"the server to close", asy_waitq_abort};


static asy_server *check_server(lua_State *L) {
  return (asy_server *)asy_checkkind(L, 1, ASY_SERVER);
}


static bool is_over(const asy_server *server) {
  return server->closed && server->slot == 0;
}


/* server:close(): no more connections; those there are stay */
static int server_close(lua_State *L) {
  asy_server_close(check_server(L));
  return 0;
}


static int closed(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  (void)ctx;
  asy_woken(L, asy_rt_up(L)->task);
  return 0;
}


/* server:wait_closed(): until it is closed and has no connections */
static int server_waitclosed(lua_State *L) {
  asy_server *server = check_server(L);
  asy_task *t;
  if (is_over(server))
    return 0;
  t = asy_task_hereon(L, server->loop, "server", "wait_closed");
  lua_settop(L, 1);
  return asy_waitq_wait(L, t, &server->closers, &closed_wait, NULL, 0, closed);
}


static int scope_closed(lua_State *L, int status, lua_KContext ctx) {
  asy_server *server = (asy_server *)lua_touserdata(L, 1);
  asy_resumed(L, server->rt->task);
  if (asy_iscancelled(server->rt->task))
    close_clients(server, true);
  return closed(L, status, ctx);
}


/* The end of a scope, at which the connections end, too: in order, or at once
** if an error leaves it or it is cancelled. Waits for that where waiting is
** possible. */
static int server_scope(lua_State *L) {
  asy_server *server = check_server(L);
  asy_task *t = asy_task_able(L, server->rt);
  asy_server_close(server);
  close_clients(server, !lua_isnoneornil(L, 2));
  if (is_over(server) || t == NULL || t->fut.loop != server->loop)
    return 0;
  lua_settop(L, 1);
  return asy_waitq_wait(L, t, &server->closers, &closed_wait, NULL, 0,
                        scope_closed);
}


static int server_isserving(lua_State *L) {
  lua_pushboolean(L, check_server(L)->serving);
  return 1;
}


static asy_server *check_open(lua_State *L) {
  asy_server *server = check_server(L);
  if (server->closed)
    asy_error_raise(L, ASY_RUNTIME_ERROR, "the server is closed");
  return server;
}


/* server:start_serving() */
static int server_startserving(lua_State *L) {
  asy_server_start(L, check_open(L));
  return 0;
}


/* Cancellation closes the server when the task wakes up. */
static asy_future *forever_abort(asy_task *t) {
  ((asy_server *)t->on)->forever = NULL;
  return NULL;
}


static const asy_wait forever_wait = {"serve_forever", forever_abort};


static int forever_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_server *server = (asy_server *)lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  asy_resumed(L, server->rt->task);
  asy_server_close(server);
  asy_woken(L, server->rt->task);
  lua_pushnil(L);
  asy_error_wrap(L, server->rt, ASY_CANCELLED_ERROR);
  return lua_error(L);
}


/* server:serve_forever(): until the server is closed, or the task cancelled;
** raises CancelledError then */
static int server_serveforever(lua_State *L) {
  asy_server *server = check_open(L);
  asy_task *t = asy_task_hereon(L, server->loop, "server", "serve_forever");
  if (server->forever != NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "serve_forever is running already");
  lua_settop(L, 1);
  asy_server_start(L, server);
  server->forever = t;
  return asy_park(L, t, &forever_wait, server, 0, forever_woken);
}


static int server_sockets(lua_State *L) {
  asy_listen_sockets(L, check_server(L));
  return 1;
}


/* server:close_clients(): when what is written is sent */
static int server_closeclients(lua_State *L) {
  close_clients(check_server(L), false);
  return 0;
}


/* server:abort_clients(): at once */
static int server_abortclients(lua_State *L) {
  close_clients(check_server(L), true);
  return 0;
}


static int server_gc(lua_State *L) {
  asy_server *server = check_server(L);
  close_clients(server, true);
  asy_server_close(server);
  asy_weak_free(server->rt, &server->self);
  return 0;
}


static int server_tostring(lua_State *L) {
  asy_server *server = check_server(L);
  lua_settop(L, 1);
  lua_pushfstring(L, "<Server %s",
                  server->closed    ? "closed"
                  : server->serving ? "serving"
                                    : "not serving");
  asy_listen_sockets(L, server);
  for (lua_Integer i = 1; lua_rawgeti(L, 3, i) != LUA_TNIL; i++) {
    const char *at = luaL_tolstring(L, 4, NULL); /* may be an abstract name */
    lua_pushfstring(L, *at != '\0' ? "%s %s" : "%s @%s", lua_tostring(L, 2),
                    *at != '\0' ? at : at + 1);
    lua_replace(L, 2);
    lua_settop(L, 3);
  }
  lua_pushfstring(L, "%s>", lua_tostring(L, 2));
  return 1;
}


void asy_server_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"close", server_close},
      {"wait_closed", server_waitclosed},
      {"is_serving", server_isserving},
      {"start_serving", server_startserving},
      {"serve_forever", server_serveforever},
      {"sockets", server_sockets},
      {"close_clients", server_closeclients},
      {"abort_clients", server_abortclients},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", server_scope},
      {"__gc", server_gc},
      {"__tostring", server_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"start_server", asy_server_startserver},
      {NULL, NULL},
  };
  static const luaL_Reg loop_methods[] = {
      {"create_server", asy_server_createserver},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_SERVER, "asyncio.Server", methods, meta, 0);
  lua_getfield(L, -1, "__methods");
  asy_connections_add(L);
  lua_pop(L, 2);
  asy_setfuncs(L, funcs);
  asy_addmethods(L, ASY_LOOP, loop_methods);
}

/* }====== */
