/*
** What the servers on bare libuv have in common: they listen on a port that the
** system picks, print port=N, and serve until they are killed. A connection is a
** struct whose first member is its uv_tcp_t.
*/
#ifndef uv_server_h
#define uv_server_h

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

typedef struct Server {
  uv_tcp_t tcp;
  size_t size;                  /* of a connection */
  void (*begin)(uv_tcp_t *tcp); /* makes it ready; may be NULL */
  uv_alloc_cb alloc;
  uv_read_cb read;
} Server;


static void check(int status, const char *what) {
  if (status < 0) {
    fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
    exit(1);
  }
}


static void connection_free(uv_handle_t *handle) {
  free(handle);
}


static void connection_close(uv_tcp_t *tcp) {
  if (!uv_is_closing((uv_handle_t *)tcp))
    uv_close((uv_handle_t *)tcp, connection_free);
}


static void server_accept(uv_stream_t *stream, int status) {
  Server *server = (Server *)stream;
  uv_tcp_t *tcp = status < 0 ? NULL : (uv_tcp_t *)malloc(server->size);
  if (tcp == NULL)
    return;
  check(uv_tcp_init(stream->loop, tcp), "uv_tcp_init");
  if (uv_accept(stream, (uv_stream_t *)tcp) < 0) {
    connection_close(tcp);
    return;
  }
  if (server->begin != NULL)
    server->begin(tcp);
  uv_tcp_nodelay(tcp, 1);
  uv_read_start((uv_stream_t *)tcp, server->alloc, server->read);
}


static int serve(Server *server, int backlog) {
  uv_loop_t *loop = uv_default_loop();
  struct sockaddr_in address;
  int size = sizeof(address);
  signal(SIGPIPE, SIG_IGN);
  check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
  check(uv_tcp_init(loop, &server->tcp), "uv_tcp_init");
  check(uv_tcp_bind(&server->tcp, (const struct sockaddr *)&address, 0),
        "bind");
  check(uv_listen((uv_stream_t *)&server->tcp, backlog, server_accept),
        "listen");
  check(uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &size),
        "getsockname");
  printf("port=%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}

#endif
