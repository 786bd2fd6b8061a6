/*
** Runs something over and over, each time with another allocation failing,
** each in a process of its own.
*/
#ifndef host_sweep_h
#define host_sweep_h

#include <stdbool.h>

#include "fault.h"

typedef struct {
  fault_kind kind;
  bool from;    /* fail the k-th allocation and all after it */
  bool verbose; /* let the runs write to the standard streams */
  long most;    /* take at most so many k, evenly spread; 0: all */
  int jobs;     /* processes at once */
} sweep_plan;

/*
** What is run; it ends well with true, also if a Lua error ended it, and with
** false where a failed allocation did damage.
*/
typedef bool (*sweep_body)(void *ud);

/* Prints what went wrong and "N passed, N failed"; true if nothing did. */
bool sweep_run(const sweep_plan *plan, sweep_body body, void *ud);

#endif
