/*
** The classes of userdata, for isinstance and as constructors: tables like
** those of exceptions, with the methods under their names.
*/
#include "class.h"

#include "channel.h"
#include "context.h"
#include "error.h"
#include "executor.h"
#include "future.h"
#include "group.h"
#include "queue.h"
#include "stream.h"
#include "sync.h"
#include "task.h"

typedef struct class_of_kind {
  asy_kind kind;
  asy_kind base;
  const char *name;
  lua_CFunction create; /* gets the class first; NULL if there is none */
} class_of_kind;

static const class_of_kind class_list[] = {
    {ASY_LOOP, 0, "EventLoop", NULL},
    {ASY_HANDLE, 0, "Handle", NULL},
    {ASY_TIMERHANDLE, ASY_HANDLE, "TimerHandle", NULL},
    {ASY_FUTURE, 0, "Future", asy_future_create},
    {ASY_TASK, ASY_FUTURE, "Task", asy_task_construct},
    {ASY_COROUTINE, 0, "Coroutine", NULL},
    {ASY_TIMEOUT, 0, "Timeout", NULL},
    {ASY_GROUP, 0, "TaskGroup", asy_group_create},
    {ASY_CONTEXT, 0, "Context", NULL},
    {ASY_CONTEXTVAR, 0, "ContextVar", asy_context_newvar},
    {ASY_TOKEN, 0, "Token", NULL},
    {ASY_LOCK, 0, "Lock", asy_lock_create},
    {ASY_EVENT, 0, "Event", asy_event_create},
    {ASY_CONDITION, 0, "Condition", asy_condition_create},
    {ASY_SEMAPHORE, 0, "Semaphore", asy_semaphore_create},
    {ASY_BOUNDEDSEMAPHORE, ASY_SEMAPHORE, "BoundedSemaphore",
     asy_semaphore_createbounded},
    {ASY_BARRIER, 0, "Barrier", asy_barrier_create},
    {ASY_READER, 0, "StreamReader", asy_reader_create},
    {ASY_WRITER, 0, "StreamWriter", NULL},
    {ASY_TRANSPORT, 0, "Transport", NULL},
    {ASY_SERVER, 0, "Server", NULL},
    {ASY_ENDPOINT, 0, "DatagramEndpoint", NULL},
    {ASY_DGRAM, 0, "DatagramTransport", NULL},
    {ASY_QUEUE, 0, "Queue", asy_itemq_newfifo},
    {ASY_LIFOQUEUE, ASY_QUEUE, "LifoQueue", asy_itemq_newlifo},
    {ASY_PRIORITYQUEUE, ASY_QUEUE, "PriorityQueue", asy_itemq_newheap},
    {ASY_CHANNEL, 0, "Channel", asy_channel_create},
    {ASY_LOOPREF, 0, "LoopReference", NULL},
    {ASY_GENERATOR, 0, "Generator", NULL},
    {ASY_FILE, 0, "File", NULL},
    {ASY_PROCESS, 0, "Process", NULL},
    {ASY_WATCHER, 0, "FileWatcher", NULL},
    {ASY_EXECUTOR, 0, "Executor", NULL},
    {ASY_THREADPOOL, ASY_EXECUTOR, "ThreadPoolExecutor", asy_executor_create},
    {ASY_PROCESSPOOL, ASY_EXECUTOR, "ProcessPoolExecutor",
     asy_executor_createprocesses},
};

#define NCLASSES ((lua_Integer)(sizeof(class_list) / sizeof(class_list[0])))


/* class(...), where there is no constructor. The second upvalue is the place in
** the list. */
static int class_call(lua_State *L) {
  return luaL_error(L, "asyncio.%s objects are made by the library only",
                    class_list[lua_tointeger(L, lua_upvalueindex(2))].name);
}


static int class_tostring(lua_State *L) {
  lua_pushfstring(L, "asyncio.%s",
                  class_list[lua_tointeger(L, lua_upvalueindex(2))].name);
  return 1;
}


/* Pushes a closure with the runtime and the class' number. */
static void push_method(lua_State *L, lua_CFunction f, lua_Integer i) {
  lua_pushvalue(L, 1); /* the runtime */
  lua_pushinteger(L, i);
  lua_pushcclosure(L, f, 2);
}


/* Makes the class and sets it as that of its kind's metatable. Stack: the
** runtime, the module, the classes by kind, the metatable. */
static void new_class(lua_State *L, lua_Integer i) {
  const class_of_kind *c = &class_list[i];
  lua_createtable(L, 0, 3);
  lua_pushstring(L, c->name);
  lua_setfield(L, -2, "name");
  lua_getfield(L, 4, "__name");
  lua_setfield(L, -2, "__name");
  lua_rawgeti(L, 3, c->base);
  lua_setfield(L, -2, "__base");
  lua_createtable(L, 0, 3);
  push_method(L, c->create != NULL ? c->create : class_call, i);
  lua_setfield(L, -2, "__call");
  push_method(L, class_tostring, i);
  lua_setfield(L, -2, "__tostring");
  lua_getfield(L, 4, "__methods");
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_setfield(L, 4, "__class");
  lua_pushvalue(L, -1);
  lua_rawseti(L, 3, c->kind);
  lua_setfield(L, 2, c->name);
}


static int make_classes(lua_State *L) {
  asy_rt *rt = (asy_rt *)lua_touserdata(L, 1);
  lua_newtable(L);
  for (lua_Integer i = 0; i < NCLASSES; i++) {
    int ref = rt->meta[class_list[i].kind];
    if (ref == 0)
      continue;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    new_class(L, i);
    lua_settop(L, 3);
  }
  return 0;
}


void asy_class_open(lua_State *L) {
  lua_pushcfunction(L, make_classes);
  asy_rt_open(L);
  lua_pushvalue(L, -3);
  lua_call(L, 2, 0);
}
