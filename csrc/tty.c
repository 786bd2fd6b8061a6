/*
** Terminals: the mode in which what is typed arrives, and the size. A stream that
** put its terminal into raw mode takes that back when it closes.
*/
#include "error.h"
#include "stream.h"


static void raw_detach(asy_handle *h) {
  uv_tty_set_mode(&h->uv.tty, UV_TTY_MODE_NORMAL);
  h->detach = asy_stream_detach;
  asy_stream_detach(h);
}


static bool is_raw(const asy_stream *s) {
  return s->h.detach == raw_detach;
}


static int set_mode(asy_stream *s, bool raw) {
  uv_tty_mode_t mode = raw ? UV_TTY_MODE_RAW : UV_TTY_MODE_NORMAL;
  int err = uv_tty_set_mode(&s->h.uv.tty, mode);
  if (err == 0)
    s->h.detach = raw ? raw_detach : asy_stream_detach;
  return err;
}


static int raise_os(lua_State *L, int err, const char *fname,
                    const asy_stream *s) {
  const char *what = s != NULL ? s->what : NULL;
  asy_error_os(L, asy_rt_up(L), err, fname, what);
  return lua_error(L);
}


/* The stream, which is a terminal, or an OSError. */
static asy_stream *check_terminal(lua_State *L, asy_stream *s,
                                  const char *fname) {
  if (s == NULL)
    raise_os(L, UV_EBADF, fname, s);
  else if (s->h.uv.any.type != UV_TTY)
    raise_os(L, UV_ENOTTY, fname, s);
  return s;
}


/* reader:set_mode(mode) returns which one it was (tty.lua makes a scope). */
static int reader_setmode(lua_State *L) {
  static const char *const names[] = {"normal", "raw", NULL};
  asy_reader *r = (asy_reader *)asy_checkkind(L, 1, ASY_READER);
  bool raw = luaL_checkoption(L, 2, NULL, names) == 1;
  asy_stream *s = check_terminal(L, r->stream, "set_mode");
  bool before = is_raw(s);
  int err = set_mode(s, raw);
  if (err != 0)
    return raise_os(L, err, "set_mode", s);
  lua_pushstring(L, names[before]);
  return 1;
}


/* writer:get_winsize() returns columns and rows */
static int writer_getwinsize(lua_State *L) {
  asy_writer *w = (asy_writer *)asy_checkkind(L, 1, ASY_WRITER);
  asy_stream *s = check_terminal(L, w->stream, "get_winsize");
  int columns, rows;
  int err = uv_tty_get_winsize(&s->h.uv.tty, &columns, &rows);
  if (err != 0)
    return raise_os(L, err, "get_winsize", s);
  lua_pushinteger(L, columns);
  lua_pushinteger(L, rows);
  return 2;
}


static void add_methods(lua_State *L, asy_kind kind, const luaL_Reg *methods) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, asy_rt_of(L)->meta[kind]);
  lua_getfield(L, -1, "__methods");
  asy_setfuncs(L, methods);
  lua_pop(L, 2);
}


void asy_tty_open(lua_State *L) {
  static const luaL_Reg reader[] = {{"set_mode", reader_setmode}, {NULL, NULL}};
  static const luaL_Reg writer[] = {
      {"get_winsize", writer_getwinsize},
      {NULL, NULL},
  };
  add_methods(L, ASY_READER, reader);
  add_methods(L, ASY_WRITER, writer);
}
