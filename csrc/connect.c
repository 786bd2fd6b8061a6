/*
** Connecting: happy eyeballs (RFC 8305) over a list of addresses. The attempts
** run in C; the task sleeps until one has won or all have failed.
*/
#include "connect.h"

#include <errno.h>
#include <sys/socket.h>

#include "address.h"
#include "error.h"
#include "socket.h"
#include "transport.h"
#include "weak.h"

struct asy_connector;

typedef struct connect_attempt {
  asy_stream s;
  uv_connect_t req;
  asy_list link;  /* among the attempts under way */
  uint32_t owner; /* number of the connector; 0: nobody's */
  int target;
  void (*detach)(asy_handle *h); /* of the stream it becomes */
} connect_attempt;

typedef struct connect_target {
  struct sockaddr_storage address;
  int error;
} connect_target;

typedef struct asy_connector {
  asy_rt *rt;
  uint8_t kind;
  uint32_t self; /* its number (weak.h) */
  asy_loop *loop;
  asy_task *task; /* who waits, or NULL */
  asy_timer timer;
  asy_list attempts;
  connect_attempt *winner;
  asy_connect_how how;
  int n, next;
  connect_target target[];
} asy_connector;


/* {====== Attempts ====== */

/* The connector, or NULL when it has given the attempt up, or is collected. */
static asy_connector *owner_of(const connect_attempt *a) {
  return (asy_connector *)asy_weak_get(a->s.h.loop->rt, a->owner);
}


static void attempt_detach(asy_handle *h) {
  connect_attempt *a = (connect_attempt *)h;
  asy_connector *c = owner_of(a);
  a->owner = 0;
  if (c == NULL)
    return;
  if (c->winner == a)
    c->winner = NULL;
  asy_list_remove(&a->link);
}


/* Gives all attempts up. */
static void connector_abandon(asy_connector *c) {
  c->task = NULL;
  if (asy_list_linked(&c->timer.link))
    asy_loop_unsettimer(c->loop, &c->timer);
  while (!asy_list_empty(&c->attempts))
    asy_handle_close(&asy_of(c->attempts.next, connect_attempt, link)->s.h);
  if (c->winner != NULL)
    asy_handle_close(&c->winner->s.h);
}


static bool is_over(const asy_connector *c) {
  return c->winner != NULL || (asy_list_empty(&c->attempts) && c->next >= c->n);
}


static void wake_if_over(asy_connector *c) {
  asy_task *t = c->task;
  if (t == NULL || !is_over(c))
    return;
  c->task = NULL;
  asy_unpark(t);
}


static void attempt_win(asy_connector *c, connect_attempt *a) {
  asy_list_remove(&a->link);
  if (a->s.h.uv.any.type == UV_TCP)
    asy_tcp_set(&a->s.h.uv.tcp, &c->how.tcp);
  if (asy_list_linked(&c->timer.link))
    asy_loop_unsettimer(c->loop, &c->timer);
  while (!asy_list_empty(&c->attempts))
    asy_handle_close(&asy_of(c->attempts.next, connect_attempt, link)->s.h);
  c->winner = a;
}


static void try_next(asy_connector *c);
static void delay_over(asy_timer *timer);


static const struct sockaddr *address_of(const asy_connector *c, int target) {
  return (const struct sockaddr *)&c->target[target].address;
}


/* Whether the error only says that a Unix server has too many connections to
** accept, which makes nobody wait: asking again later is left. */
static bool is_busy(const asy_connector *c, int target, int err) {
  return err == UV_EAGAIN && address_of(c, target)->sa_family == AF_UNIX;
}


static void set_delay(asy_connector *c) {
  asy_loop_settimer(c->loop, &c->timer, asy_loop_after(c->how.delay),
                    delay_over);
}


static void attempt_fail(asy_connector *c, connect_attempt *a, int status) {
  int target = a->target;
  c->target[target].error = status;
  asy_handle_close(&a->s.h);
  if (is_busy(c, target, status)) {
    c->next = target;
    set_delay(c);
    return;
  }
  try_next(c);
}


