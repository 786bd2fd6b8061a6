/*
** Options of TCP connections.
*/
#ifndef asy_tcp_h
#define asy_tcp_h

#include "runtime.h"

typedef struct asy_tcp_how {
  bool delay;    /* small writes may wait: no TCP_NODELAY */
  int keepalive; /* seconds until the first probe, 0: the system's time; -1:
                 ** none */
} asy_tcp_how;

/* Reads 'nodelay' and 'keepalive' of the options at 'idx', a table or nil. */
void asy_tcp_options(lua_State *L, int idx, asy_tcp_how *how);

/* Sets them on a connection. Never raises. */
void asy_tcp_set(uv_tcp_t *tcp, const asy_tcp_how *how);

#endif
