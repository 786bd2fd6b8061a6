-- open_datagram; sending and receiving.

local asyncio = require "asyncio"
local datagrams = require "spec.datagrams"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait
local bound <const> = datagrams.bound
local pair <const> = datagrams.pair
local receiver <const> = datagrams.receiver
local settle <const> = datagrams.settle
local sockets <const> = datagrams.sockets
local await_sockets <const> = datagrams.await_sockets

local HOST <const> = "127.0.0.1"
local NAN <const> = 0 / 0

describe("open_datagram", function()
  ait("opens an endpoint on a port", function()
    local endpoint <close>, port = bound()
    assert.is_true(asyncio.isinstance(endpoint, asyncio.DatagramEndpoint))
    assert.is_true(port > 0)
    assert.equal(("%s:%d"):format(HOST, port), tostring(endpoint:get_extra_info "sockname"))
    assert.is_nil(endpoint:get_extra_info "peername")
    assert.equal(("<DatagramEndpoint open %s:%d>"):format(HOST, port), tostring(endpoint))
  end)

  ait("opens one for every interface without a host", function()
    local any <close> = asyncio.open_datagram()
    assert.matches("^0%.0%.0%.0:%d+$", tostring(any:get_extra_info "sockname"))
    local port <const> = any:get_extra_info("sockname").port
    any:send("me", HOST, port)
    assert.same({ "me", HOST, port }, { any:recv() })
    any:close()
    local there <close> = asyncio.open_datagram { local_addr = { port = port } }
    assert.equal(port, there:get_extra_info("sockname").port)
    local six <close> = asyncio.open_datagram { family = "inet6" }
    assert.equal("inet6", six:get_extra_info("sockname").family)
  end)

  ait("opens one that is connected to its peer", function()
    local _, client, port = pair()
    assert.equal(("%s:%d"):format(HOST, port), tostring(client:get_extra_info "peername"))
    assert.equal(HOST, client:get_extra_info("sockname").host)
    assert.matches("^<DatagramEndpoint open 127.0.0.1:%d+ to 127.0.0.1:" .. port .. ">$",
      tostring(client))
  end)

  ait("looks names up", function()
    local endpoint <close>, port = bound { local_addr = { host = "localhost" }, family = "inet" }
    local opts <const> = {
      local_addr = { host = "localhost" },
      remote_addr = { host = "localhost", port = port },
    }
    opts.family = "inet"
    local client <close> = asyncio.open_datagram(opts)
    client:send "hello"
    assert.equal("hello", (endpoint:recv()))
  end)

  ait("takes the local address that is of the peer's family", function()
    if not datagrams.has_ipv6() then
      return
    end
    local opts <const> = { local_addr = { port = 0 }, remote_addr = { host = "::1", port = 9 } }
    local six <close> = asyncio.open_datagram(opts)
    assert.equal("::1", six:get_extra_info("sockname").host)
    opts.local_addr = { host = HOST }
    local err <const> = helper.raises(asyncio.OSError, asyncio.open_datagram, opts)
    assert.matches("^connect %[::1%]:9: .*EAFNOSUPPORT", err.message)
  end)

  ait("raises the system's error, and leaves nothing open", function()
    local endpoint <close>, port = bound()
    local before <const> = sockets()
    local taken <const> = { local_addr = { host = HOST, port = port } }
    local err = helper.raises(asyncio.OSError, asyncio.open_datagram, taken)
    assert.equal("EADDRINUSE", err.code)
    local text <const> = "bind %s:%d: address already in use (EADDRINUSE)"
    assert.equal(text:format(HOST, port), err.message)
    local nobody <const> = { remote_addr = { host = "host.invalid", port = 9 } }
    err = helper.raises(asyncio.OSError, asyncio.open_datagram, nobody)
    assert.matches("^getaddrinfo host.invalid: ", err.message)
    helper.raises(asyncio.OSError, asyncio.open_datagram, {
      family = "inet6",
      local_addr = { host = HOST },
    })
    await_sockets(before)
    assert.is_false(endpoint:is_closing())
  end)

  ait("shares a port if all do", function()
    local a <close>, port = bound { reuse_port = true }
    local b <close> =
      asyncio.open_datagram { reuse_port = true, local_addr = { host = HOST, port = port } }
    assert.equal(port, b:get_extra_info("sockname").port)
    assert.equal(port, a:get_extra_info("sockname").port)
  end)

  ait("is cancelled while it looks a name up, and opens nothing", function()
    local before <const> = sockets()
    for _ = 1, 10 do
      local task <const> = asyncio.create_task(asyncio.open_datagram, {
        local_addr = { host = "localhost" },
        remote_addr = { host = "host.invalid", port = 9 },
      })
      asyncio.sleep(0)
      task:cancel()
      helper.raises(asyncio.CancelledError, task.await, task)
    end
    await_sockets(before)
  end)

  ait("refuses wrong options at once", function()
    local function refuses(pattern, opts)
      helper.raises("bad argument #1.*" .. pattern, asyncio.open_datagram, opts)
    end
    refuses("table expected", 5)
    refuses("table expected", "localhost")
    for _, name in ipairs { "local_addr", "remote_addr" } do
      local function refuses_address(pattern, address)
        refuses("'" .. name .. "' must " .. pattern, { [name] = address })
      end
      refuses_address("be a table", 5)
      refuses_address("be a table", HOST)
      for _, port in ipairs { -1, 65536, 1.5, NAN, math.huge, math.maxinteger, "http", {} } do
        refuses_address("have a host and a port", { host = HOST, port = port })
      end
      local fields <const> = { host = HOST, port = 9, [1] = HOST }
      refuses("'" .. name .. "' has an unknown option 1", { [name] = fields })
      fields[1], fields.family = nil, true
      refuses_address("have a family", fields)
      for _, host in ipairs { 5, {}, true, HOST .. "\0" } do
        refuses_address("have a host and a port", { host = host, port = 9 })
      end
    end
    refuses("'remote_addr' must have a host and a port", { remote_addr = { host = HOST } })
    refuses("'remote_addr' must have a host and a port", { remote_addr = { port = 9 } })
    refuses("'family'", { family = "unix" })
    for _, limit in ipairs { 0, -1, NAN, math.huge, math.maxinteger, "much" } do
      refuses("'limit'", { limit = limit })
    end
  end)

  it("is for tasks", function()
    helper.raises("'open_datagram' suspends", asyncio.open_datagram)
    helper.raises("made by the library only", asyncio.DatagramEndpoint)
  end)
end)

