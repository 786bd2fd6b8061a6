/*
** Context variables. A context holds a table of variable -> value, which copies
** share until one of them sets something. As long as no variable was ever set
** in this Lua state there are no contexts, and tasks cost nothing for them.
*/
#include "context.h"

#include "error.h"
#include "task.h"

typedef struct asy_context {
  asy_rt *rt;
  uint8_t kind;
  bool shared;  /* the table is another context's too */
  bool entered; /* inside ctx:run */
} asy_context;

typedef struct asy_token {
  asy_rt *rt;
  uint8_t kind;
  bool used;
} asy_token;

#define CTX_VARS 1 /* user value of a context */

#define VAR_NAME 1 /* user values of a variable */
#define VAR_DEFAULT 2
#define VAR_VALUES 2

#define TOKEN_VAR 1 /* user values of a token */
#define TOKEN_OLD 2 /* as in the table: absent when there was none */
#define TOKEN_CONTEXT 3
#define TOKEN_VALUES 3

static const char nil_key = 0; /* stands for nil in a table of values */


static asy_context *context_new(lua_State *L, asy_rt *rt) {
  asy_context *ctx =
      (asy_context *)asy_new(L, rt, ASY_CONTEXT, sizeof(asy_context), 1);
  lua_newtable(L);
  lua_setiuservalue(L, -2, CTX_VARS);
  return ctx;
}


/* Pushes the context of the task at 'idx', or nil. */
static int get_context(lua_State *L, int idx) {
  asy_task *t = (asy_task *)lua_touserdata(L, idx);
  if (t->tflags & ASY_TASK_CONTEXT)
    return lua_getiuservalue(L, idx, ASY_TASK_CONTEXT_VALUE);
  return asy_future_getextra(L, idx, "context");
}


void asy_context_settask(lua_State *L, int idx) {
  asy_task *t = (asy_task *)lua_touserdata(L, idx);
  if (t->tflags & ASY_TASK_CONTEXT)
    lua_setiuservalue(L, idx, ASY_TASK_CONTEXT_VALUE);
  else
    asy_future_setextra(L, idx, "context");
}


void asy_context_pushtask(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  if (get_context(L, idx) == LUA_TUSERDATA)
    return;
  lua_pop(L, 1);
  context_new(L, ((asy_object *)lua_touserdata(L, idx))->rt);
  lua_pushvalue(L, -1);
  asy_context_settask(L, idx);
}


/* Pushes the current context, made when missing. */
static asy_context *push_current(lua_State *L, asy_rt *rt) {
  if (rt->task != NULL) {
    asy_task_push(L, rt->task);
    asy_context_pushtask(L, -1);
    lua_remove(L, -2);
  } else if (rt->context != LUA_NOREF) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->context);
  } else {
    context_new(L, rt);
    lua_pushvalue(L, -1);
    rt->context = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return (asy_context *)lua_touserdata(L, -1);
}


/* Pushes a copy of the context on the top in its place. */
static void copy_context(lua_State *L, asy_rt *rt) {
  asy_context *ctx = (asy_context *)lua_touserdata(L, -1), *copy;
  copy = (asy_context *)asy_new(L, rt, ASY_CONTEXT, sizeof(asy_context), 1);
  lua_getiuservalue(L, -2, CTX_VARS);
  lua_setiuservalue(L, -2, CTX_VARS);
  ctx->shared = copy->shared = true;
  lua_remove(L, -2);
}


void asy_context_copy(lua_State *L, asy_rt *rt) {
  push_current(L, rt);
  copy_context(L, rt);
}


int asy_context_enter(lua_State *L, asy_rt *rt, int idx, int uv) {
  int previous = rt->context;
  if (!rt->contexts)
    return previous;
  if (lua_getiuservalue(L, idx, uv) != LUA_TUSERDATA) {
    lua_pop(L, 1);
    context_new(L, rt);
  }
  rt->context = luaL_ref(L, LUA_REGISTRYINDEX);
  return previous;
}


void asy_context_leave(lua_State *L, asy_rt *rt, int previous) {
  if (rt->context == previous)
    return;
  luaL_unref(L, LUA_REGISTRYINDEX, rt->context);
  rt->context = previous;
}


/* {====== Values ====== */

/* Pushes the variable's entry in the context at 'ctx'; false when it has none,
** and nil is pushed. Nil as a value is the nil key here. */
static bool get_entry(lua_State *L, int ctx, int var) {
  lua_getiuservalue(L, ctx, CTX_VARS);
  lua_pushvalue(L, var);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return !lua_isnil(L, -1);
}


/* Turns the entry on the top into the value it stands for. */
static void entry_to_value(lua_State *L) {
  if (lua_touserdata(L, -1) == &nil_key) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}


/* Gives the context at 'ctx' a table of its own. */
static void unshare(lua_State *L, int ctx) {
  asy_context *c = (asy_context *)lua_touserdata(L, ctx);
  if (!c->shared)
    return;
  lua_newtable(L);
  lua_getiuservalue(L, ctx, CTX_VARS);
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
  lua_setiuservalue(L, ctx, CTX_VARS);
  c->shared = false;
}


