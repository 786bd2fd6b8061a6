-- Open files.

local asyncio = require "asyncio"
local busted = require "busted"
local helper = require "spec.helper"

local fs <const> = asyncio.fs

-- A test that runs as a task, with the path of a file that has that text.
local function ait(name, text, fn)
  busted.it(name, function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    local ok, err = pcall(helper.run, fn, path)
    os.remove(path)
    if not ok then
      error(err, 0)
    end
  end)
end

local function descriptors()
  local n = 0
  for _ in fs.scandir "/proc/self/fd" do
    n = n + 1
  end
  return n
end

-- Waits until there are so many descriptors: what the pool has begun comes to
-- its end.
local function wait_for_descriptors(n)
  for _ = 1, 2000 do
    if descriptors() == n then
      return
    end
    asyncio.sleep(0.001)
  end
  assert.equal(n, descriptors())
end

local function wait_until_gone(path)
  for _ = 1, 2000 do
    local file = io.open(path)
    if not file then
      return
    end
    file:close()
    asyncio.sleep(0.001)
  end
  error(path .. " is still there")
end

describe("open", function()
  ait("gives a file", "", function(path)
    local file <close> = fs.open(path)
    assert.is_true(asyncio.isinstance(file, asyncio.File))
    assert.equal(("<File '%s'>"):format(path), tostring(file))
    file:close()
    assert.equal(("<File '%s' closed>"):format(path), tostring(file))
  end)

  ait("knows Lua's modes", "12345", function(path)
    local function try(mode, fn)
      local file <close> = fs.open(path, mode)
      fn(file)
    end
    try("rb", function(file)
      assert.equal("EBADF", helper.raises(asyncio.OSError, file.write, file, "x").code)
    end)
    try("r+", function(file)
      file:write "ab"
      assert.equal("345", file:read "a")
    end)
    try("a", function(file)
      file:write "6"
      assert.equal("EBADF", helper.raises(asyncio.OSError, file.read, file).code)
    end)
    try("a+b", function(file)
      file:seek "set"
      assert.equal("ab", file:read(2))
      file:write "7"
      file:seek "set"
      assert.equal("ab34567", file:read "a")
    end)
    try("w", function(file)
      file:write "new"
    end)
    try("r", function(file)
      assert.equal("new", file:read "a")
    end)
    try("w+b", function(file)
      assert.equal("", file:read "a")
    end)
  end)

  ait("makes a file that must be new", "", function(path)
    local err = helper.raises(asyncio.OSError, fs.open, path, "wx")
    assert.same({ "EEXIST", "open", path }, { err.code, err.syscall, err.path })
    os.remove(path)
    local file <close> = fs.open(path, "w+bx", tonumber("600", 8))
    assert.equal(tonumber("600", 8), file:stat().mode)
  end)

  ait("refuses wrong arguments", "", function(path)
    for _, mode in ipairs { "", "x", "rw", "r++", "rx", "ab+", "r\0" } do
      helper.raises("bad argument #2 to .*open' %(invalid mode%)", fs.open, path, mode)
    end
    helper.raises("bad argument #2 to .*open' %(string expected", fs.open, path, {})
    helper.raises("bad argument #3 to .*open' %(invalid permissions%)", fs.open, path, "w", -1)
  end)

  ait("cancelled leaves no descriptor, and no new file", "", function(path)
    local before = descriptors()
    for i = 1, 50 do
      local task = asyncio.create_task(fs.open, path)
      for _ = 1, i % 5 do
        asyncio.sleep(0)
      end
      task:cancel()
      asyncio.wait { task }
      if not task:cancelled() then
        task:result():close()
      end
    end
    wait_for_descriptors(before)
    os.remove(path)
    for i = 1, 50 do
      local name = path .. i
      local task = asyncio.create_task(fs.open, name, "wx")
      for _ = 1, i % 5 do
        asyncio.sleep(0)
      end
      task:cancel()
      asyncio.wait { task }
      if not task:cancelled() then
        task:result():close()
        os.remove(name)
      end
      wait_until_gone(name)
    end
    wait_for_descriptors(before)
  end)

  it("leaves no new file that nobody has got when the Lua state closes", function()
    local path = os.tmpname()
    os.remove(path)
    helper.check_script(([[
      local asyncio = require "asyncio"
      local path <const> = %q
      local loop = asyncio.new_event_loop()
      loop:create_task(asyncio.fs.open, path, "wx")
      loop:run_until_complete(function()
        asyncio.sleep(0)
        local file
        repeat
          file = io.open(path)
        until file
        file:close()
      end)
    ]]):format(path))
    assert.is_nil(io.open(path))
  end)
end)

