/*
** The memory of buffers: it starts small, for most connections say little, and
** doubles whenever a read has filled it. A message whose length is a power of two
** does not fill it.
*/
#include "buf.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE (4096 + 256)
#define ENOUGH 2048 /* room worth a read */


size_t asy_buf_reserve(asy_buf *b) {
  size_t size = b->size == 0 ? FIRST_SIZE : b->size * 2;
  char *data;
  if (b->size - b->end >= ENOUGH)
    return b->size - b->end;
  if (b->start > b->size / 2) {
    memmove(b->data, b->data + b->start, asy_buf_length(b));
    b->end -= b->start;
    b->start = 0;
    return b->size - b->end;
  }
  data = (char *)realloc(b->data, size);
  if (data == NULL)
    return b->size - b->end;
  b->data = data;
  b->size = size;
  return size - b->end;
}


bool asy_buf_append(asy_buf *b, const char *data, size_t n) {
  size_t done = 0;
  while (done < n) {
    size_t room = asy_buf_reserve(b);
    if (room == 0) {
      b->end -= done;
      return false;
    }
    if (room > n - done)
      room = n - done;
    memcpy(b->data + b->end, data + done, room);
    b->end += room;
    done += room;
  }
  return true;
}


void asy_buf_free(asy_buf *b) {
  free(b->data);
  memset(b, 0, sizeof(*b));
}
