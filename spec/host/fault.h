/*
** Memory that fails on demand: every allocation of a kind is counted while
** the counters are armed, and the ones chosen fail. So does the sending of
** datagrams.
*/
#ifndef host_fault_h
#define host_fault_h

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

typedef enum {
  FAULT_LUA,  /* what Lua asks of its lua_Alloc */
  FAULT_C,    /* malloc, calloc and realloc of the core itself */
  FAULT_UV,   /* what libuv allocates */
  FAULT_SEND, /* a datagram, for which the system has no room */
  FAULT_KINDS
} fault_kind;

/* Before anything of libuv is called. */
void fault_init(void);

/* Failure number k (from 1, 0 for none) and, if `from`, all after it. */
void fault_choose(fault_kind kind, long k, bool from);

void fault_arm(void);
void fault_disarm(void);

/* Since arming: how many there were, and whether the chosen one was met. */
long fault_count(fault_kind kind);
bool fault_met(void);

/* The memory of a Lua state. */
typedef struct {
  lua_State *L;
  size_t
      outstanding; /* bytes: zero after lua_close unless something was lost */
} fault_memory;

/* A lua_Alloc whose `ud` is a fault_memory. */
void *fault_alloc(void *ud, void *ptr, size_t osize, size_t nsize);

#endif