describe("endpoint:send", function()
  ait("sends to an address, or to the name of a host", function()
    local endpoint <close>, port = bound()
    local other <close>, from = bound()
    other:send("one", HOST, port)
    other:send("two", "localhost", port)
    assert.same({ "one", HOST, from }, { endpoint:recv() })
    assert.same({ "two", HOST, from }, { endpoint:recv() })
  end)

  ait("sends any bytes, none too", function()
    local endpoint, client = pair()
    local long <const> = ("\0x\n"):rep(10000)
    for _, data in ipairs { "", "\0", "a\0b", long } do
      client:send(data)
      assert.equal(data, (endpoint:recv()))
    end
    client:send(12)
    assert.equal("12", (endpoint:recv()))
  end)

  ait("sends over IPv6", function()
    if not datagrams.has_ipv6() then
      return
    end
    local endpoint <close>, port = bound { local_addr = { host = "::1" } }
    endpoint:send("six", "::1", port)
    assert.same({ "six", "::1", port }, { endpoint:recv() })
    local err <const> = helper.raises(asyncio.OSError, endpoint.send, endpoint, "x", HOST, port)
    assert.matches("^send 127.0.0.1:%d+: .*EAFNOSUPPORT", err.message)
  end)

  ait("raises an OSError for what is too long", function()
    local endpoint, client, port = pair()
    for _, length in ipairs { 65508, 65536, 65537, 1 << 20 } do
      local data <const> = ("x"):rep(length)
      local err = helper.raises(asyncio.OSError, client.send, client, data)
      assert.equal("EMSGSIZE", err.code)
      err = helper.raises(asyncio.OSError, endpoint.send, endpoint, data, HOST, port)
      assert.equal("EMSGSIZE", err.code)
    end
    client:send(("x"):rep(65507))
    assert.equal(65507, #endpoint:recv())
  end)

  ait("raises an OSError for a host that nobody has", function()
    local endpoint <close> = bound()
    local err <const> =
      helper.raises(asyncio.OSError, endpoint.send, endpoint, "x", "host.invalid", 9)
    assert.matches("^getaddrinfo host.invalid: ", err.message)
  end)

  ait("is cancelled while it looks a name up", function()
    local endpoint <close> = bound()
    local task <const> = asyncio.create_task(endpoint.send, endpoint, "x", "host.invalid", 9)
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_false(endpoint:is_closing())
  end)

  ait("meets that the endpoint is closed while it looks a name up", function()
    local endpoint <const>, port = bound()
    local task <const> = asyncio.create_task(endpoint.send, endpoint, "x", "localhost", port)
    asyncio.sleep(0)
    endpoint:close()
    local err <const> = helper.raises(asyncio.OSError, task.await, task)
    assert.equal("send: bad file descriptor (EBADF)", err.message)
  end)

  it("needs no task where it need not wait", function()
    local loop <const> = asyncio.new_event_loop()
    local endpoint, port
    loop:run_until_complete(function()
      endpoint, port = bound()
    end)
    endpoint:send("x", HOST, port)
    helper.raises("'send' suspends", endpoint.send, endpoint, "x", "localhost", port)
    loop:run_until_complete(function()
      assert.equal("x", (endpoint:recv()))
    end)
    loop:close()
    assert.is_true(endpoint:is_closing())
  end)

  ait("refuses what is no data, host or port", function()
    local endpoint, client = pair()
    for _, data in ipairs { true, {}, print } do
      streams.refuses(1, endpoint, "send", data, HOST, 9)
      streams.refuses(1, client, "send", data)
    end
    streams.refuses(1, endpoint, "send")
    for _, host in ipairs { true, {}, HOST .. "\0" } do
      streams.refuses(2, endpoint, "send", "x", host, 9)
    end
    streams.refuses(2, endpoint, "send", "x")
    for _, port in ipairs { -1, 65536, 1.5, NAN, math.huge, "http", {} } do
      streams.refuses(3, endpoint, "send", "x", HOST, port)
    end
    streams.refuses(3, endpoint, "send", "x", HOST)
    streams.refuses(2, client, "send", "x", HOST, 9)
    streams.refuses(2, client, "send", "x", nil, 9)
    helper.raises("DatagramEndpoint expected", endpoint.send, asyncio, "x", HOST, 9)
  end)
end)

describe("endpoint:send without room in the system", function()
  local host <const> = os.getenv "ASYNCIO_TEST_LUA" or ""

  if not host:find "/host" then
    return -- only that interpreter can make the system refuse a datagram
  end

  -- Runs a body with a receiver, and with a client whose first datagram finds
  -- no room when the task sends it.
  local function run(body)
    local script <const> = [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local server = asyncio.open_datagram { local_addr = { host = "127.0.0.1" } }
        local address = server:get_extra_info "sockname"
        local client = asyncio.open_datagram { remote_addr = address }
        local task = asyncio.create_task(function()
          client:send "first"
          return "sent"
        end)
        asyncio.sleep(0)
        assert(not task:done())
        %s
      end)]]
    return helper.check_script(script:format(body), { options = { "--full-send=1" } })
  end

  it("waits until there is", function()
    assert.equal("sent\nfirst\n", run "print(task:await()) print((server:recv()))")
  end)

  it("sends in order", function()
    assert.equal("first\nsecond\n", run [[
      client:send "second"
      print((server:recv()))
      print((server:recv()))]])
  end)

  it("is cancelled", function()
    assert.equal("true\n", run [[
      task:cancel()
      local ok, err = pcall(task.await, task)
      print(asyncio.isinstance(err, asyncio.CancelledError))]])
  end)

  it("meets that the endpoint is closed", function()
    assert.equal("OSError: send: bad file descriptor (EBADF)\n", run [[
      client:close()
      print(select(2, pcall(task.await, task)))]])
  end)

  it("is left with a loop that closes", function()
    assert.equal("", run "")
  end)
