/*
** What the programs share that play the clients: sockets, clocks, and what the
** system says of the server's process.
*/
#ifndef bench_client_h
#define bench_client_h

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


static inline void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}


static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0)
    fail("clock_gettime");
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}


/* The clock of the processor time of that process. */
static inline clockid_t clock_of(const char *pid) {
  clockid_t clock;
  if (clock_getcpuclockid(atoi(pid), &clock) != 0)
    fail("clock_getcpuclockid");
  return clock;
}


/* A blocking socket that is connected to the port on this host. */
static inline int connect_to(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(port))};
  int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0)
    fail("socket");
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
    fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}


static inline void raise_fd_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}


/* The figure of that name, "VmRSS:" say, in the process' status; 0 if none. */
static inline long status_kib(const char *pid, const char *name) {
  char path[64], line[128];
  long kib = 0;
  FILE *file;
  snprintf(path, sizeof(path), "/proc/%s/status", pid);
  file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof(line), file) != NULL)
    if (strncmp(line, name, strlen(name)) == 0)
      kib = atol(line + strlen(name));
  if (file != NULL)
    fclose(file);
  return kib;
}

#endif
