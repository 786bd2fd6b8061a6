/*
** What the Lua states of a pool's workers begin with, in C memory; and which
** function a job names.
*/
#ifndef asy_settings_h
#define asy_settings_h

#include "crossing.h"

typedef struct asy_preload {
  struct asy_preload *next;
  lua_CFunction open;
  char name[];
} asy_preload;

typedef struct asy_settings {
  char *path, *cpath;      /* of 'package', or NULL */
  asy_preload *c;          /* C functions of package.preload */
  asy_parcel *preload;     /* a table of Lua functions from there, or NULL */
  asy_parcel *initializer; /* what each worker calls first, or NULL */
  bool immune;             /* running jobs are not interrupted */
  char *executable;        /* of worker processes, or NULL, */
  char *code;              /* and what it runs */
  char name[16];           /* of the threads */
} asy_settings;

/* Fills in 'path', 'cpath' and the preloads from the calling state; 'flat' for
** other processes, where there are no C functions. May raise; what is there by
** then is for asy_settings_free. */
void asy_settings_take(lua_State *L, asy_settings *s, bool flat);

/* Makes them the state's; those of the preload parcel only. Both may raise. */
void asy_settings_apply(lua_State *L, const asy_settings *s);
void asy_settings_preload(lua_State *L, const asy_parcel *p);

void asy_settings_free(asy_settings *s);

/* Raises an argument error unless the argument is a function or the name of one:
** "module:function". */
void asy_settings_checkfn(lua_State *L, int arg);

/* Whether the value at 'idx' is one of these. */
bool asy_settings_isfn(lua_State *L, int idx);

/* Replaces such a name at 'idx' by the function, loading the module. */
void asy_settings_resolve(lua_State *L, int idx);

#endif
