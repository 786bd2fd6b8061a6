-- getaddrinfo and getnameinfo. Nobody is asked but this machine: names are
-- localhost, or end in .invalid, for which the resolver may ask in vain.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"
local NAN <const> = 0 / 0

-- Whether fn(...) returns in the turn in which it is called: a call without the
-- pool does.
local function at_once(fn, ...)
  local turn = false
  local handle <const> = asyncio.get_running_loop():call_soon(function()
    turn = true
  end)
  fn(...)
  handle:cancel()
  return not turn
end

-- Calls fn(method) for the function and for the loop's method of that name. The
-- calls are written as such, for Lua takes the name for messages from there.
local function both(name, fn)
  for _, object in ipairs { "asyncio.", "asyncio.get_running_loop():" } do
    local source <const> = [[
      local asyncio = require "asyncio"
      return function(...)
        local results = table.pack(%s%s(...))
        return table.unpack(results, 1, results.n)
      end]]
    fn(assert(load(source:format(object, name)))())
  end
end

-- Whether this system knows the names of services.
local function knows_services()
  local file <close> = io.open "/etc/services"
  return file ~= nil
end

local function texts(list)
  local result = {}
  for i, address in ipairs(list) do
    result[i] = tostring(address) .. " " .. address.type
  end
  table.sort(result)
  return result
end

