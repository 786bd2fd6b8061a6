/*
** Exception classes. A class is the metatable of its instances and their
** __index, holds its name in 'name' and '__name' and the class above it in
** '__base'; its own metatable makes it callable and inherits the fields of its
** base. The C core knows the classes by number.
*/
#include "error.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#define MAX_BASES 1000 /* of a class */

static const struct {
  const char *name;
  asy_class base;
} class_list[ASY_CLASSES] = {
    [ASY_ERROR] = {"Error", 0},
    [ASY_CANCELLED_ERROR] = {"CancelledError", ASY_ERROR},
    [ASY_TIMEOUT_ERROR] = {"TimeoutError", ASY_ERROR},
    [ASY_INVALID_STATE_ERROR] = {"InvalidStateError", ASY_ERROR},
    [ASY_RUNTIME_ERROR] = {"RuntimeError", ASY_ERROR},
    [ASY_KEYBOARD_INTERRUPT] = {"KeyboardInterrupt", ASY_ERROR},
    [ASY_LOOKUP_ERROR] = {"LookupError", ASY_ERROR},
    [ASY_QUEUE_EMPTY] = {"QueueEmpty", ASY_ERROR},
    [ASY_QUEUE_FULL] = {"QueueFull", ASY_ERROR},
    [ASY_QUEUE_SHUTDOWN] = {"QueueShutDown", ASY_ERROR},
    [ASY_INCOMPLETE_READ_ERROR] = {"IncompleteReadError", ASY_ERROR},
    [ASY_LIMIT_OVERRUN_ERROR] = {"LimitOverrunError", ASY_ERROR},
    [ASY_BROKEN_BARRIER_ERROR] = {"BrokenBarrierError", ASY_ERROR},
    [ASY_EXCEPTION_GROUP] = {"ExceptionGroup", ASY_ERROR},
    [ASY_DEADLOCK_ERROR] = {"DeadlockError", ASY_ERROR},
    [ASY_OS_ERROR] = {"OSError", ASY_ERROR},
    [ASY_BROKEN_EXECUTOR] = {"BrokenExecutor", ASY_RUNTIME_ERROR},
};


void asy_error_class(lua_State *L, asy_rt *rt, asy_class cls) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->classes[cls]);
}


/* Replaces the message on the top by a table that holds it. */
static void make_instance(lua_State *L) {
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 0);
    return;
  }
  lua_createtable(L, 0, 2); /* a traceback may join it */
  lua_insert(L, -2);
  lua_setfield(L, -2, "message");
}


void asy_error_wrap(lua_State *L, asy_rt *rt, asy_class cls) {
  make_instance(L);
  asy_error_class(L, rt, cls);
  lua_setmetatable(L, -2);
}


void asy_error_push(lua_State *L, asy_rt *rt, asy_class cls, const char *fmt,
                    ...) {
  va_list args;
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  asy_error_wrap(L, rt, cls);
}


int asy_error_raise(lua_State *L, asy_class cls, const char *fmt, ...) {
  va_list args;
  bool misuse = cls == ASY_RUNTIME_ERROR || cls == ASY_INVALID_STATE_ERROR;
  if (misuse)
    luaL_where(L, 1);
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  if (misuse)
    lua_concat(L, 2);
  asy_error_wrap(L, asy_rt_of(L), cls);
  return lua_error(L);
}


void asy_error_memory(lua_State *L) {
  luaL_error(L, "not enough memory");
  for (;;)
    continue; /* never: that does not return */
}


void asy_error_osof(lua_State *L, asy_rt *rt, int err, const char *syscall,
                    const char *field, const char *what) {
  char name[64], text[128];
  uv_err_name_r(err, name, sizeof(name));
  uv_strerror_r(err, text, sizeof(text));
  if (what == NULL)
    lua_pushfstring(L, "%s: %s (%s)", syscall, text, name);
  else
    lua_pushfstring(L, "%s %s: %s (%s)", syscall, what, text, name);
  asy_error_wrap(L, rt, ASY_OS_ERROR);
  lua_pushstring(L, name);
  lua_setfield(L, -2, "code");
  lua_pushinteger(L, -err);
  lua_setfield(L, -2, "errno");
  lua_pushstring(L, syscall);
  lua_setfield(L, -2, "syscall");
  if (what != NULL) {
    lua_pushstring(L, what);
    lua_setfield(L, -2, field);
  }
}


void asy_error_os(lua_State *L, asy_rt *rt, int err, const char *syscall,
                  const char *what) {
  asy_error_osof(L, rt, err, syscall, "address", what);
}


