/*
** open_connection: happy eyeballs (RFC 8305) over the addresses of a host. The
** attempts run in C; the task sleeps until one has won or all have failed.
*/
#include <string.h>

#include "address.h"
#include "await.h"
#include "dns.h"
#include "error.h"
#include "stream.h"

#define DELAY 0.25 /* seconds until the next address is tried as well */

struct asy_connector;

typedef struct connect_attempt {
  asy_stream s;
  uv_connect_t req;
  asy_list link;               /* among the attempts under way */
  struct asy_connector *owner; /* NULL once it is nobody's */
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
  asy_loop *loop;
  asy_task *task; /* who waits, or NULL */
  asy_timer timer;
  asy_list attempts;
  connect_attempt *winner;
  struct sockaddr_storage local; /* family 0: any */
  lua_Number delay;
  int n, next;
  connect_target target[];
} asy_connector;


/* {====== Attempts ====== */

static void attempt_detach(asy_handle *h) {
  connect_attempt *a = (connect_attempt *)h;
  if (a->owner != NULL && a->owner->winner == a)
    a->owner->winner = NULL;
  a->owner = NULL;
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
  uv_tcp_nodelay(&a->s.h.uv.tcp, 1);
  if (asy_list_linked(&c->timer.link))
    asy_loop_unsettimer(c->loop, &c->timer);
  while (!asy_list_empty(&c->attempts))
    asy_handle_close(&asy_of(c->attempts.next, connect_attempt, link)->s.h);
  c->winner = a;
}


static void try_next(asy_connector *c);


static void attempt_done(uv_connect_t *req, int status) {
  connect_attempt *a = asy_of(req, connect_attempt, req);
  asy_connector *c = a->owner;
  if (c == NULL)
    return; /* it was given up */
  if (status == 0) {
    attempt_win(c, a);
  } else {
    c->target[a->target].error = status;
    asy_handle_close(&a->s.h);
    try_next(c);
  }
  wake_if_over(c);
}


static int attempt_connect(asy_connector *c, connect_attempt *a) {
  const struct sockaddr *to =
      (const struct sockaddr *)&c->target[a->target].address;
  int err = uv_tcp_init(c->loop->engine->uv, &a->s.h.uv.tcp);
  if (err != 0)
    return err;
  asy_handle_opened(&a->s.h);
  if (c->local.ss_family != 0)
    err = uv_tcp_bind(&a->s.h.uv.tcp, (const struct sockaddr *)&c->local, 0);
  if (err == 0)
    err = uv_tcp_connect(&a->req, &a->s.h.uv.tcp, to, attempt_done);
  return err;
}


