local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

local function quiet() end

describe("a server of a loop that closed", function()
  it("is closed", function()
    local server = asyncio.run(asyncio.start_server, quiet, HOST, 0)
    assert.is_false(server:is_serving())
    assert.equal("<Server closed>", tostring(server))
    helper.raises(asyncio.RuntimeError, server.start_serving, server)
    helper.run(server.wait_closed, server)
  end)

  it("keeps nothing alive", function()
    local weak <const> = setmetatable({}, { __mode = "k" })
    asyncio.run(function()
      local kept <const> = {}
      weak[kept] = true
      asyncio.start_server(function()
        return kept
      end, HOST, 0)
    end)
    helper.collect()
    assert.is_nil(next(weak))
  end)
end)