/* Sets the variable's entry (nil to remove it) to the value on the top, which
** it pops. */
static void set_entry(lua_State *L, int ctx, int var) {
  int value = lua_gettop(L);
  unshare(L, ctx);
  lua_getiuservalue(L, ctx, CTX_VARS);
  lua_pushvalue(L, var);
  lua_pushvalue(L, value);
  lua_rawset(L, -3);
  lua_settop(L, value - 1);
}


static void check_var(lua_State *L, int arg) {
  asy_checkkind(L, arg, ASY_CONTEXTVAR);
}


/* var:get(default) */
static int var_get(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  int nargs = lua_gettop(L);
  check_var(L, 1);
  lua_settop(L, 2);
  push_current(L, rt);
  if (get_entry(L, 3, 1)) {
    entry_to_value(L);
    return 1;
  }
  if (nargs > 1) {
    lua_pushvalue(L, 2);
    return 1;
  }
  lua_getiuservalue(L, 1, VAR_DEFAULT);
  if (!lua_isnil(L, -1)) {
    entry_to_value(L);
    return 1;
  }
  lua_getiuservalue(L, 1, VAR_NAME);
  return asy_error_raise(L, ASY_LOOKUP_ERROR,
                         "context variable '%s' has no value and no default",
                         lua_tostring(L, -1));
}


/* var:set(value) returns a token */
static int var_set(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  check_var(L, 1);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  push_current(L, rt);
  asy_new(L, rt, ASY_TOKEN, sizeof(asy_token), TOKEN_VALUES);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 4, TOKEN_VAR);
  get_entry(L, 3, 1);
  lua_setiuservalue(L, 4, TOKEN_OLD);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 4, TOKEN_CONTEXT);
  if (lua_isnil(L, 2))
    lua_pushlightuserdata(L, (void *)&nil_key);
  else
    lua_pushvalue(L, 2);
  rt->contexts = true;
  set_entry(L, 3, 1);
  return 1;
}


/* var:reset(token) */
static int var_reset(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_token *token;
  check_var(L, 1);
  token = (asy_token *)asy_checkkind(L, 2, ASY_TOKEN);
  lua_settop(L, 2);
  lua_getiuservalue(L, 2, TOKEN_VAR);
  luaL_argcheck(L, lua_rawequal(L, 3, 1), 2, "token of another variable");
  if (token->used)
    return asy_error_raise(L, ASY_RUNTIME_ERROR, "token was used before");
  push_current(L, rt);
  lua_getiuservalue(L, 2, TOKEN_CONTEXT);
  luaL_argcheck(L, lua_rawequal(L, 4, 5), 2, "token of another context");
  token->used = true;
  lua_getiuservalue(L, 2, TOKEN_OLD);
  set_entry(L, 4, 1);
  return 0;
}

/* }====== */


/* {====== Lua's view ====== */

/* The guard of a ctx:run, a value to be closed: however the call ends, also by the
** end of its coroutine or its loop, the context before is current again. It may
** end in another task than it began in, where it is in a coroutine. */
#define GUARD_CONTEXT 1
#define GUARD_TASK 2 /* in which it began, or nil */
#define GUARD_PREVIOUS \
  3 /* the context that was current there, or, without a task, the reference
    ** of that */
#define GUARD_VALUES 3

/* Registry key of the metatable of guards. */
static const char guard_key = 0;

/* Stack of ctx:run; the message handler takes the place of the context. */
#define RUN_GUARD 1
#define RUN_MSGH 2


/* __close(guard) */
static int leave_run(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, GUARD_CONTEXT);
  ((asy_context *)lua_touserdata(L, -1))->entered = false;
  lua_getiuservalue(L, 1, GUARD_TASK);
  lua_getiuservalue(L, 1, GUARD_PREVIOUS);
  if (lua_isnil(L, -2))
    asy_context_leave(L, rt, (int)lua_tointeger(L, -1));
  else
    asy_context_settask(L, -2);
  return 0;
}


/* Pushes a guard of the context at 1, to be closed when it is entered. */
static void push_guard(lua_State *L, asy_rt *rt) {
  int guard = lua_gettop(L) + 1;
  lua_newuserdatauv(L, 0, GUARD_VALUES);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, guard, GUARD_CONTEXT);
  if (rt->task != NULL) {
    asy_task_push(L, rt->task);
    get_context(L, guard + 1);
    lua_setiuservalue(L, guard, GUARD_PREVIOUS);
  } else {
    lua_pushinteger(L, rt->context);
    lua_setiuservalue(L, guard, GUARD_PREVIOUS);
    lua_pushnil(L);
  }
  lua_setiuservalue(L, guard, GUARD_TASK);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &guard_key);
  lua_setmetatable(L, guard);
}


/* Makes the context at 'ctx' current. */
static void enter_run(lua_State *L, asy_rt *rt, int ctx) {
  if (rt->task != NULL) {
    asy_task_push(L, rt->task);
    lua_pushvalue(L, ctx);
    asy_context_settask(L, -2);
    lua_pop(L, 1);
  } else {
    lua_pushvalue(L, ctx);
    rt->context = luaL_ref(L, LUA_REGISTRYINDEX);
  }
}


