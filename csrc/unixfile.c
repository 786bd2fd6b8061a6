/*
** Binding Unix sockets, and what becomes of their files.
*/
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "address.h"
#include "socket.h"
#include "unix.h"


static int last_error(void) {
  return uv_translate_sys_error(errno);
}


/* As asyncio does it: whatever socket is there, nobody is to reach it by this
** path any more. */
static void remove_stale(const char *path) {
  struct stat st;
  if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
    unlink(path);
}


/* Notes whose file it is, under a path that no chdir changes. */
static int note_file(const char *path, asy_unix_file *file) {
  struct stat st;
  if (stat(path, &st) != 0)
    return last_error();
  file->path = realpath(path, NULL);
  if (file->path == NULL)
    return last_error();
  file->device = (uint64_t)st.st_dev;
  file->inode = (uint64_t)st.st_ino;
  return 0;
}


int asy_unix_bind(const struct sockaddr *address, asy_unix_file *file) {
  const char *path = asy_address_getpath(address);
  int err = 0, fd = asy_socket_new(AF_UNIX);
  if (fd < 0)
    return fd;
  if (*path != '\0')
    remove_stale(path);
  if (bind(fd, address, (socklen_t)asy_address_size(address)) != 0) {
    err = last_error();
  } else if (*path != '\0') {
    err = note_file(path, file);
    if (err != 0)
      unlink(path);
  }
  if (err != 0) {
    close(fd);
    return err;
  }
  return fd;
}


void asy_unix_remove(asy_unix_file *file) {
  struct stat st;
  if (file->path == NULL)
    return;
  if (lstat(file->path, &st) == 0 && file->device == (uint64_t)st.st_dev &&
      file->inode == (uint64_t)st.st_ino)
    unlink(file->path);
  free(file->path);
  file->path = NULL;
}
