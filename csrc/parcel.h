/*
** What is inside a parcel: a program for a small stack machine. Each operation
** pushes a value, or puts those on the top into the one below; so neither side
** needs the C stack for values inside of values. Known to crossing.c, crossout.c,
** crossin.c and crossname.c only.
*/
#ifndef asy_parcel_h
#define asy_parcel_h

#include <string.h>

#include "crossing.h"

struct asy_parcel {
  asy_parcel *next;      /* for whoever has it */
  asy_parcel *next_ring; /* in a channel: the next with channels in it */
  int count;             /* of the values */
  bool sealed;           /* the head is there */
  uint32_t nshared;      /* objects in 'shared', */
  uint32_t shared_room;  /* of so many */
  asy_shared **shared;
  size_t size; /* of 'bytes', the head included */
  char bytes[];
};

/* The head of the bytes, which another process checks. */
typedef struct asy_parcel_head {
  uint32_t magic;
  uint32_t count;
  uint64_t sum; /* of all that follows */
} asy_parcel_head;

#define ASY_PARCEL_HEAD sizeof(asy_parcel_head)

/* Operations. A number in the bytes ("n") takes seven bits to a byte, the lowest
** first; a place ("at") is the number of bytes from the begin to an operation. */
enum {
  OP_NIL,
  OP_FALSE,
  OP_TRUE,
  OP_INTEGER,   /* eight bytes */
  OP_INT,       /* n, whose lowest bit is the sign */
  OP_FLOAT,     /* eight bytes */
  OP_SHORT,     /* a byte, the length, and a string */
  OP_LONG,      /* n and a string */
  OP_TABLE,     /* two times four bytes: room for elements, for fields */
  OP_LIST,      /* a byte and n: so many elements, the first of which is t[n] */
  OP_FIELD,     /* key and value into the table below */
  OP_FUNCTION,  /* four bytes and bytecode */
  OP_UPVALUE,   /* a byte: sets that upvalue */
  OP_JOIN,      /* a byte, at, a byte: it is that upvalue of that function */
  OP_AGAIN,     /* at: what was made there */
  OP_GLOBALS,   /* the table of globals */
  OP_MODULE,    /* a string: the loaded module */
  OP_MEMBER,    /* two strings: a field of a loaded module */
  OP_CLASS,     /* a string: an exception class and those above it */
  OP_INSTANCE,  /* gives the value below the class on the top */
  OP_METATABLE, /* a string: gives the value the metatable of that name */
  OP_SHARED,    /* n: an object that both share */
  OP_ASYNC,     /* a coroutine function, whose function is to be an upvalue */
  OP_LAST = OP_ASYNC,
  OP_SMALL = 0x20, /* from here on integers, the first of which is */
  SMALL_MIN = -16,
  SMALL_MAX = SMALL_MIN + 0x7f - OP_SMALL,
  OP_KEEP = 0x80 /* with an operation: its value comes again */
};

/* So many elements of a list are on the stack at once. */
#define ASY_PARCEL_BATCH 32

/* What several states share of the object on the top, or NULL. May raise. */
asy_shared *asy_cross_toshared(lua_State *L, asy_object *o);

/* {====== Names that both sides know: crossname.c ====== */

/* Pushes the module of that name, by 'require' unless it is loaded. */
void asy_cross_pushmodule(lua_State *L, const char *name);

void asy_crossname_open(lua_State *L);

/* Pushes package.loaded. */
void asy_cross_pushloaded(lua_State *L);

/* Pushes the name of the loaded module that the value on the top is; false, and
** nothing, when it is none. */
bool asy_cross_modulename(lua_State *L);

/* Pushes module and field names of the value on the top; false, and nothing,
** when it is no field of a loaded module. */
bool asy_cross_membername(lua_State *L);

/* Pushes the name of the metatable on the top; false, and nothing, when it has
** not been registered. */
bool asy_cross_metaname(lua_State *L, asy_rt *rt);

/* Replaces the name on the top by the metatable, loading its module if the name
** is "module:name". May raise. */
void asy_cross_pushmeta(lua_State *L, asy_rt *rt);

/* }====== */

#endif
