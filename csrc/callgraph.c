/*
** The call graph: the stack of a task, the stacks of those that await it, and
** so on. Nobody keeps lists of awaiters: they are found by looking at what each
** task waits for.
*/
#include "error.h"
#include "graph.h"
#include "nest.h"
#include "options.h"


/* {====== Frames ====== */

static void set_field(lua_State *L, const char *name, const char *value) {
  if (value == NULL)
    return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}


/* Appends the frame to the list on the top. */
static void add_frame(lua_State *L, const lua_Debug *ar) {
  lua_createtable(L, 0, 4);
  set_field(L, "source", ar->short_src);
  set_field(L, "name", ar->name);
  if (ar->currentline > 0) {
    lua_pushinteger(L, ar->currentline);
    lua_setfield(L, -2, "line");
  }
  if (ar->linedefined > 0) {
    lua_pushinteger(L, ar->linedefined);
    lua_setfield(L, -2, "linedefined");
  }
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}


/* Appends the frames of the threads inside the thread, and its own, the
** innermost first, to the list on the top; of L itself those from 'level' on. C
** functions without a name, such as the one that runs a task, are left out. */
static void add_frames(lua_State *L, lua_State *co, int level) {
  lua_Debug ar;
  lua_State *inner = co != L ? asy_nest_inner(co) : NULL;
  if (inner != NULL)
    add_frames(L, inner, level);
  for (int i = co == L ? level : 0; lua_getstack(co, i, &ar); i++) {
    lua_getinfo(co, "Sln", &ar);
    if (*ar.what != 'C' || ar.name != NULL)
      add_frame(L, &ar);
  }
}


/* Shortens the list on the top: to its first 'limit' frames, or, of a negative
** one, to its last. */
static void limit_frames(lua_State *L, lua_Integer limit) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1), from = 1, to = limit;
  if (limit < 0) {
    from = limit < -n ? 1 : n + limit + 1;
    to = n;
  }
  lua_newtable(L);
  for (lua_Integer i = from; i <= to && i <= n; i++) {
    lua_rawgeti(L, -2, i);
    lua_rawseti(L, -2, i - from + 1);
  }
  lua_remove(L, -2);
}

/* }====== */


/* {====== Awaiters ====== */

/* Notes that the task at 'task' waits for the object on the top, which it pops;
** false when that is known. 'map' is object -> list of tasks. */
static bool note_awaiter(lua_State *L, int map, int task) {
  lua_Integer n;
  bool is_new;
  lua_pushvalue(L, -1);
  if (lua_rawget(L, map) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, map);
  }
  n = (lua_Integer)lua_rawlen(L, -1);
  lua_rawgeti(L, -1, n);
  is_new = !lua_rawequal(L, -1, task);
  lua_pop(L, 1);
  if (is_new) {
    lua_pushvalue(L, task);
    lua_rawseti(L, -2, n + 1);
  }
  lua_pop(L, 2);
  return is_new;
}


/* Appends the list, or the single future, on the top to the list at 'todo';
** pops it. */
static void append(lua_State *L, int todo) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, todo);
  if (!lua_istable(L, -1)) {
    lua_rawseti(L, todo, n + 1);
    return;
  }
  for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++)
    lua_rawseti(L, todo, ++n);
  lua_pop(L, 2);
}


/* Notes everything that the task on the top, which it pops, waits for: the
** object, and the futures that this stands for. */
static void note_task(lua_State *L, asy_rt *rt, int map) {
  int task = lua_gettop(L), todo = task + 1;
  lua_newtable(L);
  if (asy_graph_pushon(L, (asy_task *)lua_touserdata(L, task)))
    lua_rawseti(L, todo, 1);
  lua_settop(L, todo);
  for (lua_Integer i = 1; lua_rawgeti(L, todo, i) != LUA_TNIL; i++) {
    lua_pushvalue(L, -1);
    if (note_awaiter(L, map, task) && asy_graph_pushmembers(L, rt, todo + 1))
      append(L, todo);
    lua_settop(L, todo);
  }
  lua_settop(L, task - 1);
}


/* Pushes the map of all that the loop's tasks wait for. */
static void push_awaiters(lua_State *L, asy_rt *rt, asy_loop *loop) {
  uint32_t n = asy_task_list(L, rt, loop);
  int list = lua_gettop(L), map = list + 1;
  lua_newtable(L);
  for (uint32_t i = 1; i <= n; i++) {
    lua_rawgeti(L, list, i);
    note_task(L, rt, map);
  }
  lua_remove(L, list);
}

