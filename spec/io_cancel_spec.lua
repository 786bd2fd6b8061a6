-- Each operation that waits for the world, cancelled at each of its stages. Those
-- of children are in process_cancel_spec.lua.

local asyncio = require "asyncio"
local cancelling = require "spec.cancelling"
local fifo = require "spec.fifo"
local streams = require "spec.streams"

local by_itself <const> = cancelling.by_itself
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

local loop_here <const> = asyncio.get_running_loop

local function protocol()
  return {}
end

-- Has the transport closed at the end.
local function keep_closed(keep, transport)
  keep(setmetatable({}, {
    __close = function()
      transport:abort()
    end,
  }))
end

local function server_of(keep, handler)
  local server <const> = asyncio.start_server(handler, HOST, 0)
  keep(server)
  return server, server:sockets()[1].port
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

  ["wait_readable"] = function(keep)
    local r <const>, w <const>, both <const> = fifo.pipe()
    keep(r)
    keep(w)
    keep(both)
    return function()
      asyncio.wait_readable(r)
    end, function()
      w:write "x"
    end
  end,

  ["wait_writable"] = function(keep)
    local r <const>, w <const>, both <const> = fifo.pipe()
    keep(r)
    keep(w)
    keep(both)
    return function()
      asyncio.wait_writable(w)
    end, quiet
  end,

  ["create_connection"] = function(keep)
    local _ <const>, port <const> = server_of(keep, close_both)
    return function()
      local transport <const> = loop_here():create_connection(protocol, HOST, port)
      transport:close()
    end, quiet
  end,

  ["create_connection by name"] = function(keep)
    local _ <const>, port <const> = server_of(keep, close_both)
    return function()
      local transport <const> =
        loop_here():create_connection(protocol, "localhost", port, { family = "inet" })
      transport:close()
    end, quiet
  end,

  ["create_unix_connection"] = function(keep)
    local path <const> = PATH .. ".transport"
    keep(asyncio.start_unix_server(close_both, path, { backlog = 1 }))
    return function()
      loop_here():create_unix_connection(protocol, path):close()
    end, quiet
  end,

  ["create_server"] = by_itself(function()
    loop_here():create_server(protocol, "localhost", 0):close()
  end),

  ["the end of a server of transports"] = function(keep)
    local server <const> = loop_here():create_server(protocol, HOST, 0)
    keep(server)
    return function()
      local port <const> = server:sockets()[1].port
      local transport <const> = loop_here():create_connection(protocol, HOST, port)
      keep_closed(keep, transport)
      server:wait_closed()
    end, function()
      server:close()
      server:close_clients()
    end
  end,

  ["signals"] = by_itself(function()
    local next_signal <const>, _, _, _ <close> = asyncio.signals "USR2"
    next_signal()
  end),
}

for name, operation in pairs(OPERATIONS) do
  describe(name, function()
    for moment, check in pairs(cancelling.CHECKS) do
      it("leaves nothing when " .. moment, function()
        check(operation)
      end)
    end
  end)
end
