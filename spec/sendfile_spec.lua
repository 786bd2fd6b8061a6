-- sendfile: files through streams.

local asyncio = require "asyncio"
local busted = require "busted"
local helper = require "spec.helper"

local fs <const> = asyncio.fs

-- A test that runs as a task, with an open file that has that text.
local function ait(name, text, fn)
  busted.it(name, function()
    local path = os.tmpname()
    local written = assert(io.open(path, "wb"))
    written:write(text)
    written:close()
    local ok, err = pcall(helper.run, function()
      local file <close> = fs.open(path)
      fn(file)
    end)
    os.remove(path)
    if not ok then
      error(err, 0)
    end
  end)
end

local TEXT <const> = "0123456789"
local LONG <const> = string.rep("a line of some length, of which there are many\n", 40000)

describe("sendfile", function()
  ait("sends the whole file, and the position is behind it", TEXT, function(file)
    local reader, writer = asyncio.pipe()
    assert.equal(10, asyncio.sendfile(writer, file))
    assert.equal(10, file:seek())
    writer:close()
    assert.equal(TEXT, reader:read())
  end)

  ait("begins at the offset and sends so many bytes", TEXT, function(file)
    local reader, writer = asyncio.pipe()
    file:seek("set", 9)
    assert.equal(3, asyncio.sendfile(writer, file, 4, 3))
    assert.equal(7, file:seek())
    assert.equal(10, asyncio.sendfile(writer, file, nil, 100))
    assert.equal(0, asyncio.sendfile(writer, file, 100))
    assert.equal(2, asyncio.sendfile(writer, file, 8.0))
    writer:close()
    assert.equal("456" .. TEXT .. "89", reader:read())
  end)

  ait("comes after what was written before, and goes before what comes after", TEXT, function(file)
    local _, writer, reader = asyncio.socketpair()
    writer:write "head "
    asyncio.sendfile(writer, file, 0, 2)
    writer:write " tail"
    writer:close()
    assert.equal("head 01 tail", reader:read())
    reader:close()
  end)

  ait("waits for who receives, and loses nothing of a long file", LONG, function(file)
    local reader, writer = asyncio.pipe()
    local task = asyncio.create_task(function()
      local _ <close> = writer
      return asyncio.sendfile(writer, file)
    end)
    local got = {}
    while true do
      local data = reader:read(65536)
      if not data then
        break
      end
      got[#got + 1] = data
    end
    assert.equal(#LONG, task:await())
    assert.equal(LONG, table.concat(got))
  end)

  ait("is cancelled while it waits; file and stream can be used on", LONG, function(file)
    local _, writer = asyncio.pipe()
    local task = asyncio.create_task(asyncio.sendfile, writer, file)
    while file:seek() == 0 do
      asyncio.sleep(0)
    end
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_true(file:seek() > 0)
    assert.is_false(writer:is_closing())
    assert.equal(0, file:seek("set"))
    writer:close()
  end)

  ait("raises when the receiver is gone", LONG, function(file)
    local reader, writer = asyncio.pipe()
    reader:close()
    local err = helper.raises(asyncio.OSError, asyncio.sendfile, writer, file)
    assert.equal("EPIPE", err.code)
  end)

  ait("raises when the file is closed", TEXT, function(file)
    local _, writer = asyncio.pipe()
    file:close()
    local ok = pcall(asyncio.sendfile, writer, file)
    assert.is_false(ok)
    writer:close()
  end)

  ait("refuses wrong arguments", TEXT, function(file)
    local _, writer = asyncio.pipe()
    local function refused(message, ...)
      local ok, err = pcall(asyncio.sendfile, ...)
      assert.is_false(ok)
      assert.matches("bad argument #" .. message, err)
    end
    refused "1 to 'sendfile' %(asyncio.StreamWriter expected, got nil%)"
    refused("1 to 'sendfile'", file, file)
    refused("2 to 'sendfile' %(asyncio.File expected, got string%)", writer, "path")
    refused("3 to 'sendfile' %(integer from 0 on expected, got %-1%)", writer, file, -1)
    refused("3 to 'sendfile'", writer, file, 0 / 0)
    refused("4 to 'sendfile' %(integer from 1 on expected, got 0%)", writer, file, 0, 0)
    refused("4 to 'sendfile'", writer, file, 0, "many")
    writer:close()
  end)
end)
