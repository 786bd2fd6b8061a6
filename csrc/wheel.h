/*
** A hierarchical timing wheel: timers that cost the same to add, to remove
** and to fire however many there are, and that allocate nothing. Knows
** neither Lua nor libuv; times are nanoseconds of any monotonic clock.
*/
#ifndef asy_wheel_h
#define asy_wheel_h

#include <stdint.h>

#include "list.h"

#define ASY_WHEEL_LEVELS 8
#define ASY_WHEEL_SLOTS 64
#define ASY_NEVER UINT64_MAX

typedef struct asy_timer {
  asy_list link;                    /* linked while the timer is set */
  uint64_t when;                    /* fires at this time, never before */
  void (*fire)(struct asy_timer *); /* called with the timer unset */
} asy_timer;

typedef struct asy_wheel {
  uint64_t tick;  /* the one that has begun: those before it have fired */
  uint64_t count; /* timers set */
  uint64_t occupied[ASY_WHEEL_LEVELS]; /* slots perhaps not empty, as bits */
  asy_list slot[ASY_WHEEL_LEVELS][ASY_WHEEL_SLOTS];
} asy_wheel;

void asy_wheel_init(asy_wheel *w, uint64_t now);

/* Sets a timer that is not set; 't->when' and 't->fire' are filled in. */
void asy_wheel_add(asy_wheel *w, asy_timer *t);

/* Unsets a timer; one that is not set stays as it is. */
void asy_wheel_remove(asy_wheel *w, asy_timer *t);

/* Fires all timers due at 'now', in the order of their times; equal times in
** the order in which they were set. */
void asy_wheel_advance(asy_wheel *w, uint64_t now);

/* The time at which 'asy_wheel_advance' next has something to do, which may
** be before the first timer is due; ASY_NEVER when no timer is set. */
uint64_t asy_wheel_next(asy_wheel *w);

#endif
