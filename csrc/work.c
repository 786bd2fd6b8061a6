/*
** What is done with a job in the Lua state of a worker, be that a thread's or a
** process'. It gets and gives parcels.
*/
#include "work.h"

#include "error.h"
#include "settings.h"
#include "traceback.h"

/* Keys of the registry. */
static const char traceback_key = 0; /* of the error that was raised last */
static const char run_key = 0;       /* where in a task it was raised, or nil */


/* Puts the traceback of the task that the job ran before that on the top. */
static void add_run(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &run_key) == LUA_TNIL) {
    lua_pop(L, 1);
    return;
  }
  lua_pushliteral(L, "\nrun by the job:\n");
  lua_rotate(L, -3, 2);
  lua_concat(L, 3);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &run_key);
}


/* The message handler: keeps the traceback, where there is one to be had. */
static int keep_traceback(lua_State *L) {
  lua_settop(L, 1);
  asy_error_nonil(L);
  if (!asy_error_is(L, asy_rt_of(L), 1, ASY_CANCELLED_ERROR)) {
    asy_traceback(L, L, 1, -1);
    add_run(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &traceback_key);
  }
  lua_settop(L, 1);
  return 1;
}


/* Packs the first 'count' values as what the job gives. An interruption may come
** even as the function that calls this returns, and then there is another. */
static void give(lua_State *L, asy_job *j, int count, const char *what) {
  const asy_packing how = {what, 1, j->flat};
  asy_parcel *p = asy_parcel_pack(L, 1, count, &how);
  asy_parcel_free(j->got);
  j->got = p;
}


/* Pushes what the job was given. Then the parcel is gone: while the job runs it
** would keep channels, and large values twice. */
static int unpack_given(lua_State *L, asy_job *j) {
  int n = asy_parcel_unpack(L, j->given);
  asy_parcel_free(j->given);
  j->given = NULL;
  return n;
}


/* Does the work; the job is the argument. */
static int run_job(lua_State *L) {
  asy_job *j = (asy_job *)lua_touserdata(L, 1);
  int n;
  lua_settop(L, 0);
  n = unpack_given(L, j);
  asy_settings_resolve(L, 1);
  lua_call(L, n - 1, LUA_MULTRET);
  give(L, j, lua_gettop(L), "result");
  return 0;
}


/* Packs the error, the first argument, and its traceback into the job. */
static int pack_error(lua_State *L) {
  asy_job *j = (asy_job *)lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &traceback_key);
  give(L, j, 2, "error");
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &traceback_key);
  return 0;
}


/* Replaces the error, the first argument, by one that can cross; the second
** says why it cannot. */
static int describe_error(lua_State *L) {
  asy_error_push(L, asy_rt_of(L), ASY_RUNTIME_ERROR, "%s (%s)",
                 asy_error_text(L, 1), asy_error_text(L, 2));
  return 1;
}


/* Fails the job with the error on the top. */
static void fail_job(lua_State *L, asy_job *j) {
  int err = lua_gettop(L);
  j->outcome = ASY_JOB_FAILED;
  asy_parcel_free(j->got);
  j->got = NULL;
  lua_pushcfunction(L, pack_error);
  lua_pushvalue(L, err);
  lua_pushlightuserdata(L, j);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK)
    return;
  lua_pushcfunction(L, describe_error);
  lua_insert(L, err);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK)
    return;
  lua_pushcfunction(L, pack_error);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, j);
  lua_pcall(L, 2, 0, 0);
}


/* Calls the function with the light userdata as its argument. */
static bool call_protected(lua_State *L, lua_CFunction f, void *arg) {
  lua_settop(L, 0);
  lua_pushcfunction(L, keep_traceback);
  lua_pushcfunction(L, f);
  lua_pushlightuserdata(L, arg);
  return lua_pcall(L, 1, 0, 1) == LUA_OK;
}


/* job_traceback(error, traceback): whether this is the state of a worker. There an
** error that is about to be raised, and that nothing catches, is the job's, to whose
** traceback that of its task belongs. */
static int job_traceback(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  bool is = rt->worker != NULL || rt->served;
  lua_settop(L, 2);
  if (is && !asy_error_is(L, rt, 1, ASY_CANCELLED_ERROR))
    lua_rawsetp(L, LUA_REGISTRYINDEX, &run_key);
  lua_pushboolean(L, is);
  return 1;
}


static int initialize(lua_State *L) {
  const asy_parcel *p = (const asy_parcel *)lua_touserdata(L, 1);
  lua_settop(L, 0);
  asy_parcel_unpack(L, p);
  asy_settings_resolve(L, 1);
  lua_call(L, 0, 0);
  return 0;
}


bool asy_work_initialize(lua_State *L, const asy_parcel *p, asy_job *j) {
  if (call_protected(L, initialize, (void *)(uintptr_t)p))
    return true;
  fail_job(L, j);
  return false;
}


void asy_work_do(lua_State *L, asy_job *j) {
  if (call_protected(L, run_job, j))
    j->outcome = ASY_JOB_RETURNED;
  else
    fail_job(L, j);
}


void asy_work_rest(lua_State *L) {
  lua_settop(L, 0);
}


void asy_work_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"job_traceback", job_traceback},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
