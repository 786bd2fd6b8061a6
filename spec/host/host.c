/*
** A Lua interpreter with asyncio.core linked in, for the sanitizers: with no
** module to unload, a leak is reported with its symbols. It always closes the
** Lua state, under os.exit too, and tells what was not freed by then. It can
** make allocations fail.
*/
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lua.h>

#include <lauxlib.h>
#include <lualib.h>

#include "fault.h"
#include "sweep.h"

#define LOST_MEMORY 70 /* exit status */

static const char usage[] =
    "usage: host [options] [script [args]]\n"
    "  -e STAT            run STAT\n"
    "  -l NAME            require NAME into a global\n"
    "  -W                 turn warnings on\n"
    "  --gc=MODE          default, stress (incremental) or generational\n"
    "  --count-allocs     print how many allocations there were\n"
    "  --fail-alloc=K     the K-th allocation of Lua fails\n"
    "  --fail-from=K      that one and all after it\n"
    "  --fail-malloc=K    the K-th malloc of the core fails\n"
    "  --fail-uv-alloc=K  the K-th allocation of libuv fails\n"
    "  --full-send=K      the K-th datagram finds no room at once (Linux)\n"
    "  --sweep=KIND       alloc, from, malloc or uv: run the script for every\n"
    "                     K until it meets no failure; a Lua error is a good\n"
    "                     end, os.exit with an error is not\n"
    "  --runs=N           of a sweep, at most N, evenly spread\n"
    "  --jobs=N           of a sweep, processes at once\n"
    "  --verbose          of a sweep, show what the script prints\n";

LUAMOD_API int luaopen_asyncio_core(lua_State *L);

typedef enum { GC_DEFAULT, GC_STRESS, GC_GENERATIONAL } gc_mode;

typedef struct {
  int argc;
  char **argv;
  int script; /* index in argv of the script, argc if there is none */
  gc_mode gc;
  bool count;
  bool sweeping;
  sweep_plan plan;
} options;

/* The state that runs, and the way out of it for os.exit. */
static struct {
  lua_State *L;
  fault_memory memory;
  jmp_buf leave;
  int exit_status;
} now;


/* -- signals: SIGINT interrupts Lua, as in the stand-alone interpreter -- */

