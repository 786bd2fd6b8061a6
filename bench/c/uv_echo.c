/*
** An echo server on bare libuv, what the others are measured against: each
** connection owns one buffer, reads into it and tries to write at once; only
** what the socket does not take waits, with reading stopped meanwhile.
** uv_echo   prints port=N and serves until it is killed.
*/

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define BUFFER_SIZE 65536
#define BACKLOG 1024

typedef struct Connection {
  uv_tcp_t tcp;
  uv_write_t write;
  char buffer[BUFFER_SIZE];
} Connection;


static void check(int status, const char *what) {
  if (status < 0) {
    fprintf(stderr, "uv_echo: %s: %s\n", what, uv_strerror(status));
    exit(1);
  }
}


static void connection_free(uv_handle_t *handle) {
  free(handle->data);
}


static void connection_close(Connection *c) {
  if (!uv_is_closing((uv_handle_t *)&c->tcp))
    uv_close((uv_handle_t *)&c->tcp, connection_free);
}


static void connection_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  Connection *c = handle->data;
  (void)size;
  *buf = uv_buf_init(c->buffer, BUFFER_SIZE);
}


static void connection_read(uv_stream_t *stream, ssize_t n,
                            const uv_buf_t *buf);


static void connection_written(uv_write_t *req, int status) {
  Connection *c = req->data;
  if (status < 0)
    connection_close(c);
  else
    uv_read_start((uv_stream_t *)&c->tcp, connection_alloc, connection_read);
}


/* queues what uv_try_write left over; the buffer is busy until it is out */
static void connection_write_rest(Connection *c, size_t from, size_t to) {
  uv_buf_t rest = uv_buf_init(c->buffer + from, (unsigned)(to - from));
  uv_read_stop((uv_stream_t *)&c->tcp);
  c->write.data = c;
  if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &rest, 1,
               connection_written) < 0)
    connection_close(c);
}


static void connection_read(uv_stream_t *stream, ssize_t n,
                            const uv_buf_t *buf) {
  Connection *c = stream->data;
  uv_buf_t data;
  int sent;
  if (n == 0)
    return;
  if (n < 0) {
    connection_close(c);
    return;
  }
  data = uv_buf_init(buf->base, (unsigned)n);
  sent = uv_try_write(stream, &data, 1);
  if (sent == n)
    return;
  if (sent >= 0 || sent == UV_EAGAIN)
    connection_write_rest(c, sent < 0 ? 0 : (size_t)sent, (size_t)n);
  else
    connection_close(c);
}


static void server_accept(uv_stream_t *server, int status) {
  Connection *c = status < 0 ? NULL : malloc(sizeof(Connection));
  if (c == NULL)
    return;
  check(uv_tcp_init(server->loop, &c->tcp), "uv_tcp_init");
  c->tcp.data = c;
  if (uv_accept(server, (uv_stream_t *)&c->tcp) < 0) {
    connection_close(c);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1);
  uv_read_start((uv_stream_t *)&c->tcp, connection_alloc, connection_read);
}


int main(void) {
  uv_loop_t *loop = uv_default_loop();
  uv_tcp_t server;
  struct sockaddr_in address;
  int size = sizeof(address);
  signal(SIGPIPE, SIG_IGN);
  check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
  check(uv_tcp_init(loop, &server), "uv_tcp_init");
  check(uv_tcp_bind(&server, (const struct sockaddr *)&address, 0), "bind");
  check(uv_listen((uv_stream_t *)&server, BACKLOG, server_accept), "listen");
  check(uv_tcp_getsockname(&server, (struct sockaddr *)&address, &size),
        "getsockname");
  printf("port=%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
