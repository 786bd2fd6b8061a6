/*
** One end of a transfer, the other being a server to be measured:
**
** bulk PORT upload|download MIB PID
**
** sends or receives that much over one connection by blocking calls, and prints
** one line: the time, the processor time that process PID took for it, and by
** how much its resident memory has peaked above what it was before.
**
** The first byte tells the server what is to come. 'u': it reads all there is,
** then answers with a byte; 'd' and a number, with a newline: it sends so many
** MiB, then closes.
*/

#include <signal.h>

#include "client.h"

#define CHUNK ((size_t)1 << 18)

static char chunk[CHUNK];


static void send_all(int fd, const char *data, size_t n) {
  while (n > 0) {
    ssize_t sent = send(fd, data, n, 0);
    if (sent < 0)
      fail("send");
    data += sent;
    n -= (size_t)sent;
  }
}


/* Reads to the end, and returns how much that was. */
static uint64_t receive_all(int fd) {
  uint64_t total = 0;
  ssize_t n;
  while ((n = recv(fd, chunk, CHUNK, 0)) > 0)
    total += (uint64_t)n;
  if (n < 0)
    fail("recv");
  return total;
}


static void upload(int fd, uint64_t bytes) {
  send_all(fd, "u", 1);
  for (; bytes > 0; bytes -= CHUNK)
    send_all(fd, chunk, CHUNK);
  shutdown(fd, SHUT_WR);
  if (receive_all(fd) != 1) {
    fprintf(stderr, "bulk: no answer\n");
    exit(1);
  }
}


static void download(int fd, uint64_t bytes) {
  char request[32];
  snprintf(request, sizeof(request), "d%d\n", (int)(bytes >> 20));
  send_all(fd, request, strlen(request));
  if (receive_all(fd) != bytes) {
    fprintf(stderr, "bulk: not all has come\n");
    exit(1);
  }
}


int main(int argc, char **argv) {
  uint64_t bytes = argc > 3 ? (uint64_t)atoi(argv[3]) << 20 : 0;
  uint64_t start, cpu;
  clockid_t server;
  long base;
  int fd;
  if (argc != 5 || bytes == 0) {
    fprintf(stderr, "usage: bulk PORT upload|download MIB PID\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  memset(chunk, 'x', CHUNK);
  fd = connect_to(argv[1]);
  server = clock_of(argv[4]);
  base = status_kib(argv[4], "VmRSS:");
  cpu = clock_ns(server);
  start = clock_ns(CLOCK_MONOTONIC);
  if (strcmp(argv[2], "upload") == 0)
    upload(fd, bytes);
  else
    download(fd, bytes);
  printf("seconds=%.6f cpu=%.6f base_kib=%ld peak_kib=%ld\n",
         (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9,
         (double)(clock_ns(server) - cpu) / 1e9, base,
         status_kib(argv[4], "VmHWM:"));
  close(fd);
  return 0;
}