static void attempt_done(uv_connect_t *req, int status) {
  connect_attempt *a = asy_of(req, connect_attempt, req);
  asy_connector *c = owner_of(a);
  if (c == NULL)
    return; /* it was given up */
  if (status == 0)
    attempt_win(c, a);
  else
    attempt_fail(c, a, status);
  wake_if_over(c);
}


static int connect_tcp(asy_connector *c, connect_attempt *a,
                       const struct sockaddr *to) {
  int err = uv_tcp_init(c->loop->engine->uv, &a->s.h.uv.tcp);
  if (err != 0)
    return err;
  asy_handle_opened(&a->s.h);
  if (c->how.local.ss_family != 0)
    err =
        uv_tcp_bind(&a->s.h.uv.tcp, (const struct sockaddr *)&c->how.local, 0);
  if (err == 0)
    err = uv_tcp_connect(&a->req, &a->s.h.uv.tcp, to, attempt_done);
  return err;
}


/* libuv 1.44 knows no abstract names. Such a connection is there at once, or not
** at all. */
static int connect_abstract(asy_connector *c, connect_attempt *a,
                            const struct sockaddr *to) {
  int fd = asy_socket_new(AF_UNIX), err = fd;
  if (fd >= 0)
    err = asy_stream_openfd(&a->s, fd); /* which does not block then */
  if (err != 0)
    return err;
  if (connect(fd, to, (socklen_t)asy_address_size(to)) != 0)
    return uv_translate_sys_error(errno);
  attempt_win(c, a);
  return 0;
}


static int connect_unix(asy_connector *c, connect_attempt *a,
                        const struct sockaddr *to) {
  int err;
  if (*asy_address_getpath(to) == '\0')
    return connect_abstract(c, a, to);
  err = uv_pipe_init(c->loop->engine->uv, &a->s.h.uv.pipe, 0);
  if (err != 0)
    return err;
  asy_handle_opened(&a->s.h);
  uv_pipe_connect(&a->req, &a->s.h.uv.pipe, asy_address_getpath(to),
                  attempt_done);
  return 0;
}


static int attempt_connect(asy_connector *c, connect_attempt *a) {
  const struct sockaddr *to = address_of(c, a->target);
  return to->sa_family == AF_UNIX ? connect_unix(c, a, to)
                                  : connect_tcp(c, a, to);
}


/* Starts an attempt with the next address; false if that failed at once and for
** good. */
static bool attempt_start(asy_connector *c) {
  int target = c->next++;
  connect_attempt *a =
      (connect_attempt *)asy_stream_new(c->loop, sizeof(connect_attempt));
  int err = UV_ENOMEM;
  if (a != NULL) {
    a->target = target;
    a->owner = c->self;
    a->detach = a->s.h.detach;
    a->s.h.detach = attempt_detach;
    asy_list_append(&c->attempts, &a->link);
    err = attempt_connect(c, a);
    if (err != 0)
      asy_handle_close(&a->s.h);
  }
  c->target[target].error = err;
  if (is_busy(c, target, err)) {
    c->next = target;
    return true;
  }
  return err == 0;
}


static void delay_over(asy_timer *timer) {
  asy_connector *c = asy_of(timer, asy_connector, timer);
  try_next(c);
  wake_if_over(c);
}


/* Tries addresses until one is under way, and sets the time for the next. */
static void try_next(asy_connector *c) {
  while (c->next < c->n && !attempt_start(c)) {
  }
  if (asy_list_linked(&c->timer.link))
    asy_loop_unsettimer(c->loop, &c->timer);
  if (c->next < c->n)
    set_delay(c);
}

/* }====== */


/* {====== The connector ====== */

/* The place of the first address from 'i' on that is of the family, or, with
** 'same' false, that is not; 'n' when there is none. */
static int next_of(const struct sockaddr_storage *from, int n, int i,
                   int family, bool same) {
  while (i < n && (from[i].ss_family == family) != same)
    i++;
  return i;
}


