/*
** What waits for what: for deadlock errors and for people.
*/
#ifndef asy_graph_h
#define asy_graph_h

#include "task.h"

/* Pushes a DeadlockError that lists the loop's waiting tasks. */
void asy_graph_deadlock(lua_State *L, asy_loop *loop);

/* Pushes a string that says what the unfinished task does: "waits for ...". */
void asy_graph_describe(lua_State *L, asy_task *t);

/* Pushes the object that the task waits for, found on the stack of its thread;
** or nil, and returns false. */
bool asy_graph_pushon(lua_State *L, asy_task *t);

/* If the object at 'idx' stands for other futures (a gather, a shield, the set
** of a wait, a group), pushes these, as a list or as the only one; else returns
** false. */
bool asy_graph_pushmembers(lua_State *L, asy_rt *rt, int idx);

void asy_graph_open(lua_State *L);

/* callgraph.c: who awaits whom, for Lua. */
void asy_callgraph_open(lua_State *L);

#endif
