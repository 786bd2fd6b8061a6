-- One web server per core on one port: each is a loop of its own in a worker, and
-- the system shares the connections out among them. This program's own loop only
-- watches over them: a server that fails is started again; Ctrl-C ends all.
--
--   server_per_core.lua [--workers N] [--port PORT] [--requests N]
--
-- With --requests it makes so many requests itself, says which server answered
-- how many, and ends.

local directory <const> = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local options = require "shared.options"

local USAGE <const> = [[
usage: lua5.4 server_per_core.lua [--workers N] [--port PORT] [--requests N]
  --workers N    servers; as many as there are cores
  --port PORT    0 takes a free one; 0
  --requests N   to make, and end; none: until Ctrl-C
]]

local HOST <const> = "127.0.0.1"

local function parse(arguments)
  return options.parse(arguments, {
    ["--workers"] = options.integer("workers", 1, 1000),
    ["--port"] = options.integer("port", 0, 65535),
    ["--requests"] = options.integer("requests", 1, 1000000),
  }, { workers = asyncio.cpu_count(), port = 0 })
end

-- Runs in a worker, until it is cancelled.
local function serve(number, port)
  local body <const> = ("server %d\n"):format(number)
  local response <const> = ("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body)

  local function handle(reader, writer)
    local _ <close> = writer
    reader:readuntil "\r\n\r\n"
    writer:write(response)
    writer:drain()
  end

  asyncio.run(function()
    local server <close> = asyncio.start_server(handle, HOST, port, { reuse_port = true })
    server:serve_forever()
  end)
end

-- Keeps one server running.
local function supervise(pool, number, port)
  while true do
    local ok <const>, err <const> = asyncio.pcall(asyncio.await, pool:submit(serve, number, port))
    io.stderr:write(("server %d ended: %s\n"):format(number, ok and "returned" or tostring(err)))
    asyncio.sleep(0.1)
  end
end

-- What the server on that port answers, or nil while there is none.
local function fetch(port)
  local ok <const>, reader <const>, writer =
    asyncio.catch(asyncio.OSError, asyncio.open_connection, HOST, port)
  if not ok then
    return nil
  end
  local _ <close> = writer
  writer:write "GET / HTTP/1.0\r\n\r\n"
  return reader:read("a"):match "\r\n\r\n(.-)\n$"
end

local function make_requests(port, n)
  local answers, done = {}, 0
  while done < n do
    local answer <const> = fetch(port)
    if answer then
      answers[answer] = (answers[answer] or 0) + 1
      done = done + 1
    else
      asyncio.sleep(0.01)
    end
  end
  return answers
end

local function main(opts)
  -- holds the port, and takes no connections itself
  local holder <close> = asyncio.start_server(function() end, HOST, opts.port, {
    reuse_port = true,
    start_serving = false,
  })
  local port <const> = holder:sockets()[1].port
  local pool <close> = asyncio.ThreadPoolExecutor(opts.workers)
  local group <close> = asyncio.TaskGroup()
  for number = 1, opts.workers do
    group:create_task(supervise, pool, number, port)
  end
  print(("%d servers on http://%s:%d/"):format(opts.workers, HOST, port))
  if opts.requests then
    local sum = 0
    for answer, n in pairs(make_requests(port, opts.requests)) do
      io.stderr:write(("%s: %d\n"):format(answer, n))
      sum = sum + n
    end
    print(("%d requests were answered"):format(sum))
    group:cancel()
  end
end

local ok <const>, err <const> =
  pcall(asyncio.run, main, options.read("server_per_core.lua", USAGE, parse))
if not ok and not asyncio.isinstance(err, asyncio.KeyboardInterrupt) then
  error(err, 0)
end
