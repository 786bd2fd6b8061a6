/*
** Packing. What a parcel is made of lies in C memory until it is done, so all
** of that runs in a protected call; values inside of values are kept on the Lua
** stack. Next to nothing here makes Lua objects, since their finalizers could
** change the values meanwhile.
*/
#include <stdlib.h>

#include "coroutine.h"
#include "error.h"
#include "packer.h"


/* {====== Tables and functions ====== */

/* What is on the top has parts, which are to come. */
static void begin(asy_packer *k, bool function) {
  asy_packframe *f;
  if (k->depth == k->frames_room) {
    int room = k->frames_room * 2 + 16;
    asy_packframe *more = (asy_packframe *)realloc(
        k->frames, (size_t)room * sizeof(asy_packframe));
    if (more == NULL)
      asy_pack_nomemory(k->L);
    k->frames = more;
    k->frames_room = room;
  }
  if (asy_unlikely(!lua_checkstack(k->L, LUA_MINSTACK))) {
    lua_settop(k->L, 1);
    k->depth = 0;
    asy_pack_cannot(k, "table nested that deep");
  }
  f = &k->frames[k->depth++];
  memset(f, 0, sizeof(*f));
  f->at = k->p->size;
  f->idx = lua_gettop(k->L);
  f->phase = ASY_PACK_NEXT;
  f->function = function;
}


/* If the table on the top, which has a metatable, crosses by name as a whole,
** packs it so. */
static bool pack_bound(asy_packer *k) {
  lua_State *L = k->L;
  bool whole;
  if (asy_error_isclass(L, k->rt, -1)) {
    asy_pack_class(k, -1);
    return true;
  }
  if (asy_error_isany(L, k->rt, -1))
    return false;
  lua_getmetatable(L, -1);
  whole = !asy_cross_metaname(L, k->rt);
  lua_pop(L, whole ? 1 : 2);
  if (!whole)
    return false;
  if (!asy_cross_membername(L))
    asy_pack_cannot(k, "table with a metatable that is not registered");
  asy_pack_member(k);
  return true;
}


/* What the metatable of the finished table on the top is. */
static void put_meta(asy_packer *k) {
  lua_State *L = k->L;
  if (!lua_getmetatable(L, -1))
    return;
  if (asy_error_isclass(L, k->rt, -1)) {
    asy_pack_class(k, -1);
    asy_pack_byte(k, OP_INSTANCE);
  } else if (asy_cross_metaname(L, k->rt)) {
    asy_pack_named(k, OP_METATABLE);
  }
  lua_pop(L, 1);
}


/* Whether the object on the top needs no more: it was met before, or crosses by
** name. Else it is noted as made by the next operation. */
static bool pack_known(asy_packer *k) {
  const void *key = lua_topointer(k->L, -1);
  asy_packplace *s;
  if (asy_unlikely(!k->modules))
    asy_pack_modules(k);
  s = asy_pack_lookup(k, key);
  if (s->key == NULL) {
    asy_pack_note(k, s, key, k->p->size);
    return false;
  }
  if (s->at == ASY_PACK_MODULE)
    asy_pack_module(k);
  else
    asy_pack_again(k, s->at);
  return true;
}


/* These return whether it has parts, which are to come. */
static bool pack_table(asy_packer *k) {
  static const char room[8];
  if (pack_known(k))
    return false;
  if (lua_getmetatable(k->L, -1)) {
    lua_pop(k->L, 1);
    if (pack_bound(k))
      return false;
  }
  begin(k, false);
  asy_pack_op(k, OP_TABLE, room, sizeof(room));
  lua_pushnil(k->L); /* the key before the first */
  return true;
}


static int put_code(lua_State *L, const void *bytes, size_t n, void *ud) {
  (void)L;
  asy_pack_bytes((asy_packer *)ud, bytes, n);
  return 0;
}


/* Whether the function on the top is to cross by name if it can: it is of this
** library, or has an upvalue of a type that does not cross. */
static bool is_bound(asy_packer *k) {
  lua_State *L = k->L;
  lua_Debug ar;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &ar);
  if (strstr(ar.source, "/asyncio/") != NULL)
    return true;
  for (int i = 1; lua_getupvalue(L, -1, i) != NULL; i++) {
    int type = lua_type(L, -1);
    asy_object *o = asy_toobject(L, k->rt, -1);
    bool bound = type == LUA_TTHREAD || type == LUA_TLIGHTUSERDATA ||
                 (type == LUA_TUSERDATA &&
                  (o == NULL || asy_cross_toshared(L, o) == NULL));
    lua_pop(L, 1);
    if (bound)
      return true;
  }
  return false;
}


