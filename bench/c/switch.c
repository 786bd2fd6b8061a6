/*
** The floor under every scheduler of Lua coroutines: a hundred coroutines
** that do nothing but yield, resumed in turn from C with nothing in between.
** switch switch N   prints the time that N pairs of lua_resume and lua_yield
** take; the first argument is the workload, of which there is one.
*/

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COROUTINES 100

static const char body[] = "local yield, turns = ...\n"
                           "for _ = 1, turns do yield(0) end\n";


static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}


static int switch_yield(lua_State *L) {
  return lua_yield(L, 0);
}


/* makes coroutine number i on L's stack, started up to its first yield */
static lua_State *switch_start(lua_State *L, long turns) {
  int results;
  lua_State *co = lua_newthread(L);
  if (luaL_loadstring(co, body) != LUA_OK)
    abort();
  lua_pushcfunction(co, switch_yield);
  lua_pushinteger(co, turns);
  if (lua_resume(co, L, 2, &results) != LUA_YIELD)
    abort();
  return co;
}


int main(int argc, char **argv) {
  long switches = argc > 2 ? atol(argv[2]) : 1000000;
  long turns = switches / COROUTINES;
  lua_State *co[COROUTINES];
  lua_State *L = luaL_newstate();
  double start;
  if (L == NULL)
    return 1;
  luaL_openlibs(L);
  luaL_checkstack(L, COROUTINES, NULL);
  for (int i = 0; i < COROUTINES; i++)
    co[i] = switch_start(L, turns);
  start = seconds_now();
  for (long turn = 0; turn < turns; turn++)
    for (int i = 0; i < COROUTINES; i++) {
      int results;
      lua_resume(co[i], L, 0, &results);
    }
  printf("seconds=%.6f\n", seconds_now() - start);
  lua_close(L);
  return 0;
}