/* Pushes the class of the value at 'idx', a table, or nothing; 'true' when
** something was pushed. A userdata of ours names its class in its metatable. */
static bool push_class(lua_State *L, int idx) {
  if (!lua_getmetatable(L, idx))
    return false;
  lua_pushliteral(L, "__class");
  if (lua_rawget(L, -2) == LUA_TTABLE) {
    lua_remove(L, -2);
    return true;
  }
  lua_pop(L, 1);
  return true;
}


/* Whether the class on the top, which is popped, is the one at that address or
** below it. Foreign tables may be their own bases. */
static bool is_below(lua_State *L, const void *cls) {
  bool is = false;
  for (int n = 0; n < MAX_BASES && lua_istable(L, -1) && !is; n++) {
    is = lua_topointer(L, -1) == cls;
    lua_pushliteral(L, "__base");
    lua_rawget(L, -2);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return is;
}


static bool is_instance(lua_State *L, int idx, const void *cls) {
  luaL_checkstack(L, 4, NULL);
  return push_class(L, idx) && is_below(L, cls);
}


bool asy_error_isinstance(lua_State *L, int idx, int cls) {
  return is_instance(L, idx, lua_topointer(L, cls));
}


/* Nearly always the class is the very one, which is seen at once. */
bool asy_error_is(lua_State *L, asy_rt *rt, int idx, asy_class cls) {
  bool same;
  if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
    return false;
  same = lua_topointer(L, -1) == rt->class_at[cls];
  lua_pop(L, 1);
  return same || is_instance(L, idx, rt->class_at[cls]);
}


bool asy_error_passes(lua_State *L, asy_rt *rt, int idx) {
  return asy_error_is(L, rt, idx, ASY_CANCELLED_ERROR) ||
         asy_error_is(L, rt, idx, ASY_KEYBOARD_INTERRUPT);
}


bool asy_error_isany(lua_State *L, asy_rt *rt, int idx) {
  return asy_error_is(L, rt, idx, ASY_ERROR);
}


bool asy_error_isclass(lua_State *L, asy_rt *rt, int idx) {
  if (!lua_istable(L, idx))
    return false;
  lua_pushvalue(L, idx);
  return is_below(L, rt->class_at[ASY_ERROR]);
}


void asy_error_instantiate(lua_State *L, asy_rt *rt, int idx) {
  idx = lua_absindex(L, idx);
  if (!asy_error_isclass(L, rt, idx))
    return;
  lua_pushnil(L);
  make_instance(L);
  lua_pushvalue(L, idx);
  lua_setmetatable(L, -2);
  lua_replace(L, idx);
}


void asy_error_nonil(lua_State *L) {
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushliteral(L, "<no error object>");
  }
}


static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}


const char *asy_error_text(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, idx);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    lua_pop(L, 1);
    lua_pushfstring(L, "(a %s that cannot be shown)", luaL_typename(L, idx));
  }
  return lua_tostring(L, -1);
}


/* {====== What Lua sees ====== */

/* class(message, fields): makes an instance; a table as second argument gives
** it more fields, and is the list of 'exceptions' of an ExceptionGroup. */
static int class_call(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  make_instance(L);
  lua_pushvalue(L, 1);
  lua_setmetatable(L, -2);
  lua_remove(L, 1); /* message, fields, instance */
  if (asy_error_is(L, rt, 3, ASY_EXCEPTION_GROUP)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_argcheck(L, lua_rawlen(L, 2) > 0, 2,
                  "a group needs an error at least");
    lua_pushvalue(L, 2);
    lua_setfield(L, 3, "exceptions");
    return 1;
  }
  if (lua_isnil(L, 2))
    return 1;
  luaL_checktype(L, 2, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 3);
  }
  return 1;
}


static int class_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "asyncio.");
  lua_pushliteral(L, "name");
  lua_rawget(L, 1);
  if (!lua_isstring(L, -1))
    return luaL_argerror(L, 1, "exception class expected");
  lua_concat(L, 2);
  return 1;
}


/* "TimeoutError: message", or the name alone. */
static int error_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (lua_getfield(L, 1, "name") != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushliteral(L, "Error");
  }
  if (lua_getfield(L, 1, "message") != LUA_TNIL) {
    const char *text = asy_error_text(L, -1);
    lua_pushfstring(L, "%s: %s", lua_tostring(L, 2), text);
    return 1;
  }
  lua_settop(L, 2);
  return 1;
}


/* An exception and a string, or two: as who expects errors to be strings puts
** them together. */
static int error_concat(lua_State *L) {
  lua_settop(L, 2);
  for (int i = 1; i <= 2; i++) {
    if (!lua_isstring(L, i) &&
        luaL_getmetafield(L, i, "__tostring") == LUA_TNIL)
      return luaL_error(L, "attempt to concatenate a %s value",
                        luaL_typename(L, i));
    luaL_tolstring(L, i, NULL);
    lua_replace(L, i);
    lua_settop(L, 2);
  }
  lua_concat(L, 2);
  return 1;
}


