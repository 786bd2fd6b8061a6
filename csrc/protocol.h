/*
** Protocols: tables of a program whose methods a transport calls, that of a
** stream (transport.h) or of datagrams (dgram.h).
*/
#ifndef asy_protocol_h
#define asy_protocol_h

#include "loop.h"

/* User values of every transport. */
#define ASY_TRANSPORT_PROTOCOL 1
#define ASY_TRANSPORT_LOOP 2
#define ASY_TRANSPORT_CONTEXT 3
#define ASY_TRANSPORT_OWN 4 /* of its kind */
#define ASY_TRANSPORT_VALUES 4

/* More than this waiting to be sent stops a protocol. */
#define ASY_TRANSPORT_HIGH 65536

/* Calls the factory at 'factory' and pushes a new transport of the kind, for
** what it returns. Raises what the factory does. */
void *asy_protocol_transport(lua_State *L, asy_loop *loop, int factory,
                             asy_kind kind, size_t size);

/* Whether the value can be a protocol: it can be indexed, and is no string. */
bool asy_protocol_is(lua_State *L, int idx);

/* Lua's set_protocol and get_protocol of the transport at 1. */
int asy_protocol_set(lua_State *L);
int asy_protocol_get(lua_State *L);

/* Begins a call of the method of the protocol of the transport at 'idx': the
** arguments follow, then asy_protocol_call. False, when it has none. Pushes some
** values. May raise. */
bool asy_protocol_method(lua_State *L, int idx, const char *name);

/* Calls the method with the 'n' arguments on the top, which are replaced by its
** result, or by the error: then false. In the transport's context, unless a task
** runs, which calls from its own. */
bool asy_protocol_call(lua_State *L, asy_rt *rt, int idx, int n);

/* The method has raised the error on the top, which is popped, and true
** returned, if that leaves the loop. */
bool asy_protocol_leaves(lua_State *L, asy_loop *loop);

/* Calls a method with the 'n' values on the top, which are popped; an error is
** reported with the message, and changes nothing. May raise for want of the
** method. */
void asy_protocol_tell(lua_State *L, asy_loop *loop, int idx, const char *name,
                       int n, const char *message);

/* Reads Lua's arguments of set_write_buffer_limits(high, low). */
void asy_protocol_limits(lua_State *L, size_t *high, size_t *low);

#endif