static int run_done(lua_State *L, int status, lua_KContext c) {
  (void)c;
  if (status == LUA_OK || status == LUA_YIELD)
    return lua_gettop(L) - RUN_MSGH;
  return asy_task_rethrow(L, asy_rt_up(L));
}


/* ctx:run(fn, ...) */
static int context_run(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  asy_context *ctx = (asy_context *)asy_checkkind(L, 1, ASY_CONTEXT);
  int status;
  luaL_checkany(L, 2);
  push_current(L, rt);
  if (ctx->entered || lua_rawequal(L, -1, 1))
    return asy_error_raise(L, ASY_RUNTIME_ERROR,
                           "cannot enter a context that is entered already");
  lua_pop(L, 1);
  push_guard(L, rt);
  lua_insert(L, RUN_GUARD); /* guard, context, function, arguments */
  ctx->entered = true;
  lua_toclose(L, RUN_GUARD);
  enter_run(L, rt, RUN_MSGH);
  lua_pushcfunction(L, asy_task_msgh);
  lua_replace(L, RUN_MSGH);
  status = lua_pcallk(L, lua_gettop(L) - RUN_MSGH - 1, LUA_MULTRET, RUN_MSGH, 0,
                      run_done);
  return run_done(L, status, 0);
}


/* ctx:get(var, default) */
static int context_get(lua_State *L) {
  asy_checkkind(L, 1, ASY_CONTEXT);
  check_var(L, 2);
  lua_settop(L, 3);
  if (get_entry(L, 1, 2))
    entry_to_value(L);
  else
    lua_pushvalue(L, 3);
  return 1;
}


static int context_copy(lua_State *L) {
  asy_checkkind(L, 1, ASY_CONTEXT);
  lua_settop(L, 1);
  copy_context(L, asy_rt_up(L));
  return 1;
}


static int copy_current(lua_State *L) {
  asy_context_copy(L, asy_rt_up(L));
  return 1;
}


/* ContextVar(name, default) */
int asy_context_newvar(lua_State *L) {
  int nargs;
  lua_remove(L, 1); /* the class */
  nargs = lua_gettop(L);
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_settop(L, 2);
  asy_new(L, asy_rt_up(L), ASY_CONTEXTVAR, sizeof(asy_object), VAR_VALUES);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 3, VAR_NAME);
  if (nargs > 1 && lua_isnil(L, 2))
    lua_pushlightuserdata(L, (void *)&nil_key);
  else
    lua_pushvalue(L, 2);
  lua_setiuservalue(L, 3, VAR_DEFAULT);
  return 1;
}


/* Pushes the method or, for the field 'name', the user value 'uv'; true if it
** was the field. */
static bool index_field(lua_State *L, asy_kind kind, const char *name, int uv) {
  asy_rt *rt = asy_rt_up(L);
  asy_checkkind(L, 1, kind);
  lua_pushstring(L, name);
  if (lua_rawequal(L, 2, -1)) {
    lua_getiuservalue(L, 1, uv);
    return true;
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->meta[kind]);
  lua_getfield(L, -1, "__methods");
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return false;
}


static int var_index(lua_State *L) {
  index_field(L, ASY_CONTEXTVAR, "name", VAR_NAME);
  return 1;
}


static int token_index(lua_State *L) {
  if (!index_field(L, ASY_TOKEN, "var", TOKEN_VAR) &&
      index_field(L, ASY_TOKEN, "old_value", TOKEN_OLD))
    entry_to_value(L);
  return 1;
}


static int var_tostring(lua_State *L) {
  check_var(L, 1);
  lua_getiuservalue(L, 1, VAR_NAME);
  lua_pushfstring(L, "<ContextVar name='%s'>", lua_tostring(L, -1));
  return 1;
}


void asy_context_open(lua_State *L) {
  static const luaL_Reg var[] = {
      {"get", var_get},
      {"set", var_set},
      {"reset", var_reset},
      {NULL, NULL},
  };
  static const luaL_Reg varmeta[] = {
      {"__index", var_index},
      {"__tostring", var_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg tokenmeta[] = {{"__index", token_index}, {NULL, NULL}};
  static const luaL_Reg context[] = {
      {"run", context_run},
      {"get", context_get},
      {"copy", context_copy},
      {NULL, NULL},
  };
  static const luaL_Reg guard[] = {{"__close", leave_run}, {NULL, NULL}};
  static const luaL_Reg funcs[] = {
      {"copy_context", copy_current},
      {NULL, NULL},
  };
  asy_newmeta(L, ASY_CONTEXTVAR, "asyncio.ContextVar", var, varmeta, 0);
  asy_newmeta(L, ASY_TOKEN, "asyncio.Token", NULL, tokenmeta, 0);
  asy_newmeta(L, ASY_CONTEXT, "asyncio.Context", context, NULL, 0);
  lua_pop(L, 3);
  lua_newtable(L);
  asy_setfuncs(L, guard);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &guard_key);
  asy_setfuncs(L, funcs);
}

/* }====== */
