/*
** The runtime: what one Lua state has once, whatever number of loops it makes.
** Every C function of the library has it as its first upvalue.
*/
#ifndef asy_runtime_h
#define asy_runtime_h

#include <stdbool.h>
#include <stdint.h>

#include "compat.h"
#include "list.h"
#include "trap.h"

/* What a userdata of ours is; those from ASY_FUTURE to ASY_TASK are futures. */
typedef enum asy_kind {
  ASY_LOOP = 1,
  ASY_HANDLE,
  ASY_TIMERHANDLE,
  ASY_CALLBACK,
  ASY_COROUTINE,
  ASY_TIMEOUT,
  ASY_WAITSET,
  ASY_CONTEXT,
  ASY_CONTEXTVAR,
  ASY_TOKEN,
  ASY_LOCK,
  ASY_EVENT,
  ASY_CONDITION,
  ASY_SEMAPHORE,
  ASY_BOUNDEDSEMAPHORE,
  ASY_BARRIER,
  ASY_READER,
  ASY_WRITER,
  ASY_TRANSPORT,
  ASY_SERVER,
  ASY_LOOKUP,
  ASY_CONNECTOR,
  ASY_ENDPOINT,
  ASY_DGRAM,
  ASY_GROUP,
  ASY_QUEUE, /* queues: these three */
  ASY_LIFOQUEUE,
  ASY_PRIORITYQUEUE,
  ASY_GENERATOR,
  ASY_SIGNALS,
  ASY_FSCALL,
  ASY_FILE,
  ASY_PROCESS,
  ASY_WATCHER,
  ASY_EXECUTOR,
  ASY_THREADPOOL,
  ASY_PROCESSPOOL,
  ASY_CHANNEL,
  ASY_CHANNELWAIT,
  ASY_LOOPREF,
  ASY_FUTURE,
  ASY_JOB,
  ASY_GATHER,
  ASY_SHIELD,
  ASY_TASK,
  ASY_KINDS
} asy_kind;

/* The exception classes that the core knows (error.h). */
typedef enum asy_class {
  ASY_ERROR = 1,
  ASY_CANCELLED_ERROR,
  ASY_TIMEOUT_ERROR,
  ASY_INVALID_STATE_ERROR,
  ASY_RUNTIME_ERROR,
  ASY_KEYBOARD_INTERRUPT,
  ASY_LOOKUP_ERROR,
  ASY_QUEUE_EMPTY,
  ASY_QUEUE_FULL,
  ASY_QUEUE_SHUTDOWN,
  ASY_INCOMPLETE_READ_ERROR,
  ASY_LIMIT_OVERRUN_ERROR,
  ASY_BROKEN_BARRIER_ERROR,
  ASY_EXCEPTION_GROUP,
  ASY_DEADLOCK_ERROR,
  ASY_OS_ERROR,
  ASY_BROKEN_EXECUTOR,
  ASY_CLASSES
} asy_class;

struct asy_block;
struct asy_future_ops;
struct asy_gather;
struct asy_inner;
struct asy_loop;
struct asy_scope;
struct asy_task;
struct asy_worker;

/* Weak references (weak.h). */
typedef struct asy_weak {
  int tables;           /* reference of the list of tables, */
  int meta;             /* and of the metatable of these */
  uint32_t *next;       /* of each number that is free: the next one */
  uint32_t count, size; /* numbers there, and room for them */
  uint32_t free;        /* the first that is free, 0 when none is */
} asy_weak;

/* Watchers of futures that are not pinned (anchor.h). */
typedef struct asy_anchor {
  uint32_t slot; /* 0: the number is free */
  uint32_t next; /* free number, then */
} asy_anchor;

typedef struct asy_anchors {
  int tables;           /* reference of the list of tables */
  asy_anchor *entry;    /* of each number */
  uint32_t count, size; /* numbers there, and room for them */
  uint32_t used, limit; /* numbers, and how many are worth looking through */
  uint32_t free;        /* the first that is free, 0 when none is */
} asy_anchors;