/* A coroutine function, on the top, is a function with the one upvalue that it
** was made of. */
static void pack_async(asy_packer *k) {
  begin(k, true);
  k->frames[k->depth - 1].upvalue = ASY_COROUTINE_FUNCTION - 1;
  asy_pack_byte(k, OP_ASYNC);
}


static bool pack_function(asy_packer *k) {
  lua_State *L = k->L;
  size_t at, size;
  uint32_t len;
  if (pack_known(k))
    return false;
  if (lua_iscfunction(L, -1) || is_bound(k)) {
    if (asy_cross_membername(L)) {
      asy_pack_member(k);
      return false;
    }
    if (asy_coroutine_isfunction(L, -1)) {
      pack_async(k);
      return true;
    }
    if (lua_iscfunction(L, -1))
      asy_pack_cannot(k, "C function");
  }
  begin(k, true);
  at = k->p->size;
  asy_pack_op(k, OP_FUNCTION, "\0\0\0", 4);
  lua_dump(L, put_code, k, 0);
  size = k->p->size - at - 5;
  if (size > UINT32_MAX)
    asy_pack_cannot(k, "function of that size");
  len = (uint32_t)size;
  memcpy(k->p->bytes + at + 1, &len, sizeof(len));
  return true;
}


/* Packs the value on the top, and pops it; but returns true if it has parts,
** which are to come. */
static bool pack_top(asy_packer *k) {
  lua_State *L = k->L;
  bool parts = false;
  switch (lua_type(L, -1)) {
  case LUA_TNIL: asy_pack_byte(k, OP_NIL); break;
  case LUA_TBOOLEAN:
    asy_pack_byte(k, lua_toboolean(L, -1) ? OP_TRUE : OP_FALSE);
    break;
  case LUA_TNUMBER:
    if (lua_isinteger(L, -1)) {
      asy_pack_integer(k, lua_tointeger(L, -1));
    } else {
      lua_Number n = lua_tonumber(L, -1);
      asy_pack_op(k, OP_FLOAT, &n, sizeof(n));
    }
    break;
  case LUA_TSTRING: asy_pack_string(k); break;
  case LUA_TTABLE: parts = pack_table(k); break;
  case LUA_TFUNCTION: parts = pack_function(k); break;
  case LUA_TUSERDATA: asy_pack_userdata(k); break;
  default: asy_pack_cannottype(k);
  }
  if (!parts)
    lua_pop(L, 1);
  return parts;
}

/* }====== */


/* {====== Parts ====== */

static uint32_t capped(uint64_t n) {
  return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}


static bool is_object(lua_State *L) {
  return lua_type(L, -1) >= LUA_TTABLE;
}


/* The elements that are on the other side's stack go into the table. */
static void put_list(asy_packer *k, asy_packframe *f) {
  if (f->batch == 0)
    return;
  asy_pack_byte(k, OP_LIST);
  asy_pack_byte(k, f->batch);
  asy_pack_number(k, f->elements - f->batch + 1);
  f->batch = 0;
}


/* All that is in the table has been packed. */
static void end_table(asy_packer *k, asy_packframe *f) {
  uint32_t room[2];
  put_list(k, f);
  room[0] = capped(f->elements);
  room[1] = capped(f->fields);
  memcpy(k->p->bytes + f->at + 1, room, sizeof(room));
  put_meta(k);
  lua_pop(k->L, 1);
  k->depth--;
}


/* Packs the element on the top. True if it has parts. */
static bool pack_element(asy_packer *k, asy_packframe *f) {
  f->phase = ASY_PACK_ELEMENT;
  if (f->batch == ASY_PARCEL_BATCH || is_object(k->L))
    put_list(k, f);
  f->elements++;
  f->batch++;
  return pack_top(k);
}


/* Goes on with the table until one of its parts has parts itself, or it is
** done. Above it is the key it is at. */
static void pack_fields(asy_packer *k, asy_packframe *f) {
  lua_State *L = k->L;
  for (;;) {
    switch ((asy_packphase)f->phase) {
    case ASY_PACK_NEXT:
    case ASY_PACK_ELEMENT:
      if (!lua_next(L, f->idx)) {
        end_table(k, f);
        return;
      }
      if (lua_isinteger(L, -2) &&
          (uint64_t)lua_tointeger(L, -2) == f->elements + 1) {
        if (pack_element(k, f))
          return;
        break;
      }
      put_list(k, f);
      f->fields++;
      f->phase = ASY_PACK_KEY;
      lua_pushvalue(L, -2);
      if (pack_top(k))
        return;
      /* FALLTHROUGH */
    case ASY_PACK_KEY:
      f->phase = ASY_PACK_VALUE;
      if (pack_top(k))
        return;
      /* FALLTHROUGH */
    case ASY_PACK_VALUE: asy_pack_byte(k, OP_FIELD); f->phase = ASY_PACK_NEXT;
    }
  }
}


