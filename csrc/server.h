/*
** Servers, on TCP and on Unix sockets.
*/
#ifndef asy_server_h
#define asy_server_h

#include "stream.h"
#include "tcp.h"

typedef struct asy_server {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self; /* its number (weak.h) */
  bool serving;
  bool closed;
  bool protocols; /* the handler is a factory of protocols */
  bool queues;    /* has no handler: connections wait to be taken */
  int backlog;    /* so many of them, too */
  uint32_t slot;  /* pin, until it is closed and has no clients */
  size_t limit;   /* of the readers */
  asy_tcp_how tcp;
  asy_loop *loop;
  asy_ready ready; /* starts the handlers of what was accepted */
  asy_timer retry; /* accepts again after a shortage */
  asy_list listeners;
  asy_list accepted; /* streams that have no handler yet */
  asy_list clients;  /* streams that have */
  asy_list takers;   /* tasks that wait for a connection */
  int count;         /* connections that wait to be taken */
  int promised;      /* those that woken takers are to take */
  asy_list closers;  /* tasks in wait_closed */
  asy_task *forever; /* the task in serve_forever, or NULL */
} asy_server;

/* User values of a server. */
#define ASY_SERVER_HANDLER 1
#define ASY_SERVER_LOOP 2
#define ASY_SERVER_CONTEXT 3
#define ASY_SERVER_VALUES 3

/* {====== listen.c: the sockets ====== */

/* Binds a socket to the address; of a Unix socket that of another is removed
** first. Returns 0 or a libuv error. */
int asy_listen_bind(asy_server *server, const struct sockaddr *address,
                    bool reuse_port);

/* Whether one of the sockets is bound to that address. */
bool asy_listen_has(const asy_server *server, const struct sockaddr *address);

/* The port of the first socket, 0 when there is none. */
int asy_listen_port(const asy_server *server);

/* Accepts from now on; false if one of the sockets has an error. */
bool asy_listen_start(asy_server *server);

/* Accepts again where memory or descriptors were short, or too many connections
** waited, unless it is too early for that. */
void asy_listen_retry(asy_server *server);

/* The error of one of the sockets, which is 0 after that, and its address as
** text; 0 if there is none. */
int asy_listen_error(asy_server *server, char *text);

/* Closes all sockets, and removes their files. */
void asy_listen_close(asy_server *server);

/* Pushes a list of the sockets' addresses. */
void asy_listen_sockets(lua_State *L, asy_server *server);

/* }====== */

/* A connection of the server closes. */
void asy_server_left(asy_stream *s);

/* What runs when connections were accepted. */
extern const asy_ready_ops asy_server_entry;

/* Accepts connections from now on. Raises an OSError. */
void asy_server_start(lua_State *L, asy_server *server);

/* Accepts no more, and ends serve_forever. */
void asy_server_close(asy_server *server);

/* {====== connections.c: those that wait to be taken ====== */

/* Whether as many wait as may. */
bool asy_server_isfull(const asy_server *server);

/* The connection was accepted: wakes who waits for one. */
void asy_server_offer(asy_server *server, asy_stream *s);

/* One that waited closes. */
void asy_server_missed(asy_server *server);

/* The server has closed, and none waits any more. */
void asy_server_stoptakers(asy_server *server);

/* Adds the iterator to the methods on the top. */
void asy_connections_add(lua_State *L);

/* }====== */

/* {====== startserver.c ====== */

/* The argument, a handler or nil. */
void asy_server_checkhandler(lua_State *L, int arg);

/* Pushes a new server with the handler at 'handler' and the options at
** 'options'. */
asy_server *asy_server_new(lua_State *L, asy_rt *rt, asy_loop *loop,
                           int handler, int options);

/* The server, on the top, has its sockets: it lives until it is over, and
** serves if the options say so. Raises an OSError. */
void asy_server_bound(lua_State *L, asy_server *server, int options);

/* Lua's start_server and loop:create_server, for closures with the runtime. */
int asy_server_startserver(lua_State *L);
int asy_server_createserver(lua_State *L);

/* }====== */

#endif
