/*
** Open files. The descriptor, its request and its buffer lie in C memory, which
** the userdata drops. The operations on a file are carried out one after the
** other: a task has its turn until its operation is over, and the others wait
** in a queue.
*/
#ifndef asy_file_h
#define asy_file_h

#include "fs.h"

typedef struct asy_fd {
  asy_fsreq q;
  asy_rt *rt;
  int fd;          /* -1 before it is open, and once it is closed */
  bool busy;       /* somebody has his turn: a task, or an abandoned request */
  bool closing;    /* close was called: no new operations */
  bool exclusive;  /* the file is new, and nobody has got it yet */
  bool eof;        /* a read found the end */
  uint32_t anchor; /* pin of a table that keeps what is written */
  uint32_t file;   /* number of the asy_file; 0: collected (weak.h) */
  asy_buf buf;     /* what was read ahead: the file's position is at its end */
  asy_buf apart;   /* what an operation reads at an offset */
  /* Of the operation that has its turn: */
  int err;          /* a libuv code, or 0 */
  int steps;        /* how many requests it has made */
  size_t need;      /* how much it is to read */
  size_t looked;    /* how much of the buffer has no newline */
  const char *data; /* what is left to be written */
  size_t length;
  lua_Integer offset;   /* where it reads or writes, -1: at the position */
  lua_Integer position; /* after a seek */
  uv_stat_t stat;
} asy_fd;

typedef struct asy_file {
  asy_rt *rt;
  uint8_t kind;
  asy_loop *loop;
  uint32_t self;    /* its number (weak.h) */
  asy_list waiters; /* for their turn */
  asy_fd *d;        /* NULL after the finalizer */
} asy_file;

/* User values of a file. */
#define ASY_FILE_PATH 1
#define ASY_FILE_LOOP 2
#define ASY_FILE_VALUES 2

/* What is done with a file. The first two neither raise nor allocate in Lua;
** the arguments are at 2 and 3. */
typedef struct asy_fileop {
  const char *name;                       /* of the method */
  const char *syscall;                    /* for errors */
  void (*begin)(lua_State *L, asy_fd *d); /* has its turn now; may be NULL */
  /* The next request, ASY_FS_CODES when it is over. */
  asy_fscode (*next)(asy_fd *d, asy_fsargs *a);
  int (*finish)(lua_State *L, asy_fd *d); /* its results; NULL: none */
} asy_fileop;

#define ASY_FILE_ARGS 3 /* values on the stack of an operation */

/* Carries out the operation on the file at 1, once it has its turn; the result
** is that of the calling C function. */
int asy_file_do(lua_State *L, const asy_fileop *op);

/* The first argument, an open file, else a RuntimeError of the method. */
asy_file *asy_file_check(lua_State *L, const char *fname);

/* The descriptor of the file, or -1 when it is closed. */
int asy_file_fd(const asy_file *f);

/* Where the operation reads into. */
static inline asy_buf *asy_file_buffer(asy_fd *d) {
  return d->offset < 0 ? &d->buf : &d->apart;
}

/* Keeps the string at 'idx' while the operation goes on. Never raises. */
void asy_file_anchor(lua_State *L, asy_fd *d, int idx);

/* fileio.c: adds reading and writing to the methods on the top. */
void asy_fileio_open(lua_State *L);

/* Adds those that take an offset to the table on the top. */
void asy_fileio_openfs(lua_State *L);

#endif