/* }====== */


/* {====== Capturing ====== */

/* Stack of a capture. */
#define CAP_FUTURE 1
#define CAP_MAP 3   /* of awaiters */
#define CAP_NODES 4 /* future -> its node */
#define CAP_TODO 5  /* nodes whose awaiters are still to be filled in */

/* Pushes the node of the future at 'idx', made when missing. */
static void push_node(lua_State *L, int idx, int level, lua_Integer limit) {
  asy_future *f = (asy_future *)lua_touserdata(L, idx);
  idx = lua_absindex(L, idx);
  lua_pushvalue(L, idx);
  if (lua_rawget(L, CAP_NODES) != LUA_TNIL)
    return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 4);
  lua_pushvalue(L, idx);
  lua_setfield(L, -2, "future");
  if (f->kind == ASY_TASK) {
    lua_pushvalue(L, idx);
    lua_setfield(L, -2, "task");
    lua_newtable(L);
    if (((asy_task *)f)->co != NULL)
      add_frames(L, ((asy_task *)f)->co, level);
  } else {
    lua_newtable(L);
  }
  if (limit != LUA_MAXINTEGER)
    limit_frames(L, limit);
  lua_setfield(L, -2, "frames");
  lua_pushvalue(L, idx);
  lua_pushvalue(L, -2);
  lua_rawset(L, CAP_NODES);
  lua_pushvalue(L, -1);
  lua_rawseti(L, CAP_TODO, (lua_Integer)lua_rawlen(L, CAP_TODO) + 1);
}


/* Fills in 'awaited_by' of the node on the top, which it pops. */
static void fill_node(lua_State *L, lua_Integer limit) {
  int node = lua_gettop(L), tasks = node + 1, by = node + 2;
  lua_getfield(L, node, "future");
  lua_rawget(L, CAP_MAP);
  lua_newtable(L);
  if (lua_istable(L, tasks)) {
    for (lua_Integer i = 1; lua_rawgeti(L, tasks, i) != LUA_TNIL; i++) {
      push_node(L, -1, 0, limit);
      lua_rawseti(L, by, i);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_setfield(L, node, "awaited_by");
  lua_settop(L, node - 1);
}


static lua_Integer option(lua_State *L, const char *name, lua_Integer def) {
  lua_Integer n = def;
  int isnum = 1;
  if (lua_isnil(L, 2))
    return def;
  if (lua_getfield(L, 2, name) != LUA_TNIL)
    n = lua_tointegerx(L, -1, &isnum);
  if (!isnum) {
    lua_pushfstring(L, "field '%s' must be an integer", name);
    luaL_argerror(L, 2, lua_tostring(L, -1));
  }
  lua_pop(L, 1);
  return n;
}


/* capture_call_graph(future, {depth=, limit=}): of the running task when the
** future is nil; nil when there is none */
static int capture_call_graph(lua_State *L) {
  static const char *const names[] = {"depth", "limit", NULL};
  asy_rt *rt = asy_rt_up(L);
  asy_loop *loop;
  lua_Integer depth, limit;
  lua_settop(L, 2);
  asy_options_check(L, 2, names);
  depth = option(L, "depth", 1);
  limit = option(L, "limit", LUA_MAXINTEGER);
  luaL_argcheck(L, depth >= 0 && depth < INT32_MAX, 2,
                "field 'depth' is out of range");
  if (lua_isnil(L, CAP_FUTURE)) {
    if (rt->task == NULL) {
      lua_pushnil(L);
      return 1;
    }
    asy_task_push(L, rt->task);
    lua_replace(L, CAP_FUTURE);
  }
  loop = asy_checkfuture(L, CAP_FUTURE)->loop;
  push_awaiters(L, rt, loop);
  lua_newtable(L);
  lua_newtable(L);
  push_node(L, CAP_FUTURE, (int)depth, limit);
  for (lua_Integer i = 1; lua_rawgeti(L, CAP_TODO, i) != LUA_TNIL; i++)
    fill_node(L, limit);
  lua_pop(L, 1);
  return 1;
}

/* }====== */


void asy_callgraph_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"capture_call_graph", capture_call_graph},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
