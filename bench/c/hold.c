/*
** Many connections that do little, to an echo server:
**
** hold PORT CONNECTIONS PID
**
** opens them and waits until the server answers on the last one; then sends one
** message on each and waits until it is back. Prints one line: the resident
** memory of process PID before, with all of them open, and after the messages.
*/

#include "client.h"

static const char message[64] = "a message of which nothing is kept";


static void echo(int fd) {
  char answer[sizeof(message)];
  if (send(fd, message, sizeof(message), 0) != (ssize_t)sizeof(message))
    fail("send");
  if (recv(fd, answer, sizeof(answer), MSG_WAITALL) != (ssize_t)sizeof(answer))
    fail("recv");
}


int main(int argc, char **argv) {
  int count = argc > 2 ? atoi(argv[2]) : 0;
  long base, idle;
  int *fds;
  if (argc != 4 || count <= 0) {
    fprintf(stderr, "usage: hold PORT CONNECTIONS PID\n");
    return 2;
  }
  raise_fd_limit();
  fds = calloc((size_t)count, sizeof(int));
  if (fds == NULL)
    fail("calloc");
  echo(connect_to(argv[1])); /* whatever the server makes on first use */
  base = status_kib(argv[3], "VmRSS:");
  for (int i = 0; i < count; i++)
    fds[i] = connect_to(argv[1]);
  echo(fds[count - 1]);
  idle = status_kib(argv[3], "VmRSS:");
  for (int i = 0; i < count; i++)
    echo(fds[i]);
  printf("base_kib=%ld idle_kib=%ld used_kib=%ld\n", base, idle,
         status_kib(argv[3], "VmRSS:"));
  free(fds);
  return 0;
}
