/*
** Transports as Lua sees them.
*/
#include "transport.h"

#include "address.h"
#include "error.h"
#include "report.h"

#define WARN_AFTER 5 /* writes after the end, as asyncio has it */


static asy_transport *check_transport(lua_State *L) {
  return (asy_transport *)asy_checkkind(L, 1, ASY_TRANSPORT);
}


static bool is_closing(const asy_transport *t) {
  return t->stream == NULL || t->stream->closing;
}


/* {====== Writing ====== */

/* The bytes go nowhere, which only debug mode tells. */
static void write_dropped(lua_State *L, asy_transport *t) {
  if (++t->dropped == WARN_AFTER && t->loop->debug)
    asy_report_warn(L, "%d writes to a transport that is closed", WARN_AFTER);
}


static int send_bytes(lua_State *L, asy_transport *t, const char *data,
                      size_t n, const char *fname) {
  ssize_t waiting;
  if (asy_unlikely(t->ended))
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "%s: after write_eof", fname);
  if (n == 0)
    return 0;
  if (asy_unlikely(t->stream == NULL)) {
    write_dropped(L, t);
    return 0;
  }
  luaL_argcheck(L, t->stream->ways & ASY_STREAM_WRITES, 1, "it only reads");
  waiting = asy_stream_write(t->stream, data, n);
  if (asy_unlikely(waiting == UV_ENOMEM && t->stream != NULL))
    return luaL_error(L, "not enough memory");
  if (waiting > 0)
    asy_transport_hold(L, t, 1);
  return 0;
}


/* transport:write(data) */
static int transport_write(lua_State *L) {
  asy_transport *t = check_transport(L);
  size_t n;
  const char *data = luaL_checklstring(L, 2, &n);
  return send_bytes(L, t, data, n, "write");
}


/* transport:writelines(list) */
static int transport_writelines(lua_State *L) {
  asy_transport *t = check_transport(L);
  size_t n;
  const char *data = asy_stream_join(L, 2, &n);
  return send_bytes(L, t, data, n, "writelines");
}


/* transport:write_eof() */
static int transport_writeeof(lua_State *L) {
  asy_transport *t = check_transport(L);
  if (is_closing(t) || t->ended)
    return 0;
  luaL_argcheck(L, t->stream->ways & ASY_STREAM_WRITES, 1, "it only reads");
  t->ended = true;
  if (t->stream->ways == ASY_STREAM_WRITES)
    asy_transport_close(t, false);
  else
    asy_stream_shutdown(t->stream);
  return 0;
}


static int transport_canwriteeof(lua_State *L) {
  check_transport(L);
  lua_pushboolean(L, 1);
  return 1;
}


static size_t queued(const asy_transport *t) {
  return t->stream != NULL ? asy_stream_queued(t->stream) : 0;
}


static int transport_getwritebuffersize(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)queued(check_transport(L)));
  return 1;
}


/* transport:get_write_buffer_limits(): the low one, the high one */
static int transport_getwritebufferlimits(lua_State *L) {
  asy_transport *t = check_transport(L);
  lua_pushinteger(L, (lua_Integer)t->low);
  lua_pushinteger(L, (lua_Integer)t->high);
  return 2;
}


/* transport:set_write_buffer_limits(high, low) */
static int transport_setwritebufferlimits(lua_State *L) {
  asy_transport *t = check_transport(L);
  asy_protocol_limits(L, &t->high, &t->low);
  asy_transport_hold(L, t, 1);
  return 0;
}

/* }====== */


/* {====== Reading ====== */

static bool is_reading(const asy_transport *t) {
  return !is_closing(t) && !t->paused &&
         (t->stream->ways & ASY_STREAM_READS) != 0;
}


static int transport_pausereading(lua_State *L) {
  asy_transport_pause(check_transport(L));
  return 0;
}


static int transport_resumereading(lua_State *L) {
  asy_transport *t = check_transport(L);
  if (!is_closing(t) && t->paused)
    asy_transport_resume(t);
  return 0;
}


static int transport_isreading(lua_State *L) {
  lua_pushboolean(L, is_reading(check_transport(L)));
  return 1;
}

/* }====== */


/* {====== The rest ====== */

/* transport:close(): once all is sent */
static int transport_close(lua_State *L) {
  asy_transport_close(check_transport(L), false);
  return 0;
}


/* transport:abort(): at once */
static int transport_abort(lua_State *L) {
  asy_transport_close(check_transport(L), true);
  return 0;
}


static int transport_isclosing(lua_State *L) {
  lua_pushboolean(L, is_closing(check_transport(L)));
  return 1;
}


static int transport_setprotocol(lua_State *L) {
  check_transport(L);
  return asy_protocol_set(L);
}


static int transport_getprotocol(lua_State *L) {
  check_transport(L);
  return asy_protocol_get(L);
}


/* transport:get_extra_info(key, default) */
static int transport_getextrainfo(lua_State *L) {
  asy_transport *t = check_transport(L);
  return asy_ends_push(L, &t->ends, t->stream);
}


/* Only when the Lua state closes while the transport has a stream. */
static int transport_gc(lua_State *L) {
  asy_transport *t = check_transport(L);
  asy_stream *s = t->stream;
  if (s != NULL) {
    t->stream = NULL;
    s->transport = NULL;
    s->user = NULL;
    asy_handle_close(&s->h);
  }
  asy_buf_free(&t->buf);
  return 0;
}


static int transport_tostring(lua_State *L) {
  asy_transport *t = check_transport(L);
  char text[ASY_ADDRESS_TEXT];
  lua_pushfstring(L, "<Transport %s to %s>",
                  t->stream == NULL    ? "closed"
                  : t->stream->closing ? "closing"
                                       : "open",
                  asy_ends_format(&t->ends, text));
  return 1;
}

/* }====== */


void asy_transport_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"write", transport_write},
      {"writelines", transport_writelines},
      {"write_eof", transport_writeeof},
      {"can_write_eof", transport_canwriteeof},
      {"get_write_buffer_size", transport_getwritebuffersize},
      {"get_write_buffer_limits", transport_getwritebufferlimits},
      {"set_write_buffer_limits", transport_setwritebufferlimits},
      {"pause_reading", transport_pausereading},
      {"resume_reading", transport_resumereading},
      {"is_reading", transport_isreading},
      {"close", transport_close},
      {"abort", transport_abort},
      {"is_closing", transport_isclosing},
      {"set_protocol", transport_setprotocol},
      {"get_protocol", transport_getprotocol},
      {"get_extra_info", transport_getextrainfo},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", transport_gc},
      {"__tostring", transport_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_TRANSPORT, "asyncio.Transport", methods, meta, 0);
  lua_pop(L, 1);
}
