-- An echo server on cqueues: a coroutine per connection, unbuffered binary
-- sockets.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local cq = cqueues.new()
local server = assert(socket.listen{host = "127.0.0.1", port = 0, nodelay = true})
assert(server:listen())

local function serve(client)
  client:setmode("bn", "bn")
  repeat
    local data = client:read(-65536)
    local sent = data and client:write(data)
  until not sent
  client:close()
end

cq:wrap(function()
  for client in server:clients() do
    cq:wrap(serve, client)
  end
end)

print("port=" .. select(3, server:localname()))
io.stdout:flush()
assert(cq:loop())
