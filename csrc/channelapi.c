/*
** Channels as Lua sees them: making, asking, closing.
*/
#include "channel.h"
#include "error.h"


/* channel:close() */
static int channel_close(lua_State *L) {
  asy_channel *ch = asy_channel_check(L);
  uv_mutex_lock(&ch->mutex);
  asy_channel_close(ch, asy_rt_up(L));
  uv_mutex_unlock(&ch->mutex);
  return 0;
}


/* What is known of a channel at one moment. */
typedef struct snapshot {
  size_t size;
  bool closed;
} snapshot;


static snapshot look_at(asy_channel *ch) {
  snapshot s;
  uv_mutex_lock(&ch->mutex);
  s.size = asy_channel_size(ch);
  s.closed = ch->closed;
  uv_mutex_unlock(&ch->mutex);
  return s;
}


/* channel:qsize() */
static int channel_qsize(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)look_at(asy_channel_check(L)).size);
  return 1;
}


/* channel:is_closed() */
static int channel_isclosed(lua_State *L) {
  lua_pushboolean(L, look_at(asy_channel_check(L)).closed);
  return 1;
}


/* "<Channel maxsize=3 items=2 closed>" */
static int channel_tostring(lua_State *L) {
  asy_channel *ch = asy_channel_check(L);
  snapshot s = look_at(ch);
  lua_pushfstring(L, "<Channel maxsize=%I items=%I%s>",
                  (LUAI_UACINT)ch->maxsize, (LUAI_UACINT)s.size,
                  s.closed ? " closed" : "");
  return 1;
}


/* Methods, from the second upvalue, and the field maxsize. */
static int channel_index(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
    return 1;
  lua_pushliteral(L, "maxsize");
  if (lua_rawequal(L, 2, -1))
    lua_pushinteger(L, (lua_Integer)asy_channel_check(L)->maxsize);
  else
    lua_pushnil(L);
  return 1;
}


/* Channel(maxsize) */
int asy_channel_create(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_Integer maxsize;
  asy_proxy *proxy;
  asy_channel *ch;
  lua_remove(L, 1);
  maxsize = luaL_optinteger(L, 1, 0);
  luaL_argcheck(L, maxsize >= 0, 1, "the size is negative (0 is no limit)");
  proxy = (asy_proxy *)asy_new(L, rt, ASY_CHANNEL, sizeof(asy_proxy), 0);
  ch = asy_channel_new((size_t)maxsize);
  if (ch == NULL)
    return luaL_error(L, "not enough memory");
  proxy->shared = &ch->shared;
  asy_shared_know(L, rt, &ch->shared);
  return 1;
}


void asy_channel_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"send", asy_channel_send},
      {"recv", asy_channel_recv},
      {"send_nowait", asy_channel_sendnowait},
      {"recv_nowait", asy_channel_recvnowait},
      {"close", channel_close},
      {"is_closed", channel_isclosed},
      {"qsize", channel_qsize},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", asy_proxy_gc},
      {"__call", asy_channel_iterate},
      {"__len", channel_qsize},
      {"__tostring", channel_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"channel_wait", asy_channel_wait},
      {NULL, NULL},
  };
  asy_channel_openwait(L);
  asy_newmeta(L, ASY_CHANNEL, asy_kindname(ASY_CHANNEL), methods, meta, 0);
  asy_rt_open(L);
  lua_getfield(L, -2, "__methods");
  lua_pushcclosure(L, channel_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}
