-- The other end of bench/c/bulk.c on this project's streams.

local asyncio = require "asyncio"

local CHUNK <const> = ("x"):rep(65536)
local MIB <const> = 1 << 20

local function swallow(reader, writer)
  repeat
    local data = reader:read(65536)
  until not data
  writer:write "."
end

local function send(reader, writer)
  for _ = 1, tonumber(reader:readline()) * (MIB // #CHUNK) do
    writer:write(CHUNK)
    writer:drain()
  end
end

local function handle(reader, writer)
  local _ <close> = writer
  local serve = reader:read(1) == "u" and swallow or send
  serve(reader, writer)
end

asyncio.run(function()
  local server <close> = asyncio.start_server(handle, "127.0.0.1", 0)
  print("port=" .. server:sockets()[1].port)
  io.stdout:flush()
  server:serve_forever()
end)
