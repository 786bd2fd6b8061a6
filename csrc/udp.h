/*
** Datagrams: a UDP socket, and the endpoint that owns what it has received.
*/
#ifndef asy_udp_h
#define asy_udp_h

#include "handle.h"
#include "waitq.h"

struct asy_dgram;
struct asy_udp;

/* A datagram that was received, or the error that came instead of one. */
typedef struct asy_received {
  asy_list link;
  struct sockaddr_storage from;
  int error; /* a libuv code, or 0 */
  size_t n;
  char data[];
} asy_received;

typedef struct asy_endpoint {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self; /* its number (weak.h) */
  /* Told of datagrams, of what was sent and of the end, instead of tasks; NULL
  ** when there is no transport. Neither raises nor runs Lua. */
  void (*notify)(struct asy_endpoint *d);
  struct asy_dgram *transport;
  bool connected;
  bool reuse_port; /* options of its socket */
  bool broadcast;
  int family;             /* AF_UNSPEC: any, before it is open */
  struct asy_udp *socket; /* NULL once closed */
  asy_list receivers;     /* tasks in recv */
  uint32_t promised;      /* datagrams that woken receivers are to take */
  uint32_t count;         /* datagrams here */
  size_t bytes;           /* of memory that they take */
  size_t limit;           /* of these, beyond which no more are received */
  asy_list received;
  asy_received *taken; /* the last one, until Lua has its bytes */
  struct sockaddr_storage local, peer; /* family 0 when unknown */
} asy_endpoint;

#define ASY_ENDPOINT_LOOP 1 /* user value: the loop */

typedef struct asy_udp {
  asy_handle h;
  uint32_t owner; /* number of the endpoint, 0 until it is bound */
  asy_list sends; /* what waits to be sent */
  bool reading;
  size_t size; /* of the room into which datagrams are received */
  char room[];
} asy_udp;

/* {====== udp.c; none of these raises ====== */

/* Pushes a new endpoint without a socket. May raise. */
asy_endpoint *asy_udp_new(lua_State *L, asy_rt *rt, asy_loop *loop,
                          size_t limit);

/* Gives the endpoint a socket that is bound to the local address, connected to
** the remote one unless that is NULL, and receives. Returns 0 or a libuv error;
** then 'failed' is "bind" or "connect". */
int asy_udp_open(asy_endpoint *d, asy_loop *loop, const struct sockaddr *local,
                 const struct sockaddr *remote, const char **failed);

/* Closes it, also again; those who wait are woken. */
void asy_udp_close(asy_endpoint *d);

/* Moves the first datagram, which is there, to 'taken'; starts to receive again
** if there is room. */
void asy_udp_take(asy_endpoint *d);

/* What was taken is no longer needed. */
void asy_udp_drop(asy_endpoint *d);

/* An error comes in the place of a datagram. */
void asy_udp_error(asy_endpoint *d, int error);

/* How many bytes wait to be sent; of none there may be some datagrams. */
size_t asy_udp_queued(const asy_endpoint *d);

/* Whether nothing waits to be sent. */
bool asy_udp_idle(const asy_endpoint *d);

/* Wakes receivers for all that is there. */
void asy_udp_serve(asy_endpoint *d);

/* Sends the bytes at once, to the peer if 'to' is NULL. Returns 0, UV_EAGAIN if
** the system has no room, or another libuv error. */
int asy_udp_trysend(asy_endpoint *d, const char *data, size_t n,
                    const struct sockaddr *to);

/* Sends a copy of the bytes when there is room, and then wakes the task, which
** is about to wait; its place has got 1 or a libuv error. With no task an error
** comes as one that was received. Returns 0 or such an error. */
int asy_udp_sendlater(asy_endpoint *d, const char *data, size_t n,
                      const struct sockaddr *to, asy_task *t);

/* The task waits no more for what it sends. */
void asy_udp_forget(asy_endpoint *d, const asy_task *t);

/* }====== */

/* The endpoint that is the first argument. */
asy_endpoint *asy_endpoint_check(lua_State *L);

/* The open socket of the endpoint at 1, else an error of 'fname'. */
uv_udp_t *asy_endpoint_socket(lua_State *L, const char *fname);

/* multicast.c: adds its methods to the table on the top. */
void asy_multicast_add(lua_State *L);

/* Lua's get_extra_info(key, default) of it; the key is at 2. */
int asy_endpoint_info(lua_State *L, const asy_endpoint *d);

/* Pushes "127.0.0.1:53", or with a peer "127.0.0.1:1025 to 127.0.0.1:53". */
void asy_endpoint_pushnames(lua_State *L, const asy_endpoint *d);

/* opendatagram.c */
int asy_endpoint_opendatagram(lua_State *L);
int asy_endpoint_create(lua_State *L);

/* endpoint.c: opens all of these. */
void asy_endpoint_open(lua_State *L);

#endif
