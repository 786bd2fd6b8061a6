-- examples/port_checker.lua and examples/proxy.lua.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local program = require "spec.program"
local streams = require "spec.streams"
local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

-- A server that echoes what it gets; its port.
local function start_echo()
  local server <const> = asyncio.start_server(function(reader, writer)
    local _ <close> = writer
    local data = reader:read(65536)
    while data do
      writer:write(data)
      writer:drain()
      data = reader:read(65536)
    end
  end, HOST, 0)
  return server, server:sockets()[1].port
end

describe("port_checker.lua", function()
  it("says how it is used", function()
    program.check_usage("port_checker.lua", {
      ["a host and a port are needed"] = { HOST },
      ["'0' is no port, and no range of ports"] = { HOST, "0" },
      ["'9-' is no port, and no range of ports"] = { HOST, "9-" },
      ["'9-8' is no port, and no range of ports"] = { HOST, "9-8" },
      ["'1-65536' is no port, and no range of ports"] = { HOST, "1-65536" },
      ["--limit takes an integer from 1 to 10000, not '0'"] = { "--limit", "0" },
    })
  end)

  ait("finds what is open", function()
    local a <close>, port_a <const> = start_echo()
    local b <close>, port_b <const> = start_echo()
    local closed <const> = streams.free_port()
    local ports <const> = { port_a, port_b }
    table.sort(ports)
    assert.is_truthy(a and b)
    local range <const> = closed .. "-" .. closed
    local words <const> = { "--limit", 2, "--timeout", 60, HOST, port_a, range, port_b }
    local text <const>, status <const> = program.run("port_checker.lua", words)
    local expected <const> = "%5d open\n%5d open\n2 open, 1 closed, 0 silent\n"
    assert.equal(expected:format(ports[1], ports[2]), text)
    assert.equal(0, status)
  end)

  it("goes through ranges", function()
    local text <const> = program.run("port_checker.lua", { "localhost", "1-300" })
    local open, closed, silent = text:match "(%d+) open, (%d+) closed, (%d+) silent\n$"
    assert.equal(300, open + closed + silent)
  end)

  it("says that a host is not there", function()
    local text <const>, status <const> = program.run("port_checker.lua", { "no.such.invalid", "1" })
    assert.matches("^port_checker.lua: getaddrinfo no.such.invalid: ", text)
    assert.equal(1, status)
  end)
end)

describe("proxy.lua", function()
  it("says how it is used", function()
    program.check_usage("proxy.lua", {
      ["--listen takes HOST:PORT, not '80'"] = { "--listen", "80" },
      ["--to takes HOST:PORT, not 'h:70000'"] = { "--to", "h:70000" },
      ["there is no use for 'word'"] = { "word" },
    })
  end)

  local function start(...)
    local child <const> = program.start("proxy.lua", { "--listen", HOST .. ":0", ... })
    local greeting <const> = "^listening on 127%.0%.0%.1:(%d+)\n$"
    return child, tonumber(child:read_until(greeting):match(greeting))
  end

  local function terminate(child)
    assert(os.execute("kill -TERM " .. child.pid))
  end

  ait("forwards, and lets connections end after a signal", function()
    local echo <close>, echo_port <const> = start_echo()
    assert.is_truthy(echo)
    local child <close>, port <const> = start("--to", HOST .. ":" .. echo_port, "--grace", 60)
    local data <const> = ("0123456789"):rep(30000)
    local reader <const>, writer <close> = asyncio.open_connection(HOST, port)
    writer:write(data)
    assert.is_true(reader:readexactly(#data) == data)

    terminate(child)
    assert.equal("SIGTERM: no more connections\n", child:read_until "SIGTERM")
    helper.raises(asyncio.OSError, asyncio.open_connection, HOST, port)
    writer:write "the end"
    writer:write_eof()
    assert.equal("the end", reader:read "a")
    local text <const>, status <const> = child:wait()
    local sum <const> = "\n1 connections, 0 of them failed; 300007 bytes up, 300007 bytes down\n"
    assert.is_truthy(text:find(sum, 1, true), text)
    assert.equal(0, status)
  end)

  for name, grace in pairs { ["the grace"] = 0.01, ["a second signal"] = 3600 } do
    ait("aborts connections after " .. name, function()
      local echo <close>, echo_port <const> = start_echo()
      assert.is_truthy(echo)
      local to <const> = HOST .. ":" .. echo_port
      local child <close>, port <const> = start("--to", to, "--grace", grace)
      local reader <const>, writer <close> = asyncio.open_connection(HOST, port)
      writer:write "x"
      assert.equal("x", reader:readexactly(1))
      child:interrupt()
      child:read_until "^SIGINT: no more connections\n$"
      if grace > 1 then
        child:interrupt()
      end
      local text <const>, status <const> = child:wait()
      assert.matches("\naborting what is left\n1 connections, %d of them failed; 1 bytes", text)
      assert.equal(0, status)
      pcall(reader.read, reader, 1)
    end)
  end

  ait("speaks SOCKS5", function()
    local echo <close>, echo_port <const> = start_echo()
    assert.is_truthy(echo)
    local child <close>, port <const> = start()
    local function ask(request)
      local reader <const>, writer <const> = asyncio.open_connection(HOST, port)
      writer:write("\5\1\0" .. request)
      assert.equal("\5\0", reader:readexactly(2))
      return reader, writer, reader:readexactly(10):byte(2)
    end
    local to_port <const> = string.pack(">I2", echo_port)
    for _, request in ipairs { "\5\1\0\1\127\0\0\1", "\5\1\0\3\9localhost" } do
      local reader <const>, writer <const>, code <const> = ask(request .. to_port)
      assert.equal(0, code)
      writer:write "hello"
      writer:write_eof()
      assert.equal("hello", reader:read "a")
      writer:close()
    end
    local nobody <const> = string.pack(">I2", streams.free_port())
    local wrong <const> = {
      ["\5\1\0\1\127\0\0\1" .. nobody] = 5,
      ["\5\2\0\1\127\0\0\1" .. to_port] = 7,
      ["\5\1\0\2" .. to_port] = 8,
    }
    for request, expected in pairs(wrong) do
      local reader <const>, writer <close>, code <const> = ask(request)
      assert.equal(expected, code)
      pcall(reader.read, reader, "a")
      assert.is_truthy(writer)
    end
    local reader <const>, writer <close> = asyncio.open_connection(HOST, port)
    writer:write "\5\1\2" -- only with a password
    assert.equal("\5\255", reader:read "a")
    terminate(child)
    local text <const>, status <const> = child:wait()
    assert.matches("\n6 connections, 4 of them failed; 10 bytes up, 10 bytes down\n$", text)
    assert.equal(0, status)
  end)

  ait("says that it cannot listen", function()
    local server <close>, port <const> = start_echo()
    assert.is_truthy(server)
    local arguments <const> = { "--listen", HOST .. ":" .. port }
    local text <const>, status <const> = program.run("proxy.lua", arguments)
    local expected <const> = ("proxy.lua: bind 127.0.0.1:%d: address already in use"):format(port)
    assert.is_truthy(text:find(expected, 1, true), text)
    assert.equal(1, status)
  end)
end)
