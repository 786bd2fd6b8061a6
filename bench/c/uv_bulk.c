/*
** The other end of bulk.c on bare libuv: receives into one buffer, sends from
** another, one write at a time.
** uv_bulk   prints port=N and serves until it is killed.
*/

#include "uv_server.h"

#define CHUNK 65536

typedef struct Connection {
  uv_tcp_t tcp;
  uv_write_t write;
  char request[32]; /* what has come of it so far */
  size_t length;
  size_t left; /* chunks to be sent */
} Connection;

static char buffer[CHUNK];


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
  connection_close(&c->tcp);
}


static void connection_written(uv_write_t *req, int status) {
  Connection *c = (Connection *)req->handle;
  if (status < 0)
    connection_close(&c->tcp);
  else
    connection_send(c);
}


static void connection_answer(Connection *c) {
  uv_buf_t data = uv_buf_init(buffer, 1);
  uv_try_write((uv_stream_t *)&c->tcp, &data, 1);
  connection_close(&c->tcp);
}


/* The start of what the client says; true once it wants to receive. */
static int connection_request(Connection *c, const char *data, size_t n) {
  for (size_t i = 0; i < n && c->length < sizeof(c->request) - 1; i++)
    c->request[c->length++] = data[i];
  return c->request[0] == 'd' && c->request[c->length - 1] == '\n';
}


static void connection_read(uv_stream_t *stream, ssize_t n,
                            const uv_buf_t *buf) {
  Connection *c = (Connection *)stream;
  if (n == UV_EOF)
    connection_answer(c);
  else if (n < 0)
    connection_close(&c->tcp);
  else if (c->request[0] != 'u' &&
           connection_request(c, buf->base, (size_t)n)) {
    c->left = (size_t)atoi(c->request + 1) * ((1 << 20) / CHUNK);
    uv_read_stop(stream);
    connection_send(c);
  }
}


static void connection_begin(uv_tcp_t *tcp) {
  Connection *c = (Connection *)tcp;
  c->length = c->left = 0;
  c->request[0] = '\0';
}


int main(void) {
  static Server server = {.size = sizeof(Connection),
                          .begin = connection_begin,
                          .alloc = connection_alloc,
                          .read = connection_read};
  return serve(&server, 16);
}
