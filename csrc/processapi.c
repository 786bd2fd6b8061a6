/*
** Process as Lua sees it: what it knows of the child, waiting, signals, and the
** end of a scope.
*/
#include <string.h>

#include "error.h"
#include "process.h"
#include "report.h"
#include "sig.h"
#include "weak.h"

static const asy_wait process_wait = {"a process", asy_waitq_abort};


static asy_process *check_process(lua_State *L) {
  return (asy_process *)asy_checkkind(L, 1, ASY_PROCESS);
}


/* The running task, which is to wait for the child. */
static asy_task *waiter(lua_State *L, asy_process *p, const char *fname) {
  asy_task *t = asy_task_here(L, p->rt, fname);
  if (asy_unlikely(t->fut.loop != p->child->h.loop))
    asy_error_raise(L, ASY_RUNTIME_ERROR,
                    "%s: the process belongs to another event loop", fname);
  return t;
}


/* {====== wait ====== */

static int waited(lua_State *L, int status, lua_KContext ctx) {
  asy_process *p = (asy_process *)lua_touserdata(L, 1);
  (void)ctx;
  if (status == LUA_YIELD)
    asy_waitq_woken(L, p->rt->task);
  lua_pushinteger(L, p->returncode);
  return 1;
}


/* process:wait() */
static int process_waitend(lua_State *L) {
  asy_process *p = check_process(L);
  asy_task *t;
  if (p->child == NULL)
    return waited(L, LUA_OK, 0);
  t = waiter(L, p, "wait");
  lua_settop(L, 1);
  return asy_waitq_wait(L, t, &p->waiters, &process_wait, NULL, 0, waited);
}

/* }====== */


/* {====== Signals ====== */

static int send_to(lua_State *L, asy_process *p, int signum) {
  int err = p->child != NULL ? asy_process_signal(p, signum) : UV_ESRCH;
  if (asy_likely(err == 0))
    return 0;
  lua_pushfstring(L, "%d", p->pid);
  asy_error_osof(L, p->rt, err, "kill", "pid", lua_tostring(L, -1));
  lua_pushinteger(L, p->pid);
  lua_setfield(L, -2, "pid");
  return lua_error(L);
}


/* The argument, a signal, or 0: none, only to know whether it could be sent. */
static int check_signal(lua_State *L, int arg) {
  bool none = lua_type(L, arg) == LUA_TNUMBER && lua_tonumber(L, arg) == 0;
  return none ? 0 : asy_sig_check(L, arg);
}


/* process:send_signal(signal) */
static int process_sendsignal(lua_State *L) {
  asy_process *p = check_process(L);
  return send_to(L, p, check_signal(L, 2));
}


/* process:terminate() */
static int process_terminate(lua_State *L) {
  return send_to(L, check_process(L), SIGTERM);
}


/* process:kill() */
static int process_kill(lua_State *L) {
  return send_to(L, check_process(L), SIGKILL);
}


/* signal_name(number) */
static int signal_name(lua_State *L) {
  asy_sig_pushname(L, asy_sig_check(L, 1));
  return 1;
}

/* }====== */


/* {====== The end ====== */

/* Whoever is cancelled meanwhile has the child killed at once, and goes on when
** it has ended; not later, if we may not kill it. */
static int scope_woken(lua_State *L, int status, lua_KContext cancelled) {
  asy_process *p = (asy_process *)lua_touserdata(L, 1);
  asy_task *t = p->rt->task;
  bool stays = false;
  (void)status;
  asy_resumed(L, t);
  if (t->fut.flags & ASY_KILLED) {
    asy_process_killnow(p);
  } else if (asy_iscancelled(t) || asy_waitq_got(t) == 0) {
    t->tflags &= (uint8_t)~ASY_TASK_CANCEL;
    cancelled = 1;
    stays = p->child != NULL && asy_process_signal(p, SIGKILL) != 0;
  }
  if (p->child != NULL && !stays)
    return asy_waitq_wait(L, t, &p->waiters, &process_wait, NULL, cancelled,
                          scope_woken);
  asy_process_closepipes(p);
  if (cancelled)
    t->tflags |= ASY_TASK_CANCEL;
  asy_woken(L, t);
  return 0;
}


/* __close: a child that runs is asked to end, then killed, and reaped before the
** scope is left; where no wait is possible it is killed. */
static int process_scope(lua_State *L) {
  asy_process *p = check_process(L);
  asy_task *t = asy_task_able(L, p->rt);
  if (p->child != NULL && t != NULL && t->fut.loop == p->child->h.loop) {
    asy_process_terminate(p);
    lua_settop(L, 1);
    return asy_waitq_wait(L, t, &p->waiters, &process_wait, NULL, 0,
                          scope_woken);
  }
  asy_process_killnow(p);
  asy_process_closepipes(p);
  return 0;
}


/* The loop reaps the child. The warning comes last, since it may fail for want
** of memory. */
static int process_gc(lua_State *L) {
  asy_process *p = check_process(L);
  bool warns = p->child != NULL && p->child->h.loop->debug;
  asy_process_leave(p);
  asy_weak_free(p->rt, &p->self);
  if (warns)
    asy_report_warn(L, "process %d was collected while it runs", p->pid);
  return 0;
}

/* }====== */


/* {====== What it knows ====== */

/* Pushes the field, or returns false. */
static bool push_field(lua_State *L, const asy_process *p, const char *name) {
  static const char *const pipes[] = {"stdin", "stdout", "stderr"};
  for (int i = 0; i < 3; i++)
    if (strcmp(name, pipes[i]) == 0) {
      lua_getiuservalue(L, 1, ASY_PROCESS_STDIN + i);
      return true;
    }
  if (strcmp(name, "pid") == 0)
    lua_pushinteger(L, p->pid);
  else if (strcmp(name, "returncode") == 0 && p->child == NULL)
    lua_pushinteger(L, p->returncode);
  else
    return false;
  return true;
}


/* Methods, from the second upvalue, and fields. */
static int process_index(lua_State *L) {
  asy_process *p = check_process(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
    return 1;
  if (lua_type(L, 2) == LUA_TSTRING && push_field(L, p, lua_tostring(L, 2)))
    return 1;
  lua_pushnil(L);
  return 1;
}


static int process_tostring(lua_State *L) {
  asy_process *p = check_process(L);
  if (p->child == NULL)
    lua_pushfstring(L, "<Process %d returncode=%d>", p->pid, p->returncode);
  else
    lua_pushfstring(L, "<Process %d>", p->pid);
  return 1;
}


/* set_greedy(reader, on): whether it takes all there is, whatever its limit */
static int set_greedy(lua_State *L) {
  asy_reader *r = (asy_reader *)asy_checkkind(L, 1, ASY_READER);
  r->greedy = lua_toboolean(L, 2);
  if (r->stream != NULL)
    asy_stream_flow(r->stream);
  return 0;
}

/* }====== */


void asy_process_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"wait", process_waitend},
      {"send_signal", process_sendsignal},
      {"terminate", process_terminate},
      {"kill", process_kill},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__close", process_scope},
      {"__gc", process_gc},
      {"__tostring", process_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg funcs[] = {
      {"spawn", asy_process_spawn},
      {"signal_name", signal_name},
      {"set_greedy", set_greedy},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_PROCESS, "asyncio.Process", methods, meta, 0);
  asy_rt_open(L);
  lua_getfield(L, -2, "__methods");
  lua_pushcclosure(L, process_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  asy_setfuncs(L, funcs);
}
