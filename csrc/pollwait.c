/*
** wait_readable and wait_writable: tasks that wait until a descriptor is ready.
*/
#include "error.h"
#include "poll.h"


/* The loop is at 1, 'ctx' is the descriptor. */
static int wait_woken(lua_State *L, int status, lua_KContext ctx) {
  asy_loop *loop = (asy_loop *)lua_touserdata(L, 1);
  asy_task *t = loop->rt->task;
  int got;
  (void)status;
  asy_resumed(L, t);
  got = asy_waitq_got(t);
  if (!(t->fut.flags & ASY_KILLED))
    asy_poll_settle(L, (int)ctx);
  asy_waitq_woken(L, t);
  return got < 0 ? asy_poll_raise(L, loop->rt, got, (int)ctx) : 0;
}


static int wait_ready(lua_State *L, const asy_wait *how, asy_poll_side side) {
  asy_rt *rt = asy_rt_up(L);
  int fd = asy_poll_checkfd(L, rt, 1), err;
  asy_task *t = asy_task_here(L, rt, how->what);
  asy_loop *loop = t->fut.loop;
  asy_poll *p;
  lua_settop(L, 0);
  asy_loop_push(L, loop);
  p = asy_poll_get(L, loop, fd);
  t->place.got = 0;
  asy_list_append(&p->waiters[side], &t->place.link);
  err = asy_poll_start(p);
  if (err == 0)
    return asy_park(L, t, how, NULL, fd, wait_woken);
  asy_list_remove(&t->place.link);
  asy_poll_settle(L, fd);
  return asy_poll_raise(L, rt, err, fd);
}


/* wait_readable(fd) */
static int wait_readable(lua_State *L) {
  static const asy_wait how = {"wait_readable", asy_waitq_abort};
  return wait_ready(L, &how, ASY_POLL_READ);
}


/* wait_writable(fd) */
static int wait_writable(lua_State *L) {
  static const asy_wait how = {"wait_writable", asy_waitq_abort};
  return wait_ready(L, &how, ASY_POLL_WRITE);
}


/* notify_closing(fd): nobody watches it any more. */
static int notify_closing(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  int fd = asy_poll_checkfd(L, rt, 1);
  asy_poll *p;
  if (rt->running == NULL)
    return asy_error_raise(
        L, ASY_RUNTIME_ERROR,
        "'notify_closing' must be called while an event loop runs");
  lua_settop(L, 0);
  asy_loop_push(L, rt->running);
  p = asy_poll_find(L, fd);
  if (p != NULL)
    asy_poll_drop(L, fd, p);
  return 0;
}


void asy_pollwait_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"wait_readable", wait_readable},
      {"wait_writable", wait_writable},
      {"notify_closing", notify_closing},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
