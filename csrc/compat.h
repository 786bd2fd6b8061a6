/*
** What differs between Lua 5.4.0 and 5.5, and between platforms, is met here
** and nowhere else.
*/
#ifndef asy_compat_h
#define asy_compat_h

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <uv.h>

#if LUA_VERSION_NUM < 504
#error "lua-asyncio needs Lua 5.4 or later"
#endif

#if UV_VERSION_HEX < ((1 << 16) | (44 << 8))
#error "lua-asyncio needs libuv 1.44 or later"
#endif

#if defined(__GNUC__)
#define asy_likely(x) (__builtin_expect(!!(x), 1))
#define asy_unlikely(x) (__builtin_expect(!!(x), 0))
#define asy_noreturn __attribute__((noreturn))
#define asy_printf(f, a) __attribute__((format(printf, f, a)))
#else
#define asy_likely(x) (x)
#define asy_unlikely(x) (x)
#define asy_noreturn
#define asy_printf(f, a)
#endif

/* Unix sockets without files, whose names begin with a zero. */
#if defined(__linux__)
#define ASY_ABSTRACT_NAMES 1
#else
#define ASY_ABSTRACT_NAMES 0
#endif

/* The collector is to start as much later, in KiB: a negative step takes from
** what it counts. Later versions take none. */
#if LUA_VERSION_NUM == 504
#define asy_gcforgive(L, kib) ((void)lua_gc(L, LUA_GCSTEP, -(kib)))
#else
#define asy_gcforgive(L, kib) ((void)(L), (void)(kib))
#endif

/* Whether the system tells what happens in a directory by name, but only in that
** one; and the number of a watch there, which is that of the directory. */
#if defined(__linux__)
#define ASY_WATCHES_TREES 1
#define asy_watch_number(uv) ((uv)->wd)
#else
#define ASY_WATCHES_TREES 0
#define asy_watch_number(uv) ((void)(uv), 0)
#endif

#if LUA_VERSION_RELEASE_NUM >= 50406
#define asy_closethread(L, from) lua_closethread(L, from)
#else
#define asy_closethread(L, from) ((void)(from), lua_resetthread(L))
#endif

#endif
