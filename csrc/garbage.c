/*
** When to call the collector: when dead threads are about a quarter of all
** memory, by Lua's own count.
*/
#include "garbage.h"

#define MIN_THREADS 1024


void asy_garbage_collect(lua_State *L, asy_rt *rt) {
  int limit = lua_gc(L, LUA_GCCOUNT, 0) / 4;
  rt->garbage_limit = limit > MIN_THREADS ? (uint32_t)limit : MIN_THREADS;
  if (rt->garbage < rt->garbage_limit)
    return; /* memory has grown since the limit was set */
  rt->garbage = 0;
  if (lua_gc(L, LUA_GCISRUNNING, 0))
    lua_gc(L, LUA_GCSTEP, 0);
}
