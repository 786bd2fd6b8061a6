/*
** Options: what is wrong with their names, and what was probably meant.
*/
#include "options.h"

#include <string.h>

#define LONGEST 40 /* letters of a name; longer ones are like no other */
#define CLOSE 2    /* edits between names that are mistaken for one another */
#define PREFIX 3   /* letters in common that are enough */
#define FAR (LONGEST + 1)

#define MOST 24 /* names of a function in Lua */


/* {====== What was meant ====== */

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}


/* How many letters must be put in, left out or replaced to make one name of the
** other; neither is longer than LONGEST. */
static size_t edits(const char *a, size_t alen, const char *b, size_t blen) {
  size_t row[LONGEST + 1];
  for (size_t j = 0; j <= blen; j++)
    row[j] = j;
  for (size_t i = 1; i <= alen; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= blen; j++) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
    }
  }
  return row[blen];
}


/* How far a key is from a name. Few edits make anything of a short key; where one
** begins with the other, that is worse than to have mistyped it. */
static size_t distance(const char *key, size_t len, const char *name) {
  size_t namelen = strlen(name), n = FAR;
  if (len <= LONGEST && namelen <= LONGEST)
    n = edits(key, len, name, namelen);
  if (n <= CLOSE && 2 * n <= len)
    return n;
  n = least(len, namelen);
  return n >= PREFIX && memcmp(key, name, n) == 0 ? CLOSE + 1 : FAR;
}


/* The name that is closest to the key; NULL when none is close. */
static const char *closest(const char *key, size_t len,
                           const char *const *names) {
  const char *best = NULL;
  size_t shortest = FAR;
  for (; *names != NULL; names++) {
    size_t n = distance(key, len, *names);
    if (n < shortest) {
      shortest = n;
      best = *names;
    }
  }
  return best;
}

/* }====== */


/* {====== What is unknown ====== */

static bool is_known(const char *key, size_t len, const char *const *names) {
  for (; *names != NULL; names++)
    if (strlen(*names) == len && memcmp(*names, key, len) == 0)
      return true;
  return false;
}


/* Pushes the message for the key at 'idx', and returns it. */
static const char *unknown(lua_State *L, int idx, const char *const *names) {
  size_t len;
  const char *key, *meant;
  switch (lua_type(L, idx)) {
  case LUA_TSTRING: break;
  case LUA_TNUMBER:
  case LUA_TBOOLEAN:
    return lua_pushfstring(L, "unknown option %s",
                           luaL_tolstring(L, idx, NULL));
  default:
    return lua_pushfstring(L, "unknown option, a %s", luaL_typename(L, idx));
  }
  key = lua_tolstring(L, idx, &len);
  meant = closest(key, len, names);
  if (meant == NULL)
    return lua_pushfstring(L, "unknown option '%s'", key);
  return lua_pushfstring(L, "unknown option '%s'; did you mean '%s'?", key,
                         meant);
}


const char *asy_options_unknown(lua_State *L, int idx,
                                const char *const *names) {
  luaL_checkstack(L, 4, NULL);
  for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
    size_t len = 0;
    const char *key =
        lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &len) : NULL;
    if (asy_unlikely(key == NULL || !is_known(key, len, names)))
      return unknown(L, lua_gettop(L) - 1, names);
  }
  return NULL;
}


void asy_options_check(lua_State *L, int idx, const char *const *names) {
  const char *message;
  if (asy_likely(lua_isnoneornil(L, idx)))
    return;
  luaL_checktype(L, idx, LUA_TTABLE);
  message = asy_options_unknown(L, idx, names);
  if (asy_unlikely(message != NULL))
    luaL_argerror(L, idx, message);
}


/* unknown_option(options, names): what is wrong with the keys of the table, whose
** names are in the list; nil when nothing is */
static int unknown_option(lua_State *L) {
  const char *names[MOST + 1];
  lua_Integer n;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  n = (lua_Integer)lua_rawlen(L, 2);
  luaL_argcheck(L, n <= MOST, 2, "too many names");
  for (lua_Integer i = 0; i < n; i++) {
    lua_rawgeti(L, 2, i + 1);
    names[i] = luaL_checkstring(L, -1); /* which the list keeps */
    lua_pop(L, 1);
  }
  names[n] = NULL;
  if (asy_options_unknown(L, 1, names) == NULL)
    lua_pushnil(L);
  return 1;
}

/* }====== */


bool asy_optflag(lua_State *L, int idx, const char *name, bool otherwise) {
  bool is = otherwise;
  if (lua_isnoneornil(L, idx))
    return otherwise;
  if (lua_getfield(L, idx, name) != LUA_TNIL)
    is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}


void asy_options_open(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"unknown_option", unknown_option},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
