/*
** Reading up to a separator: readuntil, readline, lines.
*/
#include <string.h>

#include "error.h"
#include "reading.h"


/* Where a separator was found: the bytes before it, and with it. */
typedef struct found {
  size_t before, with;
} found;


/* Looks for the separator in the buffer from 'from' on; keeps the find that
** ends first. */
static bool find_one(const asy_buf *b, size_t from, const char *sep, size_t n,
                     found *f) {
  const char *data = asy_buf_bytes(b), *p = data + from;
  const char *end = data + asy_buf_length(b);
  while ((size_t)(end - p) >= n &&
         (p = (const char *)memchr(p, *sep, (size_t)(end - p) - n + 1)) !=
             NULL) {
    if (memcmp(p, sep, n) == 0) {
      size_t before = (size_t)(p - data);
      if (f->with == 0 || before + n < f->with)
        *f = (found){before, before + n};
      return true;
    }
    p++;
  }
  return false;
}


/* Looks for the separators at index 2, a string or a list of strings. Sets the
** length of the longest. */
static found find_any(lua_State *L, asy_reader *r, size_t from,
                      size_t *longest) {
  found f = {0, 0};
  size_t n;
  if (lua_type(L, 2) == LUA_TSTRING) {
    const char *sep = lua_tolstring(L, 2, longest);
    if (r->buf.data != NULL)
      find_one(&r->buf, from, sep, *longest, &f);
    return f;
  }
  *longest = 0;
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) {
    const char *sep = lua_tolstring(L, -1, &n);
    if (n > *longest)
      *longest = n;
    if (r->buf.data != NULL)
      find_one(&r->buf, from, sep, n, &f);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return f;
}


/* Raises a LimitOverrunError after 'consumed' bytes. */
static int overrun(lua_State *L, asy_reader *r, const char *message,
                   size_t consumed) {
  asy_error_push(L, r->rt, ASY_LIMIT_OVERRUN_ERROR, "%s", message);
  lua_pushinteger(L, (lua_Integer)consumed);
  lua_setfield(L, -2, "consumed");
  return lua_error(L);
}


/* Looks for a separator from *from on. True when it was found, or the data has
** ended; raises a LimitOverrunError, before which a line (a read with 'drop')
** is taken out of the buffer. */
static bool look(lua_State *L, asy_reader *r, lua_KContext *from, bool drop,
                 found *f) {
  size_t longest, length = asy_buf_length(&r->buf), checked;
  *f = find_any(L, r, (size_t)*from, &longest);
  if (f->with != 0) {
    if (f->before <= r->limit)
      return true;
    if (drop)
      asy_buf_consume(&r->buf, f->with);
    overrun(L, r, "separator is found, but the chunk is longer than the limit",
            f->before);
  }
  checked = length + 1 > longest ? length + 1 - longest : 0;
  if (checked > r->limit) {
    if (drop)
      asy_buf_consume(&r->buf, length);
    overrun(L, r, "separator is not found, and the chunk exceeds the limit",
            checked);
  }
  *from = (lua_KContext)checked;
  return r->eof;
}


static int read_until(lua_State *L, int status, lua_KContext from) {
  asy_reader *r = asy_reading_enter(L, status, "readuntil");
  found f;
  if (!look(L, r, &from, false, &f))
    return asy_reading_wait(L, r, asy_buf_length(&r->buf) + 1, "readuntil",
                            from, read_until);
  if (f.with == 0)
    return asy_reading_incomplete(L, r, -1);
  return asy_reading_take(L, r, f.with);
}


/* Every separator must be a string, and not empty. */
static void check_separators(lua_State *L) {
  lua_Integer n;
  if (lua_isnil(L, 2)) {
    lua_pushliteral(L, "\n");
    lua_replace(L, 2);
    return;
  }
  if (lua_type(L, 2) == LUA_TSTRING) {
    luaL_argcheck(L, lua_rawlen(L, 2) > 0, 2, "empty separator");
    return;
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  n = (lua_Integer)lua_rawlen(L, 2);
  luaL_argcheck(L, n > 0, 2, "no separators");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) > 0, 2,
                  "separators must be strings that are not empty");
    lua_pop(L, 1);
  }
}


/* reader:readuntil(separator or list of separators) */
static int reader_readuntil(lua_State *L) {
  asy_reading_reader(L);
  lua_settop(L, 2);
  check_separators(L);
  return read_until(L, LUA_OK, 0);
}


/* The next line of the reader at 1, without its newline if 'strip' is true at
** 3; the separator is at 2. */
static int read_line(lua_State *L, int status, lua_KContext from) {
  asy_reader *r = asy_reading_enter(L, status, "readline");
  size_t length;
  found f;
  if (!look(L, r, &from, true, &f))
    return asy_reading_wait(L, r, asy_buf_length(&r->buf) + 1, "readline", from,
                            read_line);
  if (f.with != 0) {
    if (!lua_toboolean(L, 3))
      return asy_reading_take(L, r, f.with);
    lua_pushlstring(L, asy_buf_bytes(&r->buf), f.before);
    asy_reading_take(L, r, f.with);
    lua_pop(L, 1);
    return 1;
  }
  length = asy_buf_length(&r->buf);
  if (length > 0)
    return asy_reading_take(L, r, length);
  asy_reading_check(L, r);
  lua_pushnil(L);
  return 1;
}


static int start_line(lua_State *L, bool strip) {
  lua_settop(L, 1);
  lua_pushliteral(L, "\n");
  lua_pushboolean(L, strip);
  return read_line(L, LUA_OK, 0);
}


/* reader:readline() */
static int reader_readline(lua_State *L) {
  asy_reading_reader(L);
  return start_line(L, false);
}


static int next_line(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  return start_line(L, true);
}


/* for line in reader:lines() do */
static int reader_lines(lua_State *L) {
  asy_reading_reader(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_line, 2);
  return 1;
}


void asy_readline_add(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"readuntil", reader_readuntil},
      {"readline", reader_readline},
      {"lines", reader_lines},
      {NULL, NULL},
  };
  asy_setfuncs(L, methods);
}
