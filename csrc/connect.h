/*
** Connecting to one of several addresses.
*/
#ifndef asy_connect_h
#define asy_connect_h

#include "stream.h"
#include "tcp.h"

typedef struct asy_connect_how {
  struct sockaddr_storage local; /* to connect from; family 0: any */
  lua_Number delay; /* seconds until the next address is tried as well, or a
                    ** busy Unix server once more */
  size_t limit;     /* of the reader */
  int factory;      /* where that of the protocol is, 0 for streams */
  asy_tcp_how tcp;
} asy_connect_how;

/* Connects to the first of the 'n' addresses, at least one, that answers, and
** returns the reader and the writer, or the transport and the protocol, to Lua,
** from the C function that returns this call's result. Raises an OSError. */
int asy_connect(lua_State *L, asy_task *t, const struct sockaddr_storage *to,
                int n, const asy_connect_how *how);

#endif
