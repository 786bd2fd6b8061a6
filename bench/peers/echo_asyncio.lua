-- An echo server on this project's streams.

local asyncio = require "asyncio"

local function handle(reader, writer)
  local data = reader:read(65536)
  while data do
    writer:write(data)
    writer:drain()
    data = reader:read(65536)
  end
  writer:close()
end

local function main()
  local server <close> = asyncio.start_server(handle, "127.0.0.1", 0, {backlog = 1024})
  print("port=" .. server:sockets()[1].port)
  io.stdout:flush()
  server:serve_forever()
end

asyncio.run(main)
