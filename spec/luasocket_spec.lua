-- LuaSocket's sockets in tasks, beside LuaSocket itself.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local sockets = require "spec.sockets"
local streams = require "spec.streams"
local ait <const> = helper.ait

local luasocket <const> = asyncio.luasocket
local HOST <const> = "127.0.0.1"

describe("asyncio.luasocket", function()
  it("needs LuaSocket only when it is used", function()
    helper.check_script [[
      package.preload.socket = function() error "required" end
      local asyncio = require "asyncio"
      assert(not pcall(asyncio.luasocket.wrap, io.stdout))
      asyncio.luasocket.uninstall()
    ]]
  end)

  local found <const>, socket <const> = pcall(require, "socket")
  if not found then
    pending "LuaSocket is not installed"
    return
  end

  local raw_pair <const>, pair <const> = sockets.raw_pair, sockets.pair

  -- Writes with pauses, in another task.
  local function feed(peer, pieces)
    return asyncio.create_task(function()
      for _, piece in ipairs(pieces) do
        asyncio.sleep(0.001)
        peer:send(piece)
      end
      asyncio.sleep(0.001)
      peer:close()
    end)
  end

  ait("says what is no host, no address, no time", function()
    local sock <close> = luasocket.wrap(socket.tcp())
    helper.raises("string expected, got nil", sock.connect, sock, nil, 1)
    helper.raises("string expected, got nil", sock.bind, sock, nil, 1)
    helper.raises("bad argument #1 to 'settimeout' .number expected, got table", sock.settimeout,
      sock, {})
    assert.equal(1, sock:settimeout("2"))
    assert.equal(2, sock:gettimeout())
  end)

  describe("receive", function()
    local received <const> = { "one\r\n", "tw", "o\n", "\n", "12", "345", "6", "rest ", "of it" }
    local programs <const> = {
      { { "*l" }, { "*l", "prefix " }, { nil, "" }, { 5 }, { 1 }, { "*a" }, { "*a" }, { "*l" } },
      { { 3 }, { "*l" }, { 5, "prefix" }, { 8, "prefix" }, { 1000 }, { 1 } },
      { { 0 }, { "*a", "prefix" }, { "*a", "prefix" }, { 4, "pre" } },
      { { "*l" }, { "*l" }, { "*l" }, { "*l" }, { "*l", "once more" } },
    }

    -- The results of a program of receives.
    local function run(sock, program)
      local results <const> = {}
      for i, arguments in ipairs(program) do
        local data, err, partial = sock:receive(arguments[1], arguments[2])
        results[i] = { data = data, err = err, partial = partial }
      end
      return results
    end

    for i, program in ipairs(programs) do
      ait("gives what LuaSocket gives, however slowly it comes: " .. i, function()
        local client <const>, peer <const> = raw_pair()
        peer:send(table.concat(received))
        peer:close()
        local expected <const> = run(client, program)
        client:close()
        local sock <const>, other <const>, _ <close> = pair()
        local feeder <const> = feed(other, received)
        assert.same(expected, run(sock, program))
        assert.is_true(feeder:done())
      end)
    end

    ait("lets others run, and takes more than a chunk", function()
      local sock <const>, peer <const>, _ <close> = pair()
      local data <const> = ("0123456789"):rep(100000)
      local trace <const> = helper.trace()
      local sender <const> = asyncio.create_task(function()
        trace "send"
        trace("sent", luasocket.wrap(peer):send(data))
        peer:shutdown "send"
      end)
      trace "receive"
      assert.is_true(sock:receive(700000) == data:sub(1, 700000))
      assert.is_true(sock:receive "*a" == data:sub(700001))
      trace "received"
      sender:await()
      assert.equal("receive send", table.concat(trace, " ", 1, 2))
    end)

    ait("gives back what there was at a timeout", function()
      local sock <const>, peer <const>, _ <close> = pair()
      assert.equal(1, sock:settimeout(0))
      assert.same({ nil, "timeout", "" }, { sock:receive() })
      sock:settimeout(0.001)
      peer:send "abc"
      assert.same({ nil, "timeout", "abc" }, { sock:receive() })
      peer:send "def"
      assert.same({ nil, "timeout", "pre def" }, { sock:receive("*l", "pre ") })
      peer:send "ghi"
      assert.same({ nil, "timeout", "ghi" }, { sock:receive(4) })
      peer:send "jkl"
      assert.same({ nil, "timeout", "jkl" }, { sock:receive "*a" })
      assert.same({ 0.001, -1 }, { sock:gettimeout() })
    end)

    ait("takes a timeout for each wait, or for the whole", function()
      local sock <const>, peer <const>, _ <close> = pair()
      sock:settimeout(0.001, "t")
      peer:send "x" -- that, at least, is there in time
      local drip <const> = asyncio.create_task(function()
        while peer:send "x" do
          asyncio.sleep(0)
        end
      end)
      peer:send "x" -- at least this comes before the time is over
      local _, err, partial = sock:receive "*l" -- something comes all the time
      assert.equal("timeout", err)
      assert.matches("^x+$", partial)
      sock:settimeout(nil, "t")
      sock:settimeout(20)
      assert.equal(100, #sock:receive(100))
      drip:cancel()
      assert.same({ 20, -1 }, { sock:gettimeout() })
      helper.raises("invalid timeout mode", sock.settimeout, sock, 1, "x")
    end)

    ait("keeps for the next what came before a cancellation", function()
      local sock <const>, peer <const>, _ <close> = pair()
      for _, pattern in ipairs { "*l", "*a", 10 } do
        peer:send "ab"
        local task <const> = asyncio.create_task(sock.receive, sock, pattern)
        asyncio.sleep(0.002)
        task:cancel()
        asyncio.wait { task }
        assert.is_true(task:cancelled())
      end
      assert.is_true(sock:dirty())
      assert.equal("aba", sock:receive(3))
      peer:send "c\nd\n"
      assert.equal("babc", sock:receive())
      assert.equal("d", sock:receive())
      assert.is_false(sock:dirty())
    end)

    ait("is ended by asyncio's timeouts as well", function()
      local sock <const>, _, _ <close> = pair()
      helper.raises(asyncio.TimeoutError, asyncio.wait_for, sock.receive, 0.001, sock)
    end)

    ait("ends when the socket is closed by another task", function()
      local sock <const>, peer <const>, _ <close> = pair()
      local task <const> = asyncio.create_task(function()
        return table.pack(sock:receive "*a")
      end)
      asyncio.sleep(0)
      sock:close()
      assert.same({ nil, "closed", "", n = 3 }, task:await())
      assert.same({ nil, "closed", "" }, { peer:receive(1) }, "the peer sees it")
      assert.same({ nil, "closed", "" }, { sock:receive() })
      assert.equal(1, sock:close())
    end)

    ait("refuses what LuaSocket refuses", function()
      local sock <const>, _, _ <close> = pair()
      helper.raises("invalid receive pattern", sock.receive, sock, "*x")
      helper.raises("tcp{client}", function()
        luasocket.wrap(socket.tcp()):receive()
      end)
    end)
  end)

  describe("send", function()
    ait("gives what LuaSocket gives", function()
      local client <const>, peer <const> = raw_pair()
      local sock <const>, other <const>, _ <close> = pair()
      local ranges <const> = { {}, { 2 }, { 2, 3 }, { -2 }, { -3, -2 }, { 0 }, { 9 }, { 3, 2 } }
      for _, range in ipairs(ranges) do
        local expected <const> = { client:send("12345", range[1], range[2]) }
        assert.same(expected, { sock:send("12345", range[1], range[2]) }, table.concat(range, ","))
      end
      assert.equal(2, sock:send(12))
      client:close()
      sock:close()
      assert.equal(peer:receive "*a" .. "12", (other:receive "*a"))
      assert.same({ nil, "closed", 0 }, { sock:send "x" })
      helper.raises("string expected", sock.send, sock, {})
      peer:close()
    end)

    ait("waits for a slow peer, or for a time", function()
      local sock <const>, peer <const>, _ <close> = pair()
      sock:settimeout(0.01)
      local data <const> = ("x"):rep(20000000)
      local sent, err, last = sock:send(data)
      assert.same({ nil, "timeout" }, { sent, err })
      assert.is_true(last > 0 and last < #data)
      sock:settimeout(nil)
      local rest <const> = asyncio.create_task(sock.send, sock, data, last + 1)
      local reader <const> = luasocket.wrap(peer)
      assert.is_true(reader:receive(#data) == data)
      assert.equal(#data, rest:await())
      reader:close()
      repeat
        local ok, why = sock:send "more"
      until not ok and why == "closed"
    end)

    ait("can be cancelled", function()
      local sock <const>, _, _ <close> = pair()
      local task <const> = asyncio.create_task(sock.send, sock, ("x"):rep(20000000))
      asyncio.sleep(0.002)
      task:cancel()
      asyncio.wait { task }
      assert.is_true(task:cancelled())
    end)
  end)

  describe("connections", function()
    local function listener()
      local server <const> = luasocket.wrap(socket.tcp())
      assert(server:bind(HOST, 0))
      assert(server:listen(5))
      local _, port = server:getsockname()
      return server, math.tointeger(tonumber(port))
    end

    ait("are accepted and made, by name and by number", function()
      helper.collect()
      local before <const> = streams.descriptors()
      do
        local server <close>, port <const> = listener()
        local accepting <const> = asyncio.create_task(server.accept, server)
        asyncio.sleep(0)
        local client <close> = luasocket.wrap(socket.tcp())
        assert.equal(1, client:connect("localhost", port))
        local peer <close> = accepting:await()
        assert.matches("^tcp{client}: ", tostring(peer))
        assert.equal(port, math.tointeger(tonumber((select(2, client:getpeername())))))
        peer:setoption("tcp-nodelay", true)
        peer:send "hello\n"
        assert.equal("hello", client:receive())
        client:shutdown "both"
        local second <close> = luasocket.wrap(socket.tcp4())
        assert.equal(1, second:connect(HOST, port))
        server:settimeout(1)
        server:accept():close()
        server:settimeout(0)
        assert.same({ nil, "timeout" }, { server:accept() })
        server:settimeout(0.001)
        assert.same({ nil, "timeout" }, { server:accept() })
      end
      sockets.check_descriptors(before)
    end)

    ait("are refused with LuaSocket's words", function()
      local sock <close> = luasocket.wrap(socket.tcp())
      assert.same({ nil, "connection refused" }, { sock:connect(HOST, streams.free_port()) })
      local other <close> = luasocket.wrap(socket.tcp())
      local expected <const> = { socket.tcp():connect("no.such.invalid", 80) }
      assert.same(expected, { other:connect("no.such.invalid", 80) })
    end)

    ait("may be made without waiting", function()
      local server <close>, port <const> = listener()
      local sock <close> = luasocket.wrap(socket.tcp())
      sock:settimeout(0)
      local ok, err = sock:connect(HOST, port)
      assert.is_true(ok == 1 or err == "timeout")
      asyncio.wait_writable(sock)
      ok, err = sock:connect(HOST, port)
      assert.is_true(ok == 1 or err == "already connected")
      assert.is_truthy(server:accept())
    end)

    ait("look names up even if they must not wait", function()
      local sock <close> = luasocket.wrap(socket.tcp())
      sock:settimeout(0)
      sock:connect("localhost", streams.free_port())
      assert.is_true(sock:getfd() >= 0)
      local server <close> = luasocket.wrap(socket.tcp())
      assert.equal(1, server:bind("localhost", 0))
      assert.is_nil(server:bind("no.such.invalid", 0))
    end)

    ait("can be waited for by several tasks", function()
      local server <close>, port <const> = listener()
      local tasks <const> = {}
      for i = 1, 3 do
        tasks[i] = asyncio.create_task(server.accept, server)
      end
      asyncio.sleep(0)
      for _ = 1, 2 do
        assert(luasocket.wrap(socket.tcp()):connect(HOST, port))
      end
      local done = {}
      while #done < 2 do
        done = asyncio.wait(tasks, { timeout = 0.001 })
      end
      assert.equal(2, #done)
      server:close()
      asyncio.wait(tasks)
    end)
  end)

  describe("datagrams", function()
    ait("are sent and received", function()
      local a <close> = luasocket.wrap(socket.udp())
      local b <close> = luasocket.wrap(socket.udp())
      assert.equal(1, a:setsockname("localhost", 0))
      local host, port = a:getsockname()
      assert.equal(1, b:setpeername(host, port))
      local receiving <const> = asyncio.create_task(function()
        return table.pack(a:receivefrom())
      end)
      asyncio.sleep(0)
      assert.equal(8, b:send "question")
      local data, from, at = table.unpack(receiving:await())
      assert.equal("question", data)
      assert.equal(6, a:sendto("answer", from, at))
      assert.equal("answer", b:receive())
      b:settimeout(0.001)
      assert.same({ nil, "timeout" }, { b:receive() })
      b:settimeout(0)
      assert.same({ nil, "timeout" }, { b:receive() })
    end)
  end)

  describe("wrap", function()
    it("takes sockets of LuaSocket", function()
      local raw <const> = socket.tcp()
      raw:settimeout(3)
      local sock <const> = luasocket.wrap(raw)
      assert.equal(sock, luasocket.wrap(sock))
      assert.equal(tostring(raw), tostring(sock))
      assert.equal(3, (sock:gettimeout()))
      for _, wrong in ipairs { 1, "text", {}, io.stdout, print, true } do
        helper.raises("bad argument #1 to 'wrap'", luasocket.wrap, wrong)
      end
      helper.raises("bad argument #1 to 'wrap'", luasocket.wrap, nil)
      sock:close()
      assert.equal(-1, sock:getfd())
    end)

    it("gives sockets that block outside of tasks, as LuaSocket's do", function()
      local sock <const>, peer <const>, _ <close> = pair()
      peer:send "one\ntwo"
      assert.equal("one", sock:receive())
      sock:settimeout(0.01)
      assert.same({ nil, "timeout", "two" }, { sock:receive() })
      sock:settimeout(0.01, "t")
      assert.same({ nil, "timeout", "" }, { sock:receive() })
      assert.equal(5, sock:send "three")
      assert.equal("three", (peer:receive(5)))
      local client <const> = luasocket.wrap(socket.tcp())
      assert.same({ nil, "connection refused" }, { client:connect("localhost", 1) })
    end)

    it("is told apart from what cannot suspend", function()
      asyncio.run(function()
        local sock <const>, _, _ <close> = pair()
        helper.raises("asyncio.atomic forbids", asyncio.atomic, sock.receive, sock)
      end)
    end)
  end)
end)
