local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

-- Runs fn in a loop of its own, and checks that no descriptor is left.
local function leaves_none(fn)
  local before <const> = streams.descriptors()
  helper.run(fn)
  assert.equal(before, streams.descriptors())
end

describe("pipe", function()
  ait("carries bytes one way, to the end", function()
    local reader, writer = asyncio.pipe()
    writer:write "one\n"
    assert.equal("one\n", reader:readline())
    writer:writelines { "two", "three" }
    writer:close()
    writer:wait_closed()
    assert.equal("twothree", reader:read "a")
    assert.is_true(reader:at_eof())
    assert.is_nil(reader:read(1))
  end)

  ait("ends with write_eof, which closes the writer", function()
    local reader, writer = asyncio.pipe()
    writer:write "all"
    writer:write_eof()
    writer:write_eof()
    assert.is_true(writer:is_closing())
    assert.equal("all", reader:read "a")
    helper.raises(asyncio.RuntimeError, writer.write, writer, "more")
    writer:wait_closed()
  end)

  ait("closes its reader at the end, and by itself", function()
    local reader, writer = asyncio.pipe()
    assert.equal("integer", math.type(reader:get_extra_info "fd"))
    assert.not_equal(reader:get_extra_info "fd", writer:get_extra_info "fd")
    assert.equal("none", reader:get_extra_info("peername", "none"))
    writer:close()
    assert.is_nil(reader:read(1))
    assert.is_nil(reader:get_extra_info "fd")
    reader:close()
  end)

  ait("tells the writer that the reader is closed", function()
    local reader, writer = asyncio.pipe()
    reader:close()
    local err <const> = helper.raises(asyncio.OSError, writer.write, writer, "x")
    assert.equal("EPIPE", err.code)
    assert.is_true(writer:is_closing())
  end)

  ait("wakes a task in drain when the reader closes", function()
    local reader, writer = asyncio.pipe()
    streams.fill(writer)
    local task <const> = asyncio.create_task(writer.drain, writer)
    asyncio.sleep(0)
    assert.is_false(task:done())
    reader:close()
    local err <const> = helper.raises(asyncio.OSError, asyncio.await, task)
    assert.equal("EPIPE", err.code)
  end)

  ait("ends a read when its reader is closed", function()
    local reader <const>, writer <const> = asyncio.pipe()
    local task <const> = asyncio.create_task(reader.read, reader, 1)
    asyncio.sleep(0)
    reader:close()
    assert.is_nil(task:await())
    writer:close()
  end)

  ait("carries more than the system buffers, at the reader's pace", function()
    local reader, writer = asyncio.pipe()
    local n <const> = streams.fill(writer)
    writer:close()
    assert.equal(n, #reader:read "a")
  end)

  ait("keeps what a cancelled read would have got", function()
    local reader, writer <close> = asyncio.pipe()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, reader.readexactly, 0.001, reader, 2)
    writer:write "a"
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, reader.readexactly, 0.001, reader, 2)
    writer:write "b"
    assert.equal("ab", reader:readexactly(2))
  end)

  ait("says what its ends are", function()
    local reader, writer = asyncio.pipe { limit = 3 }
    assert.equal("<StreamReader 0 bytes>", tostring(reader))
    assert.equal("<StreamWriter open to pipe>", tostring(writer))
    writer:write "12345"
    helper.raises(asyncio.LimitOverrunError, reader.readline, reader)
  end)

  it("leaves no descriptor, however it ends", function()
    leaves_none(function()
      asyncio.pipe() -- collected, or closed with its loop
      local reader, writer <close> = asyncio.pipe()
      writer:write "x"
      assert.equal("x", reader:read(1))
      helper.collect()
      asyncio.sleep(0.001)
      local before <const> = streams.descriptors()
      for _ = 1, 20 do
        asyncio.pipe()
        asyncio.socketpair()
      end
      helper.collect()
      asyncio.sleep(0.001)
      assert.equal(before, streams.descriptors())
    end)
    leaves_none(function()
      local reader, writer = asyncio.pipe()
      streams.fill(writer)
      asyncio.create_task(writer.drain, writer)
      local other <const> = asyncio.pipe()
      asyncio.create_task(other.read, other)
      asyncio.sleep(0)
      assert.is_truthy(reader)
    end)
  end)

  it("is reported in debug mode when it is collected while open", function()
    local result <const> = helper.run_script [[
      local asyncio = require "asyncio"
      asyncio.run(asyncio.async(function()
        local reader = asyncio.pipe()
        asyncio.sleep(0)
        collectgarbage() collectgarbage()
        assert(reader:read(1) == nil)
      end)(), { debug = true })
    ]]
    assert.equal(0, result.code, result.stderr)
    assert.equal("asyncio: stream to pipe was collected while open\n", result.stderr)
  end)

  it("needs a loop that runs", function()
    for _, name in ipairs { "pipe", "socketpair" } do
      local text <const> = ("'%s' must be called while an event loop runs"):format(name)
      local err <const> = helper.raises(asyncio.RuntimeError, asyncio[name])
      assert.matches(text, err.message)
    end
  end)

  ait("refuses wrong options", function()
    for _, name in ipairs { "pipe", "socketpair" } do
      helper.raises("bad argument #1.*" .. name, asyncio[name], 5)
      helper.raises("bad argument #1.*'limit'", asyncio[name], { limit = 0 })
      helper.raises("bad argument #1.*'limit'", asyncio[name], { limit = 0 / 0 })
    end
  end)
