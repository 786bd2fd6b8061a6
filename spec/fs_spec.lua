-- asyncio.fs: what takes paths. Each test has a directory of its own.

local asyncio = require "asyncio"
local busted = require "busted"
local helper = require "spec.helper"

local fs <const> = asyncio.fs

local function octal(digits)
  return tonumber(digits, 8)
end

-- A test that runs as a task, with a directory that is removed after it.
local function ait(name, fn)
  busted.it(name, function()
    helper.run(function()
      local dir = fs.mkdtemp(os.tmpname():match "^(.*/)" .. "asyncio-XXXXXX")
      local _ <close> = setmetatable({}, { __close = function()
        os.execute("rm -rf '" .. dir .. "'")
      end })
      fn(dir)
    end)
  end)
end

-- Checks that fn(...) raises an OSError with these fields.
local function raises_os(code, syscall, path, fn, ...)
  local err = helper.raises(asyncio.OSError, fn, ...)
  assert.same({ code, syscall, path }, { err.code, err.syscall, err.path })
  assert.is_nil(err.address)
  return err
end

local function entries(...)
  local list = {}
  for name, kind in fs.scandir(...) do
    list[#list + 1] = name .. " " .. kind
  end
  return list
end

local function descriptors()
  local names = fs.scandir "/proc/self/fd"
  local n = 0
  for _ in names do
    n = n + 1
  end
  return n
end

describe("read_file and write_file", function()
  ait("write and read all of a file", function(dir)
    local data = ("\0\r\n\255"):rep(50000)
    assert.is_nil(fs.write_file(dir .. "/f", data))
    assert.equal(data, fs.read_file(dir .. "/f"))
    fs.write_file(dir .. "/f", "")
    assert.equal("", fs.read_file(dir .. "/f"))
  end)

  ait("read files whose size is not known before", function()
    assert.matches("^Name:", fs.read_file "/proc/self/status")
  end)

  ait("replace a file at once, with 'atomic'", function(dir)
    local path = dir .. "/f"
    fs.write_file(path, "old")
    fs.chmod(path, octal "640")
    local old <close> = fs.open(path)
    fs.write_file(path, "new", { atomic = true })
    assert.equal("old", old:read "a")
    assert.equal("new", fs.read_file(path))
    assert.equal(octal "640", fs.stat(path).mode)
    assert.same({ "f file" }, entries(dir))
  end)

  ait("make a file with 'atomic', too", function(dir)
    fs.write_file(dir .. "/f", "new", { atomic = true })
    assert.equal("new", fs.read_file(dir .. "/f"))
  end)

  ait("follow a symbolic link with 'atomic'", function(dir)
    fs.write_file(dir .. "/f", "old")
    fs.symlink("f", dir .. "/link")
    fs.write_file(dir .. "/link", "new", { atomic = true })
    assert.equal("new", fs.read_file(dir .. "/f"))
    assert.same({ "f file", "link link" }, entries(dir))
  end)

  ait("leave the old file and nothing else when 'atomic' is cancelled anywhere", function(dir)
    local path = dir .. "/f"
    for turns = 0, 12 do
      fs.write_file(path, "old")
      local task = asyncio.create_task(fs.write_file, path, "new", { atomic = true })
      for _ = 1, turns do
        asyncio.sleep(0.0005)
      end
      task:cancel()
      asyncio.wait { task }
      for _ = 1, 1000 do -- what the pool has begun comes to its end
        if #entries(dir) == 1 then
          break
        end
        asyncio.sleep(0.001)
      end
      assert.same({ "f file" }, entries(dir))
      local data = fs.read_file(path)
      assert.is_true(data == "old" or data == "new", data)
    end
  end)

  ait("fail with 'atomic' and leave nothing", function(dir)
    raises_os("ENOENT", "open", nil, function()
      local ok, err = pcall(fs.write_file, dir .. "/no/f", "x", { atomic = true })
      assert.is_false(ok)
      assert.matches("/no/f", err.path)
      err.path = nil
      error(err, 0)
    end)
    fs.mkdir(dir .. "/d")
    helper.raises(asyncio.OSError, fs.write_file, dir .. "/d", "x", { atomic = true })
    assert.same({ "d directory" }, entries(dir))
  end)

  ait("raise what the system says", function(dir)
    raises_os("ENOENT", "open", dir .. "/no", fs.read_file, dir .. "/no")
    raises_os("EISDIR", "read", dir, fs.read_file, dir)
    raises_os("EISDIR", "open", dir, fs.write_file, dir, "x")
  end)

  ait("refuse wrong arguments", function(dir)
    helper.raises("bad argument #1 to 'read_file' %(string expected, got nil%)", fs.read_file)
    helper.raises("bad argument #1 to 'read_file' %(path contains a zero", fs.read_file, "a\0b")
    helper.raises("bad argument #1 to 'write_file' %(string expected, got number", fs.write_file, 1)
    helper.raises("bad argument #2 to 'write_file' %(string expected, got n", fs.write_file, dir)
    helper.raises("bad argument #3 to 'write_file' %(table expected, got boolean%)", fs.write_file,
      dir, "x", true)
  end)
end)

describe("stat", function()
  ait("tells what is known of a file", function(dir)
    local path = dir .. "/f"
    fs.write_file(path, "12345")
    fs.chmod(path, octal "600")
    local stat = fs.stat(path)
    assert.equal("file", stat.type)
    assert.equal(5, stat.size)
    assert.equal(octal "600", stat.mode)
    assert.equal(1, stat.nlink)
    for _, name in ipairs { "uid", "gid", "dev", "ino" } do
      assert.equal("integer", math.type(stat[name]), name)
    end
    for _, name in ipairs { "atime", "mtime", "ctime" } do
      assert.is_true(math.abs(os.time() - stat[name]) < 3600, name)
    end
    assert.equal("float", math.type(stat.birthtime))
    assert.equal("directory", fs.stat(dir).type)
    assert.equal("char", fs.stat("/dev/null").type)
  end)

  ait("follows links, and lstat does not", function(dir)
    fs.write_file(dir .. "/f", "1")
    fs.symlink("f", dir .. "/link")
    assert.equal("file", fs.stat(dir .. "/link").type)
    assert.equal("link", fs.lstat(dir .. "/link").type)
    fs.unlink(dir .. "/f")
    raises_os("ENOENT", "stat", dir .. "/link", fs.stat, dir .. "/link")
    raises_os("ENOENT", "lstat", dir .. "/no", fs.lstat, dir .. "/no")
  end)

  ait("knows sizes beyond 32 bits", function(dir)
    local file <close> = fs.open(dir .. "/large", "w")
    file:seek("set", 1 << 33)
    file:write "x"
    assert.equal((1 << 33) + 1, file:stat().size)
    assert.equal((1 << 33) + 1, fs.stat(dir .. "/large").size)
  end)
end)

describe("the functions of paths", function()
  ait("rename, copy and remove", function(dir)
    local a, b, c = dir .. "/a", dir .. "/b", dir .. "/c"
    fs.write_file(a, "data")
    fs.write_file(b, "other")
    assert.is_nil(fs.rename(a, b))
    assert.is_nil(fs.copyfile(b, c))
    assert.equal("data", fs.read_file(c))
    fs.copyfile(b, c)
    assert.is_nil(fs.unlink(b))
    assert.same({ "c file" }, entries(dir))
  end)

  ait("make and read links", function(dir)
    fs.write_file(dir .. "/f", "")
    assert.is_nil(fs.symlink("f", dir .. "/link"))
    assert.equal("f", fs.readlink(dir .. "/link"))
    assert.equal(fs.realpath(dir) .. "/f", fs.realpath(dir .. "/./link"))
  end)

  ait("make and remove directories", function(dir)
    assert.is_nil(fs.mkdir(dir .. "/d", octal "700"))
    assert.equal(octal "700", fs.stat(dir .. "/d").mode & octal "777")
    raises_os("EEXIST", "mkdir", dir .. "/d", fs.mkdir, dir .. "/d")
    assert.is_nil(fs.rmdir(dir .. "/d"))
    raises_os("ENOENT", "rmdir", dir .. "/d", fs.rmdir, dir .. "/d")
    local a, b = fs.mkdtemp(dir .. "/tXXXXXX"), fs.mkdtemp(dir .. "/tXXXXXX")
    assert.not_equal(a, b)
    assert.equal("directory", fs.stat(a).type)
    assert.matches("/t......$", a)
    raises_os("ENOENT", "mkdtemp", dir .. "/no/XXXXXX", fs.mkdtemp, dir .. "/no/XXXXXX")
  end)

  ait("raise errors with both paths", function(dir)
    local a, b = dir .. "/a", dir .. "/b"
    for name, fn in pairs { rename = fs.rename, copyfile = fs.copyfile } do
      local err = raises_os("ENOENT", name, a, fn, a, b)
      assert.equal(b, err.dest)
      local text = ("OSError: %s %s -> %s: no such file or directory (ENOENT)"):format(name, a, b)
      assert.equal(text, tostring(err))
    end
    assert.equal(dir, raises_os("EEXIST", "symlink", "x", fs.symlink, "x", dir).dest)
  end)

  ait("raise errors with the path", function(dir)
    local path = dir .. "/no"
    for _, name in ipairs { "unlink", "readlink", "realpath" } do
      local err = raises_os("ENOENT", name, path, fs[name], path)
      assert.equal(("OSError: %s %s: no such file or directory (ENOENT)"):format(name, path),
        tostring(err))
    end
    raises_os("ENOENT", "chmod", path, fs.chmod, path, 0)
    raises_os("ENOENT", "stat", "", fs.stat, "")
  end)

  ait("refuse wrong arguments", function(dir)
    for _, name in ipairs { "stat", "lstat", "mkdir", "rmdir", "unlink", "readlink", "realpath",
      "mkdtemp", "chmod", "rename", "copyfile", "symlink", "open" } do
      helper.raises("bad argument #1 to .*" .. name .. "' %(string expected, got n", fs[name])
      helper.raises("bad argument #1 to .*" .. name .. "' %(string expected, got n", fs[name], 1)
      helper.raises("bad argument #1 to .*path contains a zero byte", fs[name], dir .. "\0x")
    end
    for _, name in ipairs { "rename", "copyfile", "symlink" } do
      helper.raises("bad argument #2 to .*string expected", fs[name], dir)
      helper.raises("bad argument #2 to .*path contains a zero byte", fs[name], dir, "a\0")
    end
    for _, mode in ipairs { -1, octal "10000", math.maxinteger } do
      helper.raises("bad argument #2 .*invalid permissions", fs.mkdir, dir, mode)
    end
    helper.raises("bad argument #2 .*no integer representation", fs.mkdir, dir, 0 / 0)
    helper.raises("bad argument #2 .*number expected, got n", fs.chmod, dir)
    helper.raises('bad argument #1 .*must end with "XXXXXX"', fs.mkdtemp, dir)
    helper.raises('bad argument #1 .*must end with "XXXXXX"', fs.mkdtemp, "")
  end)

  it("must be called in a task", function()
    for _, name in ipairs { "stat", "read_file", "open", "scandir" } do
      local err = helper.raises(asyncio.RuntimeError, fs[name], "x")
      assert.matches(name .. "' suspends and must be called in a task", tostring(err))
    end
  end)

  ait("let other tasks run", function(dir)
    local trace = helper.trace()
    local task = asyncio.create_task(function()
      trace "other"
    end)
    fs.stat(dir)
    trace "done"
    assert.same({ "other", "done" }, trace:list())
    assert.is_true(task:done())
  end)

  ait("are cancelled at once", function(dir)
    for _, name in ipairs { "stat", "realpath", "scandir", "read_file" } do
      local task = asyncio.create_task(fs[name], dir)
      asyncio.sleep(0)
      task:cancel()
      asyncio.wait { task }
      assert.is_true(task:cancelled() or task:done())
      task = asyncio.create_task(fs[name], dir)
      task:cancel()
      asyncio.wait { task }
      assert.is_true(task:cancelled())
    end
  end)

  ait("work many at a time", function(dir)
    local tasks = {}
    for i = 1, 50 do
      tasks[i] = asyncio.create_task(function()
        fs.write_file(dir .. "/" .. i, tostring(i))
        return fs.read_file(dir .. "/" .. i)
      end)
    end
    for i, data in ipairs(asyncio.gather(tasks):await()) do
      assert.equal(tostring(i), data)
    end
  end)

  it("end with a loop that closes", function()
    local loop = asyncio.new_event_loop()
    for _ = 1, 20 do
      loop:create_task(fs.stat, "/")
      loop:create_task(fs.open, "/")
      loop:create_task(fs.scandir, "/")
    end
    loop:run_until_complete(asyncio.async(asyncio.sleep)(0))
    loop:close()
    helper.run(function()
      helper.collect()
      local before = descriptors()
      assert.equal(before, descriptors())
    end)
  end)
end)

describe("scandir", function()
  local function tree(dir)
    fs.mkdir(dir .. "/b")
    fs.mkdir(dir .. "/b/empty")
    fs.write_file(dir .. "/b/x", "")
    fs.write_file(dir .. "/a", "")
    fs.symlink("b", dir .. "/c")
  end

  ait("gives names and types", function(dir)
    tree(dir)
    assert.same({ "a file", "b directory", "c link" }, entries(dir))
    assert.same({}, entries(dir .. "/b/empty"))
    assert.same({ "a file", "b directory", "c link" }, entries(dir, {}))
  end)

  ait("gives those below, too, and follows no links", function(dir)
    tree(dir)
    local list = { "a file", "b directory", "b/empty directory", "b/x file", "c link" }
    assert.same(list, entries(dir, { recursive = true }))
  end)

  ait("reads a directory when its turn comes", function(dir)
    tree(dir)
    local err = helper.raises(asyncio.OSError, function()
      for name in fs.scandir(dir, { recursive = true }) do
        if name == "b" then
          os.execute("rm -r '" .. dir .. "/b'")
        end
      end
    end)
    assert.same({ "ENOENT", dir .. "/b" }, { err.code, err.path })
  end)

  ait("goes through many entries", function(dir)
    for i = 1, 300 do
      io.open(dir .. "/" .. i, "w"):close()
    end
    assert.equal(300, #entries(dir))
  end)

  ait("raises at the call", function(dir)
    raises_os("ENOENT", "scandir", dir .. "/no", fs.scandir, dir .. "/no")
    fs.write_file(dir .. "/f", "")
    raises_os("ENOTDIR", "scandir", dir .. "/f", fs.scandir, dir .. "/f")
    helper.raises("bad argument #1 to 'scandir' %(string expected, got nil%)", fs.scandir)
    helper.raises("bad argument #2 to 'scandir' %(table expected, got number%)", fs.scandir, dir, 1)
  end)
end)
