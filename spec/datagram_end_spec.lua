-- How endpoints end, and what they tell of themselves.

local asyncio = require "asyncio"
local datagrams = require "spec.datagrams"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait
local bound <const> = datagrams.bound
local receiver <const> = datagrams.receiver
local settle <const> = datagrams.settle
local sockets <const> = datagrams.sockets
local await_sockets <const> = datagrams.await_sockets

local HOST <const> = "127.0.0.1"

describe("an endpoint", function()
  ait("is closed by close, again too", function()
    local before <const> = sockets()
    local endpoint <const>, port = bound()
    endpoint:send("lost", HOST, port)
    settle()
    endpoint:close()
    endpoint:close()
    assert.is_true(endpoint:is_closing())
    assert.equal(("<DatagramEndpoint closed %s:%d>"):format(HOST, port), tostring(endpoint))
    assert.equal(port, endpoint:get_extra_info("sockname").port)
    assert.is_nil(endpoint:get_extra_info "fd")
    helper.raises("EBADF", endpoint.recv, endpoint)
    helper.raises("EBADF", endpoint.send, endpoint, "x", HOST, port)
    helper.raises("EBADF", endpoint.send, endpoint, "x", "localhost", port)
    await_sockets(before)
  end)

  ait("is closed at the end of its scope", function()
    local outside
    do
      local endpoint <close> = bound()
      outside = endpoint
      assert.is_false(endpoint:is_closing())
    end
    assert.is_true(outside:is_closing())
  end)

  ait("tells of itself", function()
    local endpoint <close> = bound()
    assert.is_true(math.type(endpoint:get_extra_info "fd") == "integer")
    assert.equal("none", endpoint:get_extra_info("nothing", "none"))
    assert.equal("none", endpoint:get_extra_info("peername", "none"))
    streams.refuses(1, endpoint, "get_extra_info")
    local loop <const> = asyncio.get_running_loop()
    helper.raises(asyncio.RuntimeError, loop.add_reader, loop, endpoint:get_extra_info "fd", print)
  end)

  ait("is closed when it is collected", function()
    local before <const> = sockets()
    bound()
    helper.collect()
    await_sockets(before)
  end)

  it("is reported in debug mode when it was open then", function()
    local script <const> = [[
      local asyncio = require "asyncio"
      asyncio.run(asyncio.async(function()
        local endpoint = asyncio.open_datagram { local_addr = { host = "127.0.0.1" } }
        endpoint = nil
        collectgarbage()
        collectgarbage()
      end)(), { debug = %s })]]
    local result = helper.run_script(script:format(true))
    assert.equal(0, result.code)
    local text <const> = "datagram endpoint 127.0.0.1:%d+ was collected while open"
    assert.matches(text, result.stderr)
    helper.check_script(script:format(false), { env = { ASYNCIO_DEBUG = "" } })
  end)

  it("is closed with its loop", function()
    local loop <const> = asyncio.new_event_loop()
    local endpoint, waiting
    loop:run_until_complete(function()
      endpoint = bound()
      waiting = receiver(endpoint)
    end)
    loop:close()
    assert.is_true(endpoint:is_closing())
    assert.is_true(waiting:cancelled())
  end)

  it("is left open at the end of the program", function()
    helper.check_script [[
      local asyncio = require "asyncio"
      local loop = asyncio.new_event_loop()
      asyncio.set_event_loop(loop)
      loop:run_until_complete(function()
        endpoint = asyncio.open_datagram()
        endpoint:send("x", "127.0.0.1", endpoint:get_extra_info("sockname").port)
        asyncio.create_task(endpoint.recv, endpoint)
        asyncio.create_task(endpoint.recv, endpoint)
        asyncio.create_task(endpoint.send, endpoint, "x", "localhost", 9)
        asyncio.sleep(0.01)
      end)]]
  end)
end)
