-- Each operation that waits for the world, cancelled at each of its stages: after
-- that nothing is left in its loop, nor in the process.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local fs <const> = asyncio.fs

local HOST <const> = "127.0.0.1"

local function quiet() end

-- Reads to the end, as long as it takes.
local function swallow(stream)
  asyncio.create_task(stream.reader.read, stream.reader, "a")
end

local function close_both(_, writer)
  writer:close()
  writer:wait_closed()
end

-- An operation that waits for data of 'there'.
local function reading(method, ...)
  local arguments <const> = table.pack(...)
  return function(keep)
    local here <const>, there <const> = streams.pair()
    keep(here.writer)
    keep(there.writer)
    return function()
      here.reader[method](here.reader, table.unpack(arguments, 1, arguments.n))
    end, function()
      there.writer:write "line\n"
      there.writer:write_eof()
    end
  end
end

-- An operation of a full stream.
local function writing(prepare, method)
  return function(keep)
    local here <const>, there <const> = streams.pair()
    keep(here.writer)
    keep(there.writer)
    prepare(here, there)
    return function()
      here.writer[method](here.writer)
    end, function()
      swallow(there)
    end
  end
end

-- More than the system's buffers take at once.
local BLOCK <const> = ("x"):rep(1 << 23)

local function fill(here)
  here.writer:write(BLOCK)
end

local function fill_and_close(here)
  here.writer:write(BLOCK)
  here.writer:close()
end

local function server_of(keep, handler)
  local server <const> = asyncio.start_server(handler, HOST, 0)
  keep(server)
  return server, server:sockets()[1].port
end

-- An operation that ends by itself.
local function by_itself(fn, ...)
  local arguments <const> = table.pack(...)
  return function()
    return function()
      fn(table.unpack(arguments, 1, arguments.n))
    end, quiet
  end
end

local PATH <const>, REMOVED <const> = streams.path()

teardown(function()
  local _ <close> = REMOVED
end)

local function on_file(fn)
  return function(keep)
    local path <const> = PATH
    fs.write_file(path, ("line\n"):rep(1000))
    local file <const> = fs.open(path, "r+")
    keep(file)
    return function()
      fn(file, path)
    end, quiet
  end
end

asyncio.run(quiet) -- libuv opens descriptors for signals with the first loop

-- Each gets 'keep', which takes what is to be closed at the end, and returns the
-- operation and a function that lets it end.
local OPERATIONS <const> = {
  ["read"] = reading("read", 1),
  ["read a"] = reading("read", "a"),
  ["readexactly"] = reading("readexactly", 5),
  ["readuntil"] = reading("readuntil", "\n"),
  ["readline"] = reading "readline",
  ["drain"] = writing(fill, "drain"),
  ["wait_closed"] = writing(fill_and_close, "wait_closed"),

  ["open_connection"] = function(keep)
    local _ <const>, port <const> = server_of(keep, close_both)
    return function()
      close_both(asyncio.open_connection(HOST, port))
    end, quiet
  end,

  ["open_connection by name"] = function(keep)
    local _ <const>, port <const> = server_of(keep, close_both)
    return function()
      close_both(asyncio.open_connection("localhost", port, { family = "inet" }))
    end, quiet
  end,

  ["open_unix_connection"] = function(keep)
    local path <const> = PATH .. ".socket"
    keep(asyncio.start_unix_server(close_both, path, { backlog = 1 }))
    return function()
      close_both(asyncio.open_unix_connection(path))
    end, quiet
  end,

  ["start_server"] = by_itself(function()
    asyncio.start_server(quiet, "localhost", 0):close()
  end),

  ["connections"] = function(keep)
    local server <const>, port <const> = server_of(keep)
    return function()
      local next_connection <const> = server:connections()
      local _, writer <const> = next_connection()
      writer:close()
    end, function()
      asyncio.create_task(function()
        local ok <const>, reader <const>, writer = pcall(asyncio.open_connection, HOST, port)
        if ok then -- the server may be closed
          pcall(reader.read, reader, "a")
          writer:close()
        end
      end)
    end
  end,

  ["serve_forever"] = function(keep)
    local server <const> = server_of(keep, quiet)
    return function()
      server:serve_forever()
    end, function()
      server:close()
    end
  end,

  ["the end of a server"] = function(keep)
    local server <const> = server_of(keep, quiet)
    return function()
      server:wait_closed()
    end, function()
      server:close()
    end
  end,

  ["recv"] = function(keep)
    local endpoint <const> = asyncio.open_datagram { local_addr = { host = HOST, port = 0 } }
    keep(endpoint)
    return function()
      endpoint:recv()
    end, function()
      endpoint:send("x", HOST, endpoint:get_extra_info("sockname").port)
    end
  end,

  ["send by name"] = function(keep)
    local endpoint <const> = asyncio.open_datagram { local_addr = { host = HOST, port = 0 } }
    keep(endpoint)
    return function()
      endpoint:send("x", "localhost", endpoint:get_extra_info("sockname").port)
    end, quiet
  end,

  ["getaddrinfo"] = by_itself(asyncio.getaddrinfo, "localhost", 80),
  ["getnameinfo"] = by_itself(asyncio.getnameinfo, HOST, 80),

  ["stat"] = by_itself(fs.stat, "/"),
  ["scandir"] = by_itself(fs.scandir, "/"),
  ["mkdtemp"] = by_itself(function()
    fs.rmdir(fs.mkdtemp "build/cancel-XXXXXX")
  end),
  ["read_file"] = on_file(function(_, path)
    fs.read_file(path)
  end),
  ["write_file"] = on_file(function(_, path)
    fs.write_file(path, "x", { atomic = true })
  end),
  ["open"] = on_file(function(_, path)
    fs.open(path):close()
  end),
  ["file:read"] = on_file(function(file)
    file:read "a"
  end),
  ["file:write"] = on_file(function(file)
    file:write "x"
  end),
  ["file:lines"] = on_file(function(file)
    for _ in file:lines() do
    end
  end),
  ["file:close"] = on_file(function(file)
    file:close()
  end),

  ["watch"] = function()
    local path <const> = PATH
    fs.write_file(path, "x")
    return function()
      local watcher <close> = fs.watch(path)
      watcher()
    end, function()
      fs.write_file(path, "y")
    end
  end,

  ["a pipe"] = function(keep)
    local reader <const>, writer <const> = asyncio.pipe()
    keep(reader)
    keep(writer)
    return function()
      reader:read(1)
    end, function()
      writer:write "x"
    end
  end,

  ["signals"] = by_itself(function()
    local next_signal <const>, _, _, _ <close> = asyncio.signals "USR2"
    next_signal()
  end),
}

