/*
** The classes of userdata: asyncio.Future, asyncio.Task and so on.
*/
#ifndef asy_class_h
#define asy_class_h

#include "runtime.h"

/* Makes the classes of the kinds whose metatables are there, in the module
** table on the top. */
void asy_class_open(lua_State *L);

#endif
