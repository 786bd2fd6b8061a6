local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

describe("open_connection", function()
  ait("refuses a host with a zero in it, which would end it", function()
    local port <const> = streams.free_port()
    helper.raises("bad argument #1", asyncio.open_connection, HOST .. "\0.example.org", port)
    local opts <const> = { local_addr = { host = HOST .. "\0.example.org" } }
    helper.raises("bad argument #3", asyncio.open_connection, HOST, port, opts)
  end)
end)
