/*
** Channels, as far as they know nothing of Lua. The mutex is held for a few
** steps at a time; inside of it are those of inboxes and of blocked threads.
*/
#include "channel.h"

#include <stdlib.h>

#include "chanring.h"
#include "parcel.h"


/* {====== Waking ====== */

static void wake(asy_chanwait *w, asy_changot got, const asy_rt *rt) {
  asy_list_remove(&w->link);
  w->got = got;
  if (w->block != NULL) {
    asy_block_wake(w->block);
  } else if (w->rt == rt) { /* its state is that of this thread */
    asy_unpark(w->task);
  } else {
    w->posted = true;
    asy_letter_post(&w->letter);
  }
}


static asy_chanwait *first_of(asy_list *list) {
  return asy_of(list->next, asy_chanwait, link);
}


static void wake_all(asy_list *list, const asy_rt *rt) {
  while (!asy_list_empty(list))
    wake(first_of(list), ASY_CHAN_AGAIN, rt);
}


size_t asy_channel_size(const asy_channel *ch) {
  return ch->n - ch->promised;
}


bool asy_channel_full(const asy_channel *ch) {
  return ch->maxsize > 0 && asy_channel_size(ch) + ch->owed >= ch->maxsize;
}


bool asy_channel_over(const asy_channel *ch) {
  return ch->closed && asy_channel_size(ch) == 0;
}


bool asy_channel_alone(const asy_channel *ch) {
  return __atomic_load_n(&ch->shared.refs, __ATOMIC_ACQUIRE) <= 1;
}


/* Wakes those for whom there is something. */
static void hand_over(asy_channel *ch, const asy_rt *rt) {
  for (;;) {
    if (!asy_list_empty(&ch->receivers) && asy_channel_size(ch) > 0) {
      ch->promised++;
      wake(first_of(&ch->receivers), ASY_CHAN_OWNER, rt);
    } else if (!asy_list_empty(&ch->senders) && !asy_channel_full(ch)) {
      ch->owed++;
      wake(first_of(&ch->senders), ASY_CHAN_OWNER, rt);
    } else {
      break;
    }
  }
  if (asy_channel_over(ch))
    wake_all(&ch->receivers, rt);
}

/* }====== */


/* {====== Items ====== */

/* What lies in a channel does not keep that channel: its references to itself
** are not counted meanwhile. */
static void count_itself(asy_channel *ch, const asy_parcel *p, int n) {
  for (uint32_t i = 0; i < p->nshared; i++)
    if (p->shared[i] == &ch->shared)
      __atomic_fetch_add(&ch->shared.refs, n, __ATOMIC_ACQ_REL);
}


void asy_channel_put(asy_channel *ch, asy_rt *rt, asy_parcel *p) {
  count_itself(ch, p, -1);
  p->next = NULL;
  if (ch->n++ == 0)
    ch->first = p;
  else
    ch->last->next = p;
  ch->last = p;
  asy_chanring_put(ch, p);
  hand_over(ch, rt);
}


asy_parcel *asy_channel_take(asy_channel *ch, asy_rt *rt) {
  asy_parcel *p = ch->first;
  count_itself(ch, p, 1);
  asy_chanring_take(ch, p);
  ch->first = p->next;
  ch->n--;
  hand_over(ch, rt);
  return p;
}


void asy_channel_close(asy_channel *ch, asy_rt *rt) {
  ch->closed = true;
  wake_all(&ch->senders, rt);
  hand_over(ch, rt);
}

/* }====== */


/* {====== Waiting ====== */

void asy_channel_await(asy_chanwait *w) {
  asy_channel *ch = w->ch;
  w->got = ASY_CHAN_NOTHING;
  asy_list_append(w->item != NULL ? &ch->senders : &ch->receivers, &w->link);
  if (w->block == NULL && !asy_channel_alone(ch))
    asy_letter_expect(&w->letter);
}


bool asy_channel_claim(asy_chanwait *w) {
  bool owner = w->got == ASY_CHAN_OWNER;
  asy_list_remove(&w->link);
  w->got = ASY_CHAN_NOTHING;
  if (owner && w->item != NULL)
    w->ch->owed--;
  else if (owner)
    w->ch->promised--;
  return owner;
}


void asy_channel_handon(asy_channel *ch, asy_rt *rt) {
  hand_over(ch, rt);
}


void asy_channel_leave(asy_chanwait *w) {
  uv_mutex_lock(&w->ch->mutex);
  if (asy_channel_claim(w))
    hand_over(w->ch, w->rt);
  uv_mutex_unlock(&w->ch->mutex);
}

/* }====== */


/* {====== The letter of a wait ====== */

