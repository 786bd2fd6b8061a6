/*
** DatagramTransport: what it tells its protocol, and what Lua sees of it. The
** endpoint's socket notes what happens; the drain makes the calls.
*/
#include "dgram.h"

#include "address.h"
#include "error.h"
#include "pin.h"
#include "report.h"

#define WARN_AFTER 5 /* datagrams after the end, as asyncio has it */


static void note(asy_dgram *t) {
  if (!t->lost)
    asy_loop_ready(t->loop, &t->ready);
}


/* {====== Telling ====== */

static void tell(lua_State *L, asy_dgram *t, int idx, const char *name, int n) {
  const char *message = lua_pushfstring(L, "error in protocol.%s", name);
  lua_insert(L, -n - 1);
  asy_protocol_tell(L, t->loop, idx, name, n, message);
  lua_pop(L, 1);
}


static void tell_made(lua_State *L, asy_dgram *t, int idx) {
  t->made = true;
  asy_waitq_wakeall(&t->makers);
  lua_pushvalue(L, idx);
  tell(L, t, idx, "connection_made", 1);
}


/* Tells the first datagram, or the error in its place. */
static void tell_received(lua_State *L, asy_dgram *t, int idx) {
  asy_endpoint *d = t->d;
  asy_received *r;
  struct sockaddr_storage from;
  asy_udp_take(d);
  r = d->taken;
  from = r->from; /* a finalizer may close the transport */
  if (r->error != 0) {
    const struct sockaddr *peer = (const struct sockaddr *)&d->peer;
    char text[ASY_ADDRESS_TEXT];
    if (d->connected)
      asy_address_format(peer, text);
    asy_error_os(L, t->rt, r->error, "send or receive",
                 d->connected ? text : NULL);
    asy_udp_drop(d);
    tell(L, t, idx, "error_received", 1);
  } else {
    lua_pushlstring(L, r->data, r->n);
    asy_address_push(L, (const struct sockaddr *)&from);
    asy_udp_drop(d);
    tell(L, t, idx, "datagram_received", 2);
  }
}


static bool may_tell(const asy_dgram *t) {
  return !t->closing && t->d->count > 0;
}


static bool is_resumed(const asy_dgram *t) {
  return t->held && !t->closing && asy_udp_queued(t->d) <= t->low;
}


/* Then nothing but the program keeps the transport. */
static void tell_lost(lua_State *L, asy_dgram *t, int idx) {
  t->lost = t->closing = true;
  asy_unpin(L, t->rt, &t->slot);
  lua_pushnil(L);
  tell(L, t, idx, "connection_lost", 1);
}


/* What arrives meanwhile comes in the next turn. */
static void dgram_run(lua_State *L, asy_ready *e) {
  asy_dgram *t = asy_of(e, asy_dgram, ready);
  int idx = lua_gettop(L) + 1;
  uint32_t n = t->d->count;
  lua_rawgeti(L, ASY_PINS, t->slot);
  if (asy_unlikely(!t->made))
    tell_made(L, t, idx);
  if (asy_unlikely(is_resumed(t))) {
    t->held = false;
    tell(L, t, idx, "resume_writing", 0);
  }
  for (; n > 0 && may_tell(t); n--)
    tell_received(L, t, idx);
  if (may_tell(t))
    note(t);
  else if (asy_unlikely(t->d->socket == NULL) && !t->lost &&
           !asy_ready_queued(&t->ready))
    tell_lost(L, t, idx);
  lua_settop(L, idx - 1);
}


/* What was to be told could not be, for want of memory or because the protocol
** has no way to look for its methods. */
static void dgram_fail(lua_State *L, asy_ready *e) {
  asy_dgram *t = asy_of(e, asy_dgram, ready);
  int idx = lua_gettop(L);
  if (t->slot == 0) { /* at the very end */
    asy_report_error(L, t->loop, "error in a protocol", 0);
    return;
  }
  asy_pin_push(L, t->rt, t->slot);
  lua_insert(L, idx);
  asy_report_error(L, t->loop, "error in a protocol", idx);
  if (may_tell(t) || t->d->socket == NULL)
    note(t);
  lua_pop(L, 1);
}


