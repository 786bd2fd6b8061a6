/*
** The child of a Process: its start, signals, and its end. libuv reaps it; when
** the loop closes before, it is killed and reaped here, so that no zombie is
** left.
*/
#include "process.h"

#include <errno.h>
#include <sys/poll.h>
#include <sys/wait.h>

#include "sig.h"
#include "weak.h"

#define LOST 255 /* the returncode of a child that somebody else has reaped */


/* {====== Its end ====== */

/* Takes over what the child has written, unless another one is to read it. Where
** nobody else has its pipes they are at their end, and its stdin closes, too. */
static void take_output(asy_process *p) {
  bool shared = false;
  asy_stream *in = p->input != NULL ? p->input->stream : NULL;
  for (int i = 0; i < 2; i++) {
    asy_stream *s = p->output[i] != NULL ? p->output[i]->stream : NULL;
    if (s != NULL && (s->shared || !asy_stream_drain(s)))
      shared = true;
  }
  if (in != NULL && !shared) {
    struct pollfd end = {.fd = asy_stream_fd(in), .events = POLLOUT};
    if (asy_stream_queued(in) > 0 && poll(&end, 1, 0) > 0 &&
        (end.revents & POLLERR) != 0)
      asy_stream_lose(in, UV_EPIPE); /* nobody will read it */
    else
      asy_stream_close(in);
  }
}


/* The Process, or NULL when it is collected. */
static asy_process *owner_of(const asy_child *c) {
  return (asy_process *)asy_weak_get(c->h.loop->rt, c->owner);
}


static void child_ended(asy_child *c, int returncode) {
  asy_process *p = owner_of(c);
  c->running = false;
  asy_loop_unsettimer(c->h.loop, &c->grace);
  if (p == NULL)
    return;
  p->returncode = returncode;
  take_output(p);
}


static void child_exited(uv_process_t *uv, int64_t status, int signum) {
  asy_child *c = (asy_child *)uv->data;
  child_ended(c, signum != 0 ? -signum : (int)status);
  asy_handle_close(&c->h);
}


/* Kills the child and reaps it; one that we may not kill is left alone. */
static void child_reap(asy_child *c) {
  int options = kill(c->pid, SIGKILL) == 0 ? 0 : WNOHANG;
  int status, pid;
  do
    pid = (int)waitpid(c->pid, &status, options);
  while (pid < 0 && errno == EINTR);
  if (pid != c->pid)
    child_ended(c, LOST);
  else
    child_ended(c,
                WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
}


static void child_detach(asy_handle *h) {
  asy_child *c = (asy_child *)h;
  asy_process *p;
  if (c->running)
    child_reap(c);
  p = owner_of(c);
  if (p == NULL)
    return;
  c->owner = 0;
  p->child = NULL;
  asy_waitq_wakeall(&p->waiters);
}


static void child_release(asy_handle *h) {
  (void)h;
  asy_sig_release(SIGCHLD);
}


static void grace_over(asy_timer *t) {
  asy_child *c = asy_of(t, asy_child, grace);
  uv_process_kill(&c->h.uv.process, SIGKILL);
}

/* }====== */


/* {====== What a Process does with it ====== */

asy_process *asy_process_new(lua_State *L, asy_loop *loop) {
  asy_process *p = (asy_process *)asy_new(
      L, loop->rt, ASY_PROCESS, sizeof(asy_process), ASY_PROCESS_VALUES);
  asy_list_init(&p->waiters);
  p->self = asy_weak_new(L, loop->rt, -1);
  asy_loop_push(L, loop);
  lua_setiuservalue(L, -2, ASY_PROCESS_LOOP);
  return p;
}


int asy_process_start(asy_process *p, asy_loop *loop, uv_process_options_t *o) {
  asy_child *c = (asy_child *)asy_handle_new(loop, sizeof(asy_child));
  int err;
  if (c == NULL)
    return UV_ENOMEM;
  c->h.detach = child_detach;
  c->h.release = child_release;
  o->exit_cb = child_exited;
  asy_sig_hold(SIGCHLD);
  err = uv_spawn(loop->engine->uv, &c->h.uv.process, o);
  asy_handle_opened(&c->h); /* also one that failed is to be closed */
  if (err != 0) {
    asy_handle_close(&c->h);
    return err;
  }
  c->running = true;
  c->pid = p->pid = uv_process_get_pid(&c->h.uv.process);
  c->owner = p->self;
  p->child = c;
  return 0;
}


int asy_process_signal(asy_process *p, int signum) {
  return uv_process_kill(&p->child->h.uv.process, signum);
}


void asy_process_terminate(asy_process *p) {
  asy_child *c = p->child;
  asy_process_signal(p, p->grace > 0 ? SIGTERM : SIGKILL);
  if (p->grace > 0 && !asy_list_linked(&c->grace.link))
    asy_loop_settimer(c->h.loop, &c->grace, asy_loop_after(p->grace),
                      grace_over);
}


void asy_process_killnow(asy_process *p) {
  if (p->child != NULL)
    asy_handle_close(&p->child->h);
}


static void close_now(asy_stream *s) {
  if (s != NULL)
    asy_handle_close(&s->h);
}


void asy_process_closepipes(asy_process *p) {
  if (p->input != NULL)
    close_now(p->input->stream);
  for (int i = 0; i < 2; i++)
    if (p->output[i] != NULL)
      close_now(p->output[i]->stream);
}


void asy_process_leave(asy_process *p) {
  asy_child *c = p->child;
  p->child = NULL;
  if (c == NULL)
    return;
  c->owner = 0;
  uv_unref(&c->h.uv.any);
}

/* }====== */
