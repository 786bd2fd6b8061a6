rockspec_format = "3.0"
package = "lua-asyncio"
version = "scm-1"
-- the sources are those around this file: install them with `luarocks make`
source = {
  url = "git+file://.",
}
description = {
  summary = "What asyncio gives Python, for Lua, on libuv",
  detailed = [[
    Tasks, futures, timeouts, cancellation and streams with asyncio's names
    and semantics in Lua's own idiom: a C extension on libuv.
  ]],
  license = "MIT",
  labels = { "async", "asyncio", "coroutine", "libuv", "network" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4",
}
external_dependencies = {
  UV = { header = "uv.h", library = "uv" },
}
build = {
  type = "builtin",
  modules = {
    ["asyncio.core"] = {
      sources = {
        "csrc/address.c",
        "csrc/await.c",
        "csrc/barrier.c",
        "csrc/buf.c",
        "csrc/callback.c",
        "csrc/callgraph.c",
        "csrc/cancel.c",
        "csrc/class.c",
        "csrc/colib.c",
        "csrc/condition.c",
        "csrc/connect.c",
        "csrc/context.c",
        "csrc/core.c",
        "csrc/coroutine.c",
        "csrc/debug.c",
        "csrc/dns.c",
        "csrc/engine.c",
        "csrc/error.c",
        "csrc/event.c",
        "csrc/future.c",
        "csrc/garbage.c",
        "csrc/gather.c",
        "csrc/generator.c",
        "csrc/graph.c",
        "csrc/group.c",
        "csrc/groupapi.c",
        "csrc/groupexit.c",
        "csrc/handle.c",
        "csrc/itemheap.c",
        "csrc/items.c",
        "csrc/listen.c",
        "csrc/lock.c",
        "csrc/loop.c",
        "csrc/lost.c",
        "csrc/nest.c",
        "csrc/park.c",
        "csrc/pin.c",
        "csrc/poll.c",
        "csrc/protect.c",
        "csrc/queue.c",
        "csrc/queueapi.c",
        "csrc/reader.c",
        "csrc/report.c",
        "csrc/req.c",
        "csrc/runtime.c",
        "csrc/semaphore.c",
        "csrc/server.c",
        "csrc/shield.c",
        "csrc/sigint.c",
        "csrc/sleep.c",
        "csrc/startserver.c",
        "csrc/stderr.c",
        "csrc/stream.c",
        "csrc/swallow.c",
        "csrc/sync.c",
        "csrc/task.c",
        "csrc/taskapi.c",
        "csrc/tasklist.c",
        "csrc/timeout.c",
        "csrc/trace.c",
        "csrc/traceback.c",
        "csrc/waitset.c",
        "csrc/waitq.c",
        "csrc/wheel.c",
        "csrc/writer.c",
      },
      libraries = { "uv" },
      incdirs = { "$(UV_INCDIR)" },
      libdirs = { "$(UV_LIBDIR)" },
    },
    ["asyncio"] = "lua/asyncio/init.lua",
    ["asyncio.call_graph"] = "lua/asyncio/call_graph.lua",
    ["asyncio.coroutine"] = "lua/asyncio/coroutine.lua",
    ["asyncio.eager"] = "lua/asyncio/eager.lua",
    ["asyncio.exception_group"] = "lua/asyncio/exception_group.lua",
    ["asyncio.from_callback"] = "lua/asyncio/from_callback.lua",
    ["asyncio.meta"] = "lua/asyncio/meta.lua",
    ["asyncio.runner"] = "lua/asyncio/runner.lua",
    ["asyncio.task_group"] = "lua/asyncio/task_group.lua",
    ["asyncio.timed"] = "lua/asyncio/timed.lua",
  },
}
-- make builds, fetches busted where it is missing, and runs the specs
test = {
  type = "command",
  command = "make test",
}
