/*
** Unpacking. Nothing here owns memory, so all may raise. The bytes may come
** from another process: they are checked as far as nothing but bytecode can do
** harm, whose sum was checked as a whole.
*/
#include <limits.h>

#include "coroutine.h"
#include "error.h"
#include "parcel.h"

#define STACK_STEP 512 /* slots that are made sure of at once */

typedef struct reader {
  lua_State *L;
  asy_rt *rt;
  const asy_parcel *parcel;
  const char *begin, *at, *end;
  int kept;  /* index of the table of what comes again, or of nil */
  int depth; /* values above that */
  int room;  /* for values above that */
} reader;


static int malformed(reader *r) {
  return luaL_error(r->L, "malformed parcel, at byte %d",
                    (int)(r->at - r->begin));
}


/* {====== Bytes ====== */

static inline size_t left(const reader *r) {
  return (size_t)(r->end - r->at);
}


/* The next 'n' bytes. */
static inline const char *get_bytes(reader *r, uint64_t n) {
  const char *bytes = r->at;
  if (asy_unlikely(n > left(r)))
    malformed(r);
  r->at += n;
  return bytes;
}


static inline uint8_t get_byte(reader *r) {
  return (uint8_t)*get_bytes(r, 1);
}


static uint64_t get_number(reader *r) {
  uint64_t n = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte = get_byte(r);
    n |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80)
      return n;
  }
  malformed(r);
  return 0;
}


static uint32_t get_word(reader *r) {
  uint32_t n;
  memcpy(&n, get_bytes(r, sizeof(n)), sizeof(n));
  return n;
}

/* }====== */


/* {====== The stack ====== */

/* One more value has been pushed. */
static inline void pushed(reader *r) {
  if (asy_unlikely(++r->depth == r->room)) {
    r->room += STACK_STEP;
    luaL_checkstack(r->L, STACK_STEP + LUA_MINSTACK, "values nested too deep");
  }
}


/* There must be so many values, the lowest of which is a table. */
static inline void need_table(reader *r, int n) {
  if (asy_unlikely(r->depth < n || !lua_istable(r->L, -n)))
    malformed(r);
}


/* Keeps the value on the top, which was made by the operation there. */
static void keep(reader *r, size_t at) {
  lua_State *L = r->L;
  if (!lua_istable(L, r->kept)) {
    lua_newtable(L);
    lua_replace(L, r->kept);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, r->kept, (lua_Integer)at);
}


/* Pushes the value that was made by an operation. */
static void push_kept(reader *r) {
  uint64_t at = get_number(r);
  if (!lua_istable(r->L, r->kept) ||
      lua_rawgeti(r->L, r->kept, (lua_Integer)at) == LUA_TNIL)
    malformed(r);
}

/* }====== */


/* {====== Values ====== */

static void push_string(reader *r, uint64_t len) {
  lua_pushlstring(r->L, get_bytes(r, len), (size_t)len);
}


static void push_text(reader *r) {
  push_string(r, get_number(r));
}


static void push_integer(reader *r) {
  uint64_t n = get_number(r);
  lua_Integer i = (lua_Integer)(n >> 1);
  lua_pushinteger(r->L, n & 1 ? -i : i);
}


static void push_wide(reader *r) {
  lua_Integer i;
  memcpy(&i, get_bytes(r, sizeof(i)), sizeof(i));
  lua_pushinteger(r->L, i);
}


static void push_float(reader *r) {
  lua_Number n;
  memcpy(&n, get_bytes(r, sizeof(n)), sizeof(n));
  lua_pushnumber(r->L, n);
}


/* Its elements and fields must be in the bytes that follow. */
static void push_table(reader *r) {
  uint32_t elements = get_word(r), fields = get_word(r);
  if (asy_unlikely(elements > left(r) || fields > left(r) / 3))
    malformed(r);
  lua_createtable(r->L, elements < INT_MAX ? (int)elements : INT_MAX,
                  fields < INT_MAX ? (int)fields : INT_MAX);
}


static void set_list(reader *r) {
  int n = get_byte(r);
  uint64_t i = get_number(r) + (uint64_t)n;
  need_table(r, n + 1);
  for (int k = n; k > 0; k--)
    lua_rawseti(r->L, -k - 1, (lua_Integer)--i);
  r->depth -= n;
}


static void set_field(reader *r) {
  need_table(r, 3);
  lua_rawset(r->L, -3);
  r->depth -= 2;
}

/* }====== */


/* {====== Functions ====== */

typedef struct chunk {
  const char *code;
  size_t len;
} chunk;


static const char *read_chunk(lua_State *L, void *ud, size_t *len) {
  chunk *c = (chunk *)ud;
  (void)L;
  *len = c->len;
  c->len = 0;
  return c->code;
}


static void push_function(reader *r) {
  chunk c;
  c.len = get_word(r);
  c.code = get_bytes(r, c.len);
  if (lua_load(r->L, read_chunk, &c, "=?", "b") != LUA_OK)
    lua_error(r->L);
}


/* Raises unless the value at 'idx' is a Lua function with that upvalue. */
static void need_upvalue(reader *r, int idx, int upvalue) {
  if (!lua_isfunction(r->L, idx) || lua_iscfunction(r->L, idx) ||
      lua_getupvalue(r->L, idx, upvalue) == NULL)
    malformed(r);
  lua_pop(r->L, 1);
}


