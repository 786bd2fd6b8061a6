/*
** Transports of datagrams: an endpoint whose events are calls of a protocol's
** methods.
*/
#ifndef asy_dgram_h
#define asy_dgram_h

#include "protocol.h"
#include "udp.h"

typedef struct asy_dgram {
  asy_rt *rt;
  uint8_t kind;
  bool made;     /* connection_made was called */
  bool held;     /* pause_writing was, and resume_writing was not since */
  bool closing;  /* nothing is told but the end */
  bool lost;     /* connection_lost was called, or will not be */
  int dropped;   /* datagrams after the end */
  uint32_t slot; /* pin, until connection_lost was called */
  size_t high, low;
  asy_loop *loop;
  asy_endpoint *d; /* ASY_TRANSPORT_OWN */
  asy_ready ready;
  asy_list makers; /* tasks that wait for connection_made */
} asy_dgram;

/* Pushes a transport, pinned, of the endpoint at 'endpoint', which is not open
** yet, for what the factory at 'factory' returns. Raises what that does. */
asy_dgram *asy_dgram_new(lua_State *L, asy_endpoint *d, asy_loop *loop,
                         int factory, int endpoint);

/* Its endpoint will not open. Never raises. */
void asy_dgram_abandon(lua_State *L, asy_dgram *t);

/* Its endpoint is open: waits for connection_made; then the transport at 'idx'
** and its protocol are returned to Lua, from the C function that returns this
** call's result. */
int asy_dgram_begin(lua_State *L, asy_dgram *t, int idx);

void asy_dgram_open(lua_State *L);

#endif
