/*
** Transports: a stream whose events are calls of a protocol's methods. What
** happens is noted, and told in the next turn, in this order: connection_made,
** resume_writing, data_received, eof_received, connection_lost.
*/
#ifndef asy_transport_h
#define asy_transport_h

#include "protocol.h"
#include "stream.h"

typedef struct asy_transport {
  asy_rt *rt;
  uint8_t kind;
  bool made;     /* connection_made was called */
  bool paused;   /* pause_reading was */
  bool deaf;     /* nothing that was received is told any more */
  bool eof;      /* the peer has ended its side */
  bool told;     /* eof_received was called */
  bool ended;    /* write_eof was */
  bool held;     /* pause_writing was, and resume_writing was not since */
  bool lost;     /* connection_lost is to be called */
  bool failed;   /* by the protocol: ASY_TRANSPORT_ERROR */
  uint32_t slot; /* pin, until connection_lost was called */
  asy_loop *loop;
  asy_stream *stream; /* NULL once closed */
  asy_ready ready;
  asy_buf buf;
  size_t high, low;
  int error;       /* of the connection, a libuv code, or 0 */
  int dropped;     /* writes after the end */
  asy_list makers; /* tasks that wait for connection_made */
  asy_ends ends;
} asy_transport;

#define ASY_TRANSPORT_ERROR ASY_TRANSPORT_OWN

/* {====== transport.c ====== */

/* Calls the factory at 'factory' and pushes a transport for what it returns,
** without a stream yet. Raises what the factory does. */
asy_transport *asy_transport_make(lua_State *L, asy_loop *loop, int factory);

/* Gives it, which is on the top, an open, connected handle. May raise, unless it
** is pinned; then nothing has changed. */
void asy_transport_attach(lua_State *L, asy_transport *t, asy_stream *s,
                          int ways);

/* Waits for connection_made; then the transport at 'idx' and its protocol are
** returned to Lua, from the C function that returns this call's result. */
int asy_transport_wait(lua_State *L, int idx);

/* An accepted connection gets its transport from the server at 'server', in whose
** context its factory runs; false if that failed, with the error on the top. */
bool asy_transport_accept(lua_State *L, asy_stream *s, int server);

/* More waits to be sent: calls pause_writing if that is too much. The transport
** is at 'idx'. */
void asy_transport_hold(lua_State *L, asy_transport *t, int idx);

/* Nothing more is told but the end; closes now, or once all is sent. */
void asy_transport_close(asy_transport *t, bool now);

/* Nothing more is told for now; false if it is not reading. */
bool asy_transport_pause(asy_transport *t);

/* It may read again: what was held back is told. */
void asy_transport_resume(asy_transport *t);

/* }====== */

#endif