end)

describe("endpoint:recv", function()
  ait("returns datagrams in the order in which they came", function()
    local endpoint, client = pair()
    for i = 1, 50 do
      client:send(tostring(i))
    end
    for i = 1, 50 do
      assert.equal(tostring(i), (endpoint:recv()))
    end
  end)

  ait("gives each to the task that has waited longest", function()
    local endpoint, client = pair()
    local trace <const> = helper.trace()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = asyncio.create_task(function()
        trace(i, (endpoint:recv()))
      end)
    end
    asyncio.sleep(0)
    for _, data in ipairs { "a", "b", "c" } do
      client:send(data)
    end
    asyncio.gather(tasks):await()
    assert.same({ "1 a", "2 b", "3 c" }, trace:list())
  end)

  -- An endpoint whose first receiver is woken now, by the answer to its first
  -- datagram which the second one meets, and has not run yet.
  local function woken()
    local endpoint, client = pair()
    endpoint:close()
    local first <const>, second <const> = receiver(client), receiver(client)
    client:send "x"
    client:send "y"
    return client, first, second
  end

  ait("hands on what a cancelled task was woken for", function()
    local client, first, second = woken()
    first:cancel()
    helper.raises(asyncio.CancelledError, first.await, first)
    helper.raises("ECONNREFUSED", second.await, second)
    assert.is_false(client:is_closing())
  end)

  ait("lets nobody come before a task that is woken", function()
    local client, first, second = woken()
    second:cancel()
    local third <const> = asyncio.create_task(client.recv, client)
    helper.raises("ECONNREFUSED", first.await, first)
    helper.raises("ECONNREFUSED", third.await, third)
  end)

  ait("meets that the endpoint is closed after the task was woken", function()
    local client, first, second = woken()
    client:close()
    helper.raises("EBADF", first.await, first)
    helper.raises("EBADF", second.await, second)
  end)

  ait("loses no datagram to a timeout", function()
    local endpoint, client = pair()
    for i = 1, 20 do
      local task <const> = asyncio.create_task(asyncio.wait_for, endpoint.recv, 0.001, endpoint)
      asyncio.sleep(0.0005)
      client:send(tostring(i))
      local ok, data = pcall(task.await, task)
      assert.equal(tostring(i), ok and data or (endpoint:recv()))
    end
  end)

  ait("keeps no more than its limit, and goes on when that is taken", function()
    local endpoint, client = pair { limit = 2000 }
    local function name(i)
      return ("%05d"):format(i):rep(20)
    end
    for i = 1, 60 do
      client:send(name(i))
    end
    settle()
    for i = 1, 60 do
      assert.equal(name(i), (endpoint:recv()))
    end
  end)

  it("receives no more at its limit", function()
    -- an endpoint that receives keeps the loop from a deadlock
    local result <const> = helper.run_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local endpoint = asyncio.open_datagram { limit = 1 }
        local port = endpoint:get_extra_info("sockname").port
        for _, data in ipairs { "a", "b" } do
          endpoint:send(data, "127.0.0.1", port)
          print((endpoint:recv()))
        end
        endpoint:send("c", "127.0.0.1", port)
        asyncio.Future():await()
      end)]]
    assert.equal("a\nb\n", result.stdout)
    assert.matches("DeadlockError", result.stderr)
  end)

  ait("raises an OSError in the place of a datagram longer than its limit", function()
    local endpoint, client = pair { limit = 1000 }
    client:send(("x"):rep(1000))
    client:send(("x"):rep(1001))
    client:send(("x"):rep(1002))
    client:send "short"
    assert.equal(1000, #endpoint:recv())
    for _ = 1, 2 do
      local err <const> = helper.raises(asyncio.OSError, endpoint.recv, endpoint)
      assert.equal("recv: message too long (EMSGSIZE)", err.message)
    end
    assert.equal("short", (endpoint:recv()))
  end)

  ait("raises an OSError when nobody receives at the peer", function()
    local endpoint, client, port = pair()
    local _ <close> = client
    endpoint:close()
    local text <const> = "recv %s:%d: connection refused (ECONNREFUSED)"
    for _ = 1, 3 do
      client:send "x"
      local err <const> = helper.raises(asyncio.OSError, client.recv, client)
      assert.equal(text:format(HOST, port), err.message)
    end
    client:send "x"
    client:send "sending again does not fail for it"
    helper.raises(asyncio.OSError, client.recv, client)
    assert.is_false(client:is_closing())
  end)

  ait("on a connected endpoint gets what the peer sends alone", function()
    local endpoint, client = pair()
    local stranger <close> = bound()
    local port <const> = client:get_extra_info("sockname").port
    stranger:send("no", HOST, port)
    endpoint:send("yes", HOST, port)
    assert.equal("yes", (client:recv()))
  end)

  ait("meets that the endpoint is closed", function()
    local endpoint <const> = bound()
    local first <const>, second <const> = receiver(endpoint), receiver(endpoint)
    endpoint:close()
    for _, task in ipairs { first, second } do
      local err <const> = helper.raises(asyncio.OSError, task.await, task)
      assert.equal("recv: bad file descriptor (EBADF)", err.message)
    end
  end)

  it("refuses to wait on another loop", function()
    local loop <const> = asyncio.new_event_loop()
    local endpoint <close>, port = loop:run_until_complete(bound)
    helper.run(function()
      local err = helper.raises(asyncio.RuntimeError, endpoint.recv, endpoint)
      assert.matches("recv: the endpoint belongs to a different event loop", err.message)
      err = helper.raises(asyncio.RuntimeError, endpoint.send, endpoint, "x", "localhost", port)
      assert.matches("send: the endpoint belongs to a different event loop", err.message)
    end)
    helper.raises("'recv' suspends", endpoint.recv, endpoint)
    loop:close()
  end)
end)