static void push_async(reader *r) {
  lua_pushnil(r->L);
  asy_coroutine_wrap(r->L, r->rt);
}


/* A coroutine function has one upvalue that crosses. */
static bool is_async(reader *r, int upvalue) {
  return upvalue == ASY_COROUTINE_FUNCTION &&
         asy_coroutine_isfunction(r->L, -2) && lua_isfunction(r->L, -1);
}


static void set_upvalue(reader *r) {
  int upvalue = get_byte(r);
  if (r->depth < 2)
    malformed(r);
  if (!is_async(r, upvalue))
    need_upvalue(r, -2, upvalue);
  lua_setupvalue(r->L, -2, upvalue);
  r->depth--;
}


static void join_upvalue(reader *r) {
  int upvalue = get_byte(r), other;
  if (r->depth < 1)
    malformed(r);
  need_upvalue(r, -1, upvalue);
  push_kept(r);
  other = get_byte(r);
  need_upvalue(r, -1, other);
  lua_upvaluejoin(r->L, -2, upvalue, -1, other);
  lua_pop(r->L, 1);
}

/* }====== */


/* {====== What crosses by name ====== */

static void push_module(reader *r) {
  push_text(r);
  asy_cross_pushmodule(r->L, lua_tostring(r->L, -1));
  lua_remove(r->L, -2);
}


static void push_member(reader *r) {
  lua_State *L = r->L;
  push_text(r);
  asy_cross_pushmodule(L, lua_tostring(L, -1));
  push_text(r); /* module's name, module, field's name */
  lua_pushvalue(L, -1);
  if (lua_gettable(L, -3) == LUA_TNIL)
    luaL_error(L, "module '%s' has no '%s' in this Lua state",
               lua_tostring(L, -4), lua_tostring(L, -2));
  lua_replace(L, -4);
  lua_pop(L, 2);
}


static void push_shared(reader *r) {
  uint64_t n = get_number(r);
  asy_shared *s;
  if (n >= r->parcel->nshared)
    malformed(r);
  s = r->parcel->shared[n];
  s->ops->push(r->L, r->rt, s);
}


/* The table below the class on the top becomes an instance. */
static void set_class(reader *r) {
  need_table(r, 2);
  if (!asy_error_isclass(r->L, r->rt, -1))
    malformed(r);
  lua_setmetatable(r->L, -2);
  r->depth--;
}


static void set_metatable(reader *r) {
  need_table(r, 1);
  push_text(r);
  asy_cross_pushmeta(r->L, r->rt);
  lua_setmetatable(r->L, -2);
}

/* }====== */


/* {====== The machine ====== */

/* These return whether the operation has pushed a value. */
static bool do_rare(reader *r, int op) {
  lua_State *L = r->L;
  switch (op) {
  case OP_FUNCTION: push_function(r); return true;
  case OP_UPVALUE: set_upvalue(r); return false;
  case OP_JOIN: join_upvalue(r); return false;
  case OP_GLOBALS:
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    return true;
  case OP_MODULE: push_module(r); return true;
  case OP_MEMBER: push_member(r); return true;
  case OP_CLASS:
    push_text(r);
    asy_error_ofchain(L, r->rt);
    return true;
  case OP_INSTANCE: set_class(r); return false;
  case OP_METATABLE: set_metatable(r); return false;
  case OP_SHARED: push_shared(r); return true;
  case OP_ASYNC: push_async(r); return true;
  default: malformed(r); return false;
  }
}


static bool do_op(reader *r, int op) {
  lua_State *L = r->L;
  switch (op) {
  case OP_NIL: lua_pushnil(L); return true;
  case OP_FALSE:
  case OP_TRUE: lua_pushboolean(L, op == OP_TRUE); return true;
  case OP_INTEGER: push_wide(r); return true;
  case OP_INT: push_integer(r); return true;
  case OP_FLOAT: push_float(r); return true;
  case OP_SHORT: push_string(r, get_byte(r)); return true;
  case OP_LONG: push_text(r); return true;
  case OP_TABLE: push_table(r); return true;
  case OP_LIST: set_list(r); return false;
  case OP_FIELD: set_field(r); return false;
  case OP_AGAIN: push_kept(r); return true;
  default: return do_rare(r, op);
  }
}


static void unpack_all(reader *r) {
  while (r->at < r->end) {
    size_t at = (size_t)(r->at - r->begin);
    int op = (uint8_t)*r->at++, plain = op & ~OP_KEEP;
    if (plain >= OP_SMALL) {
      lua_pushinteger(r->L, plain - OP_SMALL + SMALL_MIN);
      pushed(r);
    } else if (do_op(r, plain)) {
      pushed(r);
    }
    if (op != plain) {
      if (r->depth < 1)
        malformed(r);
      keep(r, at);
    }
  }
}


int asy_parcel_unpack(lua_State *L, const asy_parcel *p) {
  reader r = {L,
              asy_rt_of(L),
              p,
              p->bytes,
              p->bytes + ASY_PARCEL_HEAD,
              p->bytes + p->size,
              0,
              0,
              STACK_STEP};
  luaL_checkstack(L, STACK_STEP + LUA_MINSTACK, NULL);
  lua_pushnil(L);
  r.kept = lua_gettop(L);
  unpack_all(&r);
  if (r.depth != p->count)
    malformed(&r);
  lua_remove(L, r.kept);
  return p->count;
}

/* }====== */
