/*
** The names of signals.
*/
#include "sig.h"

#include <string.h>

typedef struct sig_name {
  const char *name;
  int signum;
} sig_name;

#define NAME(s) \
  { "SIG" #s, SIG##s }

/* The signals of POSIX, and what most systems have besides. */
static const sig_name names[] = {
    NAME(ABRT),   NAME(FPE),  NAME(ILL),  NAME(INT),  NAME(SEGV), NAME(TERM),
#ifndef _WIN32
    NAME(ALRM),   NAME(BUS),  NAME(CHLD), NAME(CONT), NAME(HUP),  NAME(KILL),
    NAME(PIPE),   NAME(QUIT), NAME(STOP), NAME(TSTP), NAME(TTIN), NAME(TTOU),
    NAME(USR1),   NAME(USR2), NAME(PROF), NAME(SYS),  NAME(TRAP), NAME(URG),
    NAME(VTALRM), NAME(XCPU), NAME(XFSZ),
#endif
#ifdef SIGIO
    NAME(IO),
#endif
#ifdef SIGPWR
    NAME(PWR),
#endif
#ifdef SIGSTKFLT
    NAME(STKFLT),
#endif
#ifdef SIGWINCH
    NAME(WINCH),
#endif
#ifdef SIGINFO
    NAME(INFO),
#endif
#ifdef SIGBREAK
    NAME(BREAK),
#endif
    {NULL, 0},
};

#ifdef NSIG
#define LAST_SIGNAL (NSIG - 1)
#else
#define LAST_SIGNAL 64
#endif


static int number_of(const char *name) {
  if (strncmp(name, "SIG", 3) == 0)
    name += 3;
  for (const sig_name *n = names; n->name != NULL; n++)
    if (strcmp(n->name + 3, name) == 0)
      return n->signum;
  return 0;
}


int asy_sig_check(lua_State *L, int arg) {
  lua_Integer n;
  if (lua_type(L, arg) == LUA_TSTRING) {
    const char *name = lua_tostring(L, arg);
    int signum = number_of(name);
    if (signum == 0)
      luaL_argerror(L, arg, lua_pushfstring(L, "unknown signal '%s'", name));
    return signum;
  }
  if (lua_type(L, arg) != LUA_TNUMBER)
    asy_typeerror(L, arg, "name or number of a signal");
  n = luaL_checkinteger(L, arg);
  if (n < 1 || n > LAST_SIGNAL)
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "unknown signal %I", (LUAI_UACINT)n));
  return (int)n;
}


int asy_sig_checkcaught(lua_State *L, int arg) {
  int signum = asy_sig_check(L, arg);
#ifndef _WIN32
  if (signum == SIGKILL || signum == SIGSTOP)
    luaL_argerror(
        L, arg,
        lua_pushfstring(L, "%s cannot be caught", asy_sig_pushname(L, signum)));
#endif
  return signum;
}


const char *asy_sig_pushname(lua_State *L, int signum) {
  for (const sig_name *n = names; n->name != NULL; n++)
    if (n->signum == signum)
      return lua_pushstring(L, n->name);
  return lua_pushfstring(L, "%d", signum);
}
