/*
** When the last reference goes to a channel but those of items, all channels are
** looked at that can be reached from it: those to which there are more
** references than from the items of these are somebody's, and so are all that
** they lead to; the others are nobody's. A reference that is not an item's can
** only be made by who has one, so that this stays true while the items do.
**
** Where channels lie in channels without being rings that would take the longer
** the more there are. So such a look goes only so far; channels from which it
** would go farther are suspects, and looked at together, after as many references
** have gone as there were to be seen the last time.
*/
#include "chanring.h"

#include "parcel.h"
#include "thread.h"

#define NEAR 256 /* references that one channel is worth */
#define FEW 64   /* references that must go at least, for all suspects */

static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t mutex;  /* of all the fields of channels named 'ring', and: */
static asy_list suspects; /* channels that are to be looked at */
static size_t gone, patience = FEW; /* references, until they are */


static void begin(void) {
  uv_mutex_init(&mutex);
  asy_list_init(&suspects);
}


/* What another thread had locked when the process was forked stays so. */
static void lock(void) {
  static unsigned forks;
  uv_once(&once, begin);
  if (asy_unlikely(asy_thread_isleft(forks))) {
    forks = asy_thread_forks();
    uv_mutex_init(&mutex);
  }
  uv_mutex_lock(&mutex);
}


/* The channel that the parcel, an item of the channel, has as its i-th object;
** NULL if that is none, or the channel itself, which does not count. */
static asy_channel *channel_in(const asy_channel *ch, const asy_parcel *p,
                               uint32_t i) {
  asy_shared *s = p->shared[i];
  if (s == NULL || s == &ch->shared || s->ops != ch->shared.ops)
    return NULL;
  return asy_of(s, asy_channel, shared);
}


static bool has_channels(const asy_channel *ch, const asy_parcel *p) {
  for (uint32_t i = 0; i < p->nshared; i++)
    if (channel_in(ch, p, i) != NULL)
      return true;
  return false;
}


/* {====== Items ====== */

static void count_inner(asy_channel *ch, const asy_parcel *p, int n) {
  for (uint32_t i = 0; i < p->nshared; i++) {
    asy_channel *inner = channel_in(ch, p, i);
    if (inner != NULL)
      inner->ring.inside += n;
  }
}


void asy_chanring_put(asy_channel *ch, asy_parcel *p) {
  if (!has_channels(ch, p))
    return;
  lock();
  count_inner(ch, p, 1);
  p->next_ring = NULL;
  if (ch->ring.first == NULL)
    ch->ring.first = p;
  else
    ch->ring.last->next_ring = p;
  ch->ring.last = p;
  uv_mutex_unlock(&mutex);
}


void asy_chanring_take(asy_channel *ch, asy_parcel *p) {
  if (!has_channels(ch, p))
    return;
  lock();
  count_inner(ch, p, -1);
  ch->ring.first = p->next_ring;
  uv_mutex_unlock(&mutex);
}


/* Takes all items out of the channel and returns them, chained by 'next', with
** 'rest' after the last; those that refer to the channel itself do so no more. */
static asy_parcel *take_all(asy_channel *ch, asy_parcel *rest) {
  asy_parcel *first = ch->first, *p;
  if (first == NULL)
    return rest;
  for (p = ch->ring.first; p != NULL; p = p->next_ring)
    count_inner(ch, p, -1);
  for (p = first; p != NULL; p = p->next)
    for (uint32_t i = 0; i < p->nshared; i++)
      if (p->shared[i] == &ch->shared)
        p->shared[i] = NULL;
  ch->last->next = rest;
  ch->first = ch->ring.first = NULL;
  ch->n = 0;
  return first;
}


asy_parcel *asy_chanring_empty(asy_channel *ch, asy_parcel *rest) {
  lock();
  asy_list_remove(&ch->ring.suspect);
  rest = take_all(ch, rest);
  uv_mutex_unlock(&mutex);
  return rest;
}

/* }====== */


/* {====== Rings ====== */

