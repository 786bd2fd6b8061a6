/*
** sleep: a timer and a park.
*/
#include "task.h"
#include "wait.h"


static asy_future *sleep_abort(asy_task *t) {
  asy_loop_unsettimer(t->fut.loop, &t->timer);
  return NULL;
}


static const asy_wait sleep_wait = {"sleep", sleep_abort};


static void sleep_over(asy_timer *timer) {
  asy_unpark(asy_of(timer, asy_task, timer));
}


/* Returns what came after the delay; 'ctx' is the runtime. */
static int sleep_woken(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  asy_woken(L, ((asy_rt *)ctx)->task);
  return lua_gettop(L) - 1;
}


/* sleep(delay, ...) */
static int sleep_(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_Number delay = asy_checktime(L, 1);
  asy_task *t = asy_task_here(L, rt, "sleep");
  if (delay <= 0)
    return asy_park_turn(L, t, (lua_KContext)rt, sleep_woken);
  asy_loop_settimer(t->fut.loop, &t->timer, asy_loop_after(delay), sleep_over);
  return asy_park(L, t, &sleep_wait, NULL, (lua_KContext)rt, sleep_woken);
}


void asy_sleep_open(lua_State *L) {
  static const luaL_Reg funcs[] = {{"sleep", sleep_}, {NULL, NULL}};
  asy_setfuncs(L, funcs);
}
