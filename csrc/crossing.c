/*
** Parcels: their memory, and their form as bytes for another process.
*/
#include <stdlib.h>

#include "loopref.h"
#include "parcel.h"

#define MAGIC UINT32_C(0x4c415031)


/* {====== Bytes ====== */

/* A sum of the bytes that any damage is all but sure to change. */
static uint64_t sum_of(const char *bytes, size_t len) {
  uint64_t sum = len ^ UINT64_C(0x9e3779b97f4a7c15), word;
  for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
    memcpy(&word, bytes, sizeof(word));
    sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
    sum ^= sum >> 32;
  }
  for (word = 0; len > 0; len--)
    word = word << 8 | (uint8_t)bytes[len - 1];
  sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
  return sum ^ sum >> 32;
}


const char *asy_parcel_bytes(asy_parcel *p, size_t *len) {
  asy_parcel_head head;
  *len = p->size;
  if (p->sealed)
    return p->bytes;
  head.magic = MAGIC;
  head.count = (uint32_t)p->count;
  head.sum = sum_of(p->bytes + ASY_PARCEL_HEAD, p->size - ASY_PARCEL_HEAD);
  memcpy(p->bytes, &head, sizeof(head));
  p->sealed = true;
  return p->bytes;
}


asy_parcel *asy_parcel_room(uint64_t len, char **bytes) {
  asy_parcel *p = NULL;
  if (len < SIZE_MAX / 2)
    p = (asy_parcel *)malloc(sizeof(asy_parcel) + (size_t)len);
  if (p == NULL)
    return NULL;
  memset(p, 0, sizeof(*p));
  p->size = (size_t)len;
  *bytes = p->bytes;
  return p;
}


/* The same with or without looking at the sum. */
static bool is_filled(asy_parcel *p, bool checked) {
  asy_parcel_head head;
  if (p->size < ASY_PARCEL_HEAD)
    return false;
  memcpy(&head, p->bytes, sizeof(head));
  p->count = (int)head.count;
  return head.magic == MAGIC && head.count <= p->size &&
         (!checked || head.sum == sum_of(p->bytes + ASY_PARCEL_HEAD,
                                         p->size - ASY_PARCEL_HEAD));
}


bool asy_parcel_filled(asy_parcel *p) {
  return is_filled(p, true);
}


static asy_parcel *from_bytes(const char *bytes, size_t len, bool checked) {
  char *to;
  asy_parcel *p = asy_parcel_room(len, &to);
  if (p == NULL)
    return NULL;
  memcpy(to, bytes, len);
  if (is_filled(p, checked))
    return p;
  asy_parcel_free(p);
  return NULL;
}


asy_parcel *asy_parcel_frombytes(const char *bytes, size_t len) {
  return from_bytes(bytes, len, true);
}

/* }====== */


asy_shared *asy_cross_toshared(lua_State *L, asy_object *o) {
  if (o->kind == ASY_CHANNEL || o->kind == ASY_LOOPREF)
    return ((asy_proxy *)o)->shared;
  if (o->kind == ASY_LOOP)
    return asy_loopref_of(L, (asy_loop *)o);
  return NULL;
}


int asy_parcel_count(const asy_parcel *p) {
  return p->count;
}


void asy_parcel_free(asy_parcel *p) {
  if (p == NULL)
    return;
  for (uint32_t i = 0; i < p->nshared; i++)
    asy_shared_unref(p->shared[i]);
  free(p->shared);
  free(p);
}


/* {====== Taking ====== */

/* Calls 'f', which gets the parcel as a light userdata and the values of the
** stack, and frees it. */
static int with_parcel(lua_State *L, asy_parcel *p, lua_CFunction f) {
  int status, n = lua_gettop(L);
  lua_pushcfunction(L, f);
  lua_pushlightuserdata(L, p);
  status = lua_pcall(L, 1, LUA_MULTRET, 0);
  asy_parcel_free(p);
  if (status != LUA_OK)
    return lua_error(L);
  return lua_gettop(L) - n;
}


static int unpack_parcel(lua_State *L) {
  return asy_parcel_unpack(L, (asy_parcel *)lua_touserdata(L, 1));
}


int asy_parcel_take(lua_State *L, asy_parcel *p) {
  return with_parcel(L, p, unpack_parcel);
}


bool asy_parcel_isnil(const asy_parcel *p) {
  return p->count == 0 || (uint8_t)p->bytes[ASY_PARCEL_HEAD] == OP_NIL;
}

/* }====== */


/* {====== For specs and benchmarks; not public ====== */

static int push_bytes(lua_State *L) {
  size_t len;
  const char *bytes =
      asy_parcel_bytes((asy_parcel *)lua_touserdata(L, 1), &len);
  lua_pushlstring(L, bytes, len);
  return 1;
}


/* crossing_copy(...): what another Lua state would get */
static int crossing_copy(lua_State *L) {
  static const asy_packing how = {"argument", 1, false};
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  return with_parcel(L, asy_parcel_pack(L, 1, lua_gettop(L), &how),
                     unpack_parcel);
}


/* crossing_pack(...): the same as bytes, for another process */
static int crossing_pack(lua_State *L) {
  static const asy_packing how = {"argument", 1, true};
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  return with_parcel(L, asy_parcel_pack(L, 1, lua_gettop(L), &how), push_bytes);
}


/* crossing_unpack(bytes, unchecked): the values, or an error; unless
** 'unchecked' the sum of the bytes must be right. */
static int crossing_unpack(lua_State *L) {
  size_t len;
  const char *bytes = luaL_checklstring(L, 1, &len);
  asy_parcel *p;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  p = from_bytes(bytes, len, !lua_toboolean(L, 2));
  if (p == NULL)
    return luaL_error(L, "malformed parcel");
  return with_parcel(L, p, unpack_parcel);
}


void asy_crossing_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"crossing_copy", crossing_copy},
      {"crossing_pack", crossing_pack},
      {"crossing_unpack", crossing_unpack},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
  asy_crossname_open(L);
  asy_shared_open(L);
}

/* }====== */
