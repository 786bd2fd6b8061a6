local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

-- How many bytes a reader of that limit takes while nobody reads: more than
-- twice the limit, and what one read of the system may bring beyond that.
local function held(reader)
  return tonumber(tostring(reader):match "(%d+) bytes")
end

describe("reader:read", function()
  ait("returns what there is, up to n bytes", function()
    local reader = streams.reader { "hello" }
    assert.equal("he", reader:read(2))
    assert.equal("llo", reader:read(100))
  end)

  ait("waits for data, not for all n bytes", function()
    local here, there = streams.pair()
    local task <const> = asyncio.create_task(here.reader.read, here.reader, 1000)
    asyncio.sleep(0)
    assert.is_false(task:done())
    there.writer:write "abc"
    assert.equal("abc", task:await())
  end)

  ait("does not suspend when there is data", function()
    local here, there = streams.pair()
    there.writer:write "abc\nd"
    assert.equal("a", here.reader:read(1))
    local other <const> = asyncio.create_task(function() end)
    assert.equal("b", here.reader:read(1))
    assert.equal("c", here.reader:readexactly(1))
    assert.equal("\n", here.reader:readline())
    assert.equal("d", here.reader:readuntil "d")
    assert.is_false(other:done())
  end)

  ait("returns nil at the end of file, again and again", function()
    local reader = streams.reader { "x" }
    assert.equal("x", reader:read(10))
    assert.is_nil(reader:read(10))
    assert.is_nil(reader:read(10))
    assert.equal(1, select("#", reader:read(10)))
  end)

  ait("returns an empty string for no bytes, at the end, too", function()
    local reader = streams.reader {}
    assert.equal("", reader:read(0))
    assert.is_nil(reader:read(1))
    assert.equal("", reader:read(0))
  end)

  ait("reads everything up to the end", function()
    for _, arguments in ipairs { { "a" }, { "*a" }, { -1 }, {} } do
      local reader = streams.reader { "one ", "two ", "three" }
      assert.equal("one two three", reader:read(table.unpack(arguments)))
      assert.equal("", reader:read(table.unpack(arguments)))
      assert.is_nil(reader:read(1))
    end
  end)

  ait("reads everything, however much more than the limit", function()
    local data <const> = ("0123456789"):rep(100000)
    local reader = streams.reader({ data }, { limit = 1000 })
    assert.equal(data, reader:read "a")
  end)

  ait("returns any bytes unchanged", function()
    local bytes = {}
    for i = 0, 255 do
      bytes[#bytes + 1] = string.char(i)
    end
    local data <const> = table.concat(bytes):rep(3)
    local reader = streams.reader { data }
    assert.equal(data, reader:readexactly(768))
  end)

  ait("refuses what is no number of bytes", function()
    local reader = streams.reader {}
    streams.refuses(1, reader, "read", -2)
    streams.refuses(1, reader, "read", 0 / 0)
    streams.refuses(1, reader, "read", 1.5)
    streams.refuses(1, reader, "read", math.huge)
    streams.refuses(1, reader, "read", "l")
    streams.refuses(1, reader, "read", {})
  end)
end)

describe("reader:readexactly", function()
  ait("waits for all the bytes", function()
    local here, there = streams.pair()
    local task <const> = asyncio.create_task(here.reader.readexactly, here.reader, 6)
    there.writer:write "abc"
    asyncio.sleep(0.01)
    assert.is_false(task:done())
    there.writer:write "defghi"
    assert.equal("abcdef", task:await())
    assert.equal("ghi", here.reader:read(10))
  end)

  ait("takes more than twice the limit", function()
    local data <const> = ("0123456789"):rep(10000)
    local reader = streams.reader({ data }, { limit = 10 })
    assert.equal(data, reader:readexactly(#data))
    assert.is_nil(reader:read(1))
  end)

  ait("raises IncompleteReadError at the end, with what there was", function()
    local reader = streams.reader { "ab", "c" }
    local err = helper.raises(asyncio.IncompleteReadError, reader.readexactly, reader, 5)
    assert.equal("abc", err.partial)
    assert.equal(5, err.expected)
    assert.matches("3 bytes read of 5 expected", tostring(err))
    err = helper.raises(asyncio.IncompleteReadError, reader.readexactly, reader, 1)
    assert.equal("", err.partial)
  end)

  ait("returns an empty string for no bytes", function()
    local reader = streams.reader {}
    assert.equal("", reader:readexactly(0))
    assert.is_nil(reader:read(1))
    assert.equal("", reader:readexactly(0))
  end)

  ait("waits for any number without taking memory for it", function()
    local reader = streams.reader { "abc" }
    local err = helper.raises(asyncio.IncompleteReadError, reader.readexactly, reader,
      math.maxinteger)
    assert.equal("abc", err.partial)
    assert.equal(math.maxinteger, err.expected)
  end)

  ait("refuses what is no number of bytes", function()
    local reader = streams.reader {}
    streams.refuses(1, reader, "readexactly")
    streams.refuses(1, reader, "readexactly", -1)
    streams.refuses(1, reader, "readexactly", 0 / 0)
    streams.refuses(1, reader, "readexactly", "a")
  end)
end)

describe("reader:readline", function()
  ait("returns a line with its newline", function()
    local reader = streams.reader { "one\ntwo\n\nfour" }
    assert.equal("one\n", reader:readline())
    assert.equal("two\n", reader:readline())
    assert.equal("\n", reader:readline())
  end)

  ait("returns an unfinished last line, then nil", function()
    local reader = streams.reader { "one\nla", "st" }
    assert.equal("one\n", reader:readline())
    assert.equal("last", reader:readline())
    assert.is_nil(reader:readline())
    assert.is_nil(reader:readline())
  end)

  ait("joins a line that comes in pieces", function()
    local reader = streams.reader { "a", "b", "\r", "\nc", "\n" }
    assert.equal("ab\r\n", reader:readline())
    assert.equal("c\n", reader:readline())
  end)

  ait("takes a line as long as the limit", function()
    local reader = streams.reader({ ("x"):rep(16) .. "\nrest" }, { limit = 16 })
    assert.equal(("x"):rep(16) .. "\n", reader:readline())
  end)

  ait("raises LimitOverrunError for a longer one, and goes on after it", function()
    local reader = streams.reader({ ("x"):rep(17) .. "\nshort\n" }, { limit = 16 })
    local err = helper.raises(asyncio.LimitOverrunError, reader.readline, reader)
    assert.equal(17, err.consumed)
    assert.equal("short\n", reader:readline())
  end)

  ait("raises LimitOverrunError for what has no newline so far", function()
    local reader = streams.reader({ ("x"):rep(100), "tail\nnext\n" }, { limit = 16 })
    helper.raises(asyncio.LimitOverrunError, reader.readline, reader)
    assert.equal("tail\n", reader:readline())
    assert.equal("next\n", reader:readline())
  end)
end)

describe("reader:readuntil", function()
  ait("returns the bytes with the separator", function()
    local reader = streams.reader { "key=value;rest" }
    assert.equal("key=", reader:readuntil "=")
    assert.equal("value;", reader:readuntil ";")
  end)

  ait("takes a newline as separator if none is given", function()
    local reader = streams.reader { "a\nb" }
    assert.equal("a\n", reader:readuntil())
  end)

  ait("finds a separator that comes in pieces", function()
    local reader = streams.reader { "GET /\r", "\n\r", "\r\n\r", "\nbody" }
    assert.equal("GET /\r\n\r\r\n\r\n", reader:readuntil "\r\n\r\n")
    assert.equal("body", reader:read "a")
  end)

  ait("finds separators with any bytes", function()
    local reader = streams.reader { "a\0b\0\0c" }
    assert.equal("a\0b\0\0", reader:readuntil "\0\0")
    assert.equal("c", reader:read "a")
  end)

  ait("takes a list, of which the one that ends first counts", function()
    local reader = streams.reader { "one\r\ntwo\nthree" }
    assert.equal("one\r\n", reader:readuntil { "\r\n", "\n\n" })
    assert.equal("two\n", reader:readuntil { "\r\n", "\n" })
    reader = streams.reader { "abcd" }
    assert.equal("abc", reader:readuntil { "bcd", "c" })
    reader = streams.reader { "xa", "b", "c" }
    assert.equal("xa", reader:readuntil { "abc", "a" })
  end)

  ait("waits for a long separator of a list", function()
    local reader = streams.reader { "ab-", "-", "-c" }
    assert.equal("ab---", reader:readuntil { "---", "==" })
  end)

  ait("raises IncompleteReadError at the end, with what there was", function()
    local reader = streams.reader { "no end" }
    local err = helper.raises(asyncio.IncompleteReadError, reader.readuntil, reader, ";")
    assert.equal("no end", err.partial)
    assert.is_nil(err.expected)
    assert.is_true(reader:at_eof())
  end)

  ait("raises LimitOverrunError and leaves the bytes where they are", function()
    local reader = streams.reader({ ("x"):rep(20) .. ";rest" }, { limit = 16 })
    local err = helper.raises(asyncio.LimitOverrunError, reader.readuntil, reader, ";")
    assert.equal(20, err.consumed)
    assert.equal(("x"):rep(20) .. ";", reader:readexactly(21))
    assert.equal("rest", reader:read "a")
  end)

  ait("says how much surely holds no separator", function()
    local reader = streams.reader({ ("x"):rep(40) }, { limit = 16 })
    local err = helper.raises(asyncio.LimitOverrunError, reader.readuntil, reader, "----")
    assert.equal(37, err.consumed)
    assert.equal(40, #reader:read(100))
  end)

  ait("refuses what is no separator", function()
    local reader = streams.reader {}
    streams.refuses(1, reader, "readuntil", "")
    streams.refuses(1, reader, "readuntil", {})
    streams.refuses(1, reader, "readuntil", { "a", "" })
    streams.refuses(1, reader, "readuntil", { "a", 5 })
    streams.refuses(1, reader, "readuntil", 5)
    streams.refuses(1, reader, "readuntil", print)
  end)
end)

describe("reader:lines", function()
  ait("strips the newline and stops at the end", function()
    local reader = streams.reader { "one\n\ntw", "o\nlast" }
    local lines = {}
    for line in reader:lines() do
      lines[#lines + 1] = line
    end
    assert.same({ "one", "", "two", "last" }, lines)
  end)

  ait("has no line in an empty stream", function()
    local reader = streams.reader {}
    for line in reader:lines() do
      error("a line: " .. line)
    end
    assert.is_true(reader:at_eof())
  end)

  ait("raises where readline does", function()
    local reader = streams.reader({ "a\n" .. ("x"):rep(50) .. "\nb\n" }, { limit = 16 })
    local next_line <const> = reader:lines()
    assert.equal("a", next_line())
    helper.raises(asyncio.LimitOverrunError, next_line)
    assert.equal("b", next_line())
    assert.is_nil(next_line())
  end)
end)

describe("reader:at_eof", function()
  ait("is true at the end of file, when all is read", function()
    local reader, feeder = streams.reader { "ab" }
    assert.is_false(reader:at_eof())
    feeder:await()
    assert.equal("a", reader:read(1))
    assert.is_false(reader:at_eof())
    assert.equal("b", reader:read "a")
    assert.is_true(reader:at_eof())
  end)
end)

describe("a reader", function()
  ait("serves one waiting task at a time", function()
    local here, there = streams.pair()
    local reader <const> = here.reader
    local first <const> = asyncio.create_task(reader.readline, reader)
    asyncio.sleep(0)
    helper.raises(asyncio.RuntimeError, reader.read, reader, 1)
    helper.raises(asyncio.RuntimeError, reader.read, reader, "a")
    helper.raises(asyncio.RuntimeError, reader.readexactly, reader, 1)
    helper.raises(asyncio.RuntimeError, reader.readline, reader)
    helper.raises(asyncio.RuntimeError, reader:lines())
    there.writer:write "line\nmore"
    assert.equal("line\n", first:await())
    assert.equal("more", reader:read(10))
  end)

  ait("gives a second task nothing of what the first has looked at", function()
    local here, there = streams.pair()
    local reader <const> = here.reader
    there.writer:write "abcdef"
    local first <const> = asyncio.create_task(reader.readline, reader)
    asyncio.sleep(0.005)
    helper.raises(asyncio.RuntimeError, reader.read, reader, 6)
    there.writer:write "\n"
    assert.equal("abcdef\n", first:await())
  end)

  ait("serves the task that was woken before any other", function()
    local here, there = streams.pair()
    local reader <const> = here.reader
    there.writer:write "abcdef"
    local first <const> = asyncio.create_task(reader.readline, reader)
    asyncio.sleep(0.005)
    local thief <const> = asyncio.create_task(function()
      while tostring(reader):find "waiting" do
        asyncio.sleep(0)
      end
      return reader:read(100)
    end)
    asyncio.sleep(0)
    there.writer:write "\nxyz"
    helper.raises(asyncio.RuntimeError, thief.await, thief)
    assert.equal("abcdef\n", first:await())
    assert.equal("xyz", reader:read(100))
  end)

  ait("serves the next task when the one before was cancelled", function()
    local here, there = streams.pair()
    local reader <const> = here.reader
    local first <const> = asyncio.create_task(reader.readline, reader)
    asyncio.sleep(0)
    first:cancel()
    there.writer:write "line\n"
    assert.equal("line\n", reader:readline())
    helper.raises(asyncio.CancelledError, first.await, first)
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, function()
      reader:readline()
    end, 0.005)
  end)

  ait("loses nothing when a read is cancelled", function()
    local here, there = streams.pair()
    local reader <const> = here.reader
    for _, read in ipairs { reader.readline, reader.readexactly, reader.readuntil, reader.read } do
      local arguments = { [reader.readexactly] = 50, [reader.readuntil] = ";", [reader.read] = -1 }
      local argument = arguments[read]
      local task <const> = asyncio.create_task(read, reader, argument)
      there.writer:write "piece "
      asyncio.sleep(0.005)
      task:cancel()
      helper.raises(asyncio.CancelledError, task.await, task)
    end
    assert.equal("piece piece piece piece ", reader:readexactly(24))
  end)

  ait("can be read again after a timeout", function()
    local here, there = streams.pair()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, function()
      return here.reader:readline()
    end, 0.002)
    there.writer:write "late\n"
    assert.equal("late\n", here.reader:readline())
  end)

  ait("keeps data that comes in the turn of the cancellation", function()
    local here, there = streams.pair()
    local task <const> = asyncio.create_task(here.reader.read, here.reader, 100)
    asyncio.sleep(0)
    there.writer:write "data"
    asyncio.sleep(0.005)
    assert.equal("data", task:await())
    task:cancel()
    local other <const> = asyncio.create_task(here.reader.read, here.reader, 100)
    asyncio.sleep(0)
    other:cancel()
    there.writer:write "kept"
    helper.raises(asyncio.CancelledError, other.await, other)
    assert.equal("kept", here.reader:readexactly(4))
  end)

  ait("stops to receive above twice its limit, and goes on when read", function()
    local size <const> = 8 << 20
    local here, there = streams.pair { limit = 1024 }
    there.writer:write(("x"):rep(size))
    asyncio.sleep(0.02)
    local first <const> = held(here.reader)
    asyncio.sleep(0.02)
    assert.is_true(first > 2048)
    assert.equal(first, held(here.reader))
    assert.is_true(first < size // 8, "no back-pressure: " .. first)
    there.writer:write_eof()
    local n = 0
    while true do
      local data <const> = here.reader:read(1000)
      if not data then
        break
      end
      n = n + #data
    end
    assert.equal(size, n)
  end)

  ait("goes on after the stop for a reader that waits for more", function()
    local here, there = streams.pair { limit = 16 }
    there.writer:write(("x"):rep(100))
    asyncio.sleep(0.005)
    there.writer:write(("y"):rep(100))
    assert.equal(("x"):rep(100) .. ("y"):rep(100), here.reader:readexactly(200))
  end)

  ait("takes small and large pieces in order", function()
    local pieces, whole = {}, {}
    for i = 1, 200 do
      pieces[i] = tostring(i):rep(i * i % 3001)
      whole[i] = pieces[i]
    end
    local here, there = streams.pair()
    local writing <const> = asyncio.create_task(function()
      for _, piece in ipairs(pieces) do
        there.writer:write(piece)
        there.writer:drain()
      end
      there.writer:close()
    end)
    local got, n = {}, 0
    while true do
      n = n % 4099 + 1
      local data <const> = here.reader:read(n)
      if not data then
        break
      end
      got[#got + 1] = data
    end
    writing:await()
    assert.is_true(table.concat(got) == table.concat(whole))
  end)

  ait("says how it is", function()
    local here, there = streams.pair()
    assert.matches("^<StreamReader 0 bytes>$", tostring(here.reader))
    local task <const> = asyncio.create_task(here.reader.readline, here.reader)
    asyncio.sleep(0)
    assert.matches("waiting", tostring(here.reader))
    there.writer:write "abc"
    there.writer:close()
    task:await()
    assert.matches("^<StreamReader 0 bytes eof>$", tostring(here.reader))
    assert.is_true(asyncio.isinstance(here.reader, asyncio.StreamReader))
    assert.is_false(asyncio.isinstance(here.reader, asyncio.StreamWriter))
  end)
end)
