/*
** Readers that a program feeds itself.
*/
#include "error.h"
#include "stream.h"
#include "transport.h"


static asy_reader *check_reader(lua_State *L) {
  return (asy_reader *)asy_checkkind(L, 1, ASY_READER);
}


/* StreamReader(options); the class is at 1 */
int asy_reader_create(lua_State *L) {
  lua_remove(L, 1);
  asy_reader_new(L, asy_rt_up(L), asy_stream_onlylimit(L, 1));
  return 1;
}


/* reader:feed_data(data) */
static int reader_feeddata(lua_State *L) {
  asy_reader *r = check_reader(L);
  size_t n;
  const char *data = luaL_checklstring(L, 2, &n);
  if (r->eof)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "feed_data: after feed_eof");
  if (!asy_buf_append(&r->buf, data, n))
    return luaL_error(L, "not enough memory");
  asy_reader_wake(r);
  if (r->transport != NULL && asy_buf_length(&r->buf) > 2 * r->limit &&
      asy_transport_pause(r->transport))
    r->held = true;
  return 0;
}


void asy_feed_resume(asy_reader *r) {
  asy_stream *s = r->transport->stream;
  r->held = false;
  if (s != NULL && !s->closing && r->transport->paused)
    asy_transport_resume(r->transport);
}


/* reader:set_transport(transport) */
static int reader_settransport(lua_State *L) {
  asy_reader *r = check_reader(L);
  asy_transport *t = (asy_transport *)asy_checkkind(L, 2, ASY_TRANSPORT);
  lua_getiuservalue(L, 1, ASY_READER_WRITER);
  if (r->transport != NULL || !lua_isnil(L, -1))
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "set_transport: the reader has one already");
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, ASY_READER_TRANSPORT);
  r->transport = t;
  return 0;
}


/* reader:feed_eof() */
static int reader_feedeof(lua_State *L) {
  asy_reader *r = check_reader(L);
  r->eof = true;
  if (r->stream != NULL)
    asy_stream_flow(r->stream);
  asy_reader_wake(r);
  return 0;
}


/* reader:set_exception(err): reads fail with it from now on */
static int reader_setexception(lua_State *L) {
  asy_reader *r = check_reader(L);
  luaL_argcheck(L, !lua_isnoneornil(L, 2), 2, "error expected, got nil");
  lua_settop(L, 2);
  asy_error_instantiate(L, r->rt, 2);
  lua_setiuservalue(L, 1, ASY_READER_EXCEPTION);
  r->failed = true;
  asy_reader_wake(r);
  return 0;
}


/* reader:exception(): why reads fail, or nil */
static int reader_exception(lua_State *L) {
  asy_reader *r = check_reader(L);
  if (!r->failed && r->error != 0)
    asy_reader_pusherror(L, 1, r);
  else
    lua_getiuservalue(L, 1, ASY_READER_EXCEPTION);
  return 1;
}


void asy_feed_add(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"feed_data", reader_feeddata},
      {"feed_eof", reader_feedeof},
      {"set_transport", reader_settransport},
      {"set_exception", reader_setexception},
      {"exception", reader_exception},
      {NULL, NULL},
  };
  asy_setfuncs(L, methods);
}
