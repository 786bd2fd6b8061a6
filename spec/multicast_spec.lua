-- Multicast and the options of endpoints.

local asyncio = require "asyncio"
local datagrams = require "spec.datagrams"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait
local bound <const> = datagrams.bound

local HOST <const> = "127.0.0.1"
local NAN <const> = 0 / 0

describe("multicast", function()
  local GROUP <const> = "239.255.7.7"

  ait("comes to all who joined", function()
    local first <close>, port = bound { local_addr = {}, family = "inet", reuse_port = true }
    local second <close> = asyncio.open_datagram { local_addr = { port = port }, reuse_port = true }
    local sender <close> = asyncio.open_datagram()
    for _, endpoint in ipairs { first, second } do
      endpoint:join_group(GROUP, HOST)
    end
    sender:set_multicast_interface(HOST)
    sender:set_multicast_ttl(0)
    sender:set_multicast_loop(true)
    sender:send("all", GROUP, port)
    assert.equal("all", (first:recv()))
    assert.equal("all", (second:recv()))
  end)

  ait("comes no more to one that has left", function()
    local endpoint <close>, port = bound { local_addr = {}, family = "inet" }
    endpoint:set_multicast_interface(HOST)
    endpoint:join_group(GROUP, HOST)
    endpoint:leave_group(GROUP, HOST)
    endpoint:send("left", GROUP, port)
    endpoint:join_group(GROUP, HOST)
    endpoint:send("joined", GROUP, port)
    assert.equal("joined", (endpoint:recv()))
  end)

  ait("raises an OSError where the system refuses", function()
    local endpoint <close> = bound()
    local err = helper.raises(asyncio.OSError, endpoint.leave_group, endpoint, GROUP, HOST)
    assert.matches("^leave_group 239.255.7.7: ", err.message)
    err = helper.raises(asyncio.OSError, endpoint.join_group, endpoint, HOST)
    assert.equal("join_group", err.syscall)
    helper.raises(asyncio.OSError, endpoint.join_group, endpoint, GROUP, "::1")
    helper.raises(asyncio.OSError, endpoint.set_multicast_interface, endpoint, "192.0.2.1")
  end)

  ait("has options for IPv6, too", function()
    if not datagrams.has_ipv6() then
      return
    end
    local endpoint <close> = bound { local_addr = { host = "::1" } }
    endpoint:set_ttl(1)
    endpoint:set_multicast_ttl(0)
    endpoint:set_multicast_loop(false)
    endpoint:set_multicast_interface()
    local peer <close> = asyncio.open_datagram { remote_addr = { host = "::1", port = 9 } }
    peer:set_ttl(255)
  end)

  ait("refuses wrong arguments, and a closed endpoint", function()
    local endpoint <const> = bound { broadcast = true }
    local good <const> = {
      join_group = GROUP,
      leave_group = GROUP,
      set_broadcast = false,
      set_ttl = 1,
      set_multicast_ttl = 1,
      set_multicast_loop = false,
      set_multicast_interface = HOST,
    }
    endpoint:set_broadcast(false)
    endpoint:set_ttl(255)
    for _, name in ipairs { "join_group", "leave_group" } do
      for _, group in ipairs { "localhost", "", GROUP .. "\0", true, {} } do
        streams.refuses(1, endpoint, name, group)
        streams.refuses(2, endpoint, name, GROUP, group)
      end
      streams.refuses(1, endpoint, name)
    end
    for _, ttl in ipairs { -1, 256, 1.5, NAN, math.huge, math.maxinteger, "x", true } do
      streams.refuses(1, endpoint, "set_ttl", ttl)
      streams.refuses(1, endpoint, "set_multicast_ttl", ttl)
    end
    streams.refuses(1, endpoint, "set_ttl", 0)
    streams.refuses(1, endpoint, "set_ttl")
    for _, name in ipairs { "set_broadcast", "set_multicast_loop" } do
      streams.refuses(1, endpoint, name)
      streams.refuses(1, endpoint, name, 1)
    end
    streams.refuses(1, endpoint, "set_multicast_interface", "eth0")
    endpoint:close()
    for name, argument in pairs(good) do
      local err <const> = helper.raises(asyncio.OSError, endpoint[name], endpoint, argument)
      assert.equal(name .. ": bad file descriptor (EBADF)", err.message)
      helper.raises("DatagramEndpoint expected", endpoint[name], asyncio, argument)
    end
  end)
end)
