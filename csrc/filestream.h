/*
** Streams on descriptors that no poll can watch, such as those of regular files,
** or that must go on to block, since others have them, too.
*/
#ifndef asy_filestream_h
#define asy_filestream_h

#include "stream.h"

/* An open stream on the descriptor, which stays the caller's and must stay open;
** NULL without memory. */
asy_stream *asy_filestream_new(asy_loop *loop, int fd);

#endif