/* Starts an attempt with the next address; false if that failed at once. */
static bool attempt_start(asy_connector *c) {
  int target = c->next++;
  connect_attempt *a =
      (connect_attempt *)asy_stream_new(c->loop, sizeof(connect_attempt));
  int err = UV_ENOMEM;
  if (a != NULL) {
    a->target = target;
    a->owner = c;
    a->detach = a->s.h.detach;
    a->s.h.detach = attempt_detach;
    asy_list_append(&c->attempts, &a->link);
    err = attempt_connect(c, a);
    if (err != 0)
      asy_handle_close(&a->s.h);
  }
  c->target[target].error = err;
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
    asy_loop_settimer(c->loop, &c->timer, asy_loop_after(c->delay), delay_over);
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


/* The field 'local_addr' of the options at 'idx': a numeric host and a port. */
static void get_local(lua_State *L, struct sockaddr_storage *local, int idx) {
  int isint = 1;
  lua_Integer port = 0;
  if (lua_getfield(L, idx, "local_addr") == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  luaL_argcheck(L, lua_istable(L, -1), idx,
                "field 'local_addr' must be a table {host=, port=}");
  if (lua_getfield(L, -1, "port") != LUA_TNIL)
    port = lua_tointegerx(L, -1, &isint);
  lua_getfield(L, -2, "host");
  luaL_argcheck(L,
                isint && port >= 0 && port <= 65535 &&
                    asy_address_ishost(L, -1) &&
                    asy_address_parse(lua_tostring(L, -1), (int)port, local),
                idx, "field 'local_addr' must have a numeric host and a port");
  lua_pop(L, 3);
}


static void get_delay(lua_State *L, lua_Number *delay, int idx) {
  if (lua_getfield(L, idx, "happy_eyeballs_delay") != LUA_TNIL) {
    *delay = lua_tonumber(L, -1);
    luaL_argcheck(L, lua_isnumber(L, -1) && *delay >= 0, idx,
                  "field 'happy_eyeballs_delay' must be a number of seconds");
  }
  lua_pop(L, 1);
}


/* What the options at 'idx', a table or nil, say of the attempts. */
static void get_options(lua_State *L, int idx, struct sockaddr_storage *local,
                        lua_Number *delay) {
  if (lua_isnil(L, idx))
    return;
  get_local(L, local, idx);
  get_delay(L, delay, idx);
}


/* Pushes a connector for the addresses of the lookup. */
static asy_connector *connector_new(lua_State *L, asy_rt *rt, asy_loop *loop,
                                    const struct asy_lookup *lookup,
                                    int options) {
  int n;
  const struct sockaddr_storage *from = asy_dns_addresses(lookup, &n);
  asy_connector *c = (asy_connector *)asy_new(
      L, rt, ASY_CONNECTOR,
      sizeof(asy_connector) + (size_t)n * sizeof(connect_target), 0);
  asy_list_init(&c->attempts);
  c->loop = loop;
  c->delay = DELAY;
  get_options(L, options, &c->local, &c->delay);
  if (n > 0)
    set_targets(c, from, n);
  return c;
}


static int connector_gc(lua_State *L) {
  connector_abandon((asy_connector *)asy_checkkind(L, 1, ASY_CONNECTOR));
  return 0;
}


static asy_future *connector_abort(asy_task *t) {
  connector_abandon((asy_connector *)t->on);
  return NULL;
}


static const asy_wait connect_wait = {"connect", connector_abort};


static void push_error(lua_State *L, asy_connector *c, int i) {
  char text[ASY_ADDRESS_TEXT];
  asy_address_format((const struct sockaddr *)&c->target[i].address, text);
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

/* }====== */


/* {====== open_connection ====== */

/* Stack: host, port, options, the lookup, the connector. */
static int connected(lua_State *L, int status, lua_KContext ctx) {
  asy_connector *c = (asy_connector *)lua_touserdata(L, 5);
  connect_attempt *a = c->winner;
  (void)ctx;
  if (status == LUA_YIELD) {
    asy_resumed(L, c->rt->task);
    if (asy_iscancelled(c->rt->task))
      connector_abandon(c);
    asy_woken(L, c->rt->task);
  }
  if (a == NULL)
    return raise_errors(L, c);
  asy_stream_push(L, c->rt, &a->s, asy_stream_limit(L, 3));
  c->winner = NULL;
  a->owner = NULL;
  a->s.h.detach = a->detach;
  return 2;
}


static int resolved(lua_State *L, int status, lua_KContext ctx) {
  asy_rt *rt = asy_rt_up(L);
  asy_task *t = rt->task;
  struct asy_lookup *lookup = (struct asy_lookup *)lua_touserdata(L, 4);
  asy_connector *c;
  (void)ctx;
  if (status == LUA_YIELD)
    asy_woken(L, t);
  asy_dns_check(L, lookup);
  c = connector_new(L, rt, t->fut.loop, lookup, 3);
  if (c->n == 0)
    return asy_error_raise(L, ASY_OS_ERROR, "connect: the host has no address");
  try_next(c);
  if (is_over(c))
    return connected(L, LUA_OK, 0);
  c->task = t;
  return asy_park(L, t, &connect_wait, c, 0, connected);
}


/* open_connection(host, port, options) */
static int open_connection(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  const char *host = luaL_checkstring(L, 1);
  int port = asy_address_checkport(L, 2), family;
  struct sockaddr_storage local;
  struct asy_lookup *lookup;
  lua_Number delay;
  asy_task *t;
  luaL_argcheck(L, asy_address_ishost(L, 1), 1, "invalid host");
  lua_settop(L, 3);
  asy_stream_limit(L, 3);
  get_options(L, 3, &local, &delay); /* errors come before the lookup */
  family = asy_dns_family(L, 3);
  t = asy_task_here(L, rt, "open_connection");
  lookup = asy_dns_lookup(L, rt, t->fut.loop, host, port, family);
  if (asy_dns_pending(lookup))
    return asy_dns_wait(L, t, lookup, 0, resolved);
  return resolved(L, LUA_OK, 0);
}


void asy_connect_open(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", connector_gc}, {NULL, NULL}};
  static const luaL_Reg funcs[] = {
      {"open_connection", open_connection},
      {NULL, NULL},
  };
  asy_dns_open(L);
  asy_newmeta(L, ASY_CONNECTOR, "asyncio.Connector", NULL, meta, 0);
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}

/* }====== */
