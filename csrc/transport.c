/*
** What transports tell their protocols. libuv's callbacks note it; the drain
** makes the calls, which allocate nothing but what was received.
*/
#include "transport.h"

#include "context.h"
#include "error.h"
#include "pin.h"
#include "report.h"
#include "server.h"

#define MAX_READ 262144 /* bytes that wait to be told, about */


/* {====== Calls ====== */

/* The connection cannot go on because of the error on the top, which is popped.
** An OSError is only told to the protocol. */
static void fail(lua_State *L, asy_transport *t, int idx, const char *message) {
  if (asy_protocol_leaves(L, t->loop))
    return;
  if (t->stream != NULL) {
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, idx, ASY_TRANSPORT_ERROR);
    t->failed = true;
  }
  if (asy_error_is(L, t->rt, -1, ASY_OS_ERROR))
    lua_pop(L, 1);
  else
    asy_report_error(L, t->loop, message, idx);
  asy_transport_close(t, true);
}

/* }====== */


/* {====== Telling ====== */

static void tell_made(lua_State *L, asy_transport *t, int idx) {
  t->made = true;
  asy_waitq_wakeall(&t->makers);
  lua_pushvalue(L, idx);
  asy_protocol_tell(L, t->loop, idx, "connection_made", 1,
                    "error in protocol.connection_made");
  if (t->stream != NULL)
    asy_stream_flow(t->stream);
}


static void tell_resume(lua_State *L, asy_transport *t, int idx) {
  t->held = false;
  asy_protocol_tell(L, t->loop, idx, "resume_writing", 0,
                    "protocol.resume_writing() failed");
}


static void tell_data(lua_State *L, asy_transport *t, int idx) {
  asy_buf *b = &t->buf;
  size_t n = asy_buf_length(b);
  if (!asy_protocol_method(L, idx, "data_received")) {
    asy_buf_consume(b, n);
  } else {
    lua_pushlstring(L, asy_buf_bytes(b), n);
    asy_buf_consume(b, n);
    if (asy_unlikely(!asy_protocol_call(L, t->rt, idx, 1)))
      fail(L, t, idx, "Fatal error: protocol.data_received() call failed.");
  }
  lua_settop(L, idx);
  if (b->size > 2 * MAX_READ && asy_buf_length(b) == 0)
    asy_buf_free(b);
  if (t->stream != NULL && !t->stream->reading)
    asy_stream_flow(t->stream);
}


/* What only reads closes at the end; else the protocol may keep it open. */
static void tell_eof(lua_State *L, asy_transport *t, int idx) {
  bool keep = false;
  t->told = true;
  if (asy_protocol_method(L, idx, "eof_received")) {
    if (!asy_protocol_call(L, t->rt, idx, 0)) {
      fail(L, t, idx, "Fatal error: protocol.eof_received() call failed.");
      return;
    }
    keep = lua_toboolean(L, -1);
  }
  lua_settop(L, idx);
  if (t->stream != NULL && (!keep || t->stream->ways == ASY_STREAM_READS))
    asy_transport_close(t, false);
}


/* Pushes why the connection ended, nil if it was closed in order. */
static void push_reason(lua_State *L, asy_transport *t, int idx) {
  if (t->failed)
    lua_getiuservalue(L, idx, ASY_TRANSPORT_ERROR);
  else if (t->error != 0)
    asy_ends_pusherror(L, t->rt, &t->ends, t->error, "read or write");
  else
    lua_pushnil(L);
}


/* Then nothing but the program keeps the transport. */
static void tell_lost(lua_State *L, asy_transport *t, int idx) {
  t->lost = false;
  t->deaf = true;
  asy_buf_free(&t->buf);
  asy_unpin(L, t->rt, &t->slot);
  push_reason(L, t, idx);
  asy_protocol_tell(L, t->loop, idx, "connection_lost", 1,
                    "error in protocol.connection_lost");
}


