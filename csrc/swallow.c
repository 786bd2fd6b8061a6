/*
** Swallowed cancellations. A CancelledError that a plain pcall catches does not
** end its task, which is nearly always a mistake; but code that cleans up and
** then raises the error again does the same at first. When the error is raised
** in a task, the pcall that is about to catch it is noted. The task is reported
** when it
**   - is back in that pcall, with the same function: it loops;
**   - waits after that pcall, and no local variable has the error any more;
**   - has waited after that pcall and then returns normally;
** unless uncancel() took the cancellation back. While a <close> variable waits,
** the pcall is still there, but runs another function.
*/
#include "debug.h"

#include <string.h>

#include "nest.h"
#include "report.h"

/* Registry keys of the C functions pcall, xpcall and asyncio.catch. */
static const char pcall_key = 0, xpcall_key = 0, catch_key = 0;


/* {====== The note, a table in the task's extras ====== */

#define NOTE_ERROR 1  /* the CancelledError */
#define NOTE_DEPTH 2  /* frames below the pcall */
#define NOTE_CALLER 3 /* where the pcall stands: "file:line" */
#define NOTE_CALLEE 4 /* what it calls */
#define NOTE_WAITED 5 /* the task has waited after the pcall */
#define NOTE_THREAD 6 /* that the pcall is in */


/* Whether the function of the frame is the C function kept at the key. */
static bool is_function(lua_State *L, lua_State *co, lua_Debug *ar,
                        const char *key) {
  lua_CFunction f;
  bool is;
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  f = lua_tocfunction(L, -1);
  lua_pop(L, 1);
  lua_getinfo(co, "f", ar);
  is = f != NULL && lua_tocfunction(co, -1) == f;
  lua_pop(co, 1);
  return is;
}


static bool is_pcall(lua_State *L, lua_State *co, lua_Debug *ar) {
  return is_function(L, co, ar, &pcall_key) ||
         is_function(L, co, ar, &xpcall_key);
}


/* Pushes what identifies the function at the level: for a Lua function where
** it is defined, as each evaluation makes a new one. */
static void push_callee(lua_State *L, lua_State *co, int level) {
  lua_Debug ar;
  if (level < 0 || !lua_getstack(co, level, &ar)) {
    lua_pushboolean(L, 0);
    return;
  }
  lua_getinfo(co, "Suf", &ar);
  if (*ar.what == 'C')
    lua_pushfstring(L, "%p", lua_topointer(co, -1));
  else
    lua_pushfstring(L, "%s:%d-%d %d %d", ar.short_src, ar.linedefined,
                    ar.lastlinedefined, (int)ar.nups, (int)ar.nparams);
  if (L == co)
    lua_remove(L, -2);
  else
    lua_pop(co, 1);
}


/* Pushes "file:line" of the frame at the level. */
static void push_caller(lua_State *L, lua_State *co, int level) {
  lua_Debug ar;
  if (!lua_getstack(co, level, &ar)) {
    lua_pushliteral(L, "?");
    return;
  }
  lua_getinfo(co, "Sl", &ar);
  lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
}


static int count_frames(lua_State *co, int level) {
  lua_Debug ar;
  while (lua_getstack(co, level, &ar))
    level++;
  return level;
}


typedef enum search { GOES_ON, CAUGHT, EXPECTED } search;

/* Looks for the function that will catch an error raised now in L: in the
** threads inside 'co', then in this. CAUGHT says that it is a plain pcall, and
** where; a catch is EXPECTED to. */
static search find_pcall(lua_State *L, lua_State **co, int *level) {
  lua_State *inner = *co != L ? asy_nest_inner(*co) : NULL;
  lua_Debug ar;
  if (inner != NULL) {
    search found = find_pcall(L, &inner, level);
    if (found != GOES_ON) {
      *co = inner;
      return found;
    }
  }
  for (*level = 0; lua_getstack(*co, *level, &ar); ++*level) {
    if (!lua_checkstack(*co, 1) || is_function(L, *co, &ar, &catch_key))
      return EXPECTED;
    if (is_pcall(L, *co, &ar))
      return CAUGHT;
  }
  return GOES_ON;
}


/* Makes the note about the error at 'err', which the pcall at that level of the
** thread will catch. */
static void push_note(lua_State *L, int err, lua_State *co, int level) {
  lua_createtable(L, NOTE_THREAD, 0);
  lua_pushvalue(L, err);
  lua_rawseti(L, -2, NOTE_ERROR);
  lua_pushinteger(L, count_frames(co, level) - level);
  lua_rawseti(L, -2, NOTE_DEPTH);
  push_caller(L, co, level + 1);
  lua_rawseti(L, -2, NOTE_CALLER);
  push_callee(L, co, level - 1);
  lua_rawseti(L, -2, NOTE_CALLEE);
  lua_pushthread(co);
  if (co != L)
    lua_xmove(co, L, 1);
  lua_rawseti(L, -2, NOTE_THREAD);
}


void asy_debug_cancelled(lua_State *L, asy_task *t) {
  int err = lua_gettop(L), level;
  lua_State *co = t->co;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  asy_task_push(L, t);
  if (find_pcall(L, &co, &level) != CAUGHT ||
      asy_future_getextra(L, err + 1, "swallowed") == LUA_TBOOLEAN) {
    lua_settop(L, err);
    return;
  }
  lua_settop(L, err + 1);
  push_note(L, err, co, level);
  asy_future_setextra(L, err + 1, "swallowed");
  t->tflags |= ASY_TASK_SWALLOWED;
  lua_settop(L, err);
}

