/*
** The files of Unix sockets. POSIX only.
*/
#ifndef asy_unix_h
#define asy_unix_h

#include "runtime.h"

/* The file of a bound socket, which may come to be that of another. */
typedef struct asy_unix_file {
  char *path; /* absolute, or NULL */
  uint64_t device, inode;
} asy_unix_file;

/* Makes a socket that is bound to the path; one that is there already is removed
** first. Returns its descriptor or a libuv error. */
int asy_unix_bind(const struct sockaddr *address, asy_unix_file *file);

/* Removes the file, if it is still that socket's. */
void asy_unix_remove(asy_unix_file *file);

#endif
