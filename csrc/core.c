/*
** The module asyncio.core: opens all parts, lower layers first. Each adds its
** functions to one table, of which lua/asyncio/init.lua makes the public face.
*/
#include "core.h"

#include "await.h"
#include "callback.h"
#include "channel.h"
#include "class.h"
#include "context.h"
#include "coroutine.h"
#include "crossing.h"
#include "debug.h"
#include "dns.h"
#include "error.h"
#include "executor.h"
#include "serve.h"
#include "fs.h"
#include "graph.h"
#include "group.h"
#include "loopref.h"
#include "options.h"
#include "poll.h"
#include "process.h"
#include "queue.h"
#include "sync.h"
#include "report.h"
#include "sig.h"
#include "sigint.h"
#include "stream.h"
#include "timeout.h"
#include "udp.h"
#include "wait.h"


/* Replaces the module table by an empty one that looks names up there. Lua
** finds the names of functions for its messages by searching all modules: they
** are to be those of the public face. */
static void wrap_module(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}


int luaopen_asyncio_core(lua_State *L) {
  /* one a line, so that changes are small */
  /* clang-format off */
  static void (*const opens[])(lua_State *) = {
      asy_error_open,
      asy_options_open,
      asy_loop_open,
      asy_future_open,
      asy_coroutine_open,
      asy_await_open,
      asy_callback_open,
      asy_context_open,
      asy_task_open,
      asy_sleep_open,
      asy_timeout_open,
      asy_shield_open,
      asy_gather_open,
      asy_group_open,
      asy_waitset_open,
      asy_protect_open,
      asy_colib_open,
      asy_generator_open,
      asy_report_open,
      asy_graph_open,
      asy_debug_open,
      asy_poll_open,
      asy_pollwait_open,
      asy_sigint_open,
      asy_sig_open,
      asy_names_open,
      asy_streams_open,
      asy_endpoint_open,
      asy_fs_open,
      asy_process_open,
      asy_lock_open,
      asy_event_open,
      asy_condition_open,
      asy_semaphore_open,
      asy_barrier_open,
      asy_itemq_open,
      asy_crossing_open,
      asy_channel_open,
      asy_loopref_open,
      asy_executor_open,
      asy_serve_open,
      asy_class_open,
      NULL,
  };
  /* clang-format on */
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  asy_rt_open(L);
  lua_newtable(L);
  for (int i = 0; opens[i] != NULL; i++)
    opens[i](L);
  wrap_module(L);
  return 1;
}