describe("endpoint:datagrams", function()
  ait("iterates until the endpoint is closed", function()
    local endpoint, client = pair()
    local _ <close> = client
    local from <const> = client:get_extra_info("sockname").port
    for _, data in ipairs { "a", "", "end" } do
      client:send(data)
    end
    local trace <const> = helper.trace()
    for data, host, port in endpoint:datagrams() do
      trace(data, host, port == from)
      if data == "end" then
        endpoint:close()
      end
    end
    assert.same({ "a 127.0.0.1 true", " 127.0.0.1 true", "end 127.0.0.1 true" }, trace:list())
    for _ in endpoint:datagrams() do
      error "a closed endpoint has none"
    end
  end)

  ait("ends when the endpoint is closed while it waits", function()
    local endpoint <const> = bound()
    local task <const> = asyncio.create_task(function()
      for _ in endpoint:datagrams() do
        error "there is none"
      end
      return "over"
    end)
    asyncio.sleep(0)
    endpoint:close()
    assert.equal("over", task:await())
  end)

  ait("raises the errors of the endpoint", function()
    local endpoint, client = pair()
    local _ <close> = client
    endpoint:close()
    client:send "x"
    local err <const> = helper.raises(asyncio.OSError, client:datagrams())
    assert.equal("ECONNREFUSED", err.code)
  end)
end)
