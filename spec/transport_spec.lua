local asyncio = require "asyncio"
local helper = require "spec.helper"
local protocols = require "spec.protocols"
local streams = require "spec.streams"

local ait <const> = helper.ait

local recorder <const> = protocols.recorder
local connect <const> = protocols.connect
local HOST <const> = "127.0.0.1"

describe("loop:create_connection", function()
  ait("returns when connection_made was called", function()
    local t <const> = helper.trace()
    local transport, protocol = connect(t)
    assert.same({ "made" }, t:list())
    assert.equal(transport, protocol.transport)
    assert.equal(protocol, transport:get_protocol())
    assert.is_true(asyncio.isinstance(transport, asyncio.Transport))
    assert.matches("^<Transport open to 127.0.0.1:%d+>$", tostring(transport))
  end)

  ait("tells data, the end and the loss, in this order", function()
    local t <const> = helper.trace()
    local transport, protocol, _, writer = connect(t)
    writer:write "some data"
    writer:close()
    assert.is_nil(protocol.lost:await())
    assert.same({ "made", "data some data", "eof", "lost nil" }, t:list())
    assert.is_true(transport:is_closing())
    assert.matches("^<Transport closed", tostring(transport))
  end)

  ait("needs none of the methods", function()
    local loop <const> = asyncio.get_running_loop()
    local server <close> = asyncio.start_server(nil, HOST, 0)
    local port <const> = server:sockets()[1].port
    local transport = loop:create_connection(function()
      return {}
    end, HOST, port)
    local _, writer = server:connections()()
    writer:write "ignored"
    writer:close()
    while not transport:is_closing() do
      asyncio.sleep(0.001)
    end
  end)

  ait("finds methods through a metatable", function()
    local loop <const> = asyncio.get_running_loop()
    local server <close> = asyncio.start_server(nil, HOST, 0)
    local Protocol <const> = {}
    Protocol.__index = Protocol
    function Protocol:connection_made(transport)
      transport:write "hello"
      transport:write_eof()
      self.made = true
    end
    local _, protocol = loop:create_connection(function()
      return setmetatable({}, Protocol)
    end, HOST, server:sockets()[1].port)
    assert.is_true(protocol.made)
    assert.equal("hello", server:connections()():read "a")
  end)

  ait("raises what the factory raises, and closes the connection", function()
    local loop <const> = asyncio.get_running_loop()
    local server <close> = asyncio.start_server(nil, HOST, 0)
    local port <const> = server:sockets()[1].port
    local problem <const> = {}
    assert.equal(problem, helper.catch(loop.create_connection, loop, function()
      error(problem)
    end, HOST, port))
    helper.raises("must return a protocol.*got nil", loop.create_connection, loop, function() end,
      HOST, port)
    helper.raises("'sleep' cannot suspend", loop.create_connection, loop, function()
      asyncio.sleep(0)
    end, HOST, port)
    helper.collect()
    assert.is_nil(server:connections()():read(1))
  end)

  ait("raises OSError, and refuses wrong arguments", function()
    local loop <const> = asyncio.get_running_loop()
    local factory <const> = recorder(helper.trace())
    local err <const> = helper.raises(asyncio.OSError, loop.create_connection, loop, factory, HOST,
      streams.free_port())
    assert.equal("ECONNREFUSED", err.code)
    streams.refuses(1, loop, "create_connection")
    streams.refuses(1, loop, "create_connection", {}, HOST, 80)
    streams.refuses(2, loop, "create_connection", factory)
    streams.refuses(3, loop, "create_connection", factory, HOST, -1)
    streams.refuses(4, loop, "create_connection", factory, HOST, 80, { keepalive = 0 })
    local other <close> = asyncio.new_event_loop()
    helper.raises("another event loop", other.create_connection, other, factory, HOST, 80)
  end)

  ait("can be cancelled at each turn, and leaves nothing", function()
    local loop <const> = asyncio.get_running_loop()
    local server <close> = asyncio.start_server(function(_, writer)
      writer:close()
    end, HOST, 0)
    local port <const> = server:sockets()[1].port
    asyncio.wait_for(loop.create_connection, 5, loop, recorder(helper.trace()), HOST, port)
    asyncio.sleep(0.01)
    local before <const> = streams.descriptors()
    for turns = 0, 8 do
      local task <const> = asyncio.create_task(loop.create_connection, loop,
        recorder(helper.trace()), HOST, port)
      for _ = 1, turns do
        asyncio.sleep(0)
      end
      task:cancel()
      asyncio.wait { task }
    end
    while streams.descriptors() ~= before do
      asyncio.sleep(0.001)
    end
  end)
end)

