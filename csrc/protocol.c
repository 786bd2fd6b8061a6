/*
** What is common to all transports: how they are made, and call their protocol.
*/
#include "protocol.h"

#include "context.h"
#include "error.h"
#include "report.h"


/* {====== Making ====== */

bool asy_protocol_is(lua_State *L, int idx) {
  bool is = lua_istable(L, idx);
  if (!is && lua_type(L, idx) == LUA_TUSERDATA &&
      luaL_getmetafield(L, idx, "__index") != LUA_TNIL) {
    lua_pop(L, 1);
    is = true;
  }
  return is;
}


void *asy_protocol_transport(lua_State *L, asy_loop *loop, int factory,
                             asy_kind kind, size_t size) {
  void *t;
  int protocol;
  lua_pushvalue(L, factory);
  lua_call(L, 0, 1);
  protocol = lua_gettop(L);
  if (!asy_protocol_is(L, protocol))
    luaL_error(L,
               "the factory must return a protocol, a table with methods "
               "(got %s)",
               luaL_typename(L, protocol));
  t = asy_new(L, loop->rt, kind, size, ASY_TRANSPORT_VALUES);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, ASY_TRANSPORT_LOOP);
  if (loop->rt->contexts) {
    asy_context_copy(L, loop->rt);
    lua_setiuservalue(L, -2, ASY_TRANSPORT_CONTEXT);
  }
  lua_insert(L, protocol);
  lua_setiuservalue(L, protocol, ASY_TRANSPORT_PROTOCOL);
  return t;
}


int asy_protocol_set(lua_State *L) {
  if (!asy_protocol_is(L, 2))
    return asy_typeerror(L, 2, "protocol");
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, ASY_TRANSPORT_PROTOCOL);
  return 0;
}


int asy_protocol_get(lua_State *L) {
  lua_getiuservalue(L, 1, ASY_TRANSPORT_PROTOCOL);
  return 1;
}


void asy_protocol_limits(lua_State *L, size_t *high, size_t *low) {
  lua_Integer h, l = luaL_optinteger(L, 3, -1);
  bool any_low = lua_isnoneornil(L, 3);
  luaL_argcheck(L, any_low || (l >= 0 && l < INT32_MAX), 3,
                "number of bytes expected");
  h = luaL_optinteger(L, 2, any_low ? ASY_TRANSPORT_HIGH : 4 * l);
  luaL_argcheck(L, h >= 0 && h <= INT64_MAX / 4, 2, "number of bytes expected");
  if (any_low)
    l = h / 4;
  luaL_argcheck(L, h >= l, 2, "the high limit is below the low one");
  *high = (size_t)h;
  *low = (size_t)l;
}

/* }====== */


/* {====== Calls ====== */

bool asy_protocol_method(lua_State *L, int idx, const char *name) {
  lua_getiuservalue(L, idx, ASY_TRANSPORT_PROTOCOL);
  lua_pushcfunction(L, asy_report_msgh);
  if (lua_getfield(L, -2, name) == LUA_TNIL)
    return false;
  lua_pushvalue(L, -3);
  return true;
}


bool asy_protocol_call(lua_State *L, asy_rt *rt, int idx, int n) {
  int previous = 0, status;
  bool entered = rt->task == NULL;
  if (entered)
    previous = asy_context_enter(L, rt, idx, ASY_TRANSPORT_CONTEXT);
  status = lua_pcall(L, n + 1, 1, -n - 3);
  if (entered)
    asy_context_leave(L, rt, previous);
  return asy_likely(status == LUA_OK);
}


bool asy_protocol_leaves(lua_State *L, asy_loop *loop) {
  if (asy_likely(!asy_error_is(L, loop->rt, -1, ASY_KEYBOARD_INTERRUPT)))
    return false;
  asy_loop_fail(L, loop);
  return true;
}


void asy_protocol_tell(lua_State *L, asy_loop *loop, int idx, const char *name,
                       int n, const char *message) {
  int first = lua_gettop(L) - n + 1;
  if (asy_protocol_method(L, idx, name)) {
    for (int i = 0; i < n; i++)
      lua_pushvalue(L, first + i);
    if (!asy_protocol_call(L, loop->rt, idx, n) &&
        !asy_protocol_leaves(L, loop))
      asy_report_error(L, loop, message, idx);
  }
  lua_settop(L, first - 1);
}

/* }====== */