/* }====== */


/* {====== The verdict ====== */

/* Whether the value on the top, which is popped, is the error at 'err' or a
** table that table.pack(pcall(...)) made. */
static bool has_error(lua_State *L, int err) {
  bool has = lua_rawequal(L, -1, err);
  if (!has && lua_istable(L, -1)) {
    lua_rawgeti(L, -1, 2);
    has = lua_rawequal(L, -1, err);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return has;
}


/* Whether a local variable of the frame has the error at 'err'; 'step' is 1 for
** the named ones, -1 for the variable arguments. */
static bool is_local(lua_State *L, lua_State *co, lua_Debug *ar, int err,
                     int step) {
  const char *name;
  for (int n = step; (name = lua_getlocal(co, ar, n)) != NULL; n += step) {
    lua_xmove(co, L, 1);
    if (has_error(L, err) && (step < 0 || *name != '('))
      return true;
  }
  return false;
}


/* Whether the suspended thread, or one inside it, still has the error at
** 'err'. */
static bool is_kept(lua_State *L, lua_State *co, int err) {
  lua_State *inner = asy_nest_inner(co);
  lua_Debug ar;
  if (!lua_checkstack(co, 1) || (inner != NULL && is_kept(L, inner, err)))
    return true;
  for (int level = 0; lua_getstack(co, level, &ar); level++)
    if (is_local(L, co, &ar, err, 1) || is_local(L, co, &ar, err, -1))
      return true;
  return false;
}


/* Whether the string on the top, which is popped, is the note's value. */
static bool is_noted(lua_State *L, int note, int which) {
  bool is;
  lua_rawgeti(L, note, which);
  is = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is;
}


/* Whether the suspended thread is still below the call that the note at 'note'
** is about, and whether it is there with the same function. */
static bool is_inside(lua_State *L, lua_State *co, int note, bool *again) {
  lua_Debug ar;
  int level;
  lua_rawgeti(L, note, NOTE_DEPTH);
  level = count_frames(co, 0) - (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (level < 0 || !lua_getstack(co, level, &ar) || !lua_checkstack(co, 1) ||
      !is_pcall(L, co, &ar))
    return false;
  push_caller(L, co, level + 1);
  if (!is_noted(L, note, NOTE_CALLER))
    return false;
  push_callee(L, co, level - 1);
  *again = is_noted(L, note, NOTE_CALLEE);
  return true;
}


/* The task waits: whether it goes on after its cancellation. */
static bool goes_on(lua_State *L, lua_State *co, int note) {
  bool again = false, kept;
  lua_State *noted;
  lua_rawgeti(L, note, NOTE_THREAD);
  noted = lua_tothread(L, -1); /* the note keeps it */
  lua_pop(L, 1);
  if (is_inside(L, noted, note, &again))
    return again;
  lua_rawgeti(L, note, NOTE_ERROR);
  kept = is_kept(L, co, lua_gettop(L)) ||
         (noted != co && is_kept(L, noted, lua_gettop(L)));
  lua_pop(L, 1);
  lua_pushboolean(L, 1);
  lua_rawseti(L, note, NOTE_WAITED);
  return !kept;
}


/* The task returned: whether it had waited before. */
static bool went_on(lua_State *L, int note) {
  bool waited;
  lua_rawgeti(L, note, NOTE_WAITED);
  waited = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return waited;
}


static void warn(lua_State *L, int task, int note) {
  lua_rawgeti(L, note, NOTE_CALLER);
  luaL_tolstring(L, task, NULL);
  asy_report_warn(L,
                  "%s goes on after the pcall at %s swallowed its "
                  "cancellation (asyncio.pcall lets it pass)",
                  lua_tostring(L, -1), lua_tostring(L, -2));
  lua_pop(L, 2);
}


/* The step of the task, the first argument, has ended. */
static int check(lua_State *L) {
  asy_task *t = (asy_task *)lua_touserdata(L, 1);
  int status = lua_status(t->co);
  bool guilty, over = true;
  lua_settop(L, 1);
  if (t->cancels == 0 || asy_future_getextra(L, 1, "swallowed") != LUA_TTABLE ||
      (status != LUA_YIELD && status != LUA_OK) ||
      (t->tflags & ASY_TASK_BODYFAILED)) {
    guilty = false;
  } else if (status == LUA_YIELD) {
    guilty = goes_on(L, t->co, 2);
    over = guilty;
  } else {
    guilty = went_on(L, 2);
  }
  if (guilty) {
    warn(L, 1, 2);
    lua_pushboolean(L, 1); /* once is enough */
    asy_future_setextra(L, 1, "swallowed");
  }
  if (over)
    t->tflags &= (uint8_t)~ASY_TASK_SWALLOWED;
  return 0;
}


void asy_debug_swallowed(lua_State *L, asy_task *t) {
  lua_pushcfunction(L, check);
  asy_task_push(L, t);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/* }====== */


/* Keeps the function on the top, which it pops. */
static void keep_function(lua_State *L, const char *key) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}


void asy_swallow_open(lua_State *L) {
  lua_getglobal(L, "pcall");
  keep_function(L, &pcall_key);
  lua_getglobal(L, "xpcall");
  keep_function(L, &xpcall_key);
  lua_getfield(L, -1, "catch");
  keep_function(L, &catch_key);
}
