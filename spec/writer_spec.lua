local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

local function read_all(reader)
  return asyncio.create_task(reader.read, reader, "a")
end

describe("writer:write", function()
  ait("sends bytes in order", function()
    local here, there = streams.pair()
    for i = 1, 100 do
      here.writer:write(i .. " ")
    end
    here.writer:close()
    local expected = {}
    for i = 1, 100 do
      expected[i] = i .. " "
    end
    assert.equal(table.concat(expected), there.reader:read "a")
  end)

  ait("sends at once, without a drain", function()
    local here, there = streams.pair()
    here.writer:write "now"
    assert.equal("now", there.reader:read(10))
  end)

  ait("never suspends, and keeps what the system does not take", function()
    local here, there = streams.pair()
    local other <const> = asyncio.create_task(function() end)
    local piece <const> = ("0123456789abcdef"):rep(1 << 16)
    for _ = 1, 8 do
      here.writer:write(piece)
    end
    assert.is_false(other:done())
    here.writer:write "end"
    here.writer:write_eof()
    assert.is_true(there.reader:read "a" == piece:rep(8) .. "end")
  end)

  ait("takes an empty string", function()
    local here, there = streams.pair()
    here.writer:write ""
    here.writer:writelines {}
    here.writer:drain()
    here.writer:close()
    assert.equal("", there.reader:read "a")
  end)

  ait("takes numbers as Lua's write does", function()
    local here, there = streams.pair()
    here.writer:write(12)
    here.writer:writelines { 3.5, "x" }
    here.writer:close()
    assert.equal("123.5x", there.reader:read "a")
  end)

  ait("does not need its string any more", function()
    local here, there = streams.pair()
    local task <const> = read_all(there.reader)
    for i = 1, 40 do
      here.writer:write(string.char(64 + i):rep(100000))
      collectgarbage()
    end
    here.writer:close()
    local data <const> = task:await()
    assert.equal(4000000, #data)
    for i = 1, 40 do
      local from <const> = (i - 1) * 100000 + 1
      assert.is_true(data:sub(from, from + 99999) == string.char(64 + i):rep(100000))
    end
  end)

  ait("refuses what is no string", function()
    local here = streams.pair()
    for _, value in ipairs { {}, true, print } do
      streams.refuses(1, here.writer, "write", value)
      streams.refuses(1, here.writer, "writelines", { "a", value })
    end
    streams.refuses(1, here.writer, "write")
    streams.refuses(1, here.writer, "writelines")
    streams.refuses(1, here.writer, "writelines", "text")
  end)

  ait("sends nothing of a list that it refuses", function()
    local here, there = streams.pair()
    helper.catch(here.writer.writelines, here.writer, { "a", {} })
    here.writer:writelines { "b", "c", "d" }
    here.writer:close()
    assert.equal("bcd", there.reader:read "a")
  end)
end)

describe("writer:write without memory", function()
  local host <const> = os.getenv "ASYNCIO_TEST_LUA" or ""

  local script <const> = [[
    local asyncio = require "asyncio"
    asyncio.run(function()
      local n = 0
      local server <close> = asyncio.start_server(function(reader)
        for piece in function() return reader:read(1 << 20) end do
          n = n + #piece
        end
      end, "127.0.0.1", 0)
      local _, writer = asyncio.open_connection("127.0.0.1", server:sockets()[1].port)
      local ok = pcall(writer.write, writer, ("x"):rep(1 << 23))
      if not ok and not writer:is_closing() then
        writer:close()
        writer:wait_closed()
        asyncio.sleep(0.05)
        print(n)
      end
    end)
  ]]

  if not host:find "/host" then
    return -- only that interpreter can make allocations fail
  end

  it("loses the connection if a part is sent", function()
    for k = 4, 10 do
      local result <const> = helper.run_script(script, { options = { "--fail-malloc=" .. k } })
      assert.is_true(result.stdout == "" or result.stdout == "0\n", result.stdout)
    end
  end)
end)

describe("writer:drain", function()
  ait("does not suspend when little waits to be sent", function()
    local here = streams.pair()
    local other <const> = asyncio.create_task(function() end)
    here.writer:write "x"
    here.writer:drain()
    assert.is_false(other:done())
  end)

  ait("suspends when much does, until the peer has read it", function()
    local here, there = streams.pair()
    local n <const> = streams.fill(here.writer)
    local drain <const> = asyncio.create_task(here.writer.drain, here.writer)
    asyncio.sleep(0.01)
    assert.is_false(drain:done())
    local left = n
    while left > 0 do
      left = left - #there.reader:read(left)
    end
    drain:await()
    here.writer:drain()
  end)

  ait("wakes all who wait, in their order", function()
    local here, there = streams.pair()
    local n <const> = streams.fill(here.writer)
    local t <const> = helper.trace()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = asyncio.create_task(function()
        here.writer:drain()
        t(i)
      end)
    end
    there.reader:readexactly(n)
    asyncio.gather(tasks):await()
    assert.same({ 1, 2, 3 }, t:list())
  end)

  ait("can be cancelled, and nothing of what was written is lost", function()
    local here, there = streams.pair()
    local n <const> = streams.fill(here.writer)
    local drain <const> = asyncio.create_task(here.writer.drain, here.writer)
    asyncio.sleep(0)
    drain:cancel()
    helper.raises(asyncio.CancelledError, drain.await, drain)
    here.writer:write "end"
    here.writer:close()
    local data <const> = there.reader:read "a"
    assert.equal(n + 3, #data)
    assert.equal("end", data:sub(-3))
  end)

  ait("raises when the connection breaks meanwhile", function()
    local here, there = streams.pair()
    streams.fill(here.writer)
    local drain <const> = asyncio.create_task(here.writer.drain, here.writer)
    asyncio.sleep(0)
    there.writer:close() -- with bytes not read: the system sends a reset
    helper.raises(asyncio.OSError, drain.await, drain)
    assert.is_true(here.writer:is_closing())
  end)
end)

describe("writer:drain while another task closes", function()
  local function drain_and(close)
    local here, there = streams.pair()
    local n <const> = streams.fill(here.writer)
    local drain <const> = asyncio.create_task(here.writer.drain, here.writer)
    asyncio.sleep(0)
    close(here.writer)
    return drain, there.reader, n
  end

  ait("returns when all is sent", function()
    local drain, reader, n = drain_and(function(writer)
      writer:close()
    end)
    assert.equal(n, #reader:read "a")
    drain:await()
  end)

  ait("raises when not all is sent", function()
    local drain = drain_and(function(writer)
      local closing <const> = asyncio.create_task(function()
        local _ <close> = writer
      end)
      asyncio.sleep(0)
      closing:cancel()
    end)
    helper.raises(asyncio.OSError, drain.await, drain)
  end)
end)

describe("writer:write_eof", function()
  ait("ends one direction only", function()
    local here, there = streams.pair()
    here.writer:write "question"
    here.writer:write_eof()
    assert.equal("question", there.reader:read "a")
    there.writer:write "answer"
    there.writer:close()
    assert.equal("answer", here.reader:read "a")
    assert.is_false(here.writer:is_closing())
  end)

  ait("comes after all that was written", function()
    local here, there = streams.pair()
    local n <const> = streams.fill(here.writer)
    here.writer:write_eof()
    assert.equal(n, #there.reader:read "a")
  end)

  ait("can be called twice; writing after it is a RuntimeError", function()
    local here = streams.pair()
    here.writer:write_eof()
    here.writer:write_eof()
    helper.raises(asyncio.RuntimeError, here.writer.write, here.writer, "x")
    helper.raises(asyncio.RuntimeError, here.writer.writelines, here.writer, { "x" })
    here.writer:drain()
  end)

  ait("is an OSError on a closed connection", function()
    local here = streams.pair()
    here.writer:close()
    helper.raises(asyncio.OSError, here.writer.write_eof, here.writer)
  end)
end)

describe("writer:close", function()
  ait("sends what was written before it closes", function()
    local here, there = streams.pair()
    local n <const> = streams.fill(here.writer)
    here.writer:write "end"
    here.writer:close()
    assert.is_true(here.writer:is_closing())
    local waiting <const> = asyncio.create_task(here.writer.wait_closed, here.writer)
    asyncio.sleep(0.01)
    assert.is_false(waiting:done())
    local data <const> = there.reader:read "a"
    assert.equal(n + 3, #data)
    waiting:await()
  end)

  ait("can be called again, and waited for any number of times", function()
    local here = streams.pair()
    assert.is_false(here.writer:is_closing())
    here.writer:close()
    here.writer:close()
    here.writer:wait_closed()
    here.writer:close()
    here.writer:wait_closed()
    assert.is_true(here.writer:is_closing())
  end)

  ait("wakes a task that reads", function()
    local here = streams.pair()
    local some <const> = asyncio.create_task(here.reader.read, here.reader, 10)
    asyncio.sleep(0)
    here.writer:close()
    assert.is_nil(some:await())
    assert.is_true(here.reader:at_eof())
    assert.is_nil(here.reader:readline())
  end)

  ait("leaves what was received to be read", function()
    local here, there = streams.pair()
    there.writer:write "received"
    assert.equal("r", here.reader:read(1))
    here.writer:close()
    here.writer:wait_closed()
    assert.equal("eceived", here.reader:read "a")
  end)

  ait("makes writing an OSError", function()
    local here = streams.pair()
    here.writer:close()
    local err = helper.raises(asyncio.OSError, here.writer.write, here.writer, "x")
    assert.equal("EPIPE", err.code)
    assert.matches("^write 127[%d.:]+: the writer is closed %(EPIPE%)$", err.message)
    helper.raises(asyncio.OSError, here.writer.writelines, here.writer, { "x" })
    here.writer:wait_closed()
    helper.raises(asyncio.OSError, here.writer.write, here.writer, "x")
    helper.raises(asyncio.OSError, here.writer.drain, here.writer)
  end)
end)

describe("writer:wait_closed", function()
  ait("waits until somebody closes", function()
    local here = streams.pair()
    local tasks = {}
    for i = 1, 2 do
      tasks[i] = asyncio.create_task(here.writer.wait_closed, here.writer)
    end
    asyncio.sleep(0)
    assert.is_false(tasks[1]:done())
    here.writer:close()
    asyncio.gather(tasks):await()
  end)

  ait("can be cancelled", function()
    local here = streams.pair()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, function()
      here.writer:wait_closed()
    end, 0.002)
    here.writer:close()
    here.writer:wait_closed()
  end)
end)

describe("a writer in a scope", function()
  ait("is closed at its end", function()
    local here, there = streams.pair()
    do
      local writer <close> = here.writer
      writer:write "bye"
    end
    assert.is_true(here.writer:is_closing())
    here.writer:wait_closed()
    assert.equal("bye", there.reader:read "a")
  end)

  ait("is closed by an error, which goes on", function()
    local here, there = streams.pair()
    local err = helper.catch(function()
      local writer <close> = here.writer
      writer:write "bye"
      error "wrong"
    end)
    assert.matches("wrong", err)
    assert.equal("bye", there.reader:read "a")
  end)

  ait("is closed by cancellation", function()
    local here, there = streams.pair()
    local task <const> = asyncio.create_task(function()
      local _ <close> = here.writer
      asyncio.sleep(3600)
    end)
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_nil(there.reader:read(1))
  end)

  ait("is closed at once by cancellation, even if the peer reads nothing", function()
    local here, there = streams.pair()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, function()
      local writer <close> = here.writer
      streams.fill(writer)
      asyncio.sleep(3600)
    end, 0.01)
    assert.matches("closed", tostring(here.writer))
    there.writer:close()
  end)

  ait("stops to wait when it is cancelled", function()
    local here, there = streams.pair()
    streams.fill(here.writer)
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, function()
      local _ <close> = here.writer
    end, 0.01)
    assert.matches("closed", tostring(here.writer))
    there.writer:close()
  end)

  ait("waits until all is sent", function()
    local here, there = streams.pair()
    local n <const> = streams.fill(here.writer)
    local t <const> = helper.trace()
    local task <const> = asyncio.create_task(function()
      do
        local _ <close> = here.writer
      end
      t "closed"
    end)
    asyncio.sleep(0.01)
    assert.same({}, t:list())
    assert.equal(n, #there.reader:read "a")
    task:await()
    assert.same({ "closed" }, t:list())
  end)

  ait("may have been closed before", function()
    local here = streams.pair()
    do
      local writer <close> = here.writer
      writer:close()
      writer:wait_closed()
    end
    do
      local _ <close> = here.writer
    end
  end)
end)

describe("writer:get_extra_info", function()
  ait("knows both addresses", function()
    local here, there = streams.pair()
    local peername <const> = here.writer:get_extra_info "peername"
    local sockname <const> = here.writer:get_extra_info "sockname"
    assert.equal("127.0.0.1", peername.host)
    assert.equal("inet", peername.family)
    assert.equal("127.0.0.1:" .. peername.port, tostring(peername))
    assert.same(sockname, there.writer:get_extra_info "peername")
    assert.same(peername, there.writer:get_extra_info "sockname")
  end)

  ait("knows them after the end, too", function()
    local here = streams.pair()
    local port <const> = here.writer:get_extra_info("peername").port
    here.writer:close()
    here.writer:wait_closed()
    assert.equal(port, here.writer:get_extra_info("peername").port)
    assert.is_nil(here.writer:get_extra_info "fd")
  end)

  ait("gives a descriptor, and a default for what is not known", function()
    local here, there = streams.pair()
    assert.equal("integer", math.type(here.writer:get_extra_info "fd"))
    assert.not_equal(here.writer:get_extra_info "fd", there.writer:get_extra_info "fd")
    assert.is_nil(here.writer:get_extra_info "colour")
    assert.equal("blue", here.writer:get_extra_info("colour", "blue"))
    streams.refuses(1, here.writer, "get_extra_info")
  end)
end)

describe("a writer that is collected", function()
  ait("closes the connection, after sending", function()
    local here, there = streams.pair()
    here.writer:write "last words"
    here = nil -- luacheck: ignore
    helper.collect()
    assert.equal("last words", there.reader:read "a")
  end)

  ait("stays as long as its reader is used", function()
    local here, there = streams.pair()
    local reader <const> = here.reader
    here = nil -- luacheck: ignore
    helper.collect()
    there.writer:write "still there"
    assert.equal("still there", reader:read(100))
  end)

  ait("writes on without its reader", function()
    local here, there = streams.pair()
    local writer <const> = here.writer
    here = nil -- luacheck: ignore
    helper.collect()
    there.writer:write "nobody reads this"
    asyncio.sleep(0.002)
    writer:write "answer"
    assert.equal("answer", there.reader:read(100))
  end)

  it("warns in debug mode if it was open", function()
    local script <const> = [[
      local asyncio = require "asyncio"
      asyncio.run(asyncio.async(function()
        local server = asyncio.start_server(function(reader, writer)
          reader:read "a"
          writer:close()
        end, "127.0.0.1", 0)
        local port = server:sockets()[1].port
        asyncio.open_connection("127.0.0.1", port)
        collectgarbage() collectgarbage()
        server:close()
        server:wait_closed()
        print(port)
      end)(), { debug = %s })]]
    local result = helper.run_script(script:format "true")
    assert.equal(0, result.code, result.stderr)
    local port <const> = result.stdout:match "%d+"
    assert.is_truthy(result.stderr:find("stream to 127.0.0.1:" .. port, 1, true), result.stderr)
    helper.check_script(script:format "false")
  end)
end)

describe("a writer", function()
  ait("says how it is", function()
    local here = streams.pair()
    assert.matches("^<StreamWriter open to 127%.0%.0%.1:%d+>$", tostring(here.writer))
    here.writer:close()
    here.writer:wait_closed()
    assert.matches("^<StreamWriter closed to 127%.0%.0%.1:%d+>$", tostring(here.writer))
    assert.is_true(asyncio.isinstance(here.writer, asyncio.StreamWriter))
  end)
end)
