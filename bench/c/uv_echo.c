/*
** An echo server on bare libuv, what the others are measured against: each
** connection owns one buffer, reads into it and tries to write at once; only
** what the socket does not take waits, with reading stopped meanwhile.
** uv_echo   prints port=N and serves until it is killed.
*/

#include "uv_server.h"

#define BUFFER_SIZE 65536
#define BACKLOG 1024

typedef struct Connection {
  uv_tcp_t tcp;
  uv_write_t write;
  char buffer[BUFFER_SIZE];
} Connection;


static void connection_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  Connection *c = (Connection *)handle;
  (void)size;
  *buf = uv_buf_init(c->buffer, BUFFER_SIZE);
}


static void connection_read(uv_stream_t *stream, ssize_t n,
                            const uv_buf_t *buf);


static void connection_written(uv_write_t *req, int status) {
  Connection *c = req->data;
  if (status < 0)
    connection_close(&c->tcp);
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
    connection_close(&c->tcp);
}


static void connection_read(uv_stream_t *stream, ssize_t n,
                            const uv_buf_t *buf) {
  Connection *c = (Connection *)stream;
  uv_buf_t data;
  int sent;
  if (n == 0)
    return;
  if (n < 0) {
    connection_close(&c->tcp);
    return;
  }
  data = uv_buf_init(buf->base, (unsigned)n);
  sent = uv_try_write(stream, &data, 1);
  if (sent == n)
    return;
  if (sent >= 0 || sent == UV_EAGAIN)
    connection_write_rest(c, sent < 0 ? 0 : (size_t)sent, (size_t)n);
  else
    connection_close(&c->tcp);
}


int main(void) {
  static Server server = {.size = sizeof(Connection),
                          .alloc = connection_alloc,
                          .read = connection_read};
  return serve(&server, BACKLOG);
}
