/*
** Frames: a head that says how many bytes follow, and these.
*/
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Bytes that one call sends or receives, at most. */
#define AT_ONCE ((size_t)1 << 30)

typedef struct wire_head {
  uint32_t frame;
  uint32_t last; /* always the number of the last frame: a check */
  uint64_t size;
} wire_head;


void asy_wire_open(asy_wire *w, int fd) {
  w->fd = fd;
  w->at = w->end = 0;
}


/* {====== Sending ====== */

/* Skips so many bytes of what is to be sent. */
static void skip(struct msghdr *m, size_t n) {
  while (m->msg_iovlen > 0 && n >= m->msg_iov->iov_len) {
    n -= m->msg_iov->iov_len;
    m->msg_iov++;
    m->msg_iovlen--;
  }
  if (m->msg_iovlen == 0)
    return;
  m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + n;
  m->msg_iov->iov_len -= n;
}


bool asy_wire_send(asy_wire *w, asy_frame frame, asy_parcel *p) {
  wire_head head = {(uint32_t)frame, ASY_FRAME_FAILED, 0};
  struct iovec parts[2] = {{&head, sizeof(head)}, {NULL, 0}};
  struct msghdr m = {.msg_iov = parts, .msg_iovlen = 1};
  if (p != NULL) {
    size_t len;
    parts[1].iov_base = (void *)(uintptr_t)asy_parcel_bytes(p, &len);
    parts[1].iov_len = len;
    head.size = len;
    m.msg_iovlen = 2;
  }
  while (m.msg_iovlen > 0) {
    ssize_t n = sendmsg(w->fd, &m, MSG_NOSIGNAL);
    if (n >= 0)
      skip(&m, (size_t)n);
    else if (errno != EINTR)
      return false;
  }
  return true;
}

/* }====== */


/* {====== Receiving ====== */

/* Some bytes, at least one; 0: there are no more. */
static size_t receive_some(const asy_wire *w, char *to, size_t n) {
  ssize_t got;
  do
    got = recv(w->fd, to, n < AT_ONCE ? n : AT_ONCE, 0);
  while (got < 0 && errno == EINTR);
  return got > 0 ? (size_t)got : 0;
}


/* Exactly 'n' bytes, which are dropped when 'to' is NULL. */
static bool receive(asy_wire *w, char *to, uint64_t n) {
  while (n > 0) {
    size_t some = w->end - w->at;
    if (some == 0 && to != NULL && n >= sizeof(w->bytes)) {
      some = receive_some(w, to, (size_t)n);
    } else {
      if (some == 0) {
        w->at = 0;
        w->end = some = receive_some(w, w->bytes, sizeof(w->bytes));
      }
      if (some > n)
        some = (size_t)n;
      if (to != NULL)
        memcpy(to, w->bytes + w->at, some);
      w->at += some;
    }
    if (some == 0)
      return false;
    if (to != NULL)
      to += some;
    n -= some;
  }
  return true;
}


bool asy_wire_receive(asy_wire *w, asy_frame *frame, asy_parcel **p) {
  wire_head head;
  char *to;
  *p = NULL;
  if (!receive(w, (char *)&head, sizeof(head)) ||
      head.last != ASY_FRAME_FAILED || head.frame > ASY_FRAME_FAILED)
    return false;
  *frame = (asy_frame)head.frame;
  if (head.size == 0)
    return true;
  *p = asy_parcel_room(head.size, &to);
  if (!receive(w, *p != NULL ? to : NULL, head.size)) {
    asy_parcel_free(*p);
    *p = NULL;
    return false;
  }
  if (*p == NULL || asy_parcel_filled(*p))
    return true;
  asy_parcel_free(*p);
  *p = NULL;
  return false;
}

/* }====== */
