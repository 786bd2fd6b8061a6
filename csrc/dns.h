/*
** From host names to addresses, on libuv's thread pool.
*/
#ifndef asy_dns_h
#define asy_dns_h

#include "task.h"

struct asy_lookup;

/* Pushes a new lookup of the host and port, which it starts; numeric hosts are
** there at once. The family is AF_INET, AF_INET6 or AF_UNSPEC. Raises an
** OSError when it cannot start. */
struct asy_lookup *asy_dns_lookup(lua_State *L, asy_rt *rt, asy_loop *loop,
                                  const char *host, int port, int family);

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

/* The field 'family' of the options at 'idx', a table or nil. */
int asy_dns_family(lua_State *L, int idx);

void asy_dns_open(lua_State *L);

#endif