describe("file:read", function()
  ait("gives so many bytes, fewer at the end, then nil", "0123456789", function(path)
    local file <close> = fs.open(path)
    assert.equal("", file:read(0))
    assert.equal("0123", file:read(4))
    assert.equal("456789", file:read(100))
    assert.is_nil(file:read(1))
    assert.equal("", file:read(0))
    assert.is_nil(file:read(math.maxinteger))
    assert.equal("", file:read "a")
  end)

  ait("gives all that is left", "0123456789", function(path)
    for _, all in ipairs { "a", "*a", -1, false } do
      local file <close> = fs.open(path)
      file:read(3)
      assert.equal("3456789", file:read(all or nil))
    end
    local file <close> = fs.open(path)
    assert.equal("0123456789", file:read(math.maxinteger))
  end)

  local large <const> = ("0123456789abcdef"):rep(40000)

  ait("reads large files in parts of any size", large, function(path)
    local file <close> = fs.open(path)
    local parts, size = {}, 1
    for part in function() return file:read(size) end do
      parts[#parts + 1] = part
      size = size * 3
    end
    assert.is_true(large == table.concat(parts))
  end)

  ait("goes on where a file has grown", "1", function(path)
    local file <close> = fs.open(path)
    assert.equal("1", file:read "a")
    assert.is_nil(file:read(1))
    local other <close> = fs.open(path, "a")
    other:write "2"
    assert.equal("2", file:read(1))
  end)

  ait("refuses wrong arguments", "", function(path)
    local file <close> = fs.open(path)
    helper.raises("bad argument #1 to 'read' %(negative", function() file:read(-2) end)
    helper.raises("number or \"a\" expected", file.read, file, "n")
    helper.raises("no integer representation", file.read, file, 0 / 0)
    helper.raises("number expected, got table", file.read, file, {})
    helper.raises("File expected, got no value", file.read)
    helper.raises("File expected, got table", file.read, {})
  end)

  ait("loses nothing when it is cancelled", ("x"):rep(50000), function(path)
    local file <close> = fs.open(path)
    local n = 0
    repeat
      local task = asyncio.create_task(file.read, file, 1000)
      for _ = 1, n % 3 do
        asyncio.sleep(0)
      end
      task:cancel()
      asyncio.wait { task }
      if not task:cancelled() then
        n = n + #task:result()
      end
      local data = file:read(999)
      n = n + #(data or "")
    until not data
    assert.equal(50000, n)
  end)
end)

describe("lines", function()
  local text <const> = "one\n\nthree\r\n" .. ("long"):rep(5000) .. "\nlast"

  ait("come with their newlines from readline", text, function(path)
    local file <close> = fs.open(path)
    local list = {}
    for line in file.readline, file do
      list[#list + 1] = line
    end
    assert.equal(5, #list)
    assert.equal(text, table.concat(list))
    assert.same({ "one\n", "\n", "three\r\n" }, { list[1], list[2], list[3] })
    assert.is_nil(file:readline())
  end)

  ait("come without them from lines", text, function(path)
    local file <close> = fs.open(path)
    local list = {}
    for line in file:lines() do
      list[#list + 1] = line
    end
    assert.equal(text, table.concat(list, "\n"))
    file:seek("set", 4)
    assert.equal("", file:lines()())
    assert.equal("thr", file:read(3))
    assert.equal("ee\r\n", file:readline())
  end)

  ait("of an empty file are none", "", function(path)
    local file <close> = fs.open(path)
    assert.is_nil(file:readline())
    assert.is_nil(file:lines()())
  end)

  ait("end with an error when the file is closed", "1\n2\n", function(path)
    local file = fs.open(path)
    local next_line = file:lines()
    assert.equal("1", next_line())
    file:close()
    helper.raises("lines: the file is closed", next_line)
  end)
end)

describe("file:write", function()
  ait("writes strings and numbers, and returns the file", "", function(path)
    local file <close> = fs.open(path, "w")
    assert.equal(file, file:write("a", 1, 2.5, ""))
    assert.equal(file, file:write "")
    file:write("\0", "z")
    file:sync()
    assert.equal("a12.5\0z", fs.read_file(path))
  end)

  ait("writes where the last read ended", "0123456789", function(path)
    local file <close> = fs.open(path, "r+")
    assert.equal("01", file:read(2))
    file:write "AB"
    assert.equal("45", file:read(2))
    assert.equal(6, file:seek())
    assert.equal("01AB456789", fs.read_file(path))
  end)

  ait("keeps the string while it is written", "", function(path)
    local file <close> = fs.open(path, "w")
    local task = asyncio.create_task(function()
      file:write(("x"):rep(3000000))
    end)
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait { task }
    task = nil
    for _ = 1, 20 do
      helper.collect()
      asyncio.sleep(0)
    end
    file:write "end"
    assert.matches("^x*end$", fs.read_file(path))
    assert.is_nil(task)
  end)

  ait("lets several tasks take turns", "", function(path)
    local file <close> = fs.open(path, "w+")
    local tasks = {}
    for i = 1, 9 do
      tasks[i] = asyncio.create_task(file.write, file, tostring(i), "\n")
    end
    tasks[10] = asyncio.create_task(function()
      file:seek "set"
      return file:read "a"
    end)
    tasks[5]:cancel()
    asyncio.wait(tasks)
    assert.equal("1\n2\n3\n4\n6\n7\n8\n9\n", tasks[10]:result())
  end)

  ait("hands the turn on when the task that has it next is cancelled", "", function(path)
    local file <close> = fs.open(path, "w")
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = asyncio.create_task(file.write, file, ("x"):rep(1000))
    end
    for i = 1, 19 do
      asyncio.sleep(0)
      tasks[i]:cancel()
    end
    asyncio.wait(tasks)
    assert.is_false(tasks[20]:cancelled())
    assert.equal(0, file:stat().size % 1000)
  end)

  ait("refuses wrong arguments", "", function(path)
    local file <close> = fs.open(path, "w")
    helper.raises("bad argument #1 to 'write' %(string expected", function() file:write() end)
    helper.raises("bad argument #2 to 'write' %(string expected", function()
      file:write("a", {})
    end)
    helper.raises("bad argument #1 to 'write' %(string expected", function() file:write(nil) end)
    assert.equal(0, file:stat().size)
  end)

  ait("raises what the system says, with the path", "", function()
    local file <close> = fs.open("/dev/full", "w")
    local err = helper.raises(asyncio.OSError, file.write, file, "x")
    assert.equal("OSError: write /dev/full: no space left on device (ENOSPC)", tostring(err))
    assert.equal("/dev/full", err.path)
  end)
end)

describe("file:seek", function()
  ait("moves", "0123456789", function(path)
    local file <close> = fs.open(path)
    assert.equal(0, file:seek())
    assert.equal("0", file:read(1))
    assert.equal(1, file:seek())
    assert.equal(3, file:seek("cur", 2))
    assert.equal("3", file:read(1))
    assert.equal(2, file:seek("cur", -2))
    assert.equal(10, file:seek "end")
    assert.is_nil(file:read(1))
    assert.equal(7, file:seek("end", -3))
    assert.equal("789", file:read "a")
    assert.equal(0, file:seek "set")
    assert.equal(1 << 40, file:seek("set", 1 << 40))
    assert.is_nil(file:read(1))
  end)

  ait("refuses what is nowhere", "0123456789", function(path)
    local file <close> = fs.open(path)
    file:read(1)
    for _, offset in ipairs { math.mininteger, math.mininteger + 1, -2 } do
      local err = helper.raises(asyncio.OSError, file.seek, file, "cur", offset)
      assert.same({ "EINVAL", "lseek", path }, { err.code, err.syscall, err.path })
    end
    helper.raises(asyncio.OSError, file.seek, file, "set", -1)
    helper.raises(asyncio.OSError, file.seek, file, "end", math.maxinteger)
    helper.raises("bad argument #1 .*invalid option 'x'", function() file:seek "x" end)
    helper.raises("no integer representation", file.seek, file, "set", 0.5)
    helper.raises("no integer representation", file.seek, file, "set", 0 / 0)
    assert.equal("123456789", file:read())
  end)
end)

describe("file:close", function()
  ait("closes, and again does nothing", "", function(path)
    local before = descriptors()
    local file = fs.open(path, "r+")
    assert.equal(before + 1, descriptors())
    assert.is_nil(file:close())
    assert.equal(before, descriptors())
    assert.is_nil(file:close())
    for _, name in ipairs { "read", "readline", "lines", "write", "seek", "sync", "stat" } do
      local err = helper.raises(asyncio.RuntimeError, file[name], file, 1)
      assert.matches(name .. ": the file is closed", tostring(err))
    end
  end)

  ait("waits for those before, and lets no more in", "", function(path)
    local file = fs.open(path, "w")
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = asyncio.create_task(file.write, file, tostring(i))
    end
    tasks[6] = asyncio.create_task(file.close, file)
    tasks[7] = asyncio.create_task(file.write, file, "7")
    asyncio.wait(tasks)
    assert.equal("12345", fs.read_file(path))
    assert.matches("the file is closed", tostring(tasks[7]:exception()))
  end)

  ait("closes also when it is cancelled", "", function(path)
    local before = descriptors()
    for i = 0, 5 do
      local file = fs.open(path, "w")
      local writing = asyncio.create_task(file.write, file, "x")
      local closing = asyncio.create_task(file.close, file)
      asyncio.sleep(0)
      for _ = 1, i do
        asyncio.sleep(0)
      end
      closing:cancel()
      asyncio.wait { writing, closing }
      wait_for_descriptors(before)
    end
  end)

  ait("is what the end of a scope does", "", function(path)
    local before = descriptors()
    do
      local file <close> = fs.open(path)
      assert.equal(before + 1, descriptors())
      assert.is_not_nil(file)
    end
    assert.equal(before, descriptors())
    helper.raises("wrong", function()
      local file <close> = fs.open(path, "w")
      file:write "x"
      error "wrong"
    end)
    assert.equal(before, descriptors())
  end)

  ait("does not keep a cancelled task", "", function(path)
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    local before = descriptors()
    local both = assert(io.open(path, "r+")) -- opens of one end would wait
    local task = asyncio.create_task(function()
      local file <close> = fs.open(path)
      file:read(1)
    end)
    wait_for_descriptors(before + 2)
    asyncio.sleep(0.01)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    both:write "x" -- ends the read that the pool has begun
    both:flush()
    wait_for_descriptors(before + 1)
    both:close()
  end)
end)

describe("a file", function()
  ait("that is collected is closed", "", function(path)
    local before = descriptors()
    for _ = 1, 10 do
      fs.open(path)
    end
    helper.collect()
    wait_for_descriptors(before)
  end)

  it("is reported when it is collected while open, in debug mode", function()
    local result = helper.run_script([[
      local asyncio = require "asyncio"
      asyncio.run(asyncio.async(function()
        asyncio.fs.open "/dev/null"
        collectgarbage()
        collectgarbage()
      end)(), { debug = true })
    ]])
    assert.matches("file /dev/null was collected while open", result.stderr)
  end)

  it("is closed with its loop, and its scope left", function()
    local path = os.tmpname()
    local loop = asyncio.new_event_loop()
    loop:create_task(function()
      local file <close> = fs.open(path, "w")
      for _ = 1, 3 do
        file:write(("x"):rep(100000))
      end
      asyncio.Future():await()
    end)
    for i = 1, 4 do
      loop:create_task(function()
        local file <close> = fs.open(path, "r+")
        for _ = 1, i do
          asyncio.sleep(0)
        end
        while true do
          file:write "y"
        end
      end)
    end
    local function wait()
      asyncio.sleep(0.01)
      return descriptors()
    end
    assert.is_true(loop:run_until_complete(wait) > 0)
    loop:close()
    helper.run(function()
      helper.collect()
      for name in fs.scandir "/proc/self/fd" do
        local ok, target = pcall(fs.readlink, "/proc/self/fd/" .. name)
        assert.is_false(ok and target == path)
      end
    end)
    os.remove(path)
  end)

  it("belongs to its loop", function()
    local loop <close> = asyncio.new_event_loop()
    local file = loop:run_until_complete(fs.open, "/dev/null")
    helper.raises("must be called in a task", file.read, file, 1)
    helper.raises("must be called in a task", file.close, file)
    helper.run(function()
      helper.raises("the file belongs to a different event loop", file.read, file, 1)
      helper.raises("the file belongs to a different event loop", file.close, file)
    end)
    assert.equal("char", loop:run_until_complete(file.stat, file).type)
    do
      local closing <close> = file
      assert.equal(file, closing)
    end
    assert.matches("closed", tostring(file))
  end)

  ait("says who waits for it", "", function(path)
    local file <close> = fs.open(path, "w")
    local first = asyncio.create_task(file.sync, file)
    local second = asyncio.create_task(file.write, file, "x")
    asyncio.sleep(0)
    assert.matches("waits for fsync", tostring(first))
    assert.matches("waits for a file that is in use", tostring(second))
    asyncio.wait { first, second }
  end)
end)
