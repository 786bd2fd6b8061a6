local asyncio = require "asyncio"
local helper = require "spec.helper"
local protocols = require "spec.protocols"
local streams = require "spec.streams"

local ait <const> = helper.ait

local function read(reader, ...)
  return asyncio.create_task(reader.read, reader, ...)
end

describe("StreamReader", function()
  ait("is made empty, with a limit", function()
    local reader <const> = asyncio.StreamReader()
    assert.is_true(asyncio.isinstance(reader, asyncio.StreamReader))
    assert.equal("<StreamReader 0 bytes>", tostring(reader))
    local small <const> = asyncio.StreamReader { limit = 4 }
    small:feed_data "too long\n"
    helper.raises(asyncio.LimitOverrunError, small.readline, small)
  end)

  it("can be made and fed without a loop", function()
    local reader <const> = asyncio.StreamReader()
    reader:feed_data "before"
    reader:feed_eof()
    assert.equal("before", asyncio.run(reader.read, reader, "a"))
  end)

  it("refuses bad options", function()
    for _, options in ipairs { 1, "limit", { limit = 0 }, { limit = "x" } } do
      helper.raises("bad argument", asyncio.StreamReader, options)
    end
  end)

  ait("has no connection, and nothing to close", function()
    local reader <close> = asyncio.StreamReader()
    assert.is_nil(reader:get_extra_info "peername")
    assert.equal("x", reader:get_extra_info("fd", "x"))
    reader:close()
    reader:feed_data "still"
    assert.equal("still", reader:read(10))
  end)
end)

