/*
** The runtime of a Lua state, and the userdata that carry it in their head.
*/
#include "runtime.h"

#include <string.h>

#include "anchor.h"
#include "block.h"
#include "group.h"
#include "loop.h"
#include "pool.h"
#include "sigint.h"
#include "timeout.h"
#include "weak.h"

static const char rt_key = 0;

static const char *const kind_name[ASY_KINDS] = {
    [ASY_LOOP] = "asyncio.EventLoop",
    [ASY_HANDLE] = "asyncio.Handle",
    [ASY_TIMERHANDLE] = "asyncio.TimerHandle",
    [ASY_CALLBACK] = "asyncio.Callback",
    [ASY_COROUTINE] = "asyncio.Coroutine",
    [ASY_TIMEOUT] = "asyncio.Timeout",
    [ASY_WAITSET] = "asyncio.WaitSet",
    [ASY_CONTEXT] = "asyncio.Context",
    [ASY_CONTEXTVAR] = "asyncio.ContextVar",
    [ASY_TOKEN] = "asyncio.Token",
    [ASY_LOCK] = "asyncio.Lock",
    [ASY_EVENT] = "asyncio.Event",
    [ASY_CONDITION] = "asyncio.Condition",
    [ASY_SEMAPHORE] = "asyncio.Semaphore",
    [ASY_BOUNDEDSEMAPHORE] = "asyncio.BoundedSemaphore",
    [ASY_BARRIER] = "asyncio.Barrier",
    [ASY_READER] = "asyncio.StreamReader",
    [ASY_WRITER] = "asyncio.StreamWriter",
    [ASY_TRANSPORT] = "asyncio.Transport",
    [ASY_SERVER] = "asyncio.Server",
    [ASY_LOOKUP] = "asyncio.Lookup",
    [ASY_CONNECTOR] = "asyncio.Connector",
    [ASY_ENDPOINT] = "asyncio.DatagramEndpoint",
    [ASY_DGRAM] = "asyncio.DatagramTransport",
    [ASY_GROUP] = "asyncio.TaskGroup",
    [ASY_QUEUE] = "asyncio.Queue",
    [ASY_LIFOQUEUE] = "asyncio.LifoQueue",
    [ASY_PRIORITYQUEUE] = "asyncio.PriorityQueue",
    [ASY_GENERATOR] = "asyncio.Generator",
    [ASY_SIGNALS] = "asyncio.Signals",
    [ASY_FSCALL] = "asyncio.FileRequest",
    [ASY_FILE] = "asyncio.File",
    [ASY_PROCESS] = "asyncio.Process",
    [ASY_EXECUTOR] = "asyncio.Executor",
    [ASY_THREADPOOL] = "asyncio.ThreadPoolExecutor",
    [ASY_PROCESSPOOL] = "asyncio.ProcessPoolExecutor",
    [ASY_CHANNEL] = "asyncio.Channel",
    [ASY_CHANNELWAIT] = "asyncio.ChannelWait",
    [ASY_LOOPREF] = "asyncio.LoopReference",
    [ASY_FUTURE] = "asyncio.Future",
    [ASY_JOB] = "asyncio.Future",
    [ASY_GATHER] = "asyncio.Future",
    [ASY_SHIELD] = "asyncio.Future",
    [ASY_TASK] = "asyncio.Task",
};


const char *asy_kindname(asy_kind kind) {
  return kind_name[kind];
}


asy_rt *asy_rt_of(lua_State *L) {
  asy_rt *rt;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &rt_key);
  rt = (asy_rt *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return rt;
}


lua_State *asy_rt_state(asy_rt *rt) {
  lua_State *L = rt->L;
  if (rt->running != NULL && rt->running->L != NULL)
    L = rt->running->L;
  lua_checkstack(L, 8);
  return L;
}


