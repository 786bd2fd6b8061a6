/*
** Looking again and again for a moment before going to sleep. To wake a thread
** costs the system far more than a small job takes: two threads that answer each
** other at once need not sleep in between. Where nothing comes in that moment,
** it is tried less and less often.
*/
#ifndef asy_spin_h
#define asy_spin_h

#include <stdbool.h>
#include <stdint.h>

#define ASY_SPIN_TIME 30000u /* nanoseconds */
#define ASY_SPIN_DOUBT 6     /* at worst one time of 2^6 is tried */

/* One thread's experience; zeroed, it is full of hope. */
typedef struct asy_spin {
  uint32_t skip;  /* so many times not to be tried */
  uint8_t misses; /* in a row */
} asy_spin;

/* Whether to try now; then asy_spin_tell must follow. */
static inline bool asy_spin_pays(asy_spin *s) {
  if (s->skip == 0)
    return true;
  s->skip--;
  return false;
}

/* Whether something came in time. */
static inline void asy_spin_tell(asy_spin *s, bool hit) {
  if (hit)
    s->misses = 0;
  else if (s->misses < ASY_SPIN_DOUBT)
    s->misses++;
  s->skip = (1u << s->misses) - 1;
}

#endif