/* The loop closes: no more calls. */
static void dgram_drop(lua_State *L, asy_ready *e) {
  asy_dgram *t = asy_of(e, asy_dgram, ready);
  if (t->d->socket == NULL)
    asy_unpin(L, t->rt, &t->slot);
}


static const asy_ready_ops dgram_ops = {dgram_run, dgram_fail, dgram_drop};


/* Something happened to the socket. */
static void dgram_notify(asy_endpoint *d) {
  asy_dgram *t = d->transport;
  if (d->socket == NULL) {
    t->closing = true;
    asy_waitq_wakeall(&t->makers);
  } else if (t->closing && asy_udp_idle(d)) {
    asy_udp_close(d); /* which tells it again */
    return;
  }
  note(t);
}

/* }====== */


/* {====== Beginning ====== */

asy_dgram *asy_dgram_new(lua_State *L, asy_endpoint *d, asy_loop *loop,
                         int factory, int endpoint) {
  asy_dgram *t = (asy_dgram *)asy_protocol_transport(
      L, loop, factory, ASY_DGRAM, sizeof(asy_dgram));
  t->loop = loop;
  t->d = d;
  t->ready.ops = &dgram_ops;
  t->high = ASY_TRANSPORT_HIGH;
  t->low = ASY_TRANSPORT_HIGH / 4;
  asy_list_init(&t->makers);
  lua_pushvalue(L, endpoint);
  lua_setiuservalue(L, -2, ASY_TRANSPORT_OWN);
  t->slot = asy_pin(L, t->rt, -1);
  d->transport = t;
  d->notify = dgram_notify;
  return t;
}


void asy_dgram_abandon(lua_State *L, asy_dgram *t) {
  t->lost = t->closing = true;
  t->d->notify = NULL;
  t->d->transport = NULL;
  asy_unpin(L, t->rt, &t->slot);
}


static int made(lua_State *L, int status, lua_KContext idx) {
  asy_dgram *t = (asy_dgram *)lua_touserdata(L, (int)idx);
  asy_task *task = t->rt->task;
  (void)status;
  asy_resumed(L, task);
  if (asy_iscancelled(task))
    asy_udp_close(t->d);
  asy_woken(L, task);
  lua_settop(L, (int)idx);
  lua_getiuservalue(L, (int)idx, ASY_TRANSPORT_PROTOCOL);
  return 2;
}


int asy_dgram_begin(lua_State *L, asy_dgram *t, int idx) {
  static const asy_wait how = {"connection_made", asy_waitq_abort};
  note(t);
  return asy_waitq_wait(L, t->rt->task, &t->makers, &how, NULL, idx, made);
}

/* }====== */


/* {====== Lua's view ====== */

static asy_dgram *check_dgram(lua_State *L) {
  return (asy_dgram *)asy_checkkind(L, 1, ASY_DGRAM);
}


/* Calls pause_writing if too much waits to be sent. */
static void hold(lua_State *L, asy_dgram *t) {
  if (t->held || t->closing || asy_udp_queued(t->d) <= t->high)
    return;
  t->held = true;
  tell(L, t, 1, "pause_writing", 0);
}


/* Sends, or queues it; an error is told to the protocol. */
static int send_to(lua_State *L, asy_dgram *t, const struct sockaddr *to) {
  size_t n;
  const char *data = lua_tolstring(L, 2, &n);
  int err = asy_udp_trysend(t->d, data, n, to);
  if (err == UV_EAGAIN)
    err = asy_udp_sendlater(t->d, data, n, to, NULL);
  if (asy_unlikely(err == UV_ENOMEM))
    return luaL_error(L, "not enough memory");
  if (err != 0)
    asy_udp_error(t->d, err);
  hold(L, t);
  return 0;
}


