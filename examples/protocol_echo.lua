-- An echo server and a client as protocols: tables whose methods are called when
-- something happens. No task waits for data, and none is needed per connection.

local asyncio <const> = require "asyncio"

local Echo <const> = {}
Echo.__index = Echo

function Echo:connection_made(transport)
  self.transport = transport
end

function Echo:data_received(data)
  self.transport:write(data)
end

local Client <const> = {}
Client.__index = Client

function Client.connection_made(_, transport)
  print "sent: hello"
  transport:write "hello"
  transport:write_eof()
end

function Client.data_received(_, data)
  print("received: " .. data)
end

function Client:connection_lost(err)
  self.lost:set_result(err)
end

asyncio.run(function()
  local loop <const> = asyncio.get_running_loop()
  local server <close> = loop:create_server(function()
    return setmetatable({}, Echo)
  end, "127.0.0.1", 0)
  local _, client <const> = loop:create_connection(function()
    return setmetatable({ lost = loop:create_future() }, Client)
  end, "127.0.0.1", server:sockets()[1].port)
  client.lost:await()
  print "the server has closed the connection"
end)