/* What is looked at together. */
typedef struct look {
  asy_channel *first, *last; /* those that were found */
  asy_channel *todo;  /* somebody's; what is in them is still to be seen */
  size_t steps, most; /* references found, and when to give up */
} look;


/* Calls 'f' for each channel in an item of the channel. */
static void for_inner(look *k, asy_channel *ch,
                      void (*f)(look *k, asy_channel *inner)) {
  const asy_parcel *p = ch->ring.first;
  for (; p != NULL && k->steps <= k->most; p = p->next_ring) {
    for (uint32_t i = 0; i < p->nshared; i++) {
      asy_channel *inner = channel_in(ch, p, i);
      if (inner != NULL)
        f(k, inner);
    }
  }
}


static void add(look *k, asy_channel *ch) {
  if (ch->ring.found)
    return;
  ch->ring.found = true;
  ch->ring.alive = false;
  ch->ring.count = 0;
  ch->ring.next = NULL;
  if (k->first == NULL)
    k->first = ch;
  else
    k->last->ring.next = ch;
  k->last = ch;
}


static void find(look *k, asy_channel *ch) {
  add(k, ch);
  ch->ring.count++;
  k->steps++;
}


static void revive(look *k, asy_channel *ch) {
  if (ch->ring.alive)
    return;
  ch->ring.alive = true;
  ch->ring.todo = k->todo;
  k->todo = ch;
}


/* Finds all that can be reached from the channels that were added, and which of
** them are somebody's. False if that takes too long. */
static bool look_at(look *k) {
  for (asy_channel *c = k->first; c != NULL; c = c->ring.next)
    for_inner(k, c, find);
  if (k->steps > k->most)
    return false;
  for (asy_channel *c = k->first; c != NULL; c = c->ring.next)
    if (__atomic_load_n(&c->shared.refs, __ATOMIC_ACQUIRE) > c->ring.count)
      revive(k, c);
  while (k->todo != NULL) {
    asy_channel *c = k->todo;
    k->todo = c->ring.todo;
    for_inner(k, c, revive);
  }
  return true;
}


/* The end of a look; if it is whole, what is in the channels that are nobody's
** comes before 'rest'. */
static asy_parcel *end_look(look *k, bool whole, asy_parcel *rest) {
  for (asy_channel *c = k->first; c != NULL; c = c->ring.next) {
    c->ring.found = false;
    if (whole && !c->ring.alive)
      rest = take_all(c, rest);
  }
  return rest;
}


/* Looks at all suspects together. */
static asy_parcel *look_at_suspects(asy_parcel *rest) {
  look k = {NULL, NULL, NULL, 0, SIZE_MAX};
  while (!asy_list_empty(&suspects)) {
    asy_list *l = suspects.next;
    asy_list_remove(l);
    add(&k, asy_of(l, asy_channel, ring.suspect));
  }
  rest = end_look(&k, look_at(&k), rest);
  gone = 0;
  patience = k.steps > FEW ? k.steps : FEW;
  return rest;
}


/* There are no references to the channel any more but those of items. Where that
** leads to is looked at at once, if it does not lead too far. */
static asy_parcel *suspect(asy_channel *ch, asy_parcel *rest) {
  look k = {NULL, NULL, NULL, 0, NEAR};
  bool whole;
  add(&k, ch);
  whole = look_at(&k);
  rest = end_look(&k, whole, rest);
  if (!whole && !asy_list_linked(&ch->ring.suspect))
    asy_list_append(&suspects, &ch->ring.suspect);
  return rest;
}


/* The reference goes under the lock: of two that go at the same time, the second
** is then known to be the last. */
asy_parcel *asy_chanring_unref(asy_channel *ch, asy_parcel *rest, int *refs) {
  lock();
  *refs = __atomic_sub_fetch(&ch->shared.refs, 1, __ATOMIC_ACQ_REL);
  if (*refs > 0 && *refs <= ch->ring.inside)
    rest = suspect(ch, rest);
  if (!asy_list_empty(&suspects) && ++gone >= patience)
    rest = look_at_suspects(rest);
  uv_mutex_unlock(&mutex);
  return rest;
}

/* }====== */
