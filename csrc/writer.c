/*
** StreamWriter: sending, and closing the connection.
*/
#include "address.h"
#include "error.h"
#include "report.h"
#include "stream.h"
#include "weak.h"

#define HIGH_WATER 65536 /* more waiting to be sent stops those who drain */

static const asy_wait drain_wait = {"drain", asy_waitq_abort};
static const asy_wait closed_wait = {"wait_closed", asy_waitq_abort};


static asy_writer *check_writer(lua_State *L) {
  return (asy_writer *)asy_checkkind(L, 1, ASY_WRITER);
}


void asy_writer_pusherror(lua_State *L, const asy_writer *w, int err,
                          const char *fname) {
  asy_ends_pusherror(L, w->rt, &w->ends, err, fname);
}


/* Raises the error that ended the connection; EPIPE if there was none, which
** then says that it was closed on this side. */
static int raise_lost(lua_State *L, asy_writer *w, const char *fname) {
  char text[ASY_ADDRESS_TEXT];
  asy_writer_pusherror(L, w, w->error != 0 ? w->error : UV_EPIPE, fname);
  if (w->error == 0) {
    lua_pushfstring(L, "%s %s: the writer is closed (EPIPE)", fname,
                    asy_ends_format(&w->ends, text));
    lua_setfield(L, -2, "message");
  }
  return lua_error(L);
}


/* {====== Sending ====== */

/* The stream that can be written to, else an error of 'fname'. */
static asy_stream *check_open(lua_State *L, asy_writer *w, const char *fname) {
  if (asy_unlikely(w->ended))
    asy_error_raise(L, ASY_RUNTIME_ERROR, "%s: after write_eof", fname);
  if (asy_unlikely(w->stream == NULL || w->stream->closing))
    raise_lost(L, w, fname);
  return w->stream;
}


static void send_bytes(lua_State *L, asy_writer *w, asy_stream *s,
                       const char *data, size_t n, const char *fname) {
  ssize_t waiting = asy_stream_write(s, data, n);
  if (asy_unlikely(waiting < 0)) {
    asy_writer_pusherror(L, w, (int)waiting, fname);
    lua_error(L);
  }
  if (waiting > HIGH_WATER)
    w->paused = true;
}


/* writer:write(data) */
static int writer_write(lua_State *L) {
  asy_writer *w = check_writer(L);
  size_t n;
  const char *data = luaL_checklstring(L, 2, &n);
  asy_stream *s = check_open(L, w, "write");
  send_bytes(L, w, s, data, n, "write");
  return 0;
}


/* writer:writelines(list) */
static int writer_writelines(lua_State *L) {
  asy_writer *w = check_writer(L);
  asy_stream *s;
  size_t n;
  const char *data;
  luaL_checktype(L, 2, LUA_TTABLE);
  check_open(L, w, "writelines");
  data = asy_stream_join(L, 2, &n);
  s = check_open(L, w, "writelines"); /* a metamethod may have closed it */
  send_bytes(L, w, s, data, n, "writelines");
  return 0;
}


static int drained(lua_State *L, int status, lua_KContext ctx) {
  asy_writer *w = (asy_writer *)lua_touserdata(L, 1);
  (void)ctx;
  if (status == LUA_YIELD)
    asy_woken(L, w->rt->task);
  return w->cut || w->error != 0 ? raise_lost(L, w, "drain") : 0;
}


/* writer:drain() */
static int writer_drain(lua_State *L) {
  asy_writer *w = check_writer(L);
  asy_task *t;
  if (asy_likely(w->stream != NULL && !w->paused))
    return 0;
  if (w->stream == NULL)
    return raise_lost(L, w, "drain");
  t = asy_task_hereon(L, w->stream->h.loop, "stream", "drain");
  lua_settop(L, 1);
  return asy_waitq_wait(L, t, &w->drainers, &drain_wait, NULL, 0, drained);
}


/* writer:write_eof(); where one only writes, that closes it */
static int writer_writeeof(lua_State *L) {
  asy_writer *w = check_writer(L);
  asy_stream *s = w->stream;
  if (w->ended)
    return 0;
  if (s == NULL || s->closing)
    return raise_lost(L, w, "write_eof");
  w->ended = true;
  asy_stream_shutdown(s);
  return 0;
}

/* }====== */


/* {====== Closing ====== */

