/*
** The other end of bulk.c on bare libuv: receives into one buffer, sends from
** another, one write at a time.
** uv_bulk   prints port=N and serves until it is killed.
*/

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define CHUNK 65536

typedef struct Connection {
  uv_tcp_t tcp;
  uv_write_t write;
  char request[32]; /* what has come of it so far */
  size_t length;
  size_t left; /* chunks to be sent */
} Connection;

static char buffer[CHUNK];


static void check(int status, const char *what) {
  if (status < 0) {
    fprintf(stderr, "uv_bulk: %s: %s\n", what, uv_strerror(status));
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
  (void)handle;
  (void)size;
  *buf = uv_buf_init(buffer, CHUNK);
}


static void connection_written(uv_write_t *req, int status);


/* Sends what the socket takes at once, then waits for the rest of a chunk. */
static void connection_send(Connection *c) {
  while (c->left > 0) {
    uv_buf_t data = uv_buf_init(buffer, CHUNK);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &data, 1);
    if (sent < 0 && sent != UV_EAGAIN)
      break;
    c->left--;
    if (sent == CHUNK)
      continue;
    data = uv_buf_init(buffer, (unsigned)(sent < 0 ? CHUNK : CHUNK - sent));
    check(uv_write(&c->write, (uv_stream_t *)&c->tcp, &data, 1,
                   connection_written),
          "uv_write");
    return;
  }
  connection_close(c);
}


static void connection_written(uv_write_t *req, int status) {
  Connection *c = req->handle->data;
  if (status < 0)
    connection_close(c);
  else
    connection_send(c);
}


static void connection_answer(Connection *c) {
  uv_buf_t data = uv_buf_init(buffer, 1);
  uv_try_write((uv_stream_t *)&c->tcp, &data, 1);
  connection_close(c);
}


/* The start of what the client says; true once it wants to receive. */
static int connection_request(Connection *c, const char *data, size_t n) {
  for (size_t i = 0; i < n && c->length < sizeof(c->request) - 1; i++)
    c->request[c->length++] = data[i];
  return c->request[0] == 'd' && c->request[c->length - 1] == '\n';
}


static void connection_read(uv_stream_t *stream, ssize_t n,
                            const uv_buf_t *buf) {
  Connection *c = stream->data;
  if (n == UV_EOF)
    connection_answer(c);
  else if (n < 0)
    connection_close(c);
  else if (c->request[0] != 'u' &&
           connection_request(c, buf->base, (size_t)n)) {
    c->left = (size_t)atoi(c->request + 1) * ((1 << 20) / CHUNK);
    uv_read_stop(stream);
    connection_send(c);
  }
}


static void server_accept(uv_stream_t *server, int status) {
  Connection *c = status < 0 ? NULL : calloc(1, sizeof(Connection));
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
  check(uv_listen((uv_stream_t *)&server, 16, server_accept), "listen");
  check(uv_tcp_getsockname(&server, (struct sockaddr *)&address, &size),
        "getsockname");
  printf("port=%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
