local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

describe("open_connection", function()
  ait("refuses wrong options at once, also when the host must be looked up", function()
    local turn = false
    asyncio.get_running_loop():call_soon(function()
      turn = true
    end)
    local function refuses(pattern, opts)
      helper.raises("bad argument #3.*" .. pattern, asyncio.open_connection, "localhost", 80, opts)
    end
    refuses("'local_addr' must be a table", { local_addr = 5 })
    refuses("'local_addr' must have a numeric host", { local_addr = { host = "localhost" } })
    refuses("'local_addr' must have a numeric host", { local_addr = { host = HOST, port = -1 } })
    refuses("'happy_eyeballs_delay'", { happy_eyeballs_delay = 0 / 0 })
    refuses("'happy_eyeballs_delay'", { happy_eyeballs_delay = -1 })
    refuses("'limit'", { limit = 0 })
    refuses("'family'", { family = "ipx" })
    assert.is_false(turn)
  end)

  ait("refuses a host with a zero in it, which would end it", function()
    local port <const> = streams.free_port()
    helper.raises("bad argument #1", asyncio.open_connection, HOST .. "\0.example.org", port)
    local opts <const> = { local_addr = { host = HOST .. "\0.example.org" } }
    helper.raises("bad argument #3", asyncio.open_connection, HOST, port, opts)
  end)
end)