/* transport:sendto(data, host, port) */
static int dgram_sendto(lua_State *L) {
  asy_dgram *t = check_dgram(L);
  struct sockaddr_storage to = {0};
  bool connected = t->d->connected;
  luaL_checkstring(L, 2);
  lua_settop(L, 4);
  if (connected) {
    luaL_argcheck(L, lua_isnil(L, 3) && lua_isnil(L, 4), 3,
                  "the transport is connected, and sends to its peer only");
  } else {
    const char *host = luaL_checkstring(L, 3);
    int port = asy_address_checkport(L, 4);
    luaL_argcheck(
        L, asy_address_ishost(L, 3) && asy_address_parse(host, port, &to), 3,
        "numeric host expected");
  }
  if (t->closing || t->d->socket == NULL) {
    if (++t->dropped == WARN_AFTER && t->loop->debug)
      asy_report_warn(L, "%d datagrams to a transport that is closed",
                      WARN_AFTER);
    return 0;
  }
  if (!connected && to.ss_family != t->d->family) {
    asy_udp_error(t->d, UV_EAFNOSUPPORT);
    return 0;
  }
  return send_to(L, t, connected ? NULL : (const struct sockaddr *)&to);
}


/* transport:close(): once all is sent */
static int dgram_close(lua_State *L) {
  asy_dgram *t = check_dgram(L);
  t->closing = true;
  if (asy_udp_idle(t->d))
    asy_udp_close(t->d);
  return 0;
}


/* transport:abort(): at once */
static int dgram_abort(lua_State *L) {
  asy_dgram *t = check_dgram(L);
  t->closing = true;
  asy_udp_close(t->d);
  return 0;
}


static int dgram_isclosing(lua_State *L) {
  lua_pushboolean(L, check_dgram(L)->closing);
  return 1;
}


static int dgram_getwritebuffersize(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)asy_udp_queued(check_dgram(L)->d));
  return 1;
}


static int dgram_getwritebufferlimits(lua_State *L) {
  asy_dgram *t = check_dgram(L);
  lua_pushinteger(L, (lua_Integer)t->low);
  lua_pushinteger(L, (lua_Integer)t->high);
  return 2;
}


/* transport:set_write_buffer_limits(high, low) */
static int dgram_setwritebufferlimits(lua_State *L) {
  asy_dgram *t = check_dgram(L);
  asy_protocol_limits(L, &t->high, &t->low);
  hold(L, t);
  return 0;
}


static int dgram_setprotocol(lua_State *L) {
  check_dgram(L);
  return asy_protocol_set(L);
}


static int dgram_getprotocol(lua_State *L) {
  check_dgram(L);
  return asy_protocol_get(L);
}


/* transport:get_extra_info(key, default) */
static int dgram_getextrainfo(lua_State *L) {
  return asy_endpoint_info(L, check_dgram(L)->d);
}


/* Only when the Lua state closes while the transport has a socket. */
static int dgram_gc(lua_State *L) {
  asy_dgram *t = check_dgram(L);
  if (t->d != NULL && t->d->transport == t) {
    t->d->transport = NULL;
    t->d->notify = NULL;
    asy_udp_close(t->d);
  }
  return 0;
}


static int dgram_tostring(lua_State *L) {
  asy_dgram *t = check_dgram(L);
  asy_endpoint_pushnames(L, t->d);
  lua_pushfstring(L, "<DatagramTransport %s %s>",
                  t->d->socket == NULL ? "closed"
                  : t->closing         ? "closing"
                                       : "open",
                  lua_tostring(L, -1));
  return 1;
}

/* }====== */


void asy_dgram_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"sendto", dgram_sendto},
      {"close", dgram_close},
      {"abort", dgram_abort},
      {"is_closing", dgram_isclosing},
      {"get_write_buffer_size", dgram_getwritebuffersize},
      {"get_write_buffer_limits", dgram_getwritebufferlimits},
      {"set_write_buffer_limits", dgram_setwritebufferlimits},
      {"set_protocol", dgram_setprotocol},
      {"get_protocol", dgram_getprotocol},
      {"get_extra_info", dgram_getextrainfo},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", dgram_gc},
      {"__tostring", dgram_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg loop_methods[] = {
      {"create_datagram_endpoint", asy_endpoint_create},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_DGRAM, "asyncio.DatagramTransport", methods, meta, 0);
  lua_pop(L, 1);
  asy_addmethods(L, ASY_LOOP, loop_methods);
}
