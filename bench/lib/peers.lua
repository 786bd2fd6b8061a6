-- Who is compared. A peer with `program` runs the workloads of one process
-- each, one with `server` an echo server; `here` is the command that tells
-- whether it is installed.

local shell = require "bench.lib.shell"

local peers = {}

local LUA <const> = (function()
  local i = 0
  while arg[i - 1] do
    i = i - 1
  end
  return arg[i]
end)()

local OURS <const> = 'env LUA_PATH="lua/?.lua;lua/?/init.lua;;" LUA_CPATH="build/?.so;;" ' .. LUA

local function python_with(module)
  for _, name in ipairs{os.getenv("PYTHON") or "python3", "/usr/bin/python3"} do
    if shell.works(name .. " -c 'import " .. module .. "'") then
      return name .. " -B"
    end
  end
end

-- One interpreter for all of Python's peers, so that they differ in nothing else.
local PYTHON <const> = python_with("uvloop") or python_with("asyncio") or "python3"

local ALL <const> = {
  {name = "asyncio", label = "lua-asyncio", here = OURS .. " -e 'require [[asyncio]]'",
    program = OURS .. " bench/peers/asyncio.lua",
    coroutine = OURS .. " bench/peers/coroutine.lua",
    server = OURS .. " bench/peers/echo_asyncio.lua",
    bulk = OURS .. " bench/peers/bulk_asyncio.lua"},
  {name = "protocol", label = "lua-asyncio protocols", here = OURS .. " -e 'require [[asyncio]]'",
    server = OURS .. " bench/peers/echo_protocol.lua"},
  {name = "floor", label = "bare resume/yield", here = "test -x build/bench/switch",
    program = "build/bench/switch", only = {switch = true}},
  {name = "uv", label = "C on libuv", here = "test -x build/bench/uv_echo",
    server = "build/bench/uv_echo", bulk = "build/bench/uv_bulk"},
  {name = "cpython", label = "CPython asyncio", here = PYTHON .. " -c 'import asyncio'",
    program = PYTHON .. " bench/peers/aio.py asyncio",
    server = PYTHON .. " bench/peers/echo_aio.py asyncio streams",
    bulk = PYTHON .. " bench/peers/bulk_aio.py asyncio streams"},
  {name = "uvloop", label = "uvloop", here = PYTHON .. " -c 'import uvloop'",
    program = PYTHON .. " bench/peers/aio.py uvloop"},
  {name = "uvloop_protocol", label = "uvloop protocols", here = PYTHON .. " -c 'import uvloop'",
    server = PYTHON .. " bench/peers/echo_aio.py uvloop protocol",
    bulk = PYTHON .. " bench/peers/bulk_aio.py uvloop protocol"},
  {name = "uvloop_streams", label = "uvloop streams", here = PYTHON .. " -c 'import uvloop'",
    server = PYTHON .. " bench/peers/echo_aio.py uvloop streams",
    bulk = PYTHON .. " bench/peers/bulk_aio.py uvloop streams"},
  {name = "trio", label = "trio", here = PYTHON .. " -c 'import trio'",
    program = PYTHON .. " bench/peers/trio_peer.py"},
  {name = "node", label = "Node", here = "node --version",
    program = "node bench/peers/node.js", server = "node bench/peers/echo_node.js"},
  {name = "luv", label = "coroutines on luv", here = LUA .. " -e 'require [[luv]]'",
    program = LUA .. " bench/peers/luv.lua", server = LUA .. " bench/peers/echo_luv.lua"},
  {name = "cqueues", label = "cqueues", here = LUA .. " -e 'require [[cqueues]]'",
    program = LUA .. " bench/peers/cqueues.lua",
    server = LUA .. " bench/peers/echo_cqueues.lua"},
}

-- The peers that are there; `wanted` is a set of names, or nil for all.
function peers.installed(wanted)
  local installed, missing = {}, {}
  for _, peer in ipairs(ALL) do
    if not wanted or wanted[peer.name] then
      table.insert(shell.works(peer.here) and installed or missing, peer)
    end
  end
  for _, peer in ipairs(missing) do
    io.stderr:write("bench: not installed, left out: ", peer.label, "\n")
  end
  return installed
end

return peers
