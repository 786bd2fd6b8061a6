/*
** A run for every k. The parent forks and waits; a child chooses its k, runs
** the body and exits, so that a crash, a hang or a leak belongs to one k, and
** leaves the others alone.
*/
#include "sweep.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define MAX_JOBS 16
#define HANG_SECONDS 30
#define ENOUGH_FAILURES 5
#define DAMAGE 70 /* exit status where the body returned false */

/* What a child tells its parent, in memory they share. */
typedef struct {
  long count; /* allocations seen */
  bool met;   /* the k-th was among them */
  bool done;  /* it got to the end */
} report;

typedef struct {
  const sweep_plan *plan;
  sweep_body body;
  void *ud;
  report *reports; /* one for each job */
  pid_t pids[MAX_JOBS];
  long ks[MAX_JOBS];
  long count; /* allocations of a run in which none fails */
  long passed, failed, aborted;
  long early; /* ended by some other error before their allocation */
  bool over;  /* some k lay beyond the last allocation */
} sweep;


/* Nothing on the standard streams but the reports of the sanitizers. */
static void silence(void) {
  int null = open("/dev/null", O_RDWR);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_report_fd((void *)(intptr_t)dup(STDERR_FILENO));
#endif
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  close(null);
}


/* The job's number is for scripts that need names of their own for files. */
static void run_child(const sweep *s, int job, long k) {
  report *r = &s->reports[job];
  char number[8];
  bool ok;
  snprintf(number, sizeof number, "%d", job);
  setenv("SWEEP_JOB", number, 1);
  if (!s->plan->verbose)
    silence();
  alarm(HANG_SECONDS);
  fault_choose(s->plan->kind, k, s->plan->from);
  ok = s->body(s->ud);
  r->count = fault_count(s->plan->kind);
  r->met = fault_met();
  r->done = true;
  exit(ok ? EXIT_SUCCESS : DAMAGE);
}


static void start(sweep *s, int job, long k) {
  memset(&s->reports[job], 0, sizeof(report));
  fflush(NULL);
  s->ks[job] = k;
  s->pids[job] = fork();
  if (s->pids[job] == 0)
    run_child(s, job, k);
  if (s->pids[job] < 0) {
    perror("fork");
    exit(EXIT_FAILURE);
  }
}


static const char *verdict(const report *r, int status, char *text, size_t n) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return "it hung";
  if (WIFSIGNALED(status))
    snprintf(text, n, "it died of signal %d", WTERMSIG(status));
  else if (WEXITSTATUS(status) == DAMAGE && r->done)
    return "memory was lost, or the script found damage";
  else
    snprintf(text, n, "exit status %d", WEXITSTATUS(status));
  return text;
}


/* libuv itself gives up on some of its allocations: nothing can be done. */
static bool is_libuv_abort(const sweep *s, int status) {
  return s->plan->kind == FAULT_UV && WIFSIGNALED(status) &&
         WTERMSIG(status) == SIGABRT;
}


/* Waits for one child to end, judges it and returns its job. */
static int reap(sweep *s) {
  char text[64];
  int status;
  int job = 0;
  pid_t pid = wait(&status);
  while (s->pids[job] != pid)
    job++;
  s->pids[job] = 0;
  if (is_libuv_abort(s, status))
    s->aborted++;
  else if (status == 0 && !s->reports[job].met && s->ks[job] >= s->count)
    s->over = true;
  else if (status == 0 && !s->reports[job].met)
    s->early++;
  else if (status == 0)
    s->passed++;
  else {
    s->failed++;
    fprintf(stderr, "sweep: with allocation %ld failing: %s\n", s->ks[job],
            verdict(&s->reports[job], status, text, sizeof text));
  }
  return job;
}


/* A first run without a failure; whether there is anything to sweep. */
static bool count_allocations(sweep *s) {
  start(s, 0, 0);
  reap(s);
  s->over = false;
  s->count = s->reports[0].count;
  return s->failed == 0 && s->count > 0;
}


/* A few runs may meet a deadline on a slow machine; if it is many, the script
** tests nothing. */
static bool tells_something(const sweep *s) {
  return s->early * 10 <= s->passed;
}


static void run_all(sweep *s, long step) {
  int running = 0;
  int job;
  long k = 1;
  for (job = 0; job < s->plan->jobs; job++, k += step, running++)
    start(s, job, k);
  while (running > 0) {
    job = reap(s);
    running--;
    if (!s->over && s->failed < ENOUGH_FAILURES) {
      start(s, job, k);
      k += step;
      running++;
    }
  }
}


bool sweep_run(const sweep_plan *plan, sweep_body body, void *ud) {
  sweep s = {.plan = plan, .body = body, .ud = ud};
  long step = 1;
  s.reports = mmap(NULL, MAX_JOBS * sizeof(report), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (s.reports == MAP_FAILED || plan->jobs > MAX_JOBS) {
    fprintf(stderr, "sweep: cannot set up\n");
    return false;
  }
  if (!count_allocations(&s)) {
    fprintf(stderr, "sweep: the script fails, or allocates nothing\n");
    s.failed = 1;
  } else {
    if (plan->most > 0 && s.count > plan->most)
      step = (s.count + plan->most - 1) / plan->most;
    printf("%ld allocations, every %ld%s to fail\n", s.count, step,
           step == 1 ? "" : "th");
    run_all(&s, step);
  }
  if (s.aborted > 0)
    printf("libuv itself aborted %ld times\n", s.aborted);
  if (s.early > 0)
    printf("%ld ended with some other error before\n", s.early);
  printf("%ld passed, %ld failed\n", s.passed, s.failed);
  return s.failed == 0 && tells_something(&s);
}
