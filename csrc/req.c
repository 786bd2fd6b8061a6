/*
** Requests under way, in a list per loop.
*/
#include "req.h"

#include <stdlib.h>


void *asy_req_new(asy_loop *loop, size_t size) {
  asy_req *r = (asy_req *)calloc(1, size);
  if (r != NULL)
    r->loop = loop;
  return r;
}


void asy_req_started(asy_req *r) {
  r->uv.any.data = r;
  asy_list_append(&r->loop->engine->requests, &r->link);
}


void asy_req_ended(asy_req *r) {
  asy_list_remove(&r->link);
}


void asy_req_cancelall(asy_engine *e) {
  for (asy_list *n = e->requests.next; n != &e->requests; n = n->next)
    uv_cancel(&asy_of(n, asy_req, link)->uv.any);
}
