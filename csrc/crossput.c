/*
** Packing values without parts, and what crosses by name.
*/
#include "packer.h"

#include <stdlib.h>

#include "error.h"

#define CACHED 512 /* strings, of those last seen */


void asy_pack_integer(asy_packer *k, lua_Integer n) {
  if (n >= SMALL_MIN && n <= SMALL_MAX) {
    asy_pack_byte(k, (int)(n - SMALL_MIN) + OP_SMALL);
  } else if (n > -(1 << 28) && n < 1 << 28) {
    asy_pack_byte(k, OP_INT);
    asy_pack_number(k, n < 0 ? (uint64_t)-n << 1 | 1 : (uint64_t)n << 1);
  } else {
    asy_pack_op(k, OP_INTEGER, &n, sizeof(n));
  }
}


static void put_text(asy_packer *k, const char *s, size_t len) {
  asy_pack_number(k, len);
  asy_pack_bytes(k, s, len);
}


static void put_string(asy_packer *k, const char *s, size_t len) {
  if (len <= 0xff) {
    char *to = asy_pack_reserve(k, len + 2);
    to[0] = OP_SHORT;
    to[1] = (char)len;
    memcpy(to + 2, s, len);
    k->p->size += len + 2;
  } else {
    asy_pack_byte(k, OP_LONG);
    put_text(k, s, len);
  }
}


/* Whether strings that come again are looked for; it does not pay before there
** are many bytes. */
static bool has_strings(asy_packer *k, size_t len) {
  if (asy_likely(k->strings != NULL))
    return true;
  if (k->p->size + len <= ASY_PACK_SMALL)
    return false;
  k->strings = (asy_packplace *)calloc(CACHED, sizeof(asy_packplace));
  if (k->strings == NULL)
    asy_pack_nomemory(k->L);
  return true;
}


/* Strings are compared by address. */
void asy_pack_string(asy_packer *k) {
  size_t len;
  const char *s = lua_tolstring(k->L, -1, &len);
  if (len > 2 && has_strings(k, len)) {
    asy_packplace *c = &k->strings[asy_pack_hash(s, CACHED)];
    if (c->key == s) {
      asy_pack_again(k, c->at);
      return;
    }
    c->key = s;
    c->at = k->p->size;
  }
  put_string(k, s, len);
}


/* A value that crosses by the two names on the top, which it pops. */
void asy_pack_member(asy_packer *k) {
  size_t len;
  const char *s;
  asy_pack_byte(k, OP_MEMBER);
  s = lua_tolstring(k->L, -2, &len);
  put_text(k, s, len);
  s = lua_tolstring(k->L, -1, &len);
  put_text(k, s, len);
  lua_pop(k->L, 2);
}


/* An operation with the string on the top, which it pops. */
void asy_pack_named(asy_packer *k, int op) {
  size_t len;
  const char *s = lua_tolstring(k->L, -1, &len);
  asy_pack_byte(k, op);
  put_text(k, s, len);
  lua_pop(k->L, 1);
}


/* The class at 'idx'. */
void asy_pack_class(asy_packer *k, int idx) {
  asy_error_pushchain(k->L, idx);
  asy_pack_named(k, OP_CLASS);
}


/* The loaded module on the top. */
void asy_pack_module(asy_packer *k) {
  if (asy_cross_modulename(k->L))
    asy_pack_named(k, OP_MODULE);
  else
    asy_pack_cannottype(k); /* never: it was there a moment ago */
}


/* Room for one more object. */
static void reserve_shared(asy_packer *k) {
  asy_parcel *p = k->p;
  uint32_t room = p->shared_room * 2 + 2;
  asy_shared **more;
  if (p->nshared < p->shared_room)
    return;
  more = (asy_shared **)realloc(p->shared, room * sizeof(asy_shared *));
  if (more == NULL)
    asy_pack_nomemory(k->L);
  p->shared = more;
  p->shared_room = room;
}


static void pack_shared(asy_packer *k, asy_shared *s) {
  reserve_shared(k);
  asy_pack_byte(k, OP_SHARED);
  asy_pack_number(k, k->p->nshared); /* may move the parcel */
  if (s->ops->share != NULL)
    s->ops->share(s);
  k->p->shared[k->p->nshared++] = asy_shared_ref(s);
}


void asy_pack_userdata(asy_packer *k) {
  lua_State *L = k->L;
  asy_shared *s = NULL;
  asy_object *o = asy_toobject(L, k->rt, -1);
  if (o != NULL)
    s = asy_cross_toshared(L, o);
  if (s != NULL && !k->how->flat)
    pack_shared(k, s);
  else
    asy_pack_cannottype(k);
}