static bool may_tell(const asy_transport *t) {
  return !t->deaf && !t->paused && (t->stream == NULL || !t->stream->closing);
}


static bool is_resumed(const asy_transport *t) {
  return t->held && t->stream != NULL && asy_stream_queued(t->stream) <= t->low;
}


static void transport_run(lua_State *L, asy_ready *e) {
  asy_transport *t = asy_of(e, asy_transport, ready);
  int idx = lua_gettop(L) + 1;
  lua_rawgeti(L, ASY_PINS, t->slot);
  if (asy_unlikely(!t->made))
    tell_made(L, t, idx);
  if (asy_unlikely(is_resumed(t)))
    tell_resume(L, t, idx);
  if (asy_buf_length(&t->buf) > 0 && may_tell(t))
    tell_data(L, t, idx);
  if (asy_unlikely(t->eof && !t->told) && may_tell(t) &&
      asy_buf_length(&t->buf) == 0)
    tell_eof(L, t, idx);
  if (asy_unlikely(t->lost) && !asy_ready_queued(&t->ready))
    tell_lost(L, t, idx);
  lua_settop(L, idx - 1);
}


/* What was to be told could not be, for want of memory or because the protocol
** has no way to look for its methods. */
static void transport_fail(lua_State *L, asy_ready *e) {
  asy_transport *t = asy_of(e, asy_transport, ready);
  int idx = lua_gettop(L);
  if (t->slot == 0) { /* at the very end */
    asy_report_error(L, t->loop, "Fatal error: protocol call failed.", 0);
    return;
  }
  asy_pin_push(L, t->rt, t->slot);
  lua_insert(L, idx);
  fail(L, t, idx, "Fatal error: protocol call failed.");
  if (t->lost)
    asy_loop_ready(t->loop, &t->ready);
  lua_pop(L, 1);
}


/* The loop closes: no more calls. */
static void transport_drop(lua_State *L, asy_ready *e) {
  asy_transport *t = asy_of(e, asy_transport, ready);
  if (t->stream == NULL)
    asy_unpin(L, t->rt, &t->slot);
}


static const asy_ready_ops transport_ops = {transport_run, transport_fail,
                                            transport_drop};

/* }====== */


/* {====== What the stream tells ====== */

static void note(asy_transport *t) {
  asy_loop_ready(t->loop, &t->ready);
}


static bool transport_wants(const asy_stream *s) {
  const asy_transport *t = s->transport;
  return (s->ways & ASY_STREAM_READS) && t->made && !t->eof && may_tell(t) &&
         asy_buf_length(&t->buf) < MAX_READ;
}


static asy_buf *transport_buffer(const asy_stream *s) {
  return &s->transport->buf;
}


static void transport_received(asy_stream *s) {
  asy_transport *t = s->transport;
  note(t);
  if (asy_buf_length(&t->buf) >= MAX_READ)
    asy_stream_flow(s);
}


static void transport_ended(asy_stream *s) {
  s->transport->eof = true;
  asy_stream_flow(s);
  note(s->transport);
}


static void transport_sent(asy_stream *s) {
  if (is_resumed(s->transport))
    note(s->transport);
}


/* What was received before a read failed is still told. */
static void transport_lost(asy_stream *s, int error) {
  asy_transport *t = s->transport;
  if (t->error == 0)
    t->error = error;
}


static void transport_detach(asy_stream *s) {
  asy_transport *t = s->transport;
  s->transport = NULL;
  s->user = NULL;
  t->stream = NULL;
  t->lost = true;
  asy_waitq_wakeall(&t->makers);
  note(t);
}


static const asy_stream_user transport_user = {
    transport_wants, transport_buffer, transport_received, transport_ended,
    transport_sent,  transport_lost,   transport_detach,
};

/* }====== */


/* {====== Beginning ====== */

