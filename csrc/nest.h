/*
** Threads inside the thread of a task: coroutines and generators. An await in
** such a thread suspends the task: each thread yields to the one that resumed
** it, out to the task's own. When the task wakes up, each resumes the next one
** again, in to where the await is.
**
** A C function that runs another thread in this way is a closure whose second
** upvalue is &asy_nest_mark, and has the thread at index 1 meanwhile:
**
**   status = asy_nest_step(L, rt, co, nargs, &nres);
**   if (status == ASY_NEST_AWAITS)
**     return asy_nest_wait(L, rt, ctx, k);
**
** where 'k' begins with asy_nest_woken, and takes the next step without
** arguments.
*/
#ifndef asy_nest_h
#define asy_nest_h

#include "inner.h"
#include "task.h"

/* Instead of LUA_YIELD: the thread does not yield, but waits in an await. */
#define ASY_NEST_AWAITS (-1)

extern const char asy_nest_mark;

/* Pushes the C function as such a closure, with the 'n' values on the top as
** its upvalues from the third on. */
void asy_nest_pushclosure(lua_State *L, lua_CFunction f, int n);

/* Resumes the thread with the 'nargs' values on its top. Returns its status;
** what it yields or returns, '*nres' values, or the error is on its top. */
static inline int asy_nest_step(lua_State *L, asy_rt *rt, lua_State *co,
                                int nargs, int *nres) {
  asy_task *t = asy_task_able(L, rt);
  int status;
  if (t == NULL) /* no await in the thread is possible */
    return asy_inner_resume(L, rt, co, nargs, nres);
  rt->active = co;
  asy_inner_passed(rt, L, co);
  status = lua_resume(co, L, nargs, nres);
  rt->active = L;
  asy_inner_passed(rt, co, L);
  /* while its code runs, the task is neither parked nor queued */
  if (status == LUA_YIELD && asy_unlikely((t->tflags & ASY_TASK_PARKED) ||
                                          asy_ready_queued(&t->ready)))
    return ASY_NEST_AWAITS;
  return status;
}

/* Suspends L, too. */
int asy_nest_wait(lua_State *L, asy_rt *rt, lua_KContext ctx, lua_KFunction k);

/* To be called first by that 'k': raises a RuntimeError if L is not resumed
** because its task woke up. When the task's loop closes it closes 'co', and
** does not return. */
void asy_nest_woken(lua_State *L, asy_rt *rt, lua_State *co);

/* Whether the suspended thread waits in a function of ours: only its task, or
** its generator, may resume it. */
bool asy_nest_waits(asy_rt *rt, lua_State *co);

/* The thread that 'co' runs, or waits for, in this way; NULL when that is
** none. */
lua_State *asy_nest_inner(lua_State *co);

/* Whether 'inner' is the thread or inside it. */
bool asy_nest_has(lua_State *co, const lua_State *inner);

/* The function on the top of the fresh thread shall run in a protected call:
** then <close> variables may suspend while an error unwinds, and its traceback
** is noted. May raise in L; an error of memory in the thread, which does not
** run, would go past all protected calls of the task. */
void asy_nest_protect(lua_State *L, lua_State *co);

/* Closes the thread, which has ended with the error that is on the top of L.
** Should a <close> variable raise another error, that takes its place. */
void asy_nest_close(lua_State *L, asy_rt *rt, lua_State *co);

/* Pushes the traceback of the error on the top, with which the thread has just
** ended, for asy_nest_cause; or nil. */
void asy_nest_traceback(lua_State *L, asy_rt *rt, lua_State *co);

/* The error at 'err' is about to leave the thread for L: notes its traceback,
** the value on the top, which it pops. */
void asy_nest_cause(lua_State *L, asy_rt *rt, int err);

#endif
