-- Connections of LuaSocket, for the specs of asyncio.luasocket.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local sockets = {}

local HOST <const> = "127.0.0.1"

-- Both ends of a connection, as LuaSocket makes them.
function sockets.raw_pair()
  local server <const> = assert(require("socket").bind(HOST, 0))
  local _, port <const> = server:getsockname()
  local client <const> = assert(require("socket").connect(HOST, port))
  local peer <const> = assert(server:accept())
  server:close()
  return client, peer
end

-- The same, the first end wrapped, in a scope that closes both.
function sockets.pair()
  local client <const>, peer <const> = sockets.raw_pair()
  local scope <const> = setmetatable({}, {
    __close = function()
      client:close()
      peer:close()
    end,
  })
  return asyncio.luasocket.wrap(client), peer, scope
end

-- No more are open than there were; those of earlier garbage may have gone.
function sockets.check_descriptors(before)
  helper.collect()
  assert(before == nil or streams.descriptors() <= before, "descriptors are left")
end

return sockets
