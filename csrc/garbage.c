/*
** When to call the collector. A generational one frees at once what it is told
** of. It looks at all living threads for that, and not at much else: so it is
** told when the dead are half as many as these and a small part of all memory,
** and the next threads find theirs in the cache. An incremental one begins to
** look at everything, and a generational one passes over the dead that are old:
** where a call has freed too little, the next is due when dead threads are
** about a quarter of all memory, by Lua's own count.
*/
#include "garbage.h"

#define MIN_THREADS 1024
#define PATIENCE 2 /* calls that must free enough before it is prompt again */


static uint32_t find_limit(const asy_rt *rt, uint32_t kib) {
  uint32_t limit = rt->lazy > 0 ? kib / 4 : rt->threads / 2 + kib / 32;
  return limit > MIN_THREADS ? limit : MIN_THREADS;
}


static uint32_t count_kib(lua_State *L) {
  return (uint32_t)lua_gc(L, LUA_GCCOUNT, 0);
}


/* A thread is a KiB; most may have gone by themselves since the last call. */
static void collect(lua_State *L, asy_rt *rt, uint32_t kib) {
  lua_gc(L, LUA_GCSTEP, 0);
  if (count_kib(L) + rt->garbage / 8 > kib)
    rt->lazy = PATIENCE;
  else if (rt->lazy > 0)
    rt->lazy--;
}


void asy_garbage_collect(lua_State *L, asy_rt *rt) {
  uint32_t kib = count_kib(L);
  rt->garbage_limit = find_limit(rt, kib);
  if (rt->garbage < rt->garbage_limit)
    return; /* there is more of what it depends on than when it was set */
  if (lua_gc(L, LUA_GCISRUNNING, 0))
    collect(L, rt, kib);
  rt->garbage = 0;
  rt->living = asy_garbage_living(rt);
}


void asy_garbage_grown(lua_State *L, asy_rt *rt) {
  uint32_t grown = asy_garbage_living(rt) - rt->living;
  rt->living += grown;
  if (lua_gc(L, LUA_GCISRUNNING, 0))
    asy_gcforgive(L, (int)(grown / (1024 / ASY_GARBAGE_UNIT)));
}
