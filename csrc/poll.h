/*
** Watching the program's own file descriptors: add_reader and add_writer.
*/
#ifndef asy_poll_h
#define asy_poll_h

#include "loop.h"

void asy_poll_open(lua_State *L);

#endif