/* The class at 'class' takes the metamethod of the one at 'base' for its own. */
static void inherit(lua_State *L, int class, int base, const char *name) {
  lua_pushstring(L, name);
  lua_pushvalue(L, -1);
  lua_rawget(L, base);
  lua_rawset(L, class);
}


void asy_error_newclass(lua_State *L, asy_rt *rt, int name, int base) {
  static const luaL_Reg meta[] = {
      {"__call", class_call},
      {"__tostring", class_tostring},
      {NULL, NULL},
  };
  int class;
  lua_createtable(L, 0, 7);
  class = lua_gettop(L);
  lua_pushvalue(L, name);
  lua_setfield(L, -2, "name");
  lua_pushvalue(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_createtable(L, 0, 3);
  asy_setfuncs(L, meta);
  if (lua_istable(L, base)) {
    lua_pushvalue(L, base);
    lua_setfield(L, class, "__base");
    inherit(L, class, base, "__tostring");
    inherit(L, class, base, "__concat");
    lua_pushvalue(L, base);
    lua_setfield(L, -2, "__index");
  } else {
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, class, "__tostring");
    lua_pushcfunction(L, error_concat);
    lua_setfield(L, class, "__concat");
  }
  lua_setmetatable(L, -2);
  asy_error_register(L, rt);
}


/* exception(name, base): makes a class of one's own. */
static int exception(lua_State *L) {
  asy_rt *rt = asy_rt_up(L);
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    asy_error_class(L, rt, ASY_ERROR);
    lua_replace(L, 2);
  } else if (!asy_error_isclass(L, rt, 2)) {
    return asy_typeerror(L, 2, "exception class");
  }
  asy_error_newclass(L, rt, 1, 2);
  return 1;
}


/* misuse(message, level): raises the RuntimeError of a wrong state from Lua
** code; the position is that of the level, as of 'error'. */
static int misuse(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_where(L, (int)luaL_optinteger(L, 2, 1));
  lua_pushvalue(L, 1);
  lua_concat(L, 2);
  asy_error_wrap(L, asy_rt_up(L), ASY_RUNTIME_ERROR);
  return lua_error(L);
}


/* Whether the table at 'idx' can be asked for by isinstance. */
static bool names_class(lua_State *L, int idx) {
  bool named;
  if (!lua_istable(L, idx))
    return false;
  idx = lua_absindex(L, idx);
  lua_pushliteral(L, "__name");
  lua_rawget(L, idx);
  named = lua_type(L, -1) == LUA_TSTRING;
  lua_pop(L, 1);
  return named;
}


void asy_error_checkclasses(lua_State *L, int arg) {
  lua_Integer n;
  if (names_class(L, arg))
    return;
  n = lua_istable(L, arg) ? (lua_Integer)lua_rawlen(L, arg) : 0;
  if (n == 0)
    asy_typeerror(L, arg, "class or list of classes");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, arg, i);
    if (!names_class(L, -1))
      asy_typeerror(L, arg, "class or list of classes");
    lua_pop(L, 1);
  }
}


bool asy_error_isoneof(lua_State *L, int idx, int classes) {
  bool is = false;
  lua_Integer n;
  idx = lua_absindex(L, idx);
  if (names_class(L, classes))
    return asy_error_isinstance(L, idx, classes);
  n = (lua_Integer)lua_rawlen(L, classes);
  for (lua_Integer i = 1; i <= n && !is; i++) {
    lua_rawgeti(L, classes, i);
    is = asy_error_isinstance(L, idx, -1);
    lua_pop(L, 1);
  }
  return is;
}


/* isinstance(value, class or list of classes) */
static int isinstance(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 2);
  asy_error_checkclasses(L, 2);
  lua_pushboolean(L, asy_error_isoneof(L, 1, 2));
  return 1;
}


void asy_error_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"exception", exception},
      {"isinstance", isinstance},
      {"misuse", misuse},
      {NULL, NULL},
  };
  asy_rt *rt = asy_rt_of(L);
  int module = lua_gettop(L);
  asy_setfuncs(L, funcs);
  asy_error_openchains(L, rt);
  for (int i = ASY_ERROR; i < ASY_CLASSES; i++) {
    lua_pushstring(L, class_list[i].name);
    if (class_list[i].base != 0)
      asy_error_class(L, rt, class_list[i].base);
    else
      lua_pushnil(L);
    asy_error_newclass(L, rt, module + 1, module + 2);
    lua_pushvalue(L, -1);
    rt->class_at[i] = lua_topointer(L, -1);
    rt->classes[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_setfield(L, module, class_list[i].name);
    lua_settop(L, module);
  }
}

/* }====== */
