/*
** Network addresses, in C and as Lua tables {host=, port=, family=}.
*/
#ifndef asy_address_h
#define asy_address_h

#include "runtime.h"

#define ASY_ADDRESS_TEXT 80 /* bytes that hold any address as text */

/* Writes "host:port" or "[host]:port" into 'text', of ASY_ADDRESS_TEXT bytes. */
void asy_address_format(const struct sockaddr *address, char *text);

/* Pushes the address as a table, or nil for one of no known family. */
void asy_address_push(lua_State *L, const struct sockaddr *address);

/* Reads a numeric host; false when it is a name. */
bool asy_address_parse(const char *host, int port,
                       struct sockaddr_storage *address);

void asy_address_setport(struct sockaddr *address, int port);
int asy_address_port(const struct sockaddr *address);

/* Whether both are the same host and port. */
bool asy_address_equal(const struct sockaddr *a, const struct sockaddr *b);

/* The size of an address of that family. */
size_t asy_address_size(const struct sockaddr *address);

/* Whether the value is a host: a string without zeros, which would end it. */
bool asy_address_ishost(lua_State *L, int idx);

/* The argument, a port: a number from 0 to 65535. */
int asy_address_checkport(lua_State *L, int arg);

#endif
