-- Lua frees an object without having called its finalizer when that cannot be
-- called: there is no memory for it, or too many C functions call one another.
-- libuv and other objects may still have to do with it. What they then have is
-- freed memory shows under a sanitizer or valgrind.

local helper = require "spec.helper"

-- abandon() collects garbage where no finalizer can be called.
local PRELUDE <const> = [[
local asyncio = require "asyncio"

local function nest(depth, fn)
  local ok, err = pcall(function()
    if depth > 0 then nest(depth - 1, fn) else fn() end
  end)
  if not ok then error(err, 0) end
end

local function abandon()
  local depth = 250
  collectgarbage "stop"
  while not pcall(nest, depth, function() end) do
    depth = depth - 1
  end
  pcall(nest, depth, collectgarbage) -- finds what is to be finalized
  pcall(nest, depth, collectgarbage) -- and frees it
  collectgarbage "restart"
end

]]

-- What was abandoned holds its C memory: leaks are not looked for.
local function check(name, source)
  it(name, function()
    local opts = { env = { ASAN_OPTIONS = "detect_leaks=0" } }
    assert.equal("done\n", helper.check_script(PRELUDE .. source .. 'print "done"\n', opts))
  end)
end

describe("an object whose finalizer cannot be called", function()
  local eager <const> = os.getenv "ASYNCIO_TEST_GC" -- then it is freed long before
  it("is freed like others", function()
    local source = PRELUDE .. [[
local finalized = 0
local function make()
  setmetatable({}, { __gc = function() finalized = finalized + 1 end })
end
make()
abandon()
collectgarbage()
print(finalized)
]]
    local output <const> = helper.check_script(source)
    assert.equal(eager and output or "0\n", output)
  end)

  check("may be a reader and a writer", [[
asyncio.run(function()
  local abandoned, ended = asyncio.Event(), asyncio.Event()
  local server <close> = asyncio.start_server(function(_, writer)
    abandoned:wait()
    pcall(function()
      for _ = 1, 20 do
        writer:write(("x"):rep(100000))
        asyncio.sleep(0)
      end
    end)
    writer:close()
    ended:set()
  end, "127.0.0.1", 0)
  local function connect()
    asyncio.open_connection("127.0.0.1", server:sockets()[1].port)
  end
  connect()
  abandon()
  abandoned:set()
  ended:wait()
  server:abort_clients()
  asyncio.sleep(0.01)
end)
]])

  check("may be a reader whose task was closed by other code", [[
local thread
local function answer(connected, closed)
  local server <close> = asyncio.start_server(function(_, writer)
    closed:wait()
    for _ = 1, 5 do
      writer:write(("x"):rep(100000))
      asyncio.sleep(0.001)
    end
    writer:close()
  end, "127.0.0.1", 0)
  connected:set_result(server:sockets()[1].port)
  closed:wait()
  asyncio.sleep(0.01)
  server:abort_clients()
end
for _, lose in ipairs { collectgarbage, abandon } do
  asyncio.run(function()
    asyncio.get_running_loop():set_exception_handler(function() end)
    local connected, closed = asyncio.Future(), asyncio.Event()
    local server = asyncio.create_task(answer, connected, closed)
    asyncio.create_task(function()
      thread = coroutine.running()
      local reader = asyncio.open_connection("127.0.0.1", connected:await())
      reader:read(1)
    end)
    asyncio.sleep(0.01)
    coroutine.close(thread)
    thread = nil
    lose()
    lose()
    closed:set()
    server:await()
  end)
end
]])

  check("may be an endpoint for datagrams", [[
asyncio.run(function()
  local function open()
    local endpoint = asyncio.open_datagram { local_addr = { host = "127.0.0.1", port = 0 } }
    return endpoint:get_extra_info("sockname").port
  end
  local port = open()
  abandon()
  local sender <close> = asyncio.open_datagram { local_addr = { host = "127.0.0.1", port = 0 } }
  for _ = 1, 3 do
    sender:send("x", "127.0.0.1", port)
    asyncio.sleep(0.001)
  end
end)
]])

  check("may be a process", [[
asyncio.run(function()
  local function start()
    asyncio.create_subprocess_exec("sleep", { "0.01" }, { stdout = "pipe" })
  end
  start()
  abandon()
  asyncio.sleep(0.05)
end)
]])

  check("may be a watcher of a file", [[
asyncio.run(function()
  local name = os.tmpname()
  local function watch()
    asyncio.fs.watch(name)
  end
  watch()
  abandon()
  io.open(name, "w"):close()
  asyncio.sleep(0.005)
  os.remove(name)
  asyncio.sleep(0.005)
end)
]])

  check("may be an iterator of signals", [[
asyncio.run(function()
  local function listen()
    asyncio.signals("SIGUSR1", "SIGUSR2")
  end
  listen()
  abandon()
  os.execute "kill -USR1 $PPID"
  asyncio.sleep(0.005)
end)
]])

  check("may be an iterator of as_completed", [[
asyncio.run(function()
  local first, second = asyncio.Future(), asyncio.Future()
  local function iterate()
    asyncio.as_completed({ first, second }, { timeout = 0.005 })
  end
  iterate()
  abandon()
  first:set_result()
  asyncio.sleep(0.01)
  second:set_result()
end)
]])

  check("may be a file in use", [[
asyncio.run(function()
  local name = os.tmpname()
  local task = asyncio.create_task(function()
    asyncio.fs.open(name, "w"):write(("x"):rep(1000000))
  end)
  asyncio.sleep(0.001)
  task:cancel()
  asyncio.wait { task }
  task = nil
  abandon()
  asyncio.sleep(0.01)
  os.remove(name)
end)
]])

  check("may be a server that has no sockets yet", [[
asyncio.run(function()
  local task = asyncio.create_task(function()
    asyncio.start_server(print, { "127.0.0.1", "localhost" }, 0)
  end)
  asyncio.sleep(0)
  task:cancel()
  asyncio.wait { task }
  task = nil
  abandon()
end)
]])

  check("may be a loop", [[
local function open()
  local loop = asyncio.new_event_loop()
  loop:run_until_complete(function()
    asyncio.open_datagram { local_addr = { host = "127.0.0.1", port = 0 } }
    asyncio.start_server(print, "127.0.0.1", 0):close()
  end)
end
open()
abandon()
]])

  check("may be a loop that others ask about", [[
asyncio.new_event_loop()
abandon()
local pool <close> = asyncio.ThreadPoolExecutor(1)
]])
end)

describe("a finalizer", function()
  it("may run a loop as the Lua state closes, whatever its tasks wait for", function()
    helper.check_script [[
local asyncio = require "asyncio"
local loop <const> = asyncio.new_event_loop()
local keep = setmetatable({}, {
  __gc = function()
    pcall(loop.run_until_complete, loop, asyncio.async(asyncio.sleep)(0.01))
  end,
})
local name <const> = os.tmpname()
local file <const> = loop:run_until_complete(asyncio.fs.open, name, "w")
os.remove(name)
for _, wait in ipairs {
  function() file:write "x" end,
  function() asyncio.fs.stat "." end,
  function() asyncio.Channel():recv() end,
} do
  loop:create_task(pcall, wait)
end
loop:run_until_complete(asyncio.async(asyncio.sleep)(0))
keep = { keep, file }
]]
  end)
end)
