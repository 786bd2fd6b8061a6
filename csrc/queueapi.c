/*
** What Lua sees of queues: constructors, questions, the metatables.
**
** The field 'maxsize' lies beside the methods in the table __index, for a
** function there would make each call of a method three times as dear. So the
** queues of one kind and one size have a metatable of their own.
*/
#include "queue.h"

#include <string.h>

#include "error.h"


asy_itemq *asy_itemq_check(lua_State *L) {
  asy_object *o = asy_toobject(L, asy_rt_up(L), 1);
  if (asy_unlikely(!asy_itemq_is(o)))
    asy_typeerror(L, 1, asy_kindname(ASY_QUEUE));
  return (asy_itemq *)o;
}


/* {====== Making ====== */

/* Replaces the table on the top by a copy. */
static void copy_table(lua_State *L) {
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, -3) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
}


/* Pushes the metatable for queues of that kind and size, made when missing;
** the kind's own one keeps them, weakly. */
static void push_meta(lua_State *L, asy_rt *rt, asy_kind kind,
                      lua_Integer maxsize) {
  int base = lua_gettop(L) + 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[kind]);
  lua_getfield(L, base, "__sizes");
  if (lua_rawgeti(L, base + 1, maxsize) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushvalue(L, base);
    copy_table(L);
    lua_getfield(L, -1, "__methods");
    copy_table(L);
    lua_pushinteger(L, maxsize);
    lua_setfield(L, -2, "maxsize");
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -1);
    lua_rawseti(L, base + 1, maxsize);
  }
  lua_replace(L, base);
  lua_settop(L, base);
}


/* Makes a queue; the arguments are the class, which is removed, and the size. */
static asy_itemq *new_queue(lua_State *L, asy_kind kind,
                            const asy_items_ops *ops) {
  asy_rt *rt = asy_rt_up(L);
  lua_Integer maxsize;
  asy_itemq *q;
  lua_remove(L, 1);
  maxsize = luaL_optinteger(L, 1, 0);
  luaL_argcheck(L, maxsize >= 0, 1, "the size is negative (0 is no limit)");
  q = (asy_itemq *)asy_new(L, rt, kind, sizeof(*q), ASY_ITEMQ_VALUES);
  q->ops = ops;
  q->maxsize = maxsize;
  asy_list_init(&q->getters);
  asy_list_init(&q->putters);
  asy_list_init(&q->joiners);
  push_meta(L, rt, kind, maxsize);
  lua_setmetatable(L, -2);
  return q;
}


/* Queue(maxsize) */
int asy_itemq_newfifo(lua_State *L) {
  new_queue(L, ASY_QUEUE, &asy_items_fifo);
  return 1;
}


/* LifoQueue(maxsize) */
int asy_itemq_newlifo(lua_State *L) {
  new_queue(L, ASY_LIFOQUEUE, &asy_items_lifo);
  return 1;
}


/* PriorityQueue(maxsize, less) */
int asy_itemq_newheap(lua_State *L) {
  lua_settop(L, 3);
  new_queue(L, ASY_PRIORITYQUEUE, &asy_items_heap);
  if (lua_isnil(L, 2))
    return 1;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, ASY_ITEMS_LESS);
  return 1;
}

/* }====== */


/* {====== Asking ====== */

static int queue_qsize(lua_State *L) {
  lua_pushinteger(L, asy_itemq_size(asy_itemq_check(L)));
  return 1;
}


static int queue_empty(lua_State *L) {
  lua_pushboolean(L, asy_itemq_size(asy_itemq_check(L)) == 0);
  return 1;
}


static int queue_full(lua_State *L) {
  lua_pushboolean(L, asy_itemq_full(asy_itemq_check(L)));
  return 1;
}


static void set_count(lua_State *L, const char *name, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, name);
}


/* queue:statistics() */
static int queue_statistics(lua_State *L) {
  const asy_itemq *q = asy_itemq_check(L);
  lua_createtable(L, 0, 7);
  set_count(L, "qsize", asy_itemq_size(q));
  set_count(L, "maxsize", q->maxsize);
  set_count(L, "getters", asy_waitq_count(&q->getters));
  set_count(L, "putters", asy_waitq_count(&q->putters));
  set_count(L, "joiners", asy_waitq_count(&q->joiners));
  set_count(L, "unfinished", q->unfinished);
  lua_pushboolean(L, q->down);
  lua_setfield(L, -2, "shutdown");
  return 1;
}


/* Adds " name=n" to the string on the top, unless it is 0. */
static void add_count(lua_State *L, const char *name, lua_Integer n) {
  if (n == 0)
    return;
  lua_pushfstring(L, "%s %s=%I", lua_tostring(L, -1), name, (LUAI_UACINT)n);
  lua_remove(L, -2);
}


/* "<Queue maxsize=3 items=2 tasks=2>" */
static int queue_tostring(lua_State *L) {
  const asy_itemq *q = asy_itemq_check(L);
  const char *name = strchr(asy_kindname((asy_kind)q->kind), '.') + 1;
  lua_pushfstring(L, "<%s maxsize=%I", name, (LUAI_UACINT)q->maxsize);
  add_count(L, "items", asy_itemq_size(q));
  add_count(L, "getters", asy_waitq_count(&q->getters));
  add_count(L, "putters", asy_waitq_count(&q->putters));
  add_count(L, "tasks", q->unfinished);
  lua_pushfstring(L, "%s%s>", lua_tostring(L, -1), q->down ? " shutdown" : "");
  return 1;
}

/* }====== */


static void new_meta(lua_State *L, asy_kind kind, const luaL_Reg *methods,
                     asy_kind base) {
  static const luaL_Reg meta[] = {
      {"__tostring", queue_tostring},
      {NULL, NULL},
  };
  asy_newmeta(L, kind, asy_kindname(kind), methods, meta, base);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "__sizes");
  lua_pop(L, 1);
}


void asy_itemq_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"put", asy_itemq_put},
      {"get", asy_itemq_get},
      {"put_nowait", asy_itemq_putnowait},
      {"get_nowait", asy_itemq_getnowait},
      {"items", asy_itemq_items},
      {"task_done", asy_itemq_taskdone},
      {"join", asy_itemq_join},
      {"shutdown", asy_itemq_shutdown},
      {"qsize", queue_qsize},
      {"empty", queue_empty},
      {"full", queue_full},
      {"statistics", queue_statistics},
      {NULL, NULL},
  };
  new_meta(L, ASY_QUEUE, methods, 0);
  new_meta(L, ASY_LIFOQUEUE, NULL, ASY_QUEUE);
  new_meta(L, ASY_PRIORITYQUEUE, NULL, ASY_QUEUE);
}