static void stop_hook(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

static void on_interrupt(int signum) {
  signal(signum, SIG_DFL); /* a second one ends the process */
  lua_sethook(now.L, stop_hook,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}


/* -- calling Lua -- */

static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
      return 1;
    message =
        lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* Calls the function under its `nargs` arguments; errors are raised again. */
static void call_traced(lua_State *L, int nargs) {
  int base = lua_gettop(L) - nargs;
  int status;
  lua_pushcfunction(L, add_traceback);
  lua_insert(L, base);
  signal(SIGINT, on_interrupt);
  status = lua_pcall(L, nargs, 0, base);
  signal(SIGINT, SIG_DFL);
  lua_remove(L, base);
  if (status != LUA_OK)
    lua_error(L);
}

static void run_chunk(lua_State *L, const char *chunk) {
  if (luaL_loadbuffer(L, chunk, strlen(chunk), "=(command line)") != LUA_OK)
    lua_error(L);
  call_traced(L, 0);
}

static void run_require(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  lua_setglobal(L, name);
}

static void run_script(lua_State *L, const options *o) {
  const char *name = o->argv[o->script];
  int i;
  if (strcmp(name, "-") == 0)
    name = NULL;
  if (luaL_loadfile(L, name) != LUA_OK)
    lua_error(L);
  luaL_checkstack(L, o->argc + LUA_MINSTACK, "too many arguments");
  for (i = o->script + 1; i < o->argc; i++)
    lua_pushstring(L, o->argv[i]);
  call_traced(L, o->argc - o->script - 1);
}


/* -- a state -- */

/* os.exit closes the state whether asked to or not */
static int host_exit(lua_State *L) {
  if (lua_isboolean(L, 1))
    now.exit_status = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
  else
    now.exit_status = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
  lua_close(L);
  longjmp(now.leave, 1);
  return 0;
}

/* os.fork(): 0 in the child, its number in the parent */
static int host_fork(lua_State *L) {
  lua_pushinteger(L, fork());
  return 1;
}

/* os.waitpid(pid): its exit status, or the signal that ended it, negative */
static int host_waitpid(lua_State *L) {
  int status = 0;
  waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
  lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
                                       : -(lua_Integer)WTERMSIG(status));
  return 1;
}

static void set_gc(lua_State *L, gc_mode mode) {
  if (mode == GC_STRESS) {
    lua_gc(L, LUA_GCINC, 1, 1000, 1);
    lua_gc(L, LUA_GCSETPAUSE, 0);
  } else if (mode == GC_GENERATIONAL)
    lua_gc(L, LUA_GCGEN, 1, 1);
}

static void push_arg_table(lua_State *L, const options *o) {
  int script = o->script < o->argc ? o->script : 0;
  int i;
  lua_createtable(L, o->argc, 1);
  for (i = 0; i < o->argc; i++) {
    lua_pushstring(L, o->argv[i]);
    lua_rawseti(L, -2, i - script);
  }
}

/* Runs what the command line asks for; a light C function, in lua_pcall. */
static int main_chunk(lua_State *L) {
  const options *o = lua_touserdata(L, 1);
  int i;
  for (i = 1; i < o->script; i++) {
    const char *word = o->argv[i];
    if (strcmp(word, "-e") == 0)
      run_chunk(L, o->argv[++i]);
    else if (strcmp(word, "-l") == 0)
      run_require(L, o->argv[++i]);
    else if (strcmp(word, "-W") == 0)
      lua_warning(L, "@on", 0);
  }
  fault_arm();
  if (o->script < o->argc)
    run_script(L, o);
  return 0;
}

static void new_state(const options *o) {
  lua_State *L = now.L = luaL_newstate();
  if (L == NULL) {
    fputs("host: not enough memory\n", stderr);
    exit(EXIT_FAILURE);
  }
  now.memory.L = L;
  now.memory.outstanding =
      (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
  lua_setallocf(L, fault_alloc, &now.memory);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_asyncio_core);
  lua_setfield(L, -2, "asyncio.core");
  lua_pop(L, 1);
  lua_getglobal(L, "os");
  lua_pushcfunction(L, host_exit);
  lua_setfield(L, -2, "exit");
  lua_pushcfunction(L, host_fork);
  lua_setfield(L, -2, "fork");
  lua_pushcfunction(L, host_waitpid);
  lua_setfield(L, -2, "waitpid");
  lua_pop(L, 1);
  push_arg_table(L, o);
  lua_setglobal(L, "arg");
  set_gc(L, o->gc);
}

/* Runs the script in a new state and closes it. *raised: a Lua error it was. */
static int run(const options *o, bool *raised) {
  lua_State *L;
  *raised = false;
  new_state(o);
  L = now.L;
  if (setjmp(now.leave) == 0) {
    now.exit_status = EXIT_SUCCESS;
    lua_pushcfunction(L, main_chunk);
    lua_pushlightuserdata(L, (void *)o);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      const char *message = lua_tostring(L, -1);
      fprintf(stderr, "host: %s\n", message ? message : "(error object)");
      now.exit_status = EXIT_FAILURE;
      *raised = true;
    }
    lua_close(L);
  }
  signal(SIGINT, SIG_DFL);
  fault_disarm();
  if (now.memory.outstanding != 0)
    fprintf(stderr, "host: %zu bytes outstanding after lua_close\n",
            now.memory.outstanding);
  return now.exit_status;
}

static bool run_swept(void *ud) {
  bool raised;
  int status = run(ud, &raised);
  return now.memory.outstanding == 0 && (status == EXIT_SUCCESS || raised);
}


