/*
** A buffer of bytes: filled at its end, consumed at its start. Knows neither
** Lua nor libuv.
*/
#ifndef asy_buf_h
#define asy_buf_h

#include <stdbool.h>
#include <stddef.h>

typedef struct asy_buf {
  char *data;
  size_t start, end; /* what lies between them is there to be read */
  size_t size;       /* allocated */
} asy_buf;

static inline size_t asy_buf_length(const asy_buf *b) {
  return b->end - b->start;
}

static inline const char *asy_buf_bytes(const asy_buf *b) {
  return b->data + b->start;
}

/* Makes room for bytes at the end, at least a few, and returns how many fit; 0
** without memory. */
size_t asy_buf_reserve(asy_buf *b);

/* 'n' bytes were written there. */
static inline void asy_buf_add(asy_buf *b, size_t n) {
  b->end += n;
}

/* The first 'n' bytes are no longer needed. */
static inline void asy_buf_consume(asy_buf *b, size_t n) {
  b->start += n;
  if (b->start == b->end)
    b->start = b->end = 0;
}

/* Adds a copy of the bytes; false without memory, and then none of them. */
bool asy_buf_append(asy_buf *b, const char *data, size_t n);

void asy_buf_free(asy_buf *b);

#endif
