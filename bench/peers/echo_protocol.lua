-- An echo server on this project's transports and protocols.

local asyncio = require "asyncio"

local Echo = {}
Echo.__index = Echo

function Echo:connection_made(transport)
  self.transport = transport
end

function Echo:data_received(data)
  self.transport:write(data)
end

local function main()
  local server <close> = asyncio.get_running_loop():create_server(function()
    return setmetatable({}, Echo)
  end, "127.0.0.1", 0, {backlog = 1024})
  print("port=" .. server:sockets()[1].port)
  io.stdout:flush()
  server:serve_forever()
end

asyncio.run(main)
