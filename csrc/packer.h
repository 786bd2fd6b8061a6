/*
** What packing a parcel needs while it goes on: the bytes so far, what was met
** before, and where in the values it is. Known to packer.c, crossput.c and
** crossout.c only.
*/
#ifndef asy_packer_h
#define asy_packer_h

#include "parcel.h"

#define ASY_PACK_SMALL 240         /* for which there is room at first */
#define ASY_PACK_MODULE UINT64_MAX /* an object that is a loaded module */

/* Where an object was met; the keys of a hash table with open addressing. */
typedef struct asy_packplace {
  const void *key;
  uint64_t at;
} asy_packplace;

typedef enum asy_packphase {
  ASY_PACK_NEXT,    /* the next field, or upvalue */
  ASY_PACK_ELEMENT, /* one of a list has been packed */
  ASY_PACK_KEY,     /* the key has been packed */
  ASY_PACK_VALUE    /* the value has been packed */
} asy_packphase;

/* A table or function some of whose parts have been packed; it is at 'idx' of
** the stack, and above it is the key it is at. */
typedef struct asy_packframe {
  size_t at; /* of its operation */
  int idx;
  uint8_t phase;
  uint8_t batch;   /* elements that are not in a list yet */
  uint8_t upvalue; /* of a function: the current one, from 1 */
  bool function;
  uint64_t elements;
  uint64_t fields;
} asy_packframe;

typedef struct asy_packer {
  lua_State *L;
  asy_rt *rt;
  const asy_packing *how;
  int value; /* which is packed now, from 0 */
  asy_parcel *p;
  size_t room; /* for bytes in 'p' */
  asy_packframe *frames;
  int depth, frames_room;
  asy_packplace *seen; /* tables, functions, upvalues */
  size_t nseen, seen_room;
  asy_packplace *strings;
  bool modules; /* those loaded are among 'seen' */
} asy_packer;

/* {====== packer.c; what raises leaves the memory to asy_pack_free ====== */

asy_noreturn void asy_pack_nomemory(lua_State *L);

/* More room, by 'n' bytes at least. */
void asy_pack_grow(asy_packer *k, size_t n);

/* The place of the object, with key NULL when it is new. Only valid until the
** next call. */
asy_packplace *asy_pack_lookup(asy_packer *k, const void *key);

/* Notes an object whose place was free. */
void asy_pack_note(asy_packer *k, asy_packplace *s, const void *key,
                   uint64_t at);

/* Notes the loaded modules, which cross by their names. */
void asy_pack_modules(asy_packer *k);

/* Raises that what it is at cannot cross: "argument 2: field 'conn': thread
** cannot cross to another Lua state"; the same for the value on the top, by its
** type. */
int asy_pack_cannot(asy_packer *k, const char *what);
int asy_pack_cannottype(asy_packer *k);

/* Frees all but the parcel. */
void asy_pack_free(asy_packer *k);

static inline size_t asy_pack_hash(const void *key, size_t room) {
  uint64_t h = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(h >> 32) & (room - 1);
}

/* }====== */

/* {====== Bytes ====== */

/* Room for 'n' bytes at the end. */
static inline char *asy_pack_reserve(asy_packer *k, size_t n) {
  if (asy_unlikely(k->room - k->p->size < n))
    asy_pack_grow(k, n);
  return k->p->bytes + k->p->size;
}

static inline void asy_pack_byte(asy_packer *k, int byte) {
  *asy_pack_reserve(k, 1) = (char)byte;
  k->p->size++;
}

static inline void asy_pack_bytes(asy_packer *k, const void *bytes, size_t n) {
  memcpy(asy_pack_reserve(k, n), bytes, n);
  k->p->size += n;
}

static inline void asy_pack_number(asy_packer *k, uint64_t n) {
  char *to = asy_pack_reserve(k, 10);
  size_t len = 0;
  for (; n >= 0x80; n >>= 7)
    to[len++] = (char)(n | 0x80);
  to[len++] = (char)n;
  k->p->size += len;
}

static inline void asy_pack_op(asy_packer *k, int op, const void *bytes,
                               size_t n) {
  char *to = asy_pack_reserve(k, n + 1);
  *to = (char)op;
  memcpy(to + 1, bytes, n);
  k->p->size += n + 1;
}

/* The value that was made by the operation there. */
static inline void asy_pack_again(asy_packer *k, uint64_t at) {
  k->p->bytes[at] = (char)(k->p->bytes[at] | OP_KEEP);
  asy_pack_byte(k, OP_AGAIN);
  asy_pack_number(k, at);
}

/* }====== */

/* {====== Values without parts, on the top: crossput.c ====== */

void asy_pack_integer(asy_packer *k, lua_Integer n);
void asy_pack_string(asy_packer *k);

/* The loaded module, and what several states share. */
void asy_pack_module(asy_packer *k);
void asy_pack_userdata(asy_packer *k);

/* What crosses by the two names on the top, which it pops. */
void asy_pack_member(asy_packer *k);

/* An operation with the string on the top, which it pops. */
void asy_pack_named(asy_packer *k, int op);

/* The class at 'idx'. */
void asy_pack_class(asy_packer *k, int idx);

/* }====== */

#endif