/* Orders the addresses so that families take turns, the first one's first. */
static void set_targets(asy_connector *c, const struct sockaddr_storage *from,
                        int n) {
  int family = from[0].ss_family;
  int place[2] = {next_of(from, n, 0, family, false),
                  next_of(from, n, 0, family, true)};
  for (bool same = true; c->n < n; same = !same) {
    int i = place[same];
    if (i == n)
      continue;
    c->target[c->n++].address = from[i];
    place[same] = next_of(from, n, i + 1, family, same);
  }
}


/* Pushes a connector for the addresses. */
static asy_connector *connector_new(lua_State *L, asy_task *t,
                                    const struct sockaddr_storage *to, int n,
                                    const asy_connect_how *how) {
  asy_connector *c = (asy_connector *)asy_new(
      L, t->fut.rt, ASY_CONNECTOR,
      sizeof(asy_connector) + (size_t)n * sizeof(connect_target), 0);
  asy_list_init(&c->attempts);
  c->self = asy_weak_new(L, c->rt, -1);
  c->loop = t->fut.loop;
  c->how = *how;
  set_targets(c, to, n);
  return c;
}


static int connector_close(lua_State *L) {
  connector_abandon((asy_connector *)asy_checkkind(L, 1, ASY_CONNECTOR));
  return 0;
}


static int connector_gc(lua_State *L) {
  asy_connector *c = (asy_connector *)asy_checkkind(L, 1, ASY_CONNECTOR);
  connector_abandon(c);
  asy_weak_free(c->rt, &c->self);
  return 0;
}


static asy_future *connector_abort(asy_task *t) {
  connector_abandon((asy_connector *)t->on);
  return NULL;
}


static const asy_wait connect_wait = {"connect", connector_abort};


static void push_error(lua_State *L, asy_connector *c, int i) {
  char text[ASY_ADDRESS_TEXT];
  asy_address_format(address_of(c, i), text);
  asy_error_os(L, c->rt, c->target[i].error, "connect", text);
}


/* Raises the first address' error, with all of them in 'errors'. */
static int raise_errors(lua_State *L, asy_connector *c) {
  push_error(L, c, 0);
  lua_createtable(L, c->n, 0);
  for (int i = 0; i < c->n; i++) {
    push_error(L, c, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "errors");
  return lua_error(L);
}


/* The winner becomes the stream of a transport; the factory may take its time,
** and if it fails the connection closes at once. */
static int become_transport(lua_State *L, asy_connector *c, int idx) {
  asy_transport *t;
  connect_attempt *a;
  lua_toclose(L, idx);
  t = asy_transport_make(L, c->loop, c->how.factory);
  a = c->winner;
  if (a == NULL)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "the event loop closes");
  asy_transport_attach(L, t, &a->s, ASY_STREAM_BOTH);
  c->winner = NULL;
  a->owner = 0;
  a->s.h.detach = a->detach;
  return asy_transport_wait(L, lua_gettop(L));
}


static int connected(lua_State *L, int status, lua_KContext idx) {
  asy_connector *c = (asy_connector *)lua_touserdata(L, (int)idx);
  connect_attempt *a = c->winner;
  if (status == LUA_YIELD) {
    asy_resumed(L, c->rt->task);
    if (asy_iscancelled(c->rt->task))
      connector_abandon(c);
    asy_woken(L, c->rt->task);
  }
  if (a == NULL)
    return raise_errors(L, c);
  if (c->how.factory != 0)
    return become_transport(L, c, (int)idx);
  asy_stream_push(L, &a->s, c->how.limit);
  c->winner = NULL;
  a->owner = 0;
  a->s.h.detach = a->detach;
  return 2;
}


int asy_connect(lua_State *L, asy_task *t, const struct sockaddr_storage *to,
                int n, const asy_connect_how *how) {
  asy_connector *c = connector_new(L, t, to, n, how);
  int idx = lua_gettop(L);
  try_next(c);
  if (is_over(c))
    return connected(L, LUA_OK, idx);
  c->task = t;
  return asy_park(L, t, &connect_wait, c, idx, connected);
}


void asy_connect_open(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__close", connector_close},
      {"__gc", connector_gc},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_CONNECTOR, "asyncio.Connector", NULL, meta, 0);
  lua_pop(L, 1);
}

/* }====== */
