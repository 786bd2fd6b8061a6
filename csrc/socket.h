/*
** Descriptors of sockets that are closed on exec from the beginning, so that no
** child ever gets one. None of these raises. POSIX only.
*/
#ifndef asy_socket_h
#define asy_socket_h

/* A new socket for streams, or a libuv error. */
int asy_socket_new(int family);

/* Accepts a connection of the listening socket: a descriptor that does not
** block, or a libuv error, which is UV_EAGAIN when there is none. */
int asy_socket_accept(int fd);

#endif
