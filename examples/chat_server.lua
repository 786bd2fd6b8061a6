-- A chat: whoever connects says a name, then every line goes to all.
--
--   lua5.4 examples/chat_server.lua [HOST:PORT]
--
-- It shows
-- * a task for each connection, and one more that sends, so that nobody waits for
--   somebody who reads slowly: each has a queue, and is dropped when that is full;
-- * scopes that clean up however a connection ends.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"
local options = require "chat.options"

local USAGE <const> = [[
usage: lua5.4 chat_server.lua [HOST:PORT]
  HOST:PORT  where to listen (127.0.0.1:7777); port 0 takes any
]]

local MOST_WAITING <const> = 1000 -- lines for one client
local EXPECTED <const> = { asyncio.OSError, asyncio.LimitOverrunError }

local room <const> = {} -- the clients, as keys

local function broadcast(message, ...)
  local line <const> = message:format(...)
  for client in pairs(room) do
    if client.queue:full() then
      client.task:cancel()
    else
      client.queue:put_nowait(line)
    end
  end
end

local function send_all(client, writer)
  for line in client.queue:items() do
    writer:write(line .. "\n")
    writer:drain()
  end
end

-- The next line, without what would disturb a terminal.
local function read_line(reader)
  local line <const> = reader:readline()
  return line and line:gsub("%c", "")
end

local Presence <const> = {
  __close = function(client)
    room[client] = nil
    client.queue:shutdown()
    broadcast("* %s has gone", client.name)
  end,
}

local function talk(reader, writer)
  local name <const> = read_line(reader)
  if not name or name == "" then
    return
  end
  local sending <close> = asyncio.TaskGroup()
  local client <const> = { name = name, queue = asyncio.Queue(MOST_WAITING) }
  client.task = asyncio.current_task()
  sending:create_task(send_all, client, writer)
  local present <close> = setmetatable(client, Presence)
  room[present] = true
  broadcast("* %s has come", name)
  local line = read_line(reader)
  while line do
    broadcast("%s: %s", name, line)
    line = read_line(reader)
  end
end

local function serve(reader, writer)
  local _ <close> = writer
  asyncio.catch(EXPECTED, talk, reader, writer)
end

local function main(opts)
  local server <close> = asyncio.start_server(serve, opts.host, opts.port)
  print("listening on " .. tostring(server:sockets()[1]))
  io.stdout:flush()
  server:serve_forever()
end

local opts <const> = command_line.read("chat_server.lua", USAGE, options.parse)
local failures <const> = { asyncio.OSError, asyncio.KeyboardInterrupt }
local ok <const>, err <const> = asyncio.catch(failures, asyncio.run, main, opts)
if not ok and asyncio.isinstance(err, asyncio.OSError) then
  io.stderr:write("chat_server.lua: ", err.message, "\n")
  os.exit(false, true)
end
print "stopped"
