-- An echo server on this project's streams.

local asyncio = require "asyncio"

-- What a connection sent last is garbage while it waits for more: the variable is in the loop.
local function handle(reader, writer)
  repeat
    local data = reader:read(65536)
    if data then
      writer:write(data)
      writer:drain()
    end
  until not data
  writer:close()
end

local function main()
  local server <close> = asyncio.start_server(handle, "127.0.0.1", 0, {backlog = 1024})
  print("port=" .. server:sockets()[1].port)
  io.stdout:flush()
  server:serve_forever()
end

asyncio.run(main)