end)

describe("a reader that is closed", function()
  ait("closes its connection, as the writer does", function()
    local here, there = streams.pair()
    here.writer:write "last"
    here.reader:close()
    assert.is_true(here.writer:is_closing())
    assert.equal("last", there.reader:read "a")
  end)

  ait("is closed at the end of a scope", function()
    local kept
    do
      local reader <close>, writer = asyncio.pipe()
      kept = writer
      assert.is_truthy(reader)
    end
    helper.raises(asyncio.OSError, kept.write, kept, "x")
  end)
end)

describe("socketpair", function()
  ait("carries bytes both ways", function()
    local reader1, writer1, reader2, writer2 = asyncio.socketpair()
    writer1:write "ping"
    writer2:write "pong"
    assert.equal("ping", reader2:readexactly(4))
    assert.equal("pong", reader1:readexactly(4))
    writer1:write_eof()
    assert.is_nil(reader2:read(1))
    writer2:write "still"
    writer2:close()
    assert.equal("still", reader1:read "a")
    writer1:close()
    writer1:wait_closed()
  end)

  ait("says what it is", function()
    local reader1, writer1, _, writer2 = asyncio.socketpair()
    assert.equal("<StreamWriter open to socket>", tostring(writer1))
    assert.is_nil(writer1:get_extra_info "peername")
    assert.equal(reader1:get_extra_info "fd", writer1:get_extra_info "fd")
    assert.not_equal(writer1:get_extra_info "fd", writer2:get_extra_info "fd")
  end)

  ait("tells one end that the other is gone", function()
    local reader1, writer1, _, writer2 = asyncio.socketpair()
    writer2:close()
    writer2:wait_closed()
    assert.is_nil(reader1:read(1))
    local err <const> = helper.raises(asyncio.OSError, writer1.write, writer1, "x")
    assert.equal("EPIPE", err.code)
  end)

  it("leaves no descriptor", function()
    leaves_none(function()
      local reader1, writer1, _, writer2 <close> = asyncio.socketpair()
      streams.fill(writer1)
      asyncio.create_task(reader1.read, reader1)
      asyncio.create_task(writer1.drain, writer1)
      asyncio.sleep(0)
      assert.is_truthy(writer2)
    end)
  end)
end)
