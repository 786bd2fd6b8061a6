/*
** The function that opens the module asyncio.core.
*/
#ifndef asy_core_h
#define asy_core_h

#include "compat.h"

#if defined(_WIN32)
#define ASY_EXPORT __declspec(dllexport)
#else
#define ASY_EXPORT __attribute__((visibility("default")))
#endif

ASY_EXPORT int luaopen_asyncio_core(lua_State *L);

#endif