describe("transport:write", function()
  ait("sends, and numbers and lists too", function()
    local transport, _, reader = connect(helper.trace())
    transport:write "a"
    transport:write(1)
    transport:write ""
    transport:writelines { "b", 2, "c" }
    transport:write_eof()
    assert.equal("a1b2c", reader:read "a")
    assert.is_true(transport:can_write_eof())
    helper.raises(asyncio.RuntimeError, transport.write, transport, "late")
    streams.refuses(1, transport, "write", {})
    streams.refuses(1, transport, "writelines", "text")
  end)

  ait("is ignored after the end", function()
    local t <const> = helper.trace()
    local transport, protocol = connect(t)
    transport:close()
    for _ = 1, 10 do
      transport:write "nowhere"
    end
    transport:close()
    transport:abort()
    protocol.lost:await()
    transport:write "nowhere"
    assert.same({ "made", "lost nil" }, t:list())
  end)

  ait("stops the protocol that writes much, and lets it go on", function()
    local t <const> = helper.trace()
    local transport, protocol, reader = connect(t, {
      pause_writing = function()
        t "pause"
      end,
      resume_writing = function(self)
        t("resume", self.transport:get_write_buffer_size() <= 16384)
        self.transport:write "end"
        self.transport:close()
      end,
    })
    local n <const> = 1 << 25
    transport:write(("x"):rep(n))
    assert.same({ "made", "pause" }, t:list())
    assert.is_true(transport:get_write_buffer_size() > 65536)
    transport:write "y"
    assert.equal(n + 4, #reader:read "a")
    protocol.lost:await()
    assert.same({ "made", "pause", "resume true", "lost nil" }, t:list())
  end)

  ait("has limits that one can set", function()
    local t <const> = helper.trace()
    local transport = connect(t, {
      pause_writing = function()
        t "pause"
      end,
    })
    local function limits()
      return { transport:get_write_buffer_limits() }
    end
    assert.same({ 16384, 65536 }, limits())
    transport:set_write_buffer_limits(1000)
    assert.same({ 250, 1000 }, limits())
    transport:set_write_buffer_limits(nil, 10)
    assert.same({ 10, 40 }, limits())
    transport:set_write_buffer_limits(5, 5)
    assert.same({ 5, 5 }, limits())
    transport:set_write_buffer_limits()
    assert.same({ 16384, 65536 }, limits())
    streams.refuses(1, transport, "set_write_buffer_limits", 1, 2)
    streams.refuses(1, transport, "set_write_buffer_limits", -1)
    streams.refuses(2, transport, "set_write_buffer_limits", 1, -1)
    assert.same({ "made" }, t:list())
  end)

  ait("tells when the peer is gone", function()
    local t <const> = helper.trace()
    local transport, protocol, _, writer = connect(t)
    streams.fill(writer)
    transport:pause_reading()
    transport:write(("x"):rep(1 << 25))
    writer:close()
    transport:abort()
    assert.is_nil(protocol.lost:await())
    assert.equal("lost nil", t[#t])
  end)
end)

describe("a protocol", function()
  ait("keeps a connection half open if eof_received says so", function()
    local t <const> = helper.trace()
    local transport, protocol, reader, writer = connect(t, {
      eof_received = function(self)
        t "eof"
        self.ended = true
        return true
      end,
    })
    writer:write_eof()
    while not protocol.ended do
      asyncio.sleep(0)
    end
    assert.is_false(transport:is_closing())
    transport:write "still here"
    transport:close()
    assert.equal("still here", reader:read "a")
    protocol.lost:await()
    assert.same({ "made", "eof", "lost nil" }, t:list())
  end)

  ait("gets a reset as the error of its end", function()
    local t <const> = helper.trace()
    local transport, protocol, _, writer = connect(t)
    transport:write(("x"):rep(1 << 25))
    asyncio.sleep(0.001)
    writer:close() -- with bytes not read: the system sends a reset
    local err <const> = protocol.lost:await()
    assert.is_true(asyncio.isinstance(err, asyncio.OSError))
    assert.is_true(transport:is_closing())
  end)

  ait("that fails with data loses its connection, and the handler is told", function()
    local reports <const> = protocols.catch_reports()
    local problem <const> = { "problem" }
    local transport, protocol, reader, writer = connect(helper.trace(), {
      data_received = function()
        error(problem)
      end,
    })
    writer:write "data"
    assert.equal(problem, protocol.lost:await())
    assert.equal(1, #reports)
    assert.equal("Fatal error: protocol.data_received() call failed.", reports[1].message)
    assert.equal(problem, reports[1].exception)
    assert.equal(transport, reports[1].transport)
    assert.equal(protocol, reports[1].protocol)
    assert.is_nil(reader:read(1))
  end)

  ait("that fails with the end loses its connection, too", function()
    local reports <const> = protocols.catch_reports()
    local problem <const> = { "problem" }
    local transport, protocol, _, writer = connect(helper.trace(), {
      eof_received = function()
        error(problem)
      end,
    })
    writer:write_eof()
    assert.equal(problem, protocol.lost:await())
    assert.is_true(transport:is_closing())
    assert.equal(1, #reports)
    assert.equal("Fatal error: protocol.eof_received() call failed.", reports[1].message)
  end)

  ait("that fails elsewhere is reported", function()
    local reports <const> = protocols.catch_reports()
    local function fail()
      error "as it should"
    end
    local transport, protocol, reader, writer = connect(helper.trace(), {
      connection_made = fail,
      pause_writing = fail,
      resume_writing = fail,
      connection_lost = fail,
    })
    transport:write(("x"):rep(1 << 25))
    reader:readexactly(1 << 25)
    asyncio.sleep(0.001)
    writer:close()
    while #reports < 4 do
      asyncio.sleep(0.001)
    end
    local messages <const> = {}
    for i, report in ipairs(reports) do
      messages[i] = report.message
    end
    assert.same({
      "error in protocol.connection_made",
      "protocol.pause_writing() failed",
      "protocol.resume_writing() failed",
      "error in protocol.connection_lost",
    }, messages)
    assert.is_false(protocol.lost:done())
  end)

  ait("cannot suspend", function()
    local result <const> = asyncio.Future()
    local _, _, _, writer = connect(helper.trace(), {
      data_received = function()
        result:set_result(select(2, pcall(asyncio.sleep, 0)))
      end,
    })
    writer:write "data"
    local err <const> = result:await()
    assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
    assert.matches("'sleep' suspends", err.message)
  end)

  ait("runs in the context in which its transport was made", function()
    local var <const> = asyncio.ContextVar "var"
    local result <const> = asyncio.Future()
    var:set "made here"
    local _, _, _, writer = connect(helper.trace(), {
      data_received = function()
        result:set_result(var:get())
      end,
    })
    var:set "and changed"
    writer:write "data"
    assert.equal("made here", result:await())
  end)

  ait("can be replaced", function()
    local t <const> = helper.trace()
    local transport, protocol, _, writer = connect(t)
    local other <const> = recorder(t)()
    transport:set_protocol(other)
    assert.equal(other, transport:get_protocol())
    writer:write "data"
    writer:close()
    other.lost:await()
    assert.is_false(protocol.lost:done())
    assert.same({ "made", "data data", "eof", "lost nil" }, t:list())
    streams.refuses(1, transport, "set_protocol", "text")
    streams.refuses(1, transport, "set_protocol")
  end)

  ait("can feed a reader", function()
    local reader <const> = asyncio.StreamReader()
    local _, _, _, writer = connect(helper.trace(), {
      data_received = function(_, data)
        reader:feed_data(data)
      end,
      eof_received = function()
        reader:feed_eof()
      end,
    })
    writer:write "one\ntwo\n"
    writer:close()
    assert.equal("one\n", reader:readline())
    assert.equal("two\n", reader:readline())
    assert.is_nil(reader:readline())
  end)
end)

describe("transport:pause_reading", function()
  ait("holds back data and the end", function()
    local t <const> = helper.trace()
    local transport, protocol, _, writer = connect(t)
    assert.is_true(transport:is_reading())
    transport:pause_reading()
    transport:pause_reading()
    assert.is_false(transport:is_reading())
    writer:write "held"
    writer:close()
    asyncio.sleep(0.01)
    assert.same({ "made" }, t:list())
    transport:resume_reading()
    transport:resume_reading()
    protocol.lost:await()
    assert.same({ "made", "data held", "eof", "lost nil" }, t:list())
    transport:pause_reading()
    transport:resume_reading()
    assert.is_false(transport:is_reading())
  end)

  ait("holds back the rest when data_received calls it", function()
    local t <const> = helper.trace()
    local transport, protocol, _, writer = connect(t, {
      data_received = function(self, data)
        t("data", data)
        self.transport:pause_reading()
      end,
    })
    writer:write "one"
    writer:close()
    asyncio.sleep(0.01)
    assert.same({ "made", "data one" }, t:list())
    transport:resume_reading()
    protocol.lost:await()
    assert.same({ "made", "data one", "eof", "lost nil" }, t:list())
  end)

  ait("gets much in pieces, and all of it", function()
    local n = 0
    local _, protocol, _, writer = connect(helper.trace(), {
      data_received = function(_, data)
        n = n + #data
      end,
    })
    local sent <const> = streams.fill(writer)
    writer:close()
    protocol.lost:await()
    assert.equal(sent, n)
  end)
end)

describe("loop:create_server", function()
  local function echo()
    return {
      connection_made = function(self, transport)
        self.transport = transport
      end,
      data_received = function(self, data)
        self.transport:write(data)
      end,
    }
  end

  ait("serves each connection with a protocol of its own", function()
    local loop <const> = asyncio.get_running_loop()
    local server <close> = loop:create_server(echo, HOST, 0)
    assert.is_true(asyncio.isinstance(server, asyncio.Server))
    for i = 1, 3 do
      local reader, writer <close> = asyncio.open_connection(HOST, server:sockets()[1].port)
      writer:write("number " .. i)
      writer:write_eof()
      assert.equal("number " .. i, reader:read "a")
    end
  end)

  ait("closes its connections, and waits for them", function()
    local t <const> = helper.trace()
    local loop <const> = asyncio.get_running_loop()
    local server <const> = loop:create_server(recorder(t), HOST, 0)
    local reader = asyncio.open_connection(HOST, server:sockets()[1].port)
    while #t < 1 do
      asyncio.sleep(0)
    end
    server:close()
    server:close_clients()
    server:wait_closed()
    asyncio.sleep(0)
    assert.same({ "made", "lost nil" }, t:list())
    assert.is_nil(reader:read(1))
    assert.equal(0, #server:sockets())
  end)

  ait("reports a factory that fails, and goes on", function()
    local reports <const> = protocols.catch_reports()
    local loop <const> = asyncio.get_running_loop()
    local made = 0
    local server <close> = loop:create_server(function()
      made = made + 1
      return made == 1 and error "as it should" or echo()
    end, HOST, 0)
    local port <const> = server:sockets()[1].port
    local reader = asyncio.open_connection(HOST, port)
    assert.is_nil(reader:read(1))
    assert.equal("error in a protocol factory", reports[1].message)
    local reader2, writer2 = asyncio.open_connection(HOST, port)
    writer2:write "x"
    assert.equal("x", reader2:read(1))
  end)

  ait("refuses wrong arguments", function()
    local loop <const> = asyncio.get_running_loop()
    streams.refuses(1, loop, "create_server", nil, HOST, 0)
    streams.refuses(2, loop, "create_server", echo, 5, 0)
    streams.refuses(3, loop, "create_server", echo, HOST, "port")
    streams.refuses(4, loop, "create_server", echo, HOST, 0, 5)
    local server <close> = loop:create_server(echo, HOST, 0)
    helper.raises(asyncio.RuntimeError, server.connections, server)
  end)

  it("may be left open when its loop closes, with connections", function()
    local weak <const> = setmetatable({}, { __mode = "k" })
    asyncio.run(function()
      local loop <const> = asyncio.get_running_loop()
      local server <const> = loop:create_server(function()
        local protocol <const> = echo()
        weak[protocol] = true
        return protocol
      end, HOST, 0)
      local reader, writer = asyncio.open_connection(HOST, server:sockets()[1].port)
      writer:write "x"
      reader:read(1)
      writer:write "not told"
    end)
    helper.collect()
    assert.is_nil(next(weak))
  end)

  ait("keeps a connection that nobody holds", function()
    local loop <const> = asyncio.get_running_loop()
    local server <close> = loop:create_server(echo, HOST, 0)
    local reader, writer = asyncio.open_connection(HOST, server:sockets()[1].port)
    for _ = 1, 3 do
      helper.collect()
      writer:write "x"
      assert.equal("x", reader:read(1))
    end
  end)
end)

describe("transports on Unix sockets", function()
  ait("connect and serve", function()
    local loop <const> = asyncio.get_running_loop()
    local path, _ <close> = streams.path()
    local t <const> = helper.trace()
    local server <close> = loop:create_unix_server(function()
      return {
        connection_made = function(_, transport)
          transport:write "hello"
          transport:close()
        end,
      }
    end, path)
    assert.equal(path, server:sockets()[1])
    local transport, protocol = loop:create_unix_connection(recorder(t), path)
    protocol.lost:await()
    assert.same({ "made", "data hello", "eof", "lost nil" }, t:list())
    assert.equal(path, transport:get_extra_info "peername")
    assert.is_nil(transport:get_extra_info "fd")
    assert.equal("x", transport:get_extra_info("nothing", "x"))
    streams.refuses(1, loop, "create_unix_server", nil, path)
    streams.refuses(1, loop, "create_unix_connection", nil, path)
    streams.refuses(2, loop, "create_unix_connection", print, 5)
    streams.refuses(2, loop, "create_unix_server", print, "")
  end)
end)
