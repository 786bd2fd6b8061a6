/*
** Reading, writing and seeking. Reads are ahead, into a buffer of the file; the
** system keeps the position, which is at the end of that.
*/
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "stream.h"

#define MAX_STEP ((size_t)1 << 30) /* bytes at once: libuv counts in 32 bits */
#define KEEP ((size_t)1 << 17)     /* a larger buffer is freed when empty */
#define ALL SIZE_MAX


/* {====== Reading ====== */

static void read_begin(lua_State *L, asy_fd *d) {
  lua_Integer n = lua_tointeger(L, 2);
  d->need = n < 0 ? ALL : (size_t)n;
  d->offset = lua_tointeger(L, 3);
}


/* Reads more, behind what is there; at an offset no more than is needed. */
static asy_fscode fill(asy_fd *d, asy_fsargs *a) {
  asy_buf *b = asy_file_buffer(d);
  size_t length = asy_buf_length(b), room = asy_buf_reserve(b);
  if (room == 0) {
    d->err = UV_ENOMEM;
    return ASY_FS_CODES;
  }
  a->offset = d->offset;
  if (d->offset >= 0) {
    a->offset += (lua_Integer)length;
    if (room > d->need - length)
      room = d->need - length;
  }
  if (room > MAX_STEP)
    room = MAX_STEP;
  a->buf = uv_buf_init(b->data + b->end, (unsigned)room);
  return ASY_FS_READ;
}


static asy_fscode read_next(asy_fd *d, asy_fsargs *a) {
  if (d->eof || asy_buf_length(asy_file_buffer(d)) >= d->need)
    return ASY_FS_CODES;
  return fill(d, a);
}


/* Pushes the first 'n' bytes, less 'strip', and takes them out. */
static int take(lua_State *L, asy_fd *d, size_t n, size_t strip) {
  asy_buf *b = asy_file_buffer(d);
  lua_pushlstring(L, n > 0 ? asy_buf_bytes(b) : "", n - strip);
  asy_buf_consume(b, n);
  if (asy_buf_length(b) == 0 && (b->size > KEEP || d->offset >= 0))
    asy_buf_free(b);
  return 1;
}


static int read_finish(lua_State *L, asy_fd *d) {
  size_t length = asy_buf_length(asy_file_buffer(d));
  if (length > 0 || d->need == 0 || d->need == ALL)
    return take(L, d, length < d->need ? length : d->need, 0);
  lua_pushnil(L);
  return 1;
}


/* Sets 'need' to the length of the line when that is known. */
static asy_fscode line_next(asy_fd *d, asy_fsargs *a) {
  size_t length = asy_buf_length(&d->buf);
  const char *data = length > 0 ? asy_buf_bytes(&d->buf) : NULL;
  const char *newline =
      length > d->looked
          ? (const char *)memchr(data + d->looked, '\n', length - d->looked)
          : NULL;
  d->need = newline != NULL ? (size_t)(newline - data) + 1 : length;
  d->looked = length;
  if (newline != NULL || d->eof)
    return ASY_FS_CODES;
  return fill(d, a);
}


static int push_line(lua_State *L, asy_fd *d, bool strip) {
  if (d->need > 0)
    return take(L, d, d->need,
                strip && asy_buf_bytes(&d->buf)[d->need - 1] == '\n');
  lua_pushnil(L);
  return 1;
}


static int line_finish(lua_State *L, asy_fd *d) {
  return push_line(L, d, false);
}


static int lines_finish(lua_State *L, asy_fd *d) {
  return push_line(L, d, true);
}


static const asy_fileop read_op = {"read", "read", read_begin, read_next,
                                   read_finish};
static const asy_fileop line_op = {"readline", "read", NULL, line_next,
                                   line_finish};
static const asy_fileop lines_op = {"lines", "read", NULL, line_next,
                                    lines_finish};


/* The argument, an offset; nothing is the position, here -1. */
static lua_Integer check_offset(lua_State *L, int arg) {
  lua_Integer offset = -1;
  if (!lua_isnoneornil(L, arg)) {
    offset = luaL_checkinteger(L, arg);
    luaL_argcheck(L, offset >= 0, arg, "negative offset");
  }
  return offset;
}


/* The file is at 1, how much is wanted at 2. */
static int do_read(lua_State *L, lua_Integer offset) {
  lua_pushinteger(L, asy_stream_count(L, 2));
  lua_replace(L, 2);
  lua_settop(L, 2);
  lua_pushinteger(L, offset);
  return asy_file_do(L, &read_op);
}


/* file:read(n) */
static int file_read(lua_State *L) {
  asy_file_check(L, "read");
  lua_settop(L, 2);
  return do_read(L, -1);
}


/* fs.read(file, n, offset) */
static int fs_read(lua_State *L) {
  asy_file_check(L, "read");
  lua_settop(L, 3);
  return do_read(L, check_offset(L, 3));
}


/* file:readline() */
static int file_readline(lua_State *L) {
  asy_file_check(L, "readline");
  return asy_file_do(L, &line_op);
}


static int next_line(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  asy_file_check(L, "lines");
  return asy_file_do(L, &lines_op);
}


/* for line in file:lines() do */
static int file_lines(lua_State *L) {
  asy_file_check(L, "lines");
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_line, 2);
  return 1;
}

/* }====== */


/* {====== Writing ====== */

