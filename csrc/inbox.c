/*
** Inboxes. The handle is the loop's, the rest lives as long as somebody has a
** letter to it. Whoever posts holds the mutex while it wakes the loop, so that
** the handle cannot close under its hands.
*/
#include "inbox.h"

#include <stdlib.h>

#include "error.h"
#include "thread.h"

typedef struct inbox_handle {
  asy_handle h;
  asy_inbox *box;
} inbox_handle;


/* {====== Life ====== */

static void inbox_unref(asy_inbox *box) {
  if (__atomic_sub_fetch(&box->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  uv_mutex_destroy(&box->mutex);
  free(box);
}


static void inbox_release(asy_handle *h) {
  inbox_unref(((inbox_handle *)h)->box);
}


static void refuse(asy_list *letters) {
  while (!asy_list_empty(letters)) {
    asy_letter *m = asy_of(letters->next, asy_letter, link);
    asy_list_remove(&m->link);
    m->refused(m);
  }
}


/* The Lua state closes from inside a run: the loop's queue is not looked at any
** more. */
static void refuse_ready(asy_inbox *box, asy_loop *loop) {
  asy_queue_init(&loop->ready);
  asy_queue_init(&loop->turn);
  refuse(&box->ready);
}


/* Nothing is expected any more. */
static void forget_all(asy_inbox *box) {
  while (!asy_list_empty(&box->expected)) {
    asy_letter *m = asy_of(box->expected.next, asy_letter, expected);
    m->forget(m);
  }
}


/* The loop closes: what has come is sent back. In the child of a fork a thread
** that is not there may have the mutex. */
static void inbox_detach(asy_handle *h) {
  asy_inbox *box = ((inbox_handle *)h)->box;
  asy_list rest;
  h->loop->inbox = NULL;
  if (h->loop->rt->over)
    refuse_ready(box, h->loop);
  forget_all(box);
  if (asy_thread_isleft(box->forks)) {
    box->h = NULL;
    return;
  }
  uv_mutex_lock(&box->mutex);
  box->h = NULL;
  asy_list_move(&rest, &box->letters);
  uv_mutex_unlock(&box->mutex);
  refuse(&rest);
}


/* Puts what has come into the loop's queue. */
static void inbox_empty(asy_inbox *box, bool shut) {
  asy_loop *loop = box->h->loop;
  asy_list came;
  uv_mutex_lock(&box->mutex);
  box->shut = shut;
  asy_list_move(&came, &box->letters);
  uv_mutex_unlock(&box->mutex);
  if (!asy_list_empty(&came))
    asy_loop_lingered(loop);
  while (!asy_list_empty(&came)) {
    asy_letter *m = asy_of(came.next, asy_letter, link);
    asy_list_remove(&m->link);
    asy_list_append(&box->ready, &m->link);
    asy_loop_ready(loop, &m->ready);
  }
}


/* The loop was woken. */
static void inbox_look(uv_async_t *uv) {
  asy_inbox *box = ((inbox_handle *)uv->data)->box;
  inbox_empty(box, box->shut);
}


/* What is refused is freed in the sender's thread: this one must have done with
** it before. */
void asy_inbox_shut(asy_loop *loop) {
  asy_inbox *box = loop->inbox;
  if (box == NULL || asy_thread_isleft(box->forks))
    return;
  forget_all(box);
  inbox_empty(box, true);
}


asy_loop *asy_inbox_loop(const asy_inbox *box) {
  return box->h->loop;
}


bool asy_inbox_isopen(asy_inbox *box) {
  bool open;
  uv_mutex_lock(&box->mutex);
  open = box->h != NULL && !box->shut;
  uv_mutex_unlock(&box->mutex);
  return open;
}


void asy_inbox_wake(asy_inbox *box) {
  if (asy_thread_isleft(box->forks))
    return;
  uv_mutex_lock(&box->mutex);
  if (box->h != NULL)
    uv_async_send(&box->h->uv.async);
  uv_mutex_unlock(&box->mutex);
}


/* A new inbox, with one reference; NULL without memory. */
static asy_inbox *inbox_new(void) {
  asy_inbox *box = (asy_inbox *)calloc(1, sizeof(asy_inbox));
  if (box == NULL)
    return NULL;
  if (uv_mutex_init(&box->mutex) != 0) {
    free(box);
    return NULL;
  }
  asy_list_init(&box->letters);
  asy_list_init(&box->ready);
  asy_list_init(&box->expected);
  box->refs = 1;
  box->forks = asy_thread_forks();
  return box;
}


/* Returns 0 or a libuv error. */
static int inbox_open(asy_loop *loop) {
  inbox_handle *h = (inbox_handle *)asy_handle_new(loop, sizeof(inbox_handle));
  int err;
  if (h == NULL)
    return UV_ENOMEM;
  h->box = inbox_new();
  if (h->box == NULL) {
    free(h);
    return UV_ENOMEM;
  }
  h->h.release = inbox_release;
  err = uv_async_init(loop->engine->uv, &h->h.uv.async, inbox_look);
  if (err != 0) {
    asy_handle_close(&h->h);
    return err;
  }
  h->h.detach = inbox_detach;
  asy_handle_opened(&h->h);
  uv_unref(&h->h.uv.any);
  h->box->h = &h->h;
  loop->inbox = h->box;
  return 0;
}


asy_inbox *asy_inbox_of(lua_State *L, asy_loop *loop) {
  int err = loop->inbox != NULL ? 0 : inbox_open(loop);
  if (err != 0) {
    asy_error_os(L, loop->rt, err, "uv_async_init", NULL);
    lua_error(L);
  }
  return loop->inbox;
}

/* }====== */


/* {====== Letters ====== */

void asy_letter_address(asy_letter *m, asy_inbox *to) {
  m->to = to;
  __atomic_fetch_add(&to->refs, 1, __ATOMIC_RELAXED);
}


void asy_letter_drop(asy_letter *m) {
  asy_list_remove(&m->link);
  if (m->to != NULL)
    inbox_unref(m->to);
  m->to = NULL;
}


void asy_letter_expect(asy_letter *m) {
  if (asy_list_empty(&m->to->expected))
    uv_ref(&m->to->h->uv.any);
  asy_list_append(&m->to->expected, &m->expected);
  asy_loop_linger(m->to->h->loop);
}


void asy_letter_unexpect(asy_letter *m) {
  if (!asy_list_linked(&m->expected))
    return;
  asy_list_remove(&m->expected);
  if (m->to->h == NULL)
    return;
  if (asy_list_empty(&m->to->expected))
    uv_unref(&m->to->h->uv.any);
  else
    asy_loop_linger(m->to->h->loop);
}


bool asy_letter_offer(asy_letter *m) {
  asy_inbox *box = m->to;
  bool open;
  uv_mutex_lock(&box->mutex);
  open = box->h != NULL && !box->shut;
  if (open) {
    bool first = asy_list_empty(&box->letters);
    asy_list_append(&box->letters, &m->link);
    if (first)
      uv_async_send(&box->h->uv.async);
  }
  uv_mutex_unlock(&box->mutex);
  return open;
}


void asy_letter_post(asy_letter *m) {
  if (!asy_letter_offer(m))
    m->refused(m);
}

/* }====== */
