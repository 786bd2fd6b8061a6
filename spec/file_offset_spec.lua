-- Reading and writing open files at an offset.

local asyncio = require "asyncio"
local busted = require "busted"
local helper = require "spec.helper"

local fs <const> = asyncio.fs

-- A test that runs as a task, with an open file that holds that text.
local function ait(name, text, fn)
  busted.it(name, function()
    local path = os.tmpname()
    local ok, err = pcall(helper.run, function()
      fs.write_file(path, text)
      local file <close> = fs.open(path, "r+")
      fn(file, path)
    end)
    os.remove(path)
    if not ok then
      error(err, 0)
    end
  end)
end

describe("fs.read", function()
  ait("reads at an offset, and leaves the position", "0123456789", function(file)
    assert.equal("01", file:read(2))
    assert.equal("567", fs.read(file, 3, 5))
    assert.equal("89", fs.read(file, 5, 8))
    assert.equal("0123456789", fs.read(file, "a", 0))
    assert.equal("89", fs.read(file, nil, 8))
    assert.equal("", fs.read(file, 0, 3))
    assert.is_nil(fs.read(file, 1, 10))
    assert.is_nil(fs.read(file, 1, 1 << 40))
    assert.equal("", fs.read(file, -1, 10))
    assert.equal(2, file:seek())
    assert.equal("23", file:read(2))
  end)

  ait("without one reads as the file does", "0123456789", function(file)
    assert.equal("012", fs.read(file, 3))
    assert.equal("34", file:read(2))
    assert.equal("56789", fs.read(file))
    assert.is_nil(fs.read(file, 1))
  end)

  local large <const> = ("0123456789abcdef"):rep(20000)

  ait("serves several tasks", large, function(file)
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = asyncio.create_task(fs.read, file, 10000, (i - 1) * 16000)
    end
    for _, part in ipairs(asyncio.gather(tasks):await()) do
      assert.equal(large:sub(1, 10000), part)
    end
    assert.equal(large:sub(2), fs.read(file, "a", 1))
  end)

  ait("takes nothing from others when it is cancelled", large, function(file)
    for turns = 0, 3 do
      local task = asyncio.create_task(fs.read, file, #large, 7)
      for _ = 0, turns do
        asyncio.sleep(0)
      end
      task:cancel()
      asyncio.wait { task }
      assert.equal(large:sub(16, 115), fs.read(file, 100, 15))
    end
    assert.equal(large, file:read "a")
  end)

  ait("refuses wrong arguments", "", function(file, path)
    helper.raises("#1.*read.*asyncio.File expected", fs.read, path)
    helper.raises("#2.*number", fs.read, file, {})
    helper.raises("#3.*read.*negative", fs.read, file, 1, -1)
    helper.raises("#3.*read.*integer", fs.read, file, 1, 0.5)
    file:close()
    helper.raises("read: the file is closed", fs.read, file, 1, 0)
  end)
end)

describe("fs.write", function()
  ait("writes at an offset, and leaves the position", "0123456789", function(file)
    assert.equal("0", file:read(1))
    assert.equal(file, fs.write(file, "ab", 1))
    fs.write(file, 12, 12)
    assert.equal(1, file:seek())
    assert.equal("ab3456789\0\00012", file:read "a")
  end)

  ait("without one writes as the file does", "0123456789", function(file)
    assert.equal("0", file:read(1))
    fs.write(file, "x")
    assert.equal("2", file:read(1))
    assert.equal("0x2", fs.read(file, 3, 0))
  end)

  ait("writes what several tasks write", "", function(file)
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = asyncio.create_task(fs.write, file, ("%02d"):format(i), (i - 1) * 2)
    end
    tasks[7]:cancel()
    asyncio.wait(tasks)
    local text <const> = file:read "a"
    assert.equal("010203040506", text:sub(1, 12))
    assert.equal("0809", text:sub(15, 18))
    assert.equal(40, #text)
  end)

  ait("refuses wrong arguments", "", function(file, path)
    helper.raises("#1.*write.*asyncio.File expected", fs.write, path, "x")
    helper.raises("#2.*string expected", fs.write, file)
    helper.raises("#3.*write.*negative", fs.write, file, "x", -1)
    local reader <close> = fs.open(path)
    local err = helper.raises(asyncio.OSError, fs.write, reader, "x", 0)
    assert.equal("EBADF", err.code)
    assert.equal(path, err.path)
  end)
end)
