-- What failing operations say: the text, the code, the call, the place.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const>, raises <const> = helper.ait, helper.raises
local fs <const> = asyncio.fs

local HOST <const> = "127.0.0.1"

-- Checks the error of fn(...): 'place' is the name of a field and its value.
local function check(code, syscall, place, fn, ...)
  local err <const> = raises(asyncio.OSError, fn, ...)
  assert.equal(code, err.code)
  assert.equal(syscall, err.syscall)
  assert.equal(place[2], err[place[1]])
  assert.is_true(math.type(err.errno) == "integer" and err.errno > 0)
  local text <const> = ("%s %s: "):format(syscall, place[3] or place[2])
  assert.equal(text, err.message:sub(1, #text))
  assert.equal((" (%s)"):format(code), err.message:match " %(%u+%)$")
  assert.equal("OSError: " .. err.message, tostring(err))
  return err
end

describe("the error of", function()
  ait("a port on which nobody listens", function()
    local err <const> = raises(asyncio.OSError, asyncio.open_connection, HOST, 1)
    assert.equal("connect 127.0.0.1:1: connection refused (ECONNREFUSED)", err.message)
    check("ECONNREFUSED", "connect", { "address", HOST .. ":1" }, asyncio.open_connection, HOST, 1)
  end)

  ait("a name that does not exist", function()
    local err <const> = raises(asyncio.OSError, asyncio.open_connection, "host.invalid", 80)
    assert.matches("^getaddrinfo host%.invalid: .+ %(EAI_%u+%)$", err.message)
    assert.matches("^EAI_", err.code)
    assert.equal("getaddrinfo", err.syscall)
    assert.equal("host.invalid", err.address)
    for _, fn in ipairs { asyncio.getaddrinfo, asyncio.open_connection } do
      assert.equal(err.message, raises(asyncio.OSError, fn, "host.invalid", 80).message)
    end
    local server <const> = raises(asyncio.OSError, asyncio.start_server, print, "host.invalid", 0)
    assert.equal(err.message, server.message)
  end)

  ait("an address that is taken", function()
    local server <close> = asyncio.start_server(print, HOST, 0)
    local port <const> = server:sockets()[1].port
    local place <const> = { "address", ("%s:%d"):format(HOST, port) }
    check("EADDRINUSE", "bind", place, asyncio.start_server, print, HOST, port)
  end)

  ait("an address of no interface", function()
    local place <const> = { "address", "192.0.2.1:0" }
    check("EADDRNOTAVAIL", "bind", place, asyncio.start_server, print, "192.0.2.1", 0)
    place[2] = "192.0.2.1:0"
    local options <const> = { local_addr = { host = "192.0.2.1", port = 0 } }
    check("EADDRNOTAVAIL", "bind", place, asyncio.open_datagram, options)
  end)

  ait("a Unix path", function()
    local path <const> = "/nonexistent/socket"
    local place <const> = { "address", path }
    check("ENOENT", "connect", place, asyncio.open_unix_connection, path)
    check("ENOENT", "bind", place, asyncio.start_unix_server, print, path)
    local file <const> = os.tmpname()
    check("ECONNREFUSED", "connect", { "address", file }, asyncio.open_unix_connection, file)
    os.remove(file)
  end)

  ait("each function of files", function()
    local path <const>, _ <close> = streams.path()
    local place <const> = { "path", path }
    for name, arguments in pairs {
      stat = {},
      lstat = {},
      scandir = {},
      rmdir = {},
      unlink = {},
      readlink = {},
      realpath = {},
      chmod = { 0 },
      open = { "r" },
      watch = {},
    } do
      check("ENOENT", name, place, fs[name], path, table.unpack(arguments))
    end
    check("ENOENT", "open", place, fs.read_file, path)
    local below <const> = { "path", path .. "/x" }
    check("ENOENT", "open", below, fs.write_file, path .. "/x", "")
    check("ENOENT", "mkdir", below, fs.mkdir, path .. "/x")
    check("ENOENT", "mkdtemp", { "path", path .. "/XXXXXX" }, fs.mkdtemp, path .. "/XXXXXX")
    for _, name in ipairs { "rename", "copyfile" } do
      local both <const> = { "path", path, path .. " -> /tmp/other" }
      assert.equal("/tmp/other", check("ENOENT", name, both, fs[name], path, "/tmp/other").dest)
    end
    local both <const> = { "path", "target", "target -> " .. below[2] }
    assert.equal(below[2], check("ENOENT", "symlink", both, fs.symlink, "target", below[2]).dest)
  end)

  ait("an open file", function()
    local path <const> = os.tmpname()
    do
      local file <close> = fs.open(path, "r")
      check("EBADF", "write", { "path", path }, file.write, file, "x")
    end
    do
      local file <close> = fs.open(path, "w")
      check("EBADF", "read", { "path", path }, file.read, file, 1)
    end
    os.remove(path)
    do
      local directory <close> = fs.open("/", "r")
      check("EISDIR", "read", { "path", "/" }, directory.read, directory, 1)
    end
  end)

  ait("a full device", function()
    if not io.open "/dev/full" then
      return pending "there is no /dev/full"
    end
    local file <const> = fs.open("/dev/full", "w")
    local err <const> =
      check("ENOSPC", "write", { "path", "/dev/full" }, file.write, file, ("x"):rep(100000))
    assert.equal("write /dev/full: no space left on device (ENOSPC)", err.message)
    file:close()
  end)
end)

describe("a full disk", function()
  -- Runs the script where 'dir' is a file system of 64 KiB, for this process alone.
  local function on_small_disk(script)
    return helper.run_script("local dir = ... " .. script, {
      args = { "/mnt" },
      shell = "exec unshare -rm sh -c 'mount -t tmpfs -o size=64k none /mnt && exec '\"%s\"",
    })
  end

  local can_mount <const> = os.execute(
    "unshare -rm sh -c 'mount -t tmpfs -o size=64k none /mnt' >/dev/null 2>&1"
  )

  it("leaves the old file as it was, and no other", function()
    if not can_mount then
      return pending "no file system can be mounted here"
    end
    local result <const> = on_small_disk [[
      local asyncio = require "asyncio"
      local fs = asyncio.fs
      asyncio.run(function()
        local path = dir .. "/file"
        fs.write_file(path, "old")
        local ok, err = pcall(fs.write_file, path, ("x"):rep(1 << 20), { atomic = true })
        print(ok, err.code, err.syscall, err.path:match "^(.*)%.[^.]+%.tmp$" == path)
        print(fs.read_file(path))
        for name in fs.scandir(dir) do
          print(name)
        end
        local file = fs.open(dir .. "/other", "w")
        ok, err = pcall(file.write, file, ("x"):rep(1 << 20))
        print(ok, err.message)
        file:close()
        fs.unlink(dir .. "/other")
        fs.write_file(path, "new", { atomic = true })
        print(fs.read_file(path))
      end)
    ]]
    assert.equal("", result.stderr)
    local text <const> = table.concat({
      "false\tENOSPC\twrite\ttrue",
      "old",
      "file",
      "false\twrite /mnt/other: no space left on device (ENOSPC)",
      "new",
      "",
    }, "\n")
    assert.equal(text, result.stdout)
  end)
end)
