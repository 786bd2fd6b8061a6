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
    refuses(
      "'local_addr' has an unknown option 'prt'; did you mean 'port'%?",
      { local_addr = { host = HOST, prt = 0 } }
    )
    refuses("'local_addr' must have a family", { local_addr = { host = HOST, family = 4 } })
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

-- The timers that Linux has set for connections with that local port: 2 is that of
-- keepalive; nil where nothing tells.
local function timers(port)
  local file <close> = io.open "/proc/net/tcp"
  local found = {}
  for line in file and file:lines() or function() end do
    local from, state, timer = line:match "^ *%d+: %x+:(%x+) %x+:%x+ (%x+) %x+:%x+ (%x+):"
    if from and tonumber(from, 16) == port and state == "01" then
      found[#found + 1] = tonumber(timer, 16)
    end
  end
  return file and found
end

describe("the options of connections", function()
  ait("keep them alive", function()
    for _, keepalive in ipairs { true, 1, 32767 } do
      local here, there = streams.pair { keepalive = keepalive, nodelay = false }
      for _, writer in ipairs { here.writer, there.writer } do
        local found <const> = timers(writer:get_extra_info("sockname").port)
        assert.same(found and { 2 }, found)
      end
    end
    local here <const> = streams.pair { keepalive = false }
    local found <const> = timers(here.writer:get_extra_info("sockname").port)
    assert.same(found and { 0 }, found)
  end)

  ait("are refused when they are wrong", function()
    for _, keepalive in ipairs { 0, 1.5, -1, 32768, "yes", {} } do
      local opts <const> = { keepalive = keepalive }
      helper.raises("#3.*'keepalive'", asyncio.open_connection, HOST, 80, opts)
      helper.raises("#4.*'keepalive'", asyncio.start_server, print, HOST, 0, opts)
    end
  end)

  ait("choose where they come from", function()
    local port <const> = streams.free_port()
    local server <close> = asyncio.start_server(nil, HOST, 0)
    local _, writer <close> = asyncio.open_connection(HOST, server:sockets()[1].port, {
      local_addr = { host = HOST, port = port },
      family = "inet",
      happy_eyeballs_delay = 0,
    })
    assert.equal(port, writer:get_extra_info("sockname").port)
    local reader = server:connections()()
    assert.equal(port, reader:get_extra_info("peername").port)
  end)

  ait("let two servers share a port", function()
    local server <close> = asyncio.start_server(nil, HOST, 0, { reuse_port = true })
    local port <const> = server:sockets()[1].port
    local other <close> = asyncio.start_server(nil, HOST, port, { reuse_port = true, backlog = 1 })
    assert.equal(port, other:sockets()[1].port)
    helper.raises(asyncio.OSError, asyncio.start_server, nil, HOST, port)
  end)
end)

describe("get_extra_info", function()
  ait("tells addresses and descriptors", function()
    local here, there = streams.pair()
    local function info(stream, key)
      return stream.writer:get_extra_info(key)
    end
    assert.equal(tostring(info(here, "sockname")), tostring(info(there, "peername")))
    assert.equal("inet", info(here, "peername").family)
    assert.equal(info(here, "fd"), info(here, "socket"))
    assert.equal("default", here.writer:get_extra_info("nothing", "default"))
    here.writer:close()
    assert.is_nil(info(here, "socket"))
    local reader, writer <close> = asyncio.pipe()
    assert.is_nil(reader:get_extra_info "socket")
    assert.is_nil(writer:get_extra_info "socket")
    assert.is_number(writer:get_extra_info "fd")
  end)
end)
