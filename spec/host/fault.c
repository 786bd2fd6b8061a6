/*
** Memory that fails on demand. The counters are atomic since libuv allocates
** on the threads of its pool, too.
*/
#include "fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <uv.h>

static struct {
  atomic_long count;
  long fail_at; /* 0: never */
  bool from;
} counters[FAULT_KINDS];

static atomic_bool armed;
static atomic_bool met;


/* Counts an allocation and tells whether it is to fail. */
static bool fails(fault_kind kind) {
  long n;
  if (!atomic_load(&armed))
    return false;
  n = atomic_fetch_add(&counters[kind].count, 1) + 1;
  if (n != counters[kind].fail_at &&
      !(counters[kind].from && n > counters[kind].fail_at))
    return false;
  atomic_store(&met, true);
  return true;
}


#if defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

/* Takes the place of that of the C library: libuv sends datagrams with it. */
__attribute__((visibility("default"))) ssize_t
sendmsg(int fd, const struct msghdr *m, int flags) {
  if (fails(FAULT_SEND)) {
    errno = EAGAIN;
    return -1;
  }
  return syscall(SYS_sendmsg, fd, m, flags);
}

#endif


void fault_choose(fault_kind kind, long k, bool from) {
  counters[kind].fail_at = k;
  counters[kind].from = from && k > 0;
}


void fault_arm(void) {
  int kind;
  for (kind = 0; kind < FAULT_KINDS; kind++)
    atomic_store(&counters[kind].count, 0);
  atomic_store(&met, false);
  atomic_store(&armed, true);
}


void fault_disarm(void) {
  atomic_store(&armed, false);
}


long fault_count(fault_kind kind) {
  return atomic_load(&counters[kind].count);
}


bool fault_met(void) {
  return atomic_load(&met);
}


/*
** With the linker's --wrap, every call of malloc in what is linked into this
** program reaches __wrap_malloc: those of the core, and not those of libraries.
** The functions here take the real ones.
*/
#if defined(HOST_WRAPS_MALLOC)

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void *__wrap_malloc(size_t size) {
  return fails(FAULT_C) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
  return fails(FAULT_C) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size) {
  return fails(FAULT_C) ? NULL : __real_realloc(ptr, size);
}

#define real_malloc __real_malloc
#define real_calloc __real_calloc
#define real_realloc __real_realloc

#else

#define real_malloc malloc
#define real_calloc calloc
#define real_realloc realloc

#endif


/*
** Refused memory, Lua collects garbage and asks once more for the same. That
** second request is part of the first: if it were granted, no failure would
** ever reach a program.
*/
static bool lua_fails(void *ptr, size_t osize, size_t nsize) {
  static struct {
    void *ptr;
    size_t osize, nsize;
  } refused;
  bool again = refused.nsize == nsize && refused.ptr == ptr &&
               refused.osize == osize && atomic_load(&armed);
  refused.nsize = 0;
  if (again || !fails(FAULT_LUA))
    return again;
  refused.ptr = ptr;
  refused.osize = osize;
  refused.nsize = nsize;
  return true;
}


/*
** Whether Lua may want it to call a finalizer: a longer stack or one more level
** of calls, which is no object, while the collector stands still. Refused that,
** Lua gives a warning, and never calls this finalizer; what it was to free is
** lost, here as with the files of 'io'. No library can help that.
*/
static bool is_for_finalizer(const fault_memory *m, const void *ptr,
                             size_t kind) {
  bool object = ptr == NULL && kind >= LUA_TSTRING && kind <= LUA_TTHREAD;
  return !object && lua_gc(m->L, LUA_GCISRUNNING) != 1;
}


/* Only growth fails: Lua may count on a block being cut. */
void *fault_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  fault_memory *m = ud;
  size_t kind = osize;
  void *block;
  if (ptr == NULL)
    osize = 0; /* it held the kind of the object */
  if (nsize == 0) {
    free(ptr);
    m->outstanding -= osize;
    return NULL;
  }
  if (nsize > osize && !is_for_finalizer(m, ptr, kind) &&
      lua_fails(ptr, osize, nsize))
    return NULL;
  block = real_realloc(ptr, nsize);
  if (block != NULL)
    m->outstanding += nsize - osize;
  return block;
}


static void *uv_malloc(size_t size) {
  return fails(FAULT_UV) ? NULL : real_malloc(size);
}

static void *uv_realloc(void *ptr, size_t size) {
  return fails(FAULT_UV) ? NULL : real_realloc(ptr, size);
}

static void *uv_calloc(size_t n, size_t size) {
  return fails(FAULT_UV) ? NULL : real_calloc(n, size);
}


void fault_init(void) {
  uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, free);
}
