/*
** The load on every echo server: each of N connections sends one message and
** waits until all of it has come back, then sends the next, for a time.
**
** load PORT CONNECTIONS SIZE SECONDS [PID]
**
** prints one line: the rate, the 50th and 99th percentile of the round trip,
** this program's own share of its core (at 1.00 the rate is bound by it), and
** the processor time per message of process PID over the same span.
*/

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#include "client.h"

#define WARM_UP 0.3
#define LINGER 2.0
#define EVENTS 1024
/* the histogram: 64 steps to each power of two of nanoseconds */
#define STEP_BITS 6
#define BUCKETS (64 << STEP_BITS)

typedef struct Connection {
  int fd;
  size_t sent;
  size_t received;
  uint64_t start;
} Connection;

typedef struct Load {
  int epoll;
  size_t size;
  char *message;
  char *answer;
  int stopping;  /* no new message is sent */
  int under_way; /* connections that wait for their echo */
  uint64_t messages;
  uint64_t latencies[BUCKETS];
} Load;

/* a reading of the three clocks that bound a measurement */
typedef struct Mark {
  uint64_t wall, own, server;
} Mark;


static Mark mark_now(const clockid_t *server) {
  Mark m = {clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_PROCESS_CPUTIME_ID), 0};
  if (server != NULL)
    m.server = clock_ns(*server);
  return m;
}


/* -- the histogram -- */

static size_t bucket_of(uint64_t ns) {
  int top = 63 - __builtin_clzll(ns | 1);
  int shift = top > STEP_BITS ? top - STEP_BITS : 0;
  return ((size_t)shift << STEP_BITS) + (size_t)(ns >> shift);
}


static double bucket_ns(size_t bucket) {
  size_t shift = bucket >> STEP_BITS;
  if (shift == 0)
    return (double)bucket;
  shift--;
  return (double)((bucket - (shift << STEP_BITS)) << shift);
}


static double percentile_us(const Load *load, double share) {
  uint64_t wanted = (uint64_t)(share * (double)load->messages);
  uint64_t seen = 0;
  for (size_t i = 0; i < BUCKETS; i++) {
    seen += load->latencies[i];
    if (seen > wanted)
      return bucket_ns(i) / 1e3;
  }
  return 0;
}


/* -- one connection -- */

static void connection_wants(Load *load, Connection *c, int op,
                             uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(load->epoll, op, c->fd, &event) != 0)
    fail("epoll_ctl");
}


/* sends the rest of the message; writability is waited for only where the
** socket takes no more */
static void connection_send(Load *load, Connection *c) {
  int waited = c->sent > 0;
  ssize_t n = send(c->fd, load->message + c->sent, load->size - c->sent, 0);
  if (n < 0 && errno != EAGAIN)
    fail("send");
  if (n > 0)
    c->sent += (size_t)n;
  if (c->sent < load->size)
    connection_wants(load, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  else if (waited)
    connection_wants(load, c, EPOLL_CTL_MOD, EPOLLIN);
}


static void connection_begin(Load *load, Connection *c, uint64_t now) {
  c->sent = c->received = 0;
  c->start = now;
  connection_send(load, c);
}


static void connection_receive(Load *load, Connection *c) {
  ssize_t n = recv(c->fd, load->answer, load->size - c->received, 0);
  uint64_t now;
  if (n < 0 && errno == EAGAIN)
    return;
  if (n <= 0)
    fail("recv");
  if (memcmp(load->answer, load->message + c->received, (size_t)n) != 0) {
    fprintf(stderr, "load: the echo differs from what was sent\n");
    exit(1);
  }
  c->received += (size_t)n;
  if (c->received < load->size)
    return;
  now = clock_ns(CLOCK_MONOTONIC);
  load->messages++;
  load->latencies[bucket_of(now - c->start)]++;
  if (load->stopping)
    load->under_way--;
  else
    connection_begin(load, c, now);
}


static void connection_open(Load *load, Connection *c, const char *port) {
  c->fd = connect_to(port);
  if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
    fail("fcntl");
  connection_wants(load, c, EPOLL_CTL_ADD, EPOLLIN);
  load->under_way++;
  connection_begin(load, c, clock_ns(CLOCK_MONOTONIC));
}


/* -- the whole -- */

static void load_run(Load *load, double seconds) {
  struct epoll_event events[EVENTS];
  uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
  while (load->under_way > 0 && clock_ns(CLOCK_MONOTONIC) < end) {
    int n = epoll_wait(load->epoll, events, EVENTS, 100);
    if (n < 0 && errno != EINTR)
      fail("epoll_wait");
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT)
        connection_send(load, c);
      if (events[i].events & ~(uint32_t)EPOLLOUT)
        connection_receive(load, c);
    }
  }
}


static void load_report(const Load *load, Mark from, Mark to) {
  double wall = (double)(to.wall - from.wall) / 1e9;
  double messages = (double)load->messages;
  if (load->messages == 0) {
    fprintf(stderr, "load: not one message came back\n");
    exit(1);
  }
  printf("messages=%.0f rate=%.0f p50_us=%.1f p99_us=%.1f load_cpu=%.3f"
         " cpu_us=%.3f\n",
         messages, messages / wall, percentile_us(load, 0.50),
         percentile_us(load, 0.99), (double)(to.own - from.own) / 1e9 / wall,
         (double)(to.server - from.server) / 1e3 / messages);
}


static void load_init(Load *load, size_t size) {
  load->epoll = epoll_create1(0);
  load->size = size;
  load->message = malloc(size);
  load->answer = malloc(size);
  if (load->epoll < 0 || load->message == NULL || load->answer == NULL)
    fail("init");
  for (size_t i = 0; i < size; i++)
    load->message[i] = (char)('!' + i % 94);
}


int main(int argc, char **argv) {
  static Load load;
  Connection *connections;
  clockid_t server;
  Mark from;
  int count = argc > 2 ? atoi(argv[2]) : 0;
  int size = argc > 3 ? atoi(argv[3]) : 0;
  double seconds = argc > 4 ? atof(argv[4]) : 0;
  int watched = argc > 5;
  if (count <= 0 || size <= 0 || seconds <= 0) {
    fprintf(stderr, "usage: load PORT CONNECTIONS SIZE SECONDS [PID]\n");
    return 2;
  }
  if (watched)
    server = clock_of(argv[5]);
  signal(SIGPIPE, SIG_IGN);
  raise_fd_limit();
  load_init(&load, (size_t)size);
  connections = calloc((size_t)count, sizeof(Connection));
  if (connections == NULL)
    fail("calloc");
  for (int i = 0; i < count; i++)
    connection_open(&load, &connections[i], argv[1]);
  load_run(&load, WARM_UP);
  load.messages = 0;
  memset(load.latencies, 0, sizeof(load.latencies));
  from = mark_now(watched ? &server : NULL);
  load_run(&load, seconds);
  load_report(&load, from, mark_now(watched ? &server : NULL));
  /* let every echo arrive, so that the server sees an orderly end */
  load.stopping = 1;
  load_run(&load, LINGER);
  free(connections);
  return 0;
}