describe("reader:feed_data", function()
  ait("is what each kind of read gets", function()
    local reader <const> = asyncio.StreamReader()
    reader:feed_data "one\ntwo\nthree;fourfive\nsix\nseven"
    reader:feed_eof()
    assert.equal("one\n", reader:readline())
    assert.equal("two\n", reader:readuntil "\n")
    assert.equal("three;", reader:readuntil { ";", "\r" })
    assert.equal("four", reader:readexactly(4))
    local lines <const> = {}
    for line in reader:lines() do
      lines[#lines + 1] = line
    end
    assert.same({ "five", "six", "seven" }, lines)
    assert.is_true(reader:at_eof())
    assert.is_nil(reader:read(1))
  end)

  ait("wakes the task that waits when it has what that needs", function()
    local reader <const> = asyncio.StreamReader()
    local task <const> = asyncio.create_task(reader.readexactly, reader, 6)
    asyncio.sleep(0)
    reader:feed_data "abc"
    asyncio.sleep(0)
    assert.is_false(task:done())
    reader:feed_data "defg"
    assert.equal("abcdef", task:await())
    assert.equal("g", reader:read(10))
  end)

  ait("takes zeros, nothing, and much", function()
    local reader <const> = asyncio.StreamReader()
    local piece <const> = ("\0x"):rep(100000)
    reader:feed_data ""
    for _ = 1, 5 do
      reader:feed_data(piece)
    end
    assert.is_true(reader:readexactly(5 * #piece) == piece:rep(5))
  end)

  ait("finds a separator that comes in two pieces", function()
    local reader <const> = asyncio.StreamReader()
    local task <const> = asyncio.create_task(reader.readuntil, reader, "\r\n")
    for _, piece in ipairs { "a\r", "b\r", "\nc" } do
      asyncio.sleep(0)
      reader:feed_data(piece)
    end
    assert.equal("a\rb\r\n", task:await())
    assert.equal("c", reader:read(1))
  end)

  ait("keeps what a cancelled read was woken for", function()
    local reader <const> = asyncio.StreamReader()
    local task <const> = read(reader, 10)
    asyncio.sleep(0)
    reader:feed_data "kept"
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("kept", reader:read(10))
  end)

  ait("refuses what is no string, and data after the end", function()
    local reader <const> = asyncio.StreamReader()
    streams.refuses(1, reader, "feed_data")
    streams.refuses(1, reader, "feed_data", {})
    reader:feed_eof()
    local err <const> = helper.raises(asyncio.RuntimeError, reader.feed_data, reader, "x")
    assert.matches("after feed_eof", err.message)
    helper.raises("bad argument #1", reader.feed_data, 1, "x")
  end)

  ait("adds to what a connection received", function()
    local here, there = streams.pair()
    there.writer:write "received"
    assert.equal("rec", here.reader:readexactly(3))
    here.reader:feed_data "+fed"
    assert.equal("eived+fed", here.reader:readexactly(9))
  end)
end)

describe("reader:feed_eof", function()
  ait("ends what waits, and all reads after it", function()
    local reader <const> = asyncio.StreamReader()
    local task <const> = read(reader, 10)
    asyncio.sleep(0)
    reader:feed_eof()
    reader:feed_eof()
    assert.is_nil(task:await())
    assert.is_nil(reader:readline())
    assert.equal("", reader:read "a")
    assert.equal("<StreamReader 0 bytes eof>", tostring(reader))
  end)

  ait("makes what is left incomplete", function()
    local reader <const> = asyncio.StreamReader()
    reader:feed_data "abc"
    reader:feed_eof()
    assert.is_false(reader:at_eof())
    local err <const> = helper.raises(asyncio.IncompleteReadError, reader.readexactly, reader, 4)
    assert.equal("abc", err.partial)
  end)

  ait("lets a connection receive no more", function()
    local here, there = streams.pair()
    here.reader:feed_eof()
    there.writer:write "late"
    assert.is_nil(here.reader:read(10))
  end)
end)

describe("reader:set_exception", function()
  ait("wakes who waits, with the error as it is", function()
    local reader <const> = asyncio.StreamReader()
    local problem <const> = { "an error" }
    local task <const> = asyncio.create_task(reader.readline, reader)
    asyncio.sleep(0)
    reader:set_exception(problem)
    assert.equal(problem, helper.catch(task.await, task))
    assert.equal(problem, reader:exception())
    assert.matches("failed", tostring(reader))
  end)

  ait("fails all reads from then on, also of what is there", function()
    local reader <const> = asyncio.StreamReader()
    reader:feed_data "line\n"
    assert.is_nil(reader:exception())
    reader:set_exception(asyncio.TimeoutError "late")
    for _, call in ipairs {
      { "read" }, { "read", 0 }, { "read", 1 }, { "readline" }, { "readexactly", 1 },
      { "readuntil", "\n" },
    } do
      helper.raises(asyncio.TimeoutError, reader[call[1]], reader, call[2])
    end
    helper.raises(asyncio.TimeoutError, reader:lines())
  end)

  ait("makes an error of a class, and takes no nil", function()
    local reader <const> = asyncio.StreamReader()
    reader:set_exception(asyncio.TimeoutError)
    assert.is_true(asyncio.isinstance(reader:exception(), asyncio.TimeoutError))
    streams.refuses(1, reader, "set_exception")
    streams.refuses(1, reader, "set_exception", nil)
  end)

  ait("tells of a connection that broke", function()
    local here, there = streams.pair()
    streams.fill(there.writer)
    here.writer:close() -- with bytes not read: the system sends a reset
    local err <const> = helper.raises(asyncio.OSError, there.reader.read, there.reader, 1)
    assert.equal(err.code, there.reader:exception().code)
  end)
end)

describe("a reader that nobody feeds", function()
  it("is a deadlock for those who wait", function()
    local reader <const> = asyncio.StreamReader()
    local err <const> = helper.raises(asyncio.DeadlockError, asyncio.run, reader.read, reader)
    assert.matches("data from a stream", err.message)
  end)

  ait("can be waited for with a limit", function()
    local reader <const> = asyncio.StreamReader()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, reader.read, 0.001, reader, 1)
    reader:feed_data "x"
    assert.equal("x", reader:read(1))
  end)
end)

describe("reader:set_transport", function()
  ait("holds the transport back while too much waits", function()
    local reader <const> = asyncio.StreamReader { limit = 1000 }
    local transport, _, _, writer = protocols.connect(helper.trace(), {
      data_received = function(_, data)
        reader:feed_data(data)
      end,
      eof_received = function()
        reader:feed_eof()
      end,
    })
    reader:set_transport(transport)
    local n <const> = streams.fill(writer)
    writer:close()
    while transport:is_reading() do
      asyncio.sleep(0)
    end
    local count = #reader:readexactly(10)
    assert.is_false(transport:is_reading())
    helper.collect()
    for data in
      function()
        return reader:read(100000)
      end
    do
      count = count + #data
    end
    assert.equal(n, count)
  end)

  ait("reads on when a task waits for more than that", function()
    local reader <const> = asyncio.StreamReader { limit = 1 }
    local transport, _, _, writer = protocols.connect(helper.trace(), {
      data_received = function(_, data)
        reader:feed_data(data)
      end,
    })
    reader:set_transport(transport)
    writer:write "some"
    while transport:is_reading() do
      asyncio.sleep(0)
    end
    local task <const> = asyncio.create_task(reader.readexactly, reader, 8)
    asyncio.sleep(0)
    assert.is_true(transport:is_reading())
    writer:write "more"
    assert.equal("somemore", task:await())
    transport:close()
    reader:feed_data "still fed"
    assert.equal("still", reader:readexactly(5))
  end)

  ait("refuses a second one, and a reader with a connection", function()
    local transport, _, reader = protocols.connect(helper.trace())
    helper.raises("has one already", reader.set_transport, reader, transport)
    local fed <const> = asyncio.StreamReader()
    fed:set_transport(transport)
    helper.raises("has one already", fed.set_transport, fed, transport)
    streams.refuses(1, fed, "set_transport", {})
    transport:abort()
  end)
end)