/* The upvalue on the top, which is that of another function that was met; pops
** it. */
static void put_join(asy_packer *k, asy_packframe *f, uint64_t at) {
  size_t function = (size_t)(at >> 8);
  k->p->bytes[function] = (char)(k->p->bytes[function] | OP_KEEP);
  asy_pack_byte(k, OP_JOIN);
  asy_pack_byte(k, f->upvalue);
  asy_pack_number(k, function);
  asy_pack_byte(k, (int)(at & 0xff));
  lua_pop(k->L, 1);
}


/* Whether the upvalue on the top, a table, stands for the globals: it is named
** so, or is these under another name. */
static bool is_globals(lua_State *L, const char *name) {
  bool is;
  if (!lua_istable(L, -1))
    return false;
  if (strcmp(name, "_ENV") == 0)
    return true;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  is = lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  return is;
}


/* The same for the upvalues of a function. */
static void pack_upvalues(asy_packer *k, asy_packframe *f) {
  lua_State *L = k->L;
  for (;;) {
    asy_packplace *s;
    const void *id;
    const char *name;
    if (f->phase == ASY_PACK_VALUE) {
      asy_pack_byte(k, OP_UPVALUE);
      asy_pack_byte(k, f->upvalue);
    }
    f->phase = ASY_PACK_VALUE;
    name = lua_getupvalue(L, f->idx, ++f->upvalue);
    if (name == NULL) {
      lua_pop(L, 1);
      k->depth--;
      return;
    }
    id = lua_upvalueid(L, f->idx, f->upvalue);
    s = asy_pack_lookup(k, id);
    if (s->key != NULL) {
      put_join(k, f, s->at);
      f->phase = ASY_PACK_NEXT;
      continue;
    }
    asy_pack_note(k, s, id, (uint64_t)f->at << 8 | f->upvalue);
    if (is_globals(L, name)) {
      asy_pack_byte(k, OP_GLOBALS);
      lua_pop(L, 1);
    } else if (pack_top(k)) {
      return;
    }
  }
}


static void pack_parts(asy_packer *k) {
  asy_packframe *f = &k->frames[k->depth - 1];
  if (f->function)
    pack_upvalues(k, f);
  else
    pack_fields(k, f);
}


/* Packs the values from the second argument on. */
static int pack_values(lua_State *L) {
  asy_packer *k = (asy_packer *)lua_touserdata(L, 1);
  int n = lua_gettop(L) - 1;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  k->L = L;
  for (int i = 0; i < n; i++) {
    k->value = i;
    lua_pushvalue(L, i + 2);
    if (pack_top(k))
      while (k->depth > 0)
        pack_parts(k);
  }
  return 0;
}

/* }====== */


/* Leaves the parcel no more memory than it needs. */
static void trim(asy_packer *k) {
  asy_parcel *p;
  if (k->room - k->p->size < k->p->size / 8)
    return;
  p = (asy_parcel *)realloc(k->p, sizeof(asy_parcel) + k->p->size);
  if (p != NULL)
    k->p = p;
}


asy_parcel *asy_parcel_pack(lua_State *L, int first, int count,
                            const asy_packing *how) {
  asy_packer k;
  int status;
  first = lua_absindex(L, first);
  luaL_checkstack(L, count + 2, "too many values");
  memset(&k, 0, sizeof(k));
  k.rt = asy_rt_of(L);
  k.how = how;
  k.p = (asy_parcel *)malloc(sizeof(asy_parcel) + ASY_PACK_SMALL);
  if (k.p == NULL)
    asy_pack_nomemory(L);
  memset(k.p, 0, sizeof(asy_parcel) + ASY_PARCEL_HEAD);
  k.p->count = count;
  k.p->size = ASY_PARCEL_HEAD;
  k.room = ASY_PACK_SMALL;
  lua_pushcfunction(L, pack_values);
  lua_pushlightuserdata(L, &k);
  for (int i = 0; i < count; i++)
    lua_pushvalue(L, first + i);
  status = lua_pcall(L, count + 1, 0, 0);
  asy_pack_free(&k);
  if (status != LUA_OK) {
    asy_parcel_free(k.p);
    lua_error(L);
  }
  trim(&k);
  return k.p;
}
