local asyncio = require "asyncio"
local helper = require "spec.helper"
local protocols = require "spec.protocols"
local streams = require "spec.streams"

local ait <const> = helper.ait
local HOST <const> = "127.0.0.1"

-- A transport, its protocol, and what that notes; 'methods' replace its own.
local function create(methods, options)
  local t <const> = helper.trace()
  local factory <const> = protocols.recorder(t, methods)
  local transport, protocol = asyncio
    .get_running_loop()
    :create_datagram_endpoint(function()
      local protocol <const> = factory()
      protocol.got = asyncio.Queue()
      protocol.datagram_received = protocol.datagram_received
        or function(self, data, address)
          t("datagram", data)
          self.got:put_nowait { data = data, address = address }
        end
      protocol.error_received = protocol.error_received
        or function(self, err)
          t("error", err.code)
          self.got:put_nowait(err)
        end
      return protocol
    end, options or { local_addr = { host = HOST } })
  return transport, protocol, t
end

local function port_of(transport)
  return transport:get_extra_info("sockname").port
end

describe("loop:create_datagram_endpoint", function()
  ait("returns when connection_made was called", function()
    local transport, protocol, t = create()
    assert.same({ "made" }, t:list())
    assert.equal(transport, protocol.transport)
    assert.equal(protocol, transport:get_protocol())
    assert.is_true(asyncio.isinstance(transport, asyncio.DatagramTransport))
    assert.matches("^<DatagramTransport open 127.0.0.1:%d+>$", tostring(transport))
    assert.is_false(transport:is_closing())
    transport:close()
    assert.is_true(transport:is_closing())
    assert.is_nil(protocol.lost:await())
    assert.same({ "made", "lost nil" }, t:list())
    assert.matches("^<DatagramTransport closed", tostring(transport))
  end)

  ait("tells each datagram with its address, and answers", function()
    local transport, protocol = create()
    local client <close> = asyncio.open_datagram {
      remote_addr = { host = HOST, port = port_of(transport) },
    }
    for _, data in ipairs { "one", "", "three" } do
      client:send(data)
      local got <const> = protocol.got:get()
      assert.equal(data, got.data)
      assert.same(client:get_extra_info "sockname", got.address)
      transport:sendto(data .. "!", got.address.host, got.address.port)
      assert.equal(data .. "!", (client:recv()))
    end
    transport:close()
    protocol.lost:await()
  end)

  ait("connects", function()
    local server <const>, served <const> = create()
    local transport <const>, protocol <const> =
      create(nil, { remote_addr = { host = HOST, port = port_of(server) } })
    transport:sendto "to the peer"
    local got <const> = served.got:get()
    assert.equal("to the peer", got.data)
    assert.equal(port_of(server), transport:get_extra_info("peername").port)
    helper.raises("sends to its peer only", transport.sendto, transport, "x", HOST, 1)
    server:sendto("back", HOST, got.address.port)
    assert.equal("back", protocol.got:get().data)
    server:abort()
    transport:abort()
    protocol.lost:await()
    served.lost:await()
  end)

  ait("tells errors, and stays open", function()
    local transport <const>, protocol <const> = create()
    transport:sendto(("x"):rep(70000), HOST, 9)
    assert.equal("EMSGSIZE", protocol.got:get().code)
    transport:sendto("x", "::1", 9)
    assert.equal("EAFNOSUPPORT", protocol.got:get().code)
    transport:sendto("self", HOST, port_of(transport))
    assert.equal("self", protocol.got:get().data)
    transport:close()
    protocol.lost:await()
    local closed <const> = port_of(transport)
    local peer <const>, told <const> = create(nil, { remote_addr = { host = HOST, port = closed } })
    peer:sendto "nobody there"
    local err <const> = told.got:get()
    assert.is_true(asyncio.isinstance(err, asyncio.OSError))
    assert.equal("ECONNREFUSED", err.code)
    assert.matches(tostring(closed), err.message)
    peer:close()
    told.lost:await()
  end)

  ait("tells no more once it is closed", function()
    local transport <const>, protocol <const>, t <const> = create {
      datagram_received = function(self, data)
        self.trace("datagram", data)
        self.transport:close()
      end,
    }
    protocol.trace = t
    for i = 1, 3 do
      transport:sendto(tostring(i), HOST, port_of(transport))
    end
    protocol.lost:await()
    assert.same({ "made", "datagram 1", "lost nil" }, t:list())
    for _ = 1, 10 do
      transport:sendto("nowhere", HOST, 9)
    end
    transport:close()
    transport:abort()
    assert.equal(0, transport:get_write_buffer_size())
  end)

  ait("reports what the protocol raises, and goes on", function()
    local reports <const> = protocols.catch_reports()
    local transport <const>, protocol <const> = create {
      datagram_received = function(self, data)
        self.got:put_nowait(data)
        error "as it should"
      end,
    }
    for i = 1, 2 do
      transport:sendto("x", HOST, port_of(transport))
      protocol.got:get()
      assert.equal(i, #reports)
      assert.equal("error in protocol.datagram_received", reports[i].message)
      assert.equal(transport, reports[i].transport)
      assert.equal(protocol, reports[i].protocol)
    end
    transport:close()
    protocol.lost:await()
  end)

  ait("has limits that one can set, and protocols", function()
    local transport <const>, protocol <const>, t <const> = create()
    assert.same({ 16384, 65536 }, { transport:get_write_buffer_limits() })
    transport:set_write_buffer_limits(100)
    assert.same({ 25, 100 }, { transport:get_write_buffer_limits() })
    streams.refuses(1, transport, "set_write_buffer_limits", 1, 2)
    streams.refuses(1, transport, "set_protocol", "text")
    local other <const> = protocols.recorder(t)()
    transport:set_protocol(other)
    transport:close()
    other.lost:await()
    assert.is_false(protocol.lost:done())
  end)

  ait("raises what the factory and the system do, and leaves nothing", function()
    local loop <const> = asyncio.get_running_loop()
    local factory <const> = protocols.recorder(helper.trace())
    local before <const> = streams.descriptors()
    local err <const> = helper.raises(asyncio.OSError, loop.create_datagram_endpoint, loop, factory,
      { local_addr = { host = "192.0.2.1" } })
    assert.equal("EADDRNOTAVAIL", err.code)
    local problem <const> = {}
    assert.equal(problem, helper.catch(loop.create_datagram_endpoint, loop, function()
      error(problem)
    end))
    helper.raises("must return a protocol.*got nil", loop.create_datagram_endpoint, loop,
      function() end)
    assert.equal(before, streams.descriptors())
    streams.refuses(1, loop, "create_datagram_endpoint")
    streams.refuses(2, loop, "create_datagram_endpoint", factory, 5)
    streams.refuses(2, loop, "create_datagram_endpoint", factory, { remote_addr = {} })
    local other <close> = asyncio.new_event_loop()
    helper.raises("another event loop", other.create_datagram_endpoint, other, factory)
    local transport <const> = create()
    streams.refuses(1, transport, "sendto", {}, HOST, 1)
    streams.refuses(2, transport, "sendto", "x", "localhost", 1)
    streams.refuses(3, transport, "sendto", "x", HOST, -1)
    transport:abort()
  end)

  ait("can be cancelled at each turn, and leaves nothing", function()
    local loop <const> = asyncio.get_running_loop()
    local before <const> = streams.descriptors()
    for turns = 0, 3 do
      local task <const> = asyncio.create_task(loop.create_datagram_endpoint, loop,
        protocols.recorder(helper.trace()))
      for _ = 1, turns do
        asyncio.sleep(0)
      end
      task:cancel()
      asyncio.wait { task }
      if not task:cancelled() then
        task:result():close()
      end
    end
    while streams.descriptors() ~= before do
      asyncio.sleep(0.001)
    end
  end)

  it("may be left open when its loop closes", function()
    local weak <const> = setmetatable({}, { __mode = "k" })
    asyncio.run(function()
      local transport <const>, protocol <const> = create()
      weak[protocol] = true
      transport:sendto("not told", HOST, port_of(transport))
    end)
    helper.collect()
    assert.is_nil(next(weak))
  end)

  ait("keeps a protocol that nobody holds", function()
    local count = 0
    local port <const> = port_of((create {
      datagram_received = function()
        count = count + 1
      end,
    }))
    local client <close> = asyncio.open_datagram { remote_addr = { host = HOST, port = port } }
    for i = 1, 3 do
      helper.collect()
      client:send "x"
      while count < i do
        asyncio.sleep(0)
      end
    end
  end)
end)
