/*
** From host names to addresses and back, on libuv's thread pool.
*/
#ifndef asy_dns_h
#define asy_dns_h

#include "task.h"

struct asy_lookup;

/* Pushes a new lookup of the host and service, which it starts; either may be
** NULL. What is numeric is there at once, without the pool. */
struct asy_lookup *asy_dns_resolve(lua_State *L, asy_rt *rt, asy_loop *loop,
                                   const char *host, const char *service,
                                   const struct addrinfo *hints);

/* The same for the addresses of a host and port; a numeric one needs no memory
** but Lua's. The family is AF_INET, AF_INET6 or AF_UNSPEC,
** the type SOCK_STREAM or SOCK_DGRAM. */
struct asy_lookup *asy_dns_lookup(lua_State *L, asy_rt *rt, asy_loop *loop,
                                  const char *host, int port, int family,
                                  int type);

/* Pushes a new lookup of the address' names, which it starts; the flags are
** those of getnameinfo(3). */
struct asy_lookup *asy_dns_reverse(lua_State *L, asy_rt *rt, asy_loop *loop,
                                   const struct sockaddr *address, int flags);

/* Whether the lookup still goes on. */
bool asy_dns_pending(const struct asy_lookup *l);

/* Suspends the task until the lookup, which must be on its stack, has ended. */
int asy_dns_wait(lua_State *L, asy_task *t, struct asy_lookup *l,
                 lua_KContext ctx, lua_KFunction k);

bool asy_dns_failed(const struct asy_lookup *l);

/* Raises the OSError of an ended lookup that failed. */
void asy_dns_check(lua_State *L, const struct asy_lookup *l);

/* The addresses of an ended lookup, and their number. */
const struct sockaddr_storage *asy_dns_addresses(const struct asy_lookup *l,
                                                 int *n);

/* All that an ended lookup by asy_dns_resolve has found. */
const struct addrinfo *asy_dns_list(const struct asy_lookup *l);

/* The names that an ended lookup by asy_dns_reverse has found. */
const char *asy_dns_host(const struct asy_lookup *l);
const char *asy_dns_service(const struct asy_lookup *l);

/* The field 'family' of the options at 'idx', a table or nil. */
int asy_dns_family(lua_State *L, int idx);

void asy_dns_open(lua_State *L);

/* getaddrinfo.c: opens all of it. */
void asy_names_open(lua_State *L);

#endif
