/*
** The memory of packing, and what it says about values that cannot cross.
*/
#include "packer.h"

#include <stdlib.h>

#define SEEN 256 /* objects, for which there is room at first */


/* {====== Memory ====== */

void asy_pack_nomemory(lua_State *L) {
  luaL_error(L, "not enough memory");
  abort(); /* never */
}


void asy_pack_grow(asy_packer *k, size_t n) {
  size_t room = k->room * 2 + n;
  asy_parcel *p = (asy_parcel *)realloc(k->p, sizeof(asy_parcel) + room);
  if (p == NULL)
    asy_pack_nomemory(k->L);
  k->p = p;
  k->room = room;
}


void asy_pack_free(asy_packer *k) {
  free(k->frames);
  free(k->seen);
  free(k->strings);
}

/* }====== */


/* {====== What was met before ====== */

/* The place of the object, or the free one where it belongs. */
static asy_packplace *find_place(asy_packplace *seen, size_t room,
                                 const void *key) {
  size_t i = asy_pack_hash(key, room);
  while (seen[i].key != NULL && seen[i].key != key)
    i = (i + 1) & (room - 1);
  return &seen[i];
}


static void grow_seen(asy_packer *k) {
  size_t room = k->seen_room == 0 ? SEEN : k->seen_room * 4;
  asy_packplace *seen = (asy_packplace *)calloc(room, sizeof(asy_packplace));
  if (seen == NULL)
    asy_pack_nomemory(k->L);
  for (size_t i = 0; i < k->seen_room; i++)
    if (k->seen[i].key != NULL)
      *find_place(seen, room, k->seen[i].key) = k->seen[i];
  free(k->seen);
  k->seen = seen;
  k->seen_room = room;
}


/* The place of the object, with key NULL when it is new. Only valid until the
** next call. */
asy_packplace *asy_pack_lookup(asy_packer *k, const void *key) {
  if (asy_unlikely(k->nseen * 2 >= k->seen_room))
    grow_seen(k);
  return find_place(k->seen, k->seen_room, key);
}


void asy_pack_note(asy_packer *k, asy_packplace *s, const void *key,
                   uint64_t at) {
  s->key = key;
  s->at = at;
  k->nseen++;
}


/* Notes the loaded modules, which cross by their names. */
void asy_pack_modules(asy_packer *k) {
  lua_State *L = k->L;
  k->modules = true;
  asy_cross_pushloaded(L);
  if (lua_istable(L, -1)) {
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
      const void *key = lua_topointer(L, -1);
      if (lua_type(L, -2) == LUA_TSTRING && key != NULL &&
          (lua_istable(L, -1) || lua_isfunction(L, -1))) {
        asy_packplace *s = asy_pack_lookup(k, key);
        if (s->key == NULL)
          asy_pack_note(k, s, key, ASY_PACK_MODULE);
      }
    }
  }
  lua_pop(L, 1);
}

/* }====== */


/* {====== What cannot cross ====== */

/* Pushes what leads from a table or function to its part on the way. */
static void push_step(asy_packer *k, const asy_packframe *f) {
  lua_State *L = k->L;
  if (f->function && lua_iscfunction(L, f->idx)) {
    lua_pushliteral(L, "coroutine function: ");
  } else if (f->function) {
    lua_Debug ar;
    const char *name = lua_getupvalue(L, f->idx, f->upvalue);
    lua_pop(L, name != NULL);
    lua_pushvalue(L, f->idx);
    lua_getinfo(L, ">S", &ar);
    lua_pushfstring(L, "upvalue '%s' of function %s:%d: ",
                    name != NULL ? name : "?", ar.short_src, ar.linedefined);
  } else if (f->phase == ASY_PACK_KEY) {
    lua_pushliteral(L, "key: ");
  } else if (lua_type(L, f->idx + 1) == LUA_TSTRING) {
    lua_pushfstring(L, "field '%s': ", lua_tostring(L, f->idx + 1));
  } else {
    luaL_tolstring(L, f->idx + 1, NULL);
    lua_pushfstring(L, "[%s]: ", lua_tostring(L, -1));
    lua_remove(L, -2);
  }
}


#define MAX_STEPS 12 /* are shown of those that lead to it */

/* Raises that what is at 'idx' cannot cross: "argument 2: field 'conn': a
** userdata cannot cross to another Lua state". */
int asy_pack_cannot(asy_packer *k, const char *what) {
  lua_State *L = k->L;
  int begin = lua_gettop(L);
  luaL_checkstack(L, MAX_STEPS + LUA_MINSTACK, NULL);
  luaL_where(L, 2); /* who called the function that packs */
  lua_pushfstring(L, "%s %d: ", k->how->what, k->how->number + k->value);
  for (int i = 0; i < k->depth; i++) {
    if (k->depth > MAX_STEPS && i == MAX_STEPS / 2) {
      lua_pushliteral(L, "...: ");
      i = k->depth - MAX_STEPS / 2;
    }
    push_step(k, &k->frames[i]);
  }
  lua_pushfstring(L, "%s cannot cross to another %s", what,
                  k->how->flat ? "process" : "Lua state");
  lua_concat(L, lua_gettop(L) - begin);
  return lua_error(L);
}


/* The same for the value on the top, by its type. */
int asy_pack_cannottype(asy_packer *k) {
  lua_State *L = k->L;
  const char *type = luaL_typename(L, -1);
  if (luaL_getmetafield(L, -1, "__name") == LUA_TSTRING)
    lua_pushfstring(L, "%s (%s)", type, lua_tostring(L, -1));
  else
    lua_pushstring(L, type);
  return asy_pack_cannot(k, lua_tostring(L, -1));
}

/* }====== */