typedef struct asy_rt {
  lua_State *L;               /* the main thread */
  struct asy_loop *running;   /* the loop that is inside uv_run, or NULL */
  struct asy_task *task;      /* the task whose code runs now, or NULL */
  lua_State *volatile active; /* the thread that runs Lua under the loop */
  int pins;                   /* reference of the table of pinned values, */
  int msgh;                   /* and of the message handler of tasks */
  uint32_t free_slot;         /* first free slot there, 0 when none is */
  uint32_t slots;             /* slots there, free ones included */
  uint32_t pinned;            /* values pinned now */
  uint64_t last_id;           /* number of the last task made */
  uint32_t nested;            /* threads that wait for another (nest.h); some
                              ** of these may be gone */
  uint32_t threads;           /* of unfinished tasks */
  uint32_t garbage;           /* threads dropped since the collector was told */
  uint32_t garbage_limit;     /* how many are worth telling */
  uint32_t living;            /* what lived when the collector was told */
  uint8_t lazy;               /* not 0: the collector frees late (garbage.c) */
  bool contexts;              /* a context variable has been set */
  bool served;                /* a worker process': no Ctrl-C (serve.h) */
  bool over;                  /* the Lua state is closing: no new loops */
  struct asy_block *block;    /* where its thread waits, or NULL (block.h) */
  void (*interrupt)(lua_State *L, struct asy_rt *rt); /* raises, when what
                              ** the thread waits for is interrupted */
  asy_weak weak;
  asy_anchors anchors;
  asy_trap trap;
  struct asy_inner *volatile inner; /* what runs further in (inner.h) */
  asy_list engines;                 /* of all loops that are not closed */
  asy_list groups;                  /* all unfinished task groups */
  asy_list pools;                   /* pools of threads (pool.h) */
  struct asy_worker *worker;        /* whose state this is, or NULL */
  const struct asy_interrupter *interrupter; /* of new loops, or NULL */
  int meta[ASY_KINDS];                       /* references of the metatables */
  const struct asy_future_ops *ops[ASY_KINDS]; /* of the kinds of futures */
  struct asy_gather *cancelling;     /* last in line of those to be cancelled */
  int depth;                         /* of completions that complete others */
  struct asy_scope *scopes;          /* free ones of those of wait_for */
  struct asy_scope *scopes_made;     /* the last of those made at all */
  lua_KContext last_scope;           /* number of the last wait_for */
  int classes[ASY_CLASSES];          /* references of the exception classes, */
  const void *class_at[ASY_CLASSES]; /* and their addresses */
  int chains;       /* of the exception classes by name (errname.c), */
  int metatables;   /* and of metatables (crossname.c) */
  bool guests;      /* one of the next has come since that was unset */
  int proxies;      /* of what stands for shared objects (shared.c) */
  int loops;        /* of the weak table of loops, by address and as keys */
  int current_loop; /* reference of the current event loop, or none */
  int running_loop; /* reference of the userdata of 'running' */
  int context;      /* reference of the context outside tasks, or none */
} asy_rt;

/* The first member of every userdata of ours. */
typedef struct asy_object {
  asy_rt *rt;
  uint8_t kind;
} asy_object;

/* The runtime, for functions that have it as an upvalue. */
static inline asy_rt *asy_rt_up(lua_State *L) {
  return (asy_rt *)lua_touserdata(L, lua_upvalueindex(1));
}

/* A thread with room for a few values, for those who have none at hand: the
** one that drives the loop, else the main thread. */
lua_State *asy_rt_state(asy_rt *rt);

/* The runtime of any Lua state into which the library is loaded, or NULL. */
asy_rt *asy_rt_of(lua_State *L);

/* Makes the state's runtime and pushes it; the same one at every call. */
asy_rt *asy_rt_open(lua_State *L);

/* Registers functions with the runtime, which is found in the registry, as
** their upvalue, into the table on the top. */
void asy_setfuncs(lua_State *L, const luaL_Reg *funcs);

/* Makes the metatable of a kind and leaves it on the stack; 'methods' become
** its __index, unless 'meta' has one of its own, 'base' is the kind whose
** methods it inherits or 0. */
void asy_newmeta(lua_State *L, asy_kind kind, const char *name,
                 const luaL_Reg *methods, const luaL_Reg *meta, asy_kind base);

/* Adds methods to a kind that has its metatable. */
void asy_addmethods(lua_State *L, asy_kind kind, const luaL_Reg *methods);

/* Pushes a new userdata of the kind, zeroed but for its head. May raise. */
void *asy_new(lua_State *L, asy_rt *rt, asy_kind kind, size_t size, int nuv);

/* The object at 'idx' if it is one of ours, else NULL. */
static inline asy_object *asy_toobject(lua_State *L, asy_rt *rt, int idx) {
  asy_object *o;
  if (lua_rawlen(L, idx) < sizeof(*o)) /* 0 for a light userdata */
    return NULL;
  o = (asy_object *)lua_touserdata(L, idx);
  return o != NULL && o->rt == rt ? o : NULL;
}

/* The object at 'idx' if it is of that very kind, else NULL. */
static inline void *asy_tokind(lua_State *L, asy_rt *rt, int idx,
                               asy_kind kind) {
  asy_object *o = asy_toobject(L, rt, idx);
  return (o != NULL && o->kind == (uint8_t)kind) ? o : NULL;
}

/* The argument, which must be of that kind, else an argument error. */
void *asy_checkkind(lua_State *L, int arg, asy_kind kind);

/* Raises "<name> expected, got <what it is>" for the argument. */
int asy_typeerror(lua_State *L, int arg, const char *expected);

/* The name of a kind: "asyncio.Task". */
const char *asy_kindname(asy_kind kind);

#endif