/* -- the command line -- */

static void bad_usage(const char *word) {
  fprintf(stderr, "host: bad option '%s'\n%s", word, usage);
  exit(EXIT_FAILURE);
}

/* The V of "--name=V" if `word` is that, else NULL. */
static const char *value_of(const char *word, const char *name) {
  size_t n = strlen(name);
  bool found = strncmp(word, name, n) == 0 && word[n] == '=';
  return found ? word + n + 1 : NULL;
}

static bool parse_fault(const char *word) {
  static const struct {
    const char *name;
    fault_kind kind;
    bool from;
  } faults[] = {
      {"--fail-alloc", FAULT_LUA, false}, {"--fail-from", FAULT_LUA, true},
      {"--fail-malloc", FAULT_C, false},  {"--fail-uv-alloc", FAULT_UV, false},
      {"--full-send", FAULT_SEND, false},
  };
  size_t i;
  for (i = 0; i < sizeof faults / sizeof *faults; i++) {
    const char *value = value_of(word, faults[i].name);
    if (value != NULL) {
      fault_choose(faults[i].kind, atol(value), faults[i].from);
      return true;
    }
  }
  return false;
}

static bool parse_sweep(options *o, const char *word) {
  static const char *const kinds[] = {"alloc", "from", "malloc", "uv", NULL};
  static const fault_kind of_kind[] = {FAULT_LUA, FAULT_LUA, FAULT_C, FAULT_UV};
  const char *value = value_of(word, "--sweep");
  int i;
  if (value != NULL) {
    for (i = 0; kinds[i] != NULL && strcmp(kinds[i], value) != 0; i++) {
    }
    if (kinds[i] == NULL)
      return false;
    o->sweeping = true;
    o->plan.kind = of_kind[i];
    o->plan.from = i == 1;
  } else if ((value = value_of(word, "--runs")) != NULL)
    o->plan.most = atol(value);
  else if ((value = value_of(word, "--jobs")) != NULL)
    o->plan.jobs = atoi(value);
  else if (strcmp(word, "--verbose") == 0)
    o->plan.verbose = true;
  else
    return false;
  return true;
}

static bool parse_gc(options *o, const char *word) {
  static const char *const modes[] = {"default", "stress", "generational"};
  const char *value = value_of(word, "--gc");
  int i;
  for (i = 0; value != NULL && i < 3; i++) {
    if (strcmp(value, modes[i]) == 0) {
      o->gc = (gc_mode)i;
      return true;
    }
  }
  return false;
}

static void parse(options *o) {
  int i;
  for (i = 1; i < o->argc && o->argv[i][0] == '-'; i++) {
    const char *word = o->argv[i];
    if (strcmp(word, "-") == 0)
      break;
    if (strcmp(word, "--count-allocs") == 0)
      o->count = true;
    else if (strcmp(word, "-e") == 0 || strcmp(word, "-l") == 0) {
      if (++i == o->argc)
        bad_usage(word);
    } else if (strcmp(word, "-W") != 0 && !parse_gc(o, word) &&
               !parse_fault(word) && !parse_sweep(o, word))
      bad_usage(word);
  }
  o->script = i;
}

int main(int argc, char **argv) {
  options o = {.argc = argc, .argv = argv, .plan = {.jobs = 1}};
  bool raised;
  int status;
  fault_init();
  parse(&o);
  if (o.sweeping)
    return sweep_run(&o.plan, run_swept, &o) ? EXIT_SUCCESS : EXIT_FAILURE;
  status = run(&o, &raised);
  if (o.count)
    fprintf(stderr, "allocations: Lua %ld, core %ld, libuv %ld\n",
            fault_count(FAULT_LUA), fault_count(FAULT_C),
            fault_count(FAULT_UV));
  return now.memory.outstanding != 0 ? LOST_MEMORY : status;
}
