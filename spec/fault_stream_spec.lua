-- Connections that break, and what goes on beside them.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const>, raises <const> = helper.ait, helper.raises

-- Runs fn while another connection of the loop echoes lines, and checks that it
-- went on before, meanwhile and after.
local function undisturbed(fn)
  local here <const>, there <const> = streams.pair()
  local echo <const> = asyncio.create_task(function()
    for line in there.reader:lines() do
      there.writer:write(line .. "\n")
    end
  end)
  local echoed = 0
  local function ask()
    here.writer:write "hello\n"
    assert.equal("hello\n", here.reader:readline())
    echoed = echoed + 1
  end
  ask()
  local asking <const> = asyncio.create_task(function()
    while true do
      ask()
    end
  end)
  fn()
  local before <const> = echoed
  repeat
    asyncio.sleep(0)
  until echoed > before + 1
  asking:cancel()
  raises(asyncio.CancelledError, asking.await, asking)
  here.writer:close()
  echo:await()
  there.writer:close()
end

-- A pair whose other end has closed with bytes in the system's buffer that it did
-- not read: the system sends a reset. 'prepare' is called before that.
local function reset(prepare)
  local here <const>, there <const> = streams.pair()
  streams.fill(here.writer)
  asyncio.sleep(0.01)
  local tasks <const> = { prepare(here) }
  asyncio.sleep(0)
  there.writer:write "half a mess"
  there.writer:close()
  there.writer:wait_closed()
  return here, table.unpack(tasks)
end

local function check_reset(err, syscall, here)
  local address <const> = tostring(here.writer:get_extra_info "peername")
  assert.is_true(asyncio.isinstance(err, asyncio.OSError), tostring(err))
  local texts <const> = { ECONNRESET = "connection reset by peer", EPIPE = "broken pipe" }
  assert.is_truthy(texts[err.code], tostring(err))
  local text <const> = ("%s %s: %s (%s)"):format(syscall, address, texts[err.code], err.code)
  assert.equal(text, err.message)
  assert.equal(syscall, err.syscall)
  assert.equal(address, err.address)
  assert.is_true(err.errno > 0)
end

describe("a peer that resets the connection", function()
  ait("is an error of those who read and write", function()
    undisturbed(function()
      local here <const>, reading, draining, closing = reset(function(here)
        return asyncio.create_task(here.reader.readexactly, here.reader, 100),
          asyncio.create_task(here.writer.drain, here.writer),
          asyncio.create_task(here.writer.wait_closed, here.writer)
      end)
      check_reset(raises(asyncio.OSError, reading.await, reading), "read", here)
      check_reset(raises(asyncio.OSError, draining.await, draining), "drain", here)
      check_reset(raises(asyncio.OSError, closing.await, closing), "wait_closed", here)
      assert.equal("ECONNRESET", reading:exception().code)
      for _, name in ipairs { "read", "readline", "readexactly", "readuntil" } do
        local argument <const> = name == "readexactly" and 200 or nil
        local ok, data = pcall(here.reader[name], here.reader, argument)
        if not ok then -- what came before may be there
          check_reset(data, name == "read" and "read" or "read", here)
        end
      end
      check_reset(raises(asyncio.OSError, here.writer.write, here.writer, "x"), "write", here)
      check_reset(raises(asyncio.OSError, here.writer.drain, here.writer), "drain", here)
      check_reset(
        raises(asyncio.OSError, here.writer.writelines, here.writer, { "x" }),
        "writelines",
        here
      )
      check_reset(raises(asyncio.OSError, here.writer.write_eof, here.writer), "write_eof", here)
      here.writer:close()
    end)
  end)

  ait("closes the connection of a handler, which fails", function()
    local reports <const> = {}
    asyncio.get_running_loop():set_exception_handler(function(_, context)
      reports[#reports + 1] = context.exception
    end)
    local failed <const> = asyncio.Event()
    local server <close> = asyncio.start_server(function(reader, writer)
      local _ <close> = writer
      writer:write "hello"
      local _ <close> = setmetatable({}, {
        __close = function()
          failed:set()
        end,
      })
      reader:readexactly(1 << 30)
    end, "127.0.0.1", 0, { limit = 1 })
    local port <const> = server:sockets()[1].port
    do
      local _, writer = asyncio.open_connection("127.0.0.1", port, { limit = 1 })
      asyncio.sleep(0.01) -- "hello" stays in the system's buffer, or is read
      writer:write "half a mess"
      writer:close()
    end
    failed:wait()
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.equal(1, #reports)
    server:close()
    server:wait_closed()
  end)
end)

describe("a half-closed connection", function()
  ait("goes on in the other direction", function()
    local here <const>, there <const> = streams.pair()
    here.writer:write "question"
    here.writer:write_eof()
    assert.equal("question", there.reader:read "a")
    assert.is_true(there.reader:at_eof())
    for i = 1, 3 do
      there.writer:write(i .. "\n")
      there.writer:drain()
      assert.equal(i .. "\n", here.reader:readline())
    end
    raises(asyncio.RuntimeError, here.writer.write, here.writer, "x")
    there.writer:close()
    assert.is_nil(here.reader:read(1))
    here.writer:close()
    here.writer:wait_closed()
    there.writer:wait_closed()
  end)

  ait("sends all that was written before", function()
    local here <const>, there <const> = streams.pair()
    local n <const> = streams.fill(here.writer)
    here.writer:write_eof()
    assert.equal(n, #there.reader:read "a")
    there.writer:write "thanks"
    there.writer:close()
    assert.equal("thanks", here.reader:read "a")
    here.writer:close()
  end)
end)

describe("a pipe that nobody reads", function()
  ait("is an error of those who write", function()
    undisturbed(function()
      local reader <const>, writer <const> = asyncio.pipe()
      reader:close()
      asyncio.sleep(0)
      local err = raises(asyncio.OSError, function()
        while true do
          writer:write "x"
          writer:drain()
        end
      end)
      assert.equal("write pipe: broken pipe (EPIPE)", err.message)
      assert.equal("EPIPE", err.code)
      assert.equal("write", err.syscall)
      assert.equal("pipe", err.stream)
      assert.is_nil(err.address)
    end)
  end)

  ait("is one of those who wait for room", function()
    local reader <const>, writer <const> = asyncio.pipe()
    streams.fill(writer)
    local draining = asyncio.create_task(writer.drain, writer)
    asyncio.sleep(0)
    reader:close()
    local err <const> = raises(asyncio.OSError, draining.await, draining)
    assert.equal("drain pipe: broken pipe (EPIPE)", err.message)
  end)
end)