asy_transport *asy_transport_make(lua_State *L, asy_loop *loop, int factory) {
  asy_transport *t = (asy_transport *)asy_protocol_transport(
      L, loop, factory, ASY_TRANSPORT, sizeof(asy_transport));
  t->loop = loop;
  t->ready.ops = &transport_ops;
  t->high = ASY_TRANSPORT_HIGH;
  t->low = ASY_TRANSPORT_HIGH / 4;
  asy_list_init(&t->makers);
  return t;
}


void asy_transport_attach(lua_State *L, asy_transport *t, asy_stream *s,
                          int ways) {
  if (t->slot == 0)
    t->slot = asy_pin(L, t->rt, -1);
  t->stream = s;
  asy_ends_get(&t->ends, s);
  s->ways = (uint8_t)ways;
  s->transport = t;
  s->user = &transport_user;
  note(t);
}


static int made(lua_State *L, int status, lua_KContext idx) {
  asy_transport *t = (asy_transport *)lua_touserdata(L, (int)idx);
  asy_task *task = t->rt->task;
  (void)status;
  asy_resumed(L, task);
  if (asy_iscancelled(task))
    asy_transport_close(t, false);
  asy_woken(L, task);
  lua_settop(L, (int)idx);
  lua_getiuservalue(L, (int)idx, ASY_TRANSPORT_PROTOCOL);
  return 2;
}


int asy_transport_wait(lua_State *L, int idx) {
  static const asy_wait how = {"connection_made", asy_waitq_abort};
  asy_transport *t = (asy_transport *)lua_touserdata(L, idx);
  return asy_waitq_wait(L, t->rt->task, &t->makers, &how, NULL, idx, made);
}


/* The server is at 1, the stream, a light userdata, at 2. The factory may have
** closed it. */
static int accept_stream(lua_State *L) {
  asy_server *server = (asy_server *)lua_touserdata(L, 1);
  asy_stream *s = (asy_stream *)lua_touserdata(L, 2);
  asy_transport *t;
  lua_getiuservalue(L, 1, ASY_SERVER_HANDLER);
  t = asy_transport_make(L, server->loop, 3);
  if (s->h.state == ASY_HANDLE_OPEN)
    asy_transport_attach(L, t, s, ASY_STREAM_BOTH);
  return 0;
}


bool asy_transport_accept(lua_State *L, asy_stream *s, int server) {
  asy_rt *rt = ((asy_server *)lua_touserdata(L, server))->rt;
  int msgh = lua_gettop(L) + 1, previous, status;
  lua_pushcfunction(L, asy_report_msgh);
  lua_pushcfunction(L, accept_stream);
  lua_pushvalue(L, server);
  lua_pushlightuserdata(L, s);
  previous = asy_context_enter(L, rt, server, ASY_SERVER_CONTEXT);
  status = lua_pcall(L, 2, 0, msgh);
  asy_context_leave(L, rt, previous);
  lua_remove(L, msgh);
  return status == LUA_OK;
}

/* }====== */


/* {====== Flow and end ====== */

void asy_transport_hold(lua_State *L, asy_transport *t, int idx) {
  if (asy_likely(t->held || t->stream == NULL ||
                 asy_stream_queued(t->stream) <= t->high))
    return;
  t->held = true;
  asy_protocol_tell(L, t->loop, idx, "pause_writing", 0,
                    "protocol.pause_writing() failed");
}


void asy_transport_close(asy_transport *t, bool now) {
  asy_stream *s = t->stream;
  t->deaf = true;
  if (s == NULL)
    return;
  if (now)
    asy_handle_close(&s->h);
  else
    asy_stream_close(s);
}


bool asy_transport_pause(asy_transport *t) {
  asy_stream *s = t->stream;
  if (s == NULL || s->closing || t->paused || !(s->ways & ASY_STREAM_READS))
    return false;
  t->paused = true;
  asy_stream_flow(s);
  return true;
}


void asy_transport_resume(asy_transport *t) {
  t->paused = false;
  if (asy_buf_length(&t->buf) > 0 || (t->eof && !t->told))
    note(t);
  if (t->stream != NULL)
    asy_stream_flow(t->stream);
}

/* }====== */
