/*
** Addresses in C and in Lua: tables {host=, port=, family=}, and the paths of
** Unix sockets as strings.
*/
#ifndef asy_address_h
#define asy_address_h

#include "runtime.h"

#define ASY_ADDRESS_TEXT 128 /* bytes that hold any address as text */

/* Writes "host:port", "[host]:port" or the path into 'text', which has
** ASY_ADDRESS_TEXT bytes. */
void asy_address_format(const struct sockaddr *address, char *text);

/* Pushes the address as a table or a path; nil for one of no known family and
** for a Unix socket without a path. */
void asy_address_push(lua_State *L, const struct sockaddr *address);

/* Pushes its host alone, which is numeric. */
void asy_address_pushhost(lua_State *L, const struct sockaddr *address);

/* Reads a numeric host; false when it is a name. */
bool asy_address_parse(const char *host, int port,
                       struct sockaddr_storage *address);

void asy_address_setport(struct sockaddr *address, int port);
int asy_address_port(const struct sockaddr *address);

/* Whether both are the same host and port. */
bool asy_address_equal(const struct sockaddr *a, const struct sockaddr *b);

/* The size of an address of that family. */
size_t asy_address_size(const struct sockaddr *address);

/* Whether there is anything to show: a known family, and a path. */
bool asy_address_known(const struct sockaddr *address);

/* The address of a socket's own end, or of its peer; of no family when the
** descriptor is no socket, or the end has none. */
void asy_address_local(int fd, struct sockaddr_storage *address);
void asy_address_peer(int fd, struct sockaddr_storage *address);

/* Makes the address of a path of 'n' bytes, or of an abstract name, which begins
** with a zero; false when it is too long for one. */
bool asy_address_path(const char *path, size_t n,
                      struct sockaddr_storage *address);

/* The path in the address of a Unix socket, empty where it has none. */
const char *asy_address_getpath(const struct sockaddr *address);

/* Pushes the host, a string without zeros or nil, of the address in the field of
** the options at 'idx', a table; 'port' becomes its port, 0 when that is missing.
** False when there is no such field. An argument error says that it "must have"
** what is said. */
bool asy_address_field(lua_State *L, int idx, const char *name,
                       const char *what, int *port);

/* Raises the argument error of such a field. */
int asy_address_badfield(lua_State *L, int idx, const char *name,
                         const char *what);

/* Whether the value is a host: a string without zeros, which would end it. */
bool asy_address_ishost(lua_State *L, int idx);

/* The argument, a port: a number from 0 to 65535. */
int asy_address_checkport(lua_State *L, int arg);

#endif
