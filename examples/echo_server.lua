-- A server that sends back what it receives, to many clients at once.
--
--   lua5.4 examples/echo_server.lua PORT    serves until Ctrl-C
--   lua5.4 examples/echo_server.lua         shows a client that talks to it

local asyncio = require "asyncio"

local HOST <const> = "127.0.0.1"

local function echo(reader, writer)
  local _ <close> = writer
  repeat
    local data <const> = reader:read(65536)
    if data then
      writer:write(data)
      writer:drain()
    end
  until not data
end

local function serve(port)
  local server <close> = asyncio.start_server(echo, HOST, port)
  print("serving on " .. tostring(server:sockets()[1]))
  io.stdout:flush()
  server:serve_forever()
end

local function demonstrate()
  local server <close> = asyncio.start_server(echo, HOST, 0)
  local reader <const>, writer <close> = asyncio.open_connection(HOST, server:sockets()[1].port)
  for _, line in ipairs { "hello", "is anybody there?", "goodbye" } do
    print("sent", line)
    writer:write(line .. "\n")
    print("received", (reader:readline():gsub("\n$", "")))
  end
end

local port <const> = math.tointeger(tonumber(arg[1]))

if not arg[1] then
  asyncio.run(demonstrate)
elseif arg[2] or not port or port < 0 or port > 65535 then
  io.stderr:write "usage: lua5.4 echo_server.lua [PORT]\n"
  os.exit(2, true)
elseif not asyncio.catch(asyncio.KeyboardInterrupt, asyncio.run, serve, port) then
  print "stopped"
end
