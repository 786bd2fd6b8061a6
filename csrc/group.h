/*
** TaskGroup: tasks that end before the scope that made them does.
**   open      the body runs
**   exiting   the scope ends: the parent waits for the children
**   finished  left, or the parent ended without leaving
*/
#ifndef asy_group_h
#define asy_group_h

#include "task.h"

typedef enum asy_group_state {
  ASY_GROUP_OPEN,
  ASY_GROUP_EXITING,
  ASY_GROUP_FINISHED
} asy_group_state;

struct asy_group;

/* A child, until it ended well or was cancelled; one that failed stays. */
typedef struct asy_groupchild {
  asy_watch watch; /* of the child, while that is unfinished */
  asy_list link;   /* in one of the group's lists */
  asy_task *task;  /* kept: it stays pinned */
  struct asy_group *group;
} asy_groupchild;

typedef struct asy_group {
  asy_rt *rt;
  uint8_t kind;
  uint8_t state;
  bool aborting;
  bool cancels_parent; /* the parent was cancelled once, by the group */
  bool interrupted;    /* the parent was cancelled while it waited */
  uint32_t slot;       /* pin, until finished */
  asy_loop *loop;
  asy_ready ready;   /* queued when a child has failed */
  asy_task *parent;  /* NULL once finished */
  asy_watch watch;   /* of the parent */
  asy_list link;     /* in the runtime's list, until finished */
  asy_list children; /* unfinished, in order of creation */
  asy_list failing;  /* since the entry was queued */
  asy_list failed;   /* before, in the order in which they failed */
  asy_groupchild *spare;
} asy_group;

/* User values. */
#define ASY_GROUP_LOOP 1
#define ASY_GROUP_SOURCE 2 /* where it was made, in debug mode */
#define ASY_GROUP_VALUES 2

/* Lua's constructor TaskGroup(), for a closure with the runtime. */
int asy_group_create(lua_State *L);

/* Has the memory for one more child at hand; false when there is none. What
** is left when no child was made is for the next one. */
bool asy_group_reserve(asy_group *g);

/* Makes the new task at 'idx' a child. May raise, and has cancelled it then. */
void asy_group_add(lua_State *L, asy_group *g, int idx);

/* Cancels the children. Runs no Lua. */
void asy_group_abort(asy_group *g);

/* Whether there are children that the end of the scope must wait for. */
bool asy_group_busy(const asy_group *g);

/* The group lets go of its parent and of its children. Never raises. */
void asy_group_finish(asy_group *g);

/* The errors of children that nobody will take are reported as lost; but a
** KeyboardInterrupt, which has left the loop, is not. Never raises. */
void asy_group_reportfailed(asy_group *g);

/* The state closes: frees what the unfinished groups have in C memory. */
void asy_group_freeall(asy_rt *rt);

/* groupexit.c: __close(group, err) */
int asy_group_close(lua_State *L);

/* Pushes a new list of the unfinished children of the group at 'idx'; returns
** their number. */
int asy_group_pushtasks(lua_State *L, int idx);

void asy_group_open(lua_State *L);

#endif