/* The state is closing. Made before all loops, the runtime goes after them, and
** frees what they left: the engine of one that is inside uv_run, since the
** state is closed from one of its tasks and uv_run is never returned to; those
** of loops that finalizers have just made, which get none themselves; what the
** tasks of that loop had in C memory. */
static int rt_gc(lua_State *L) {
  asy_rt *rt = (asy_rt *)lua_touserdata(L, 1);
  rt->over = true;
  asy_sigint_over(rt);
  asy_pool_killall(rt);
  while (!asy_list_empty(&rt->engines))
    asy_engine_freeleft(asy_of(rt->engines.next, asy_engine, link), rt);
  asy_timeout_freeall(rt);
  asy_group_freeall(rt);
  asy_block_free(rt);
  asy_weak_freeall(rt);
  asy_anchor_freeall(rt);
  return 0;
}


/* Pushes a metatable of tables that are weak in that way. */
static void push_weakmeta(lua_State *L, const char *mode) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
}


static int weak_table(lua_State *L) {
  lua_newtable(L);
  push_weakmeta(L, "kv");
  lua_setmetatable(L, -2);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}


asy_rt *asy_rt_open(lua_State *L) {
  asy_rt *rt;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &rt_key) == LUA_TUSERDATA)
    return (asy_rt *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  rt = (asy_rt *)lua_newuserdatauv(L, sizeof(asy_rt), 0);
  memset(rt, 0, sizeof(asy_rt));
  asy_list_init(&rt->engines);
  asy_list_init(&rt->groups);
  asy_list_init(&rt->pools);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  rt->L = lua_tothread(L, -1);
  lua_pop(L, 1);
  rt->current_loop = rt->context = LUA_NOREF;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, rt_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_newtable(L);
  rt->pins = luaL_ref(L, LUA_REGISTRYINDEX);
  rt->loops = weak_table(L);
  lua_newtable(L);
  rt->weak.tables = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  rt->anchors.tables = luaL_ref(L, LUA_REGISTRYINDEX);
  push_weakmeta(L, "k");
  rt->weak.meta = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushboolean(L, 0);
  rt->running_loop = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &rt_key);
  return rt;
}


void asy_setfuncs(lua_State *L, const luaL_Reg *funcs) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &rt_key);
  luaL_setfuncs(L, funcs, 1);
}


/* Copies the methods of 'base' into the table on the top. */
static void inherit(lua_State *L, asy_rt *rt, asy_kind base) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[base]);
  lua_getfield(L, -1, "__methods");
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -6);
  }
  lua_pop(L, 2);
}


void asy_newmeta(lua_State *L, asy_kind kind, const char *name,
                 const luaL_Reg *methods, const luaL_Reg *meta, asy_kind base) {
  asy_rt *rt = asy_rt_of(L);
  lua_newtable(L);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  if (base != 0)
    inherit(L, rt, base);
  if (methods != NULL)
    asy_setfuncs(L, methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__methods");
  lua_setfield(L, -2, "__index");
  if (meta != NULL)
    asy_setfuncs(L, meta);
  lua_pushvalue(L, -1);
  rt->meta[kind] = luaL_ref(L, LUA_REGISTRYINDEX);
}


void asy_addmethods(lua_State *L, asy_kind kind, const luaL_Reg *methods) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_of(L)->meta[kind]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
}


void *asy_new(lua_State *L, asy_rt *rt, asy_kind kind, size_t size, int nuv) {
  asy_object *o = (asy_object *)lua_newuserdatauv(L, size, nuv);
  memset(o, 0, size);
  o->rt = rt;
  o->kind = (uint8_t)kind;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[kind]);
  lua_setmetatable(L, -2);
  return o;
}


int asy_typeerror(lua_State *L, int arg, const char *expected) {
  return luaL_typeerror(L, arg, expected);
}


void *asy_checkkind(lua_State *L, int arg, asy_kind kind) {
  void *o = asy_tokind(L, asy_rt_up(L), arg, kind);
  if (asy_unlikely(o == NULL))
    asy_typeerror(L, arg, asy_kindname(kind));
  return o;
}