describe("getaddrinfo", function()
  ait("returns a list of addresses", function()
    both("getaddrinfo", function(getaddrinfo)
      local list <const> = getaddrinfo(HOST, 80, { type = "stream" })
      assert.equal(1, #list)
      assert.equal(HOST .. ":80", tostring(list[1]))
      assert.same({ host = HOST, port = 80, family = "inet", type = "stream", proto = 6 }, list[1])
    end)
  end)

  ait("has each address for either type, if none is asked for", function()
    local expected <const> = { HOST .. ":80 dgram", HOST .. ":80 stream" }
    assert.same(expected, texts(asyncio.getaddrinfo(HOST, 80)))
    local list <const> = asyncio.getaddrinfo(HOST, 80, { type = "dgram" })
    assert.same({ HOST .. ":80 dgram" }, texts(list))
    assert.equal(17, list[1].proto)
  end)

  ait("looks up the name of a host", function()
    local list <const> = asyncio.getaddrinfo("localhost", 80, { type = "stream" })
    assert.is_true(#list > 0)
    for _, address in ipairs(list) do
      local expected <const> = address.family == "inet" and "^127%.0%.0%.1$" or "^::1$"
      assert.matches(expected, address.host)
      assert.equal(80, address.port)
    end
  end)

  ait("looks up the name of a service", function()
    if not knows_services() then
      return
    end
    local opts <const> = { type = "stream" }
    assert.equal(80, asyncio.getaddrinfo(HOST, "http", opts)[1].port)
    assert.equal(8080, asyncio.getaddrinfo(HOST, "8080", opts)[1].port)
    assert.equal(80, asyncio.getaddrinfo(HOST, 80.0, opts)[1].port)
    local err <const> =
      helper.raises(asyncio.OSError, asyncio.getaddrinfo, HOST, "no-such-service", opts)
    assert.matches("^getaddrinfo 127.0.0.1: ", err.message)
  end)

  ait("takes no port, or no host", function()
    assert.equal(0, asyncio.getaddrinfo(HOST)[1].port)
    local here, any <const> = { family = "inet", type = "stream" },
      { family = "inet", type = "stream", passive = true }
    assert.same({ HOST .. ":80 stream" }, texts(asyncio.getaddrinfo(nil, 80, here)))
    assert.same({ "0.0.0.0:80 stream" }, texts(asyncio.getaddrinfo(nil, 80, any)))
  end)

  ait("has addresses of the family asked for alone", function()
    for _, address in ipairs(asyncio.getaddrinfo(nil, 80, { family = "inet6" })) do
      assert.equal("inet6", address.family)
      assert.equal("[::1]:80", tostring(address))
    end
    local err <const> = helper.raises(asyncio.OSError, asyncio.getaddrinfo, HOST, 80, {
      family = "inet6",
    })
    assert.equal("EAI_ADDRFAMILY", err.code)
  end)

  ait("names the host in full if asked to", function()
    local list <const> = asyncio.getaddrinfo("localhost", 80, { canonname = true })
    assert.matches("localhost", list[1].canonname)
    assert.is_nil(asyncio.getaddrinfo("localhost", 80)[1].canonname)
  end)

  ait("looks up no name when that is refused", function()
    local err <const> = helper.raises(asyncio.OSError, asyncio.getaddrinfo, "localhost", 80, {
      numerichost = true,
    })
    assert.equal("EAI_NONAME", err.code)
    helper.raises(asyncio.OSError, asyncio.getaddrinfo, HOST, "http", { numericserv = true })
  end)

  ait("does not wait for what is numeric", function()
    assert.is_true(at_once(asyncio.getaddrinfo, HOST, 80))
    assert.is_true(at_once(asyncio.getaddrinfo, "::1", "80"))
    assert.is_true(at_once(asyncio.getaddrinfo, nil, 80))
    assert.is_false(at_once(asyncio.getaddrinfo, "localhost", 80))
  end)

  ait("raises an OSError for a name that nobody has", function()
    local err <const> =
      helper.raises(asyncio.OSError, asyncio.getaddrinfo, "no.such.host.invalid", 80)
    assert.matches("^getaddrinfo no.such.host.invalid: .* %(EAI_%u+%)$", err.message)
    assert.equal("getaddrinfo", err.syscall)
    assert.equal("no.such.host.invalid", err.address)
  end)

  ait("raises an OSError for a name longer than names are", function()
    local err <const> =
      helper.raises(asyncio.OSError, asyncio.getaddrinfo, ("x"):rep(1 << 20), 80)
    assert.equal("ENAMETOOLONG", err.code)
  end)

  ait("is cancelled at once, many times", function()
    for _ = 1, 20 do
      local task <const> = asyncio.create_task(asyncio.getaddrinfo, "host.invalid", 80)
      asyncio.sleep(0)
      assert.is_true(task:cancel())
      helper.raises(asyncio.CancelledError, task.await, task)
    end
  end)

  ait("raises the cancellation that came before it waits", function()
    local task = asyncio.create_task(function()
      asyncio.current_task():cancel()
      asyncio.getaddrinfo("localhost", 80)
    end)
    helper.raises(asyncio.CancelledError, task.await, task)
  end)

  it("is dropped with a loop that closes while it waits", function()
    local loop <const> = asyncio.new_event_loop()
    local waiting
    loop:run_until_complete(function()
      waiting = asyncio.create_task(asyncio.getaddrinfo, "localhost", 80)
      asyncio.sleep(0)
    end)
    loop:close()
    assert.is_true(waiting:cancelled())
  end)

  ait("refuses what is no host, port or option", function()
    both("getaddrinfo", function(getaddrinfo)
      for _, host in ipairs { 5, true, {}, print, HOST .. "\0.example.org" } do
        helper.raises("bad argument #1", getaddrinfo, host, 80)
      end
      for _, port in ipairs { -1, 65536, 1.5, NAN, math.huge, 1 << 62, true, {}, "http\0" } do
        helper.raises("bad argument #2", getaddrinfo, HOST, port)
      end
      helper.raises("bad argument #2.*invalid service", getaddrinfo, HOST, ("9"):rep(300))
      helper.raises("bad argument #2.*a host or a port is needed", getaddrinfo)
      helper.raises("bad argument #3.*table expected", getaddrinfo, HOST, 80, "inet")
      helper.raises("bad argument #3.*'family'", getaddrinfo, HOST, 80, { family = "ipx" })
      helper.raises("bad argument #3.*'type'", getaddrinfo, HOST, 80, { type = "raw" })
      helper.raises("bad argument #3.*'type'", getaddrinfo, HOST, 80, { type = 1 })
      helper.raises("bad argument #3.*'canonname'", getaddrinfo, nil, 80, { canonname = true })
    end)
  end)
end)

describe("getnameinfo", function()
  ait("returns the names of a host and of a service", function()
    both("getnameinfo", function(getnameinfo)
      local host, service = getnameinfo(HOST, 80)
      assert.equal("string", type(host))
      assert.equal(knows_services() and "http" or "80", service)
    end)
  end)

  ait("takes an address", function()
    both("getnameinfo", function(getnameinfo)
      local opts <const> = { numerichost = true }
      local address <const> = asyncio.getaddrinfo("::1", 54321, { type = "stream" })[1]
      assert.same({ "::1", "54321" }, { getnameinfo(address, opts) })
      assert.same({ HOST, "54321" }, { getnameinfo({ host = HOST, port = 54321 }, opts) })
      assert.equal(2, select("#", getnameinfo { host = HOST, port = 54321 }))
    end)
  end)

  ait("does not wait for what is numeric", function()
    local opts <const> = { numerichost = true, numericserv = true }
    assert.is_true(at_once(asyncio.getnameinfo, HOST, 80, opts))
    assert.same({ HOST, "80" }, { asyncio.getnameinfo(HOST, 80, opts) })
    assert.is_false(at_once(asyncio.getnameinfo, HOST, 80))
  end)

  ait("tells services of datagrams from others", function()
    if not knows_services() then
      return
    end
    local opts <const> = { numerichost = true, dgram = true }
    assert.equal("tftp", (select(2, asyncio.getnameinfo(HOST, 69, opts))))
  end)

  ait("is cancelled at once", function()
    local task <const> = asyncio.create_task(asyncio.getnameinfo, HOST, 80)
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
  end)

  ait("refuses what is no address or option", function()
    both("getnameinfo", function(getnameinfo)
      for _, host in ipairs { 5, true, print, "localhost", "", HOST .. "\0" } do
        helper.raises("bad argument #1", getnameinfo, host, 80)
      end
      helper.raises("bad argument #1", getnameinfo)
      for _, port in ipairs { -1, 65536, 1.5, NAN, math.huge, "http", {} } do
        helper.raises("bad argument #2", getnameinfo, HOST, port)
        helper.raises("bad argument #1", getnameinfo, { host = HOST, port = port })
      end
      helper.raises("bad argument #2", getnameinfo, HOST, nil)
      helper.raises("bad argument #1", getnameinfo, { port = 80 })
      helper.raises("bad argument #1", getnameinfo, { host = "localhost", port = 80 })
      helper.raises("bad argument #3", getnameinfo, HOST, 80, 5)
      helper.raises("bad argument #2", getnameinfo, { host = HOST, port = 80 }, 5)
    end)
  end)
end)

describe("a name", function()
  it("is looked up in a task alone", function()
    helper.raises("'getaddrinfo' suspends", asyncio.getaddrinfo, "localhost")
    helper.raises("'getnameinfo' suspends", asyncio.getnameinfo, HOST, 80)
  end)

  ait("is looked up by the loop that runs alone", function()
    local other <const> = asyncio.new_event_loop()
    for _, call in ipairs { other.getaddrinfo, other.getnameinfo } do
      local err <const> = helper.raises(asyncio.RuntimeError, call, other, HOST, 80)
      assert.matches("not the one that runs", err.message)
    end
    other:close()
    for _, call in ipairs { other.getaddrinfo, other.getnameinfo } do
      helper.raises(asyncio.RuntimeError, call, other, HOST, 80)
      helper.raises("EventLoop expected", call, HOST, 80)
    end
  end)
end)
