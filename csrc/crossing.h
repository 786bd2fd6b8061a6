/*
** Values that cross to another Lua state: a parcel holds them as bytes, without
** any Lua in it, so that it may go from thread to thread. What several states
** share by nature, channels and loops, crosses as a reference.
*/
#ifndef asy_crossing_h
#define asy_crossing_h

#include "shared.h"

/* Values on their way. Whoever has it owns it, one thread at a time. */
typedef struct asy_parcel asy_parcel;

/* How values are packed. */
typedef struct asy_packing {
  const char *what; /* for messages: "argument", "result" */
  int number;       /* of the first value, for these */
  bool flat;        /* for another process: nothing that is shared */
} asy_packing;

/* Packs the 'count' values from index 'first' on, and leaves them there. What
** cannot cross raises "argument 2: field 'conn': a userdata cannot cross ...";
** then, or without memory, there is no parcel. */
asy_parcel *asy_parcel_pack(lua_State *L, int first, int count,
                            const asy_packing *how);

/* Pushes the values and returns how many these are. May raise, and may call
** 'require'; the parcel stays the caller's, and can be unpacked again. */
int asy_parcel_unpack(lua_State *L, const asy_parcel *p);

/* The same, and frees it, also when it raises. */
int asy_parcel_take(lua_State *L, asy_parcel *p);

/* Whether the first value is nil, or there is none. */
bool asy_parcel_isnil(const asy_parcel *p);

/* Frees it; also without a Lua state, in any thread, and NULL. Never raises. */
void asy_parcel_free(asy_parcel *p);

/* The parcel as bytes, for another process of this very program: valid until it
** is freed. It was packed with 'flat'. After the first call any thread may. */
const char *asy_parcel_bytes(asy_parcel *p, size_t *len);

/* A parcel of such bytes, which are copied: also without a Lua state. NULL when
** they are not what was written, or there is no memory. */
asy_parcel *asy_parcel_frombytes(const char *bytes, size_t len);

/* A parcel with room for so many of such bytes, which the caller writes there;
** then, whether these are what was written, without which it can only be freed.
** NULL without memory. */
asy_parcel *asy_parcel_room(uint64_t len, char **bytes);
bool asy_parcel_filled(asy_parcel *p);

/* How many values are in it. */
int asy_parcel_count(const asy_parcel *p);

void asy_crossing_open(lua_State *L);

#endif