/* writer:close() */
static int writer_close(lua_State *L) {
  asy_writer *w = check_writer(L);
  if (w->stream != NULL)
    asy_stream_close(w->stream);
  return 0;
}


/* Waits until the writer at 1 is closed; 'k' goes on then. */
static int wait_closed(lua_State *L, asy_writer *w, lua_KFunction k) {
  asy_task *t = asy_task_hereon(L, w->stream->h.loop, "stream", "wait_closed");
  lua_settop(L, 1);
  return asy_waitq_wait(L, t, &w->closers, &closed_wait, NULL, 0, k);
}


static int closed(lua_State *L, int status, lua_KContext ctx) {
  asy_writer *w = (asy_writer *)lua_touserdata(L, 1);
  (void)ctx;
  if (status == LUA_YIELD)
    asy_woken(L, w->rt->task);
  return w->error != 0 ? raise_lost(L, w, "wait_closed") : 0;
}


/* writer:wait_closed() */
static int writer_waitclosed(lua_State *L) {
  asy_writer *w = check_writer(L);
  if (w->stream == NULL)
    return closed(L, LUA_OK, 0);
  return wait_closed(L, w, closed);
}


static int scope_closed(lua_State *L, int status, lua_KContext ctx) {
  asy_writer *w = (asy_writer *)lua_touserdata(L, 1);
  (void)status;
  (void)ctx;
  asy_resumed(L, w->rt->task);
  if (w->stream != NULL && asy_iscancelled(w->rt->task))
    asy_handle_close(&w->stream->h);
  asy_woken(L, w->rt->task);
  return 0;
}


/* The end of a scope: closes, and waits for that where waiting is possible;
** cancelled it closes at once, for a peer that reads nothing would let no
** timeout end. An error of the connection was seen by whoever wrote. */
static int writer_scope(lua_State *L) {
  asy_writer *w = check_writer(L);
  asy_task *t = asy_task_able(L, w->rt);
  asy_loop *loop;
  if (w->stream == NULL)
    return 0;
  loop = w->stream->h.loop;
  if (asy_error_is(L, w->rt, 2, ASY_CANCELLED_ERROR))
    asy_handle_close(&w->stream->h);
  else
    asy_stream_close(w->stream);
  if (w->stream == NULL || t == NULL || t->fut.loop != loop)
    return 0;
  return wait_closed(L, w, scope_closed);
}


static int writer_isclosing(lua_State *L) {
  asy_writer *w = check_writer(L);
  lua_pushboolean(L, w->stream == NULL || w->stream->closing);
  return 1;
}


/* Collected: what was written is still sent. The warning comes last, since it
** may fail for want of memory. */
static int writer_gc(lua_State *L) {
  asy_writer *w = check_writer(L);
  asy_stream *s = w->stream;
  bool warns;
  asy_weak_free(w->rt, &w->self);
  if (s == NULL)
    return 0;
  warns = s->h.loop->debug && !s->closing && s->fd < 0;
  s->writer = 0;
  w->stream = NULL;
  asy_stream_close(s);
  if (warns) {
    char text[ASY_ADDRESS_TEXT];
    asy_report_warn(L, "stream to %s was collected while open",
                    asy_ends_format(&w->ends, text));
  }
  return 0;
}

/* }====== */


/* writer:get_extra_info(key, default) */
static int writer_getextrainfo(lua_State *L) {
  asy_writer *w = check_writer(L);
  return asy_ends_push(L, &w->ends, w->stream);
}


static int writer_tostring(lua_State *L) {
  asy_writer *w = check_writer(L);
  char text[ASY_ADDRESS_TEXT];
  lua_pushfstring(L, "<StreamWriter %s to %s>",
                  w->stream == NULL    ? "closed"
                  : w->stream->closing ? "closing"
                                       : "open",
                  asy_ends_format(&w->ends, text));
  return 1;
}


void asy_writer_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"write", writer_write},
      {"writelines", writer_writelines},
      {"drain", writer_drain},
      {"write_eof", writer_writeeof},
      {"close", writer_close},
      {"wait_closed", writer_waitclosed},
      {"is_closing", writer_isclosing},
      {"get_extra_info", writer_getextrainfo},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", writer_scope},
      {"__gc", writer_gc},
      {"__tostring", writer_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_WRITER, "asyncio.StreamWriter", methods, meta, 0);
  lua_pop(L, 1);
}