/* Takes back what was read ahead, where the system can. */
static void forget_ahead(asy_fd *d) {
  size_t length = asy_buf_length(&d->buf);
  if (length > 0 && lseek(d->fd, -(off_t)length, SEEK_CUR) >= 0)
    asy_buf_consume(&d->buf, length);
}


static void write_begin(lua_State *L, asy_fd *d) {
  forget_ahead(d);
  d->offset = lua_tointeger(L, 3);
  asy_file_anchor(L, d, 2);
  d->data = lua_tolstring(L, 2, &d->length);
}


static asy_fscode write_next(asy_fd *d, asy_fsargs *a) {
  if (d->length == 0)
    return ASY_FS_CODES;
  a->offset = d->offset;
  a->buf = uv_buf_init((char *)(uintptr_t)d->data,
                       (unsigned)(d->length < MAX_STEP ? d->length : MAX_STEP));
  return ASY_FS_WRITE;
}


static int write_finish(lua_State *L, asy_fd *d) {
  (void)d;
  lua_settop(L, 1);
  return 1;
}


static const asy_fileop write_op = {"write", "write", write_begin, write_next,
                                    write_finish};


/* file:write(data, ...) returns the file */
static int file_write(lua_State *L) {
  int n = lua_gettop(L);
  asy_file_check(L, "write");
  for (int i = 2; i == 2 || i <= n; i++)
    luaL_checkstring(L, i);
  lua_concat(L, n - 1);
  lua_pushinteger(L, -1);
  return asy_file_do(L, &write_op);
}


/* fs.write(file, data, offset) returns the file */
static int fs_write(lua_State *L) {
  lua_Integer offset;
  asy_file_check(L, "write");
  luaL_checkstring(L, 2);
  offset = check_offset(L, 3);
  lua_settop(L, 2);
  lua_pushinteger(L, offset);
  return asy_file_do(L, &write_op);
}


static asy_fscode sync_next(asy_fd *d, asy_fsargs *a) {
  (void)a;
  return d->steps == 0 ? ASY_FS_FSYNC : ASY_FS_CODES;
}


static const asy_fileop sync_op = {"sync", "fsync", NULL, sync_next, NULL};


/* file:sync() */
static int file_sync(lua_State *L) {
  asy_file_check(L, "sync");
  return asy_file_do(L, &sync_op);
}

/* }====== */


/* {====== Where, and what ====== */

/* Moves by the offset at 3 from what 2 says. A seek itself never waits. */
static void seek_begin(lua_State *L, asy_fd *d) {
  int whence = (int)lua_tointeger(L, 2);
  lua_Integer offset = lua_tointeger(L, 3);
  lua_Integer ahead = (lua_Integer)asy_buf_length(&d->buf);
  off_t position;
  if (whence == SEEK_CUR && offset < LUA_MININTEGER + ahead) {
    d->err = UV_EINVAL;
    return;
  }
  if (whence == SEEK_CUR)
    offset -= ahead;
  if ((lua_Integer)(off_t)offset != offset) { /* where off_t is small */
    d->err = UV_EINVAL;
    return;
  }
  position = lseek(d->fd, (off_t)offset, whence);
  if (position < 0)
    d->err = uv_translate_sys_error(errno);
  else
    asy_buf_consume(&d->buf, (size_t)ahead);
  d->position = (lua_Integer)position;
}


static asy_fscode no_next(asy_fd *d, asy_fsargs *a) {
  (void)d;
  (void)a;
  return ASY_FS_CODES;
}


static int seek_finish(lua_State *L, asy_fd *d) {
  lua_pushinteger(L, d->position);
  return 1;
}


static const asy_fileop seek_op = {"seek", "lseek", seek_begin, no_next,
                                   seek_finish};


/* file:seek(whence, offset) returns the position */
static int file_seek(lua_State *L) {
  static const char *const names[] = {"set", "cur", "end", NULL};
  static const int codes[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  int whence;
  lua_Integer offset;
  asy_file_check(L, "seek");
  whence = codes[luaL_checkoption(L, 2, "cur", names)];
  offset = luaL_optinteger(L, 3, 0);
  lua_settop(L, 1);
  lua_pushinteger(L, whence);
  lua_pushinteger(L, offset);
  return asy_file_do(L, &seek_op);
}


static asy_fscode stat_next(asy_fd *d, asy_fsargs *a) {
  (void)a;
  return d->steps == 0 ? ASY_FS_FSTAT : ASY_FS_CODES;
}


static int stat_finish(lua_State *L, asy_fd *d) {
  asy_fs_pushstat(L, &d->stat);
  return 1;
}


static const asy_fileop stat_op = {"stat", "fstat", NULL, stat_next,
                                   stat_finish};


/* file:stat() */
static int file_stat(lua_State *L) {
  asy_file_check(L, "stat");
  return asy_file_do(L, &stat_op);
}

/* }====== */


void asy_fileio_open(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"read", file_read},   {"readline", file_readline},
      {"lines", file_lines}, {"write", file_write},
      {"sync", file_sync},   {"seek", file_seek},
      {"stat", file_stat},   {NULL, NULL},
  };
  asy_setfuncs(L, methods);
}


void asy_fileio_openfs(lua_State *L) {
  static const luaL_Reg funcs[] = {
      {"read", fs_read},
      {"write", fs_write},
      {NULL, NULL},
  };
  asy_setfuncs(L, funcs);
}
