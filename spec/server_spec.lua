local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

local function quiet() end

-- How many sockets this process has open, or nil where nothing tells.
local function sockets()
  local pipe <close> = io.popen "test -d /proc/$PPID/fd && ls -l /proc/$PPID/fd | grep -c socket:"
  return pipe:read "n"
end

describe("start_server", function()
  ait("listens on every interface where the host is nil or empty", function()
    for _, host in ipairs { false, "" } do
      local server <close> = asyncio.start_server(print, host or nil, 0, { family = "inet" })
      assert.equal("0.0.0.0", server:sockets()[1].host)
      assert.equal(1, #server:sockets())
    end
    helper.raises(asyncio.OSError, asyncio.start_server, print, { "" }, 0)
  end)

  ait("refuses a host with a zero in it, which would end it", function()
    helper.raises("bad argument #2", asyncio.start_server, quiet, HOST .. "\0.example.org", 0)
    helper.raises("bad argument #2", asyncio.start_server, quiet, { HOST, HOST .. "\0" }, 0)
  end)

  ait("binds once to an address that several hosts have", function()
    local port <const> = streams.free_port()
    local server <close> = asyncio.start_server(quiet, { HOST, HOST }, port)
    assert.equal(("<Server serving %s:%d>"):format(HOST, port), tostring(server))
    local any <close> = asyncio.start_server(quiet, { HOST, HOST }, 0)
    assert.equal(1, #any:sockets())
  end)

  ait("leaves no socket behind when one of its hosts is not known", function()
    local hosts <const> = { HOST, "host.invalid" }
    local before <const> = sockets()
    local err <const> = helper.raises(asyncio.OSError, asyncio.start_server, quiet, hosts, 0)
    assert.matches("getaddrinfo host.invalid", err.message)
    assert.equal(before, sockets())
  end)
end)

describe("a server without memory for a connection", function()
  local host <const> = os.getenv "ASYNCIO_TEST_LUA" or ""

  local script <const> = [[
    local asyncio = require "asyncio"
    asyncio.run(function()
      local served = 0
      local server <close> = asyncio.start_server(function(_, writer)
        served = served + 1
        writer:close()
      end, "127.0.0.1", 0)
      local port <const> = server:sockets()[1].port
      for _ = 1, 3 do
        pcall(asyncio.wait_for, function()
          local reader, writer <close> = asyncio.open_connection("127.0.0.1", port)
          reader:read "a"
        end, 10)
      end
      print(served)
    end)
  ]]

  if not host:find "/host" then
    return -- only that interpreter can make allocations fail
  end

  it("accepts it later", function()
    for k = 4, 13 do
      local result <const> = helper.run_script(script, { options = { "--fail-malloc=" .. k } })
      assert.equal(0, result.code, result.stderr)
      assert.is_true(tonumber(result.stdout) >= 2, result.stdout)
    end
  end)
end)

describe("a server in a scope", function()
  ait("aborts its connections when it is cancelled while they end", function()
    local server, reader
    local filled <const>, ending <const> = asyncio.Future(), asyncio.Future()
    local task <const> = asyncio.create_task(function()
      local scope <close> = asyncio.start_server(function(_, writer)
        streams.fill(writer)
        filled:set_result()
        asyncio.sleep(3600)
      end, HOST, 0)
      server = scope
      reader = asyncio.open_connection(HOST, server:sockets()[1].port)
      filled:await()
      ending:set_result()
    end)
    ending:await()
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    server:wait_closed()
    assert.is_true(#reader:read "a" > 0)
  end)
end)

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