-- What has to be done to a task, between its making and its end.
local STAGES <const> = {
  ["before its first step"] = function(task)
    task:cancel()
  end,

  ["when it has begun"] = function(task)
    asyncio.sleep(0)
    task:cancel()
  end,

  ["while it waits"] = function(task)
    asyncio.sleep(0.002)
    task:cancel()
  end,

  ["as it is to end"] = function(task, finish)
    asyncio.sleep(0.002)
    finish()
    task:cancel()
  end,

  ["in the turn in which it ends"] = function(task, finish)
    asyncio.sleep(0.002)
    asyncio.get_running_loop():call_soon(finish)
    for _ = 1, 3 do
      asyncio.sleep(0)
    end
    task:cancel()
  end,

  ["twice"] = function(task)
    asyncio.sleep(0)
    task:cancel()
    asyncio.sleep(0)
    task:cancel()
  end,
}

-- Closes what fn(keep) has kept when that has ended.
local function with_kept(fn)
  local kept <const> = {}
  local _ <close> = setmetatable({}, {
    __close = function()
      for i = #kept, 1, -1 do
        local _ <close> = kept[i]
      end
    end,
  })
  fn(function(object)
    kept[#kept + 1] = object
  end)
end

-- Runs fn on a loop of its own. Then nothing can wake the loop any more, and all
-- descriptors are closed.
local function leaves_nothing(fn)
  local before <const> = streams.descriptors()
  local ok <const>, err <const> = pcall(asyncio.run, function()
    fn()
    helper.collect()
    asyncio.Future():await()
  end)
  assert.is_false(ok)
  assert.is_true(asyncio.isinstance(err, asyncio.DeadlockError), tostring(err))
  assert.equal(before, streams.descriptors())
end

-- The task's end: whatever it did, or its cancellation.
local function settle(task)
  asyncio.wait { task }
  local err <const> = not task:cancelled() and task:exception()
  assert(not err or asyncio.isinstance(err, asyncio.CancelledError), tostring(err))
end

local function cancel_at(operation, stage)
  with_kept(function(keep)
    local fn <const>, finish <const> = operation(keep)
    local task <const> = asyncio.create_task(fn)
    stage(task, function()
      asyncio.create_task(finish)
    end)
    settle(task)
  end)
end

-- A loop on which the operation has gone on for so many turns.
local function left_behind(operation, turns)
  local loop <const> = asyncio.new_event_loop()
  loop:run_until_complete(function()
    local fn <const> = operation(quiet)
    asyncio.create_task(fn)
    for _ = 1, turns do
      asyncio.sleep(0)
    end
  end)
  return loop
end

for name, operation in pairs(OPERATIONS) do
  describe(name, function()
    it("leaves nothing when it is cancelled", function()
      leaves_nothing(function()
        for _, stage in pairs(STAGES) do
          cancel_at(operation, stage)
        end
      end)
    end)

    it("leaves nothing when its time is over", function()
      leaves_nothing(function()
        for _, seconds in ipairs { 0, 0.001 } do
          with_kept(function(keep)
            local ok <const>, err <const> = pcall(asyncio.wait_for, (operation(keep)), seconds)
            assert(ok or asyncio.isinstance(err, asyncio.TimeoutError), tostring(err))
          end)
        end
      end)
    end)

    it("leaves nothing when its loop closes", function()
      local before <const> = streams.descriptors()
      for turns = 0, 2 do
        left_behind(operation, turns):close()
      end
      helper.collect()
      assert.equal(before, streams.descriptors())
    end)
  end)
end
