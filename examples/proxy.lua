-- A proxy: it forwards connections to one address, or, without one, to where each
-- client asks by SOCKS5.
--
--   lua5.4 examples/proxy.lua [--listen HOST:PORT] [--to HOST:PORT] [--grace S]
--
-- It shows
-- * both directions of a connection as two tasks of a group, with back-pressure:
--   'drain' waits for a slow receiver, and so nothing more is read from the sender;
-- * a shutdown in order: after SIGINT or SIGTERM it accepts nobody any more, and
--   lets connections end by themselves for a while; then, or after a second
--   signal, it aborts them.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"
local socks = require "proxy.socks"

local USAGE <const> = [[
usage: lua5.4 proxy.lua [--listen HOST:PORT] [--to HOST:PORT] [--grace S]
  --listen HOST:PORT  where to listen (127.0.0.1:1080); port 0 takes any
  --to HOST:PORT      where to forward to; without it clients speak SOCKS5
  --grace S           seconds that connections may take to end (5)
]]

local function address(field)
  return function(opts, value, name)
    local host <const>, port <const> = value:match "^%[?(.-)%]?:(%d+)$"
    if not host or tonumber(port) > 65535 then
      command_line.wrong("%s takes HOST:PORT, not '%s'", name, value)
    end
    opts[field] = { host = host, port = math.tointeger(tonumber(port)) }
  end
end

local function parse(arguments)
  local setters <const> = {
    ["--listen"] = address "listen",
    ["--to"] = address "to",
    ["--grace"] = command_line.number("grace", 0, 86400),
  }
  local defaults <const> = { listen = { host = "127.0.0.1", port = 1080 }, grace = 5 }
  return command_line.parse(arguments, setters, defaults)
end

local clients <const> = {} -- the tasks that serve one, as keys
local counts <const> = { connections = 0, failed = 0, up = 0, down = 0 }

local function log(message, ...)
  print(message:format(...))
  io.stdout:flush()
end

-- Copies what comes to where it goes, up to the end, which it passes on.
local function copy(reader, writer, direction)
  repeat
    local data <const> = reader:read(65536)
    if data then
      writer:write(data)
      writer:drain()
      counts[direction] = counts[direction] + #data
    end
  until not data
  writer:write_eof()
end

-- The connection to where the client wants to go.
local function connect(opts, reader, writer)
  local _ <close> = asyncio.timeout(10)
  if opts.to then
    return asyncio.open_connection(opts.to.host, opts.to.port)
  end
  return socks.connect(reader, writer)
end

local function relay(opts, reader, writer)
  local there_reader <const>, there_writer <close> = connect(opts, reader, writer)
  local group <close> = asyncio.TaskGroup()
  group:create_task(copy, reader, there_writer, "up")
  group:create_task(copy, there_reader, writer, "down")
end

-- What may go wrong with one connection, and must not disturb the others.
local EXPECTED <const> = {
  asyncio.OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.ExceptionGroup,
  socks.Error,
}

local function serve_client(opts)
  return function(reader, writer)
    local _ <close> = writer
    counts.connections = counts.connections + 1
    clients[asyncio.current_task()] = true
    local ok <const> = asyncio.catch(EXPECTED, relay, opts, reader, writer)
    counts.failed = counts.failed + (ok and 0 or 1)
    clients[asyncio.current_task()] = nil
  end
end

-- Lets the connections of a closed server end, for the time of grace or until another signal comes.
local function shut_down(server, next_signal, grace)
  local closing <const> = asyncio.create_task(server.wait_closed, server)
  local hurry <const> = asyncio.create_task(next_signal)
  local done <const> = asyncio.wait({ closing, hurry }, {
    timeout = grace,
    return_when = asyncio.FIRST_COMPLETED,
  })
  hurry:cancel()
  if done[1] ~= closing then
    log "aborting what is left"
    for task in pairs(clients) do
      task:cancel()
    end
    server:abort_clients()
  end
  closing:await()
end

local function main(opts)
  local next_signal <const>, _, _, _ <close> = asyncio.signals("INT", "TERM")
  local listen <const> = opts.listen
  local server <close> = asyncio.start_server(serve_client(opts), listen.host, listen.port)
  log("listening on %s", server:sockets()[1])
  local name <const> = next_signal()
  server:close()
  log("%s: no more connections", name)
  shut_down(server, next_signal, opts.grace)
  local left <const> = {}
  for task in pairs(clients) do
    left[#left + 1] = task
  end
  asyncio.gather(left, { return_exceptions = true }):await() -- whose clients are gone
  log("%d connections, %d of them failed; %d bytes up, %d bytes down", counts.connections,
    counts.failed, counts.up, counts.down)
end

local opts <const> = command_line.read("proxy.lua", USAGE, parse)
local ok <const>, err <const> = asyncio.catch(asyncio.OSError, asyncio.run, main, opts)
if not ok then
  io.stderr:write("proxy.lua: ", err.message, "\n")
end
os.exit(ok, true)
