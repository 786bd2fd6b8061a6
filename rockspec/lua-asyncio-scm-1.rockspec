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
        "csrc/core.c",
      },
      libraries = { "uv" },
      incdirs = { "$(UV_INCDIR)" },
      libdirs = { "$(UV_LIBDIR)" },
    },
    ["asyncio"] = "lua/asyncio/init.lua",
  },
}
-- make builds, fetches busted where it is missing, and runs the specs
test = {
  type = "command",
  command = "make test",
}
