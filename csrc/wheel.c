/*
** A tick is 2^16 ns. A timer belongs to the first tick that begins at or
** after its time, so that it never fires early and at most one tick late.
** Level 0 has a slot for each of the 64 ticks of the current window, level 1
** a slot for each of the 64 windows of the next larger one, and so on: the
** level of a timer is the highest group of six bits in which its tick differs
** from the current one. When the current tick enters a slot of a higher level,
** the slot's timers move down. So each timer moves at most seven times, and
** those of one slot stay in the order in which they were set.
*/
#include "wheel.h"

#define TICK_BITS 16
#define LEVEL_BITS 6
#define LAST_TICK (((uint64_t)1 << (LEVEL_BITS * ASY_WHEEL_LEVELS)) - 1)


static uint64_t tick_of(uint64_t when) {
  uint64_t tick = when >> TICK_BITS;
  if ((when & ((1u << TICK_BITS) - 1)) != 0)
    tick++;
  return tick < LAST_TICK ? tick : LAST_TICK;
}


static int lowest_bit(uint64_t bits) {
#if defined(__GNUC__)
  return __builtin_ctzll(bits);
#else
  int n = 0;
  for (; !(bits & 1); bits >>= 1)
    n++;
  return n;
#endif
}


/* The highest group of six bits that is not zero. */
static int level_of(uint64_t differ) {
  int level = 0;
  while ((differ >>= LEVEL_BITS) != 0)
    level++;
  return level;
}


void asy_wheel_init(asy_wheel *w, uint64_t now) {
  w->tick = now >> TICK_BITS;
  w->count = 0;
  for (int level = 0; level < ASY_WHEEL_LEVELS; level++) {
    w->occupied[level] = 0;
    for (int i = 0; i < ASY_WHEEL_SLOTS; i++)
      asy_list_init(&w->slot[level][i]);
  }
}


static void place(asy_wheel *w, asy_timer *t) {
  uint64_t tick = tick_of(t->when);
  int level, i;
  if (tick < w->tick)
    tick = w->tick;
  level = level_of(tick ^ w->tick);
  i = (int)(tick >> (level * LEVEL_BITS)) & (ASY_WHEEL_SLOTS - 1);
  w->occupied[level] |= (uint64_t)1 << i;
  asy_list_append(&w->slot[level][i], &t->link);
}


void asy_wheel_add(asy_wheel *w, asy_timer *t) {
  w->count++;
  place(w, t);
}


void asy_wheel_remove(asy_wheel *w, asy_timer *t) {
  if (!asy_list_linked(&t->link))
    return;
  w->count--; /* the slot's bit is cleared when somebody looks there */
  asy_list_remove(&t->link);
}


/* Finds the first slot that holds timers; false when there is none. */
static bool first_slot(asy_wheel *w, int *level, int *i) {
  for (*level = 0; *level < ASY_WHEEL_LEVELS; (*level)++) {
    while (w->occupied[*level] != 0) {
      *i = lowest_bit(w->occupied[*level]);
      if (!asy_list_empty(&w->slot[*level][*i]))
        return true;
      w->occupied[*level] &= ~((uint64_t)1 << *i);
    }
  }
  return false;
}


/* The tick at which the slot begins. */
static uint64_t slot_tick(const asy_wheel *w, int level, int i) {
  int low = level * LEVEL_BITS, high = low + LEVEL_BITS;
  uint64_t above = w->tick >> high << high;
  return above | ((uint64_t)i << low);
}


uint64_t asy_wheel_next(asy_wheel *w) {
  int level, i;
  uint64_t tick;
  if (w->count == 0 || !first_slot(w, &level, &i))
    return ASY_NEVER;
  tick = slot_tick(w, level, i);
  return tick << TICK_BITS;
}


static bool is_sorted(const asy_list *head) {
  const asy_list *n = head->next;
  for (; n != head && n->next != head; n = n->next) {
    if (asy_of(n, asy_timer, link)->when >
        asy_of(n->next, asy_timer, link)->when)
      return false;
  }
  return true;
}


/* Appends the merger of two sorted lists to 'out'; equal times from 'a' first. */
static void merge(asy_list *out, asy_list *a, asy_list *b) {
  while (!asy_list_empty(a) && !asy_list_empty(b)) {
    bool first = asy_of(a->next, asy_timer, link)->when <=
                 asy_of(b->next, asy_timer, link)->when;
    asy_list *node = first ? a->next : b->next;
    asy_list_remove(node);
    asy_list_append(out, node);
  }
  while (!asy_list_empty(a) || !asy_list_empty(b)) {
    asy_list *node = asy_list_empty(a) ? b->next : a->next;
    asy_list_remove(node);
    asy_list_append(out, node);
  }
}


/* Sorts the list by time, stably: a merge sort that halves the list. */
static void sort(asy_list *head) {
  asy_list left, right, *slow = head->next, *fast = head->next;
  if (is_sorted(head))
    return;
  while (fast != head && fast->next != head) {
    slow = slow->next;
    fast = fast->next->next;
  }
  asy_list_init(&left);
  while (head->next != slow) {
    asy_list *node = head->next;
    asy_list_remove(node);
    asy_list_append(&left, node);
  }
  asy_list_move(&right, head);
  sort(&left);
  sort(&right);
  merge(head, &left, &right);
}


static void cascade(asy_wheel *w, asy_list *slot) {
  asy_list timers;
  asy_list_move(&timers, slot);
  while (!asy_list_empty(&timers)) {
    asy_list *node = timers.next;
    asy_list_remove(node);
    place(w, asy_of(node, asy_timer, link));
  }
}


/* Fires what is due in slot 'i' of level 0; the last one, of the tick that has
** begun, may keep others. */
static void expire(asy_wheel *w, int i, uint64_t now) {
  asy_list timers;
  asy_list_move(&timers, &w->slot[0][i]);
  sort(&timers);
  while (!asy_list_empty(&timers)) {
    asy_timer *t = asy_of(timers.next, asy_timer, link);
    asy_list_remove(&t->link);
    if (t->when <= now) {
      w->count--;
      t->fire(t);
    } else {
      place(w, t);
    }
  }
}


void asy_wheel_advance(asy_wheel *w, uint64_t now) {
  uint64_t target = tick_of(now), tick;
  int level, i;
  while (w->count > 0 && first_slot(w, &level, &i)) {
    tick = slot_tick(w, level, i);
    if (tick > target)
      break;
    w->tick = tick;
    w->occupied[level] &= ~((uint64_t)1 << i);
    if (level > 0)
      cascade(w, &w->slot[level][i]);
    else
      expire(w, i, now);
    if (tick == target && level == 0)
      break; /* what it holds now is of a later time */
  }
  if (w->tick < target)
    w->tick = target;
}