static asy_chanwait *wait_of(asy_letter *m) {
  return asy_of(m, asy_chanwait, letter);
}


static void wait_free(asy_chanwait *w) {
  asy_letter_unexpect(&w->letter);
  asy_letter_drop(&w->letter);
  asy_parcel_free(w->item);
  free(w);
}


/* The letter has come, in whichever way. */
static void letter_arrived(asy_letter *m) {
  asy_chanwait *w = wait_of(m);
  asy_list_remove(&m->link);
  w->arrived = true;
  if (w->left)
    wait_free(w);
  else if (w->task != NULL)
    asy_unpark(w->task);
}


static void letter_run(lua_State *L, asy_ready *e) {
  (void)L;
  letter_arrived(asy_of(e, asy_letter, ready));
}


static const asy_ready_ops letter_ops = {letter_run, letter_run, letter_run};


void asy_channel_address(asy_chanwait *w, asy_inbox *box) {
  asy_letter *m = &w->letter;
  m->ready.ops = &letter_ops;
  m->refused = letter_arrived;
  m->forget = asy_letter_unexpect;
  asy_letter_address(m, box);
}


void asy_channel_freewait(asy_chanwait *w) {
  bool under_way;
  uv_mutex_lock(&w->ch->mutex);
  if (asy_channel_claim(w))
    hand_over(w->ch, w->rt);
  under_way = w->posted && !w->arrived;
  uv_mutex_unlock(&w->ch->mutex);
  w->task = NULL;
  w->left = true;
  asy_letter_unexpect(&w->letter);
  if (!under_way)
    wait_free(w);
}

/* }====== */


/* {====== Life ====== */

static void channel_unref(asy_shared *s);


/* Drops a reference. Those who wait must know when nobody else is left who could
** wake them. Returns 'rest', a list of items, behind those that nobody can reach
** any more. */
static asy_parcel *drop_reference(asy_channel *ch, asy_parcel *rest) {
  int refs;
  uv_mutex_lock(&ch->mutex);
  rest = asy_chanring_unref(ch, rest, &refs);
  if (refs == 1) {
    wake_all(&ch->receivers, NULL);
    wake_all(&ch->senders, NULL);
  }
  uv_mutex_unlock(&ch->mutex);
  if (refs == 0) {
    rest = asy_chanring_empty(ch, rest);
    uv_mutex_destroy(&ch->mutex);
    free(ch);
  }
  return rest;
}


/* Frees the items, and what nobody has without them. However long a chain of
** channels is, each of which lies in the next one, the C stack stays flat. */
static void free_items(asy_parcel *items) {
  while (items != NULL) {
    asy_parcel *p = items;
    items = p->next;
    for (uint32_t i = 0; i < p->nshared; i++) {
      asy_shared *s = p->shared[i];
      if (s == NULL || s->ops->unref != channel_unref)
        continue;
      p->shared[i] = NULL;
      items = drop_reference(asy_of(s, asy_channel, shared), items);
    }
    asy_parcel_free(p);
  }
}


static void channel_unref(asy_shared *s) {
  free_items(drop_reference(asy_of(s, asy_channel, shared), NULL));
}


static void share_all(asy_list *list) {
  for (asy_list *n = list->next; n != list; n = n->next) {
    asy_chanwait *w = asy_of(n, asy_chanwait, link);
    asy_inbox *box = w->block == NULL ? w->letter.to : NULL;
    if (box != NULL && box->h != NULL && !asy_list_linked(&w->letter.expected))
      asy_letter_expect(&w->letter);
  }
}


/* So far only this thread's state has the channel: who waits for it here may
** now be woken by others. */
static void channel_share(asy_shared *s) {
  asy_channel *ch = asy_of(s, asy_channel, shared);
  if (!asy_channel_alone(ch))
    return;
  uv_mutex_lock(&ch->mutex);
  share_all(&ch->receivers);
  share_all(&ch->senders);
  uv_mutex_unlock(&ch->mutex);
}


static void channel_push(lua_State *L, asy_rt *rt, asy_shared *s) {
  asy_shared_pushproxy(L, rt, s, ASY_CHANNEL);
}


asy_channel *asy_channel_new(size_t maxsize) {
  static const asy_shared_ops ops = {channel_push, channel_unref,
                                     channel_share};
  asy_channel *ch = (asy_channel *)calloc(1, sizeof(asy_channel));
  if (ch == NULL)
    return NULL;
  if (uv_mutex_init(&ch->mutex) != 0) {
    free(ch);
    return NULL;
  }
  asy_shared_init(&ch->shared, &ops);
  ch->maxsize = maxsize;
  asy_list_init(&ch->receivers);
  asy_list_init(&ch->senders);
  return ch;
}

/* }====== */
