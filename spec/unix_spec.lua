local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

local function quiet() end

local function echo(reader, writer)
  for line in reader:lines() do
    writer:write(line .. "\n")
  end
  writer:close()
end

local function exists(path)
  local file <close> = io.popen("test -e " .. path .. " && echo yes")
  return file:read "l" == "yes"
end

-- A file at the path, which is no socket.
local function touch(path)
  assert(io.open(path, "w")):close()
end

describe("a Unix socket", function()
  ait("carries bytes both ways, and ends one way at a time", function()
    local path <const>, _ <close> = streams.path()
    local server <close> = asyncio.start_unix_server(echo, path)
    local reader, writer = asyncio.open_unix_connection(path)
    writer:write "one\ntwo\n"
    assert.equal("one\n", reader:readline())
    writer:write "three"
    writer:write_eof()
    assert.equal("two\nthree\n", reader:read "a")
    helper.raises(asyncio.RuntimeError, writer.write, writer, "x")
    writer:close()
    writer:wait_closed()
    assert.is_nil(writer:get_extra_info "fd")
    server:close()
    server:wait_closed()
  end)

  ait("has its path as address at both ends", function()
    local path <const>, _ <close> = streams.path()
    local accepted <const> = asyncio.Future()
    local server <close> = asyncio.start_unix_server(function(_, writer)
      accepted:set_result(writer)
    end, path)
    assert.same({ path }, server:sockets())
    assert.equal("<Server serving " .. path .. ">", tostring(server))
    local _, writer <close> = asyncio.open_unix_connection(path)
    local there <close> = accepted:await()
    assert.equal(path, writer:get_extra_info "peername")
    assert.equal(path, there:get_extra_info "sockname")
    assert.equal("none", writer:get_extra_info("sockname", "none"))
    assert.is_nil(there:get_extra_info "peername")
    assert.equal("integer", math.type(there:get_extra_info "fd"))
    for _, w in ipairs { writer, there } do
      assert.equal("<StreamWriter open to " .. path .. ">", tostring(w))
    end
  end)

  ait("carries more than the system buffers", function()
    local path <const>, _ <close> = streams.path()
    local server <close> = asyncio.start_unix_server(function(_, writer)
      streams.fill(writer)
      writer:drain()
      writer:close()
    end, path)
    local reader, writer <close> = asyncio.open_unix_connection(path)
    assert.equal(1 << 25, #reader:read "a")
    assert.is_true(reader:at_eof() and server:is_serving() and not writer:is_closing())
  end)

  ait("tells a writer that its peer is gone", function()
    local path <const>, _ <close> = streams.path()
    local server <close> = asyncio.start_unix_server(function(_, writer)
      writer:close()
    end, path)
    local reader, writer <close> = asyncio.open_unix_connection(path)
    assert.equal("", reader:read "a")
    local err <const> = helper.raises(asyncio.OSError, writer.write, writer, "x")
    assert.equal("EPIPE", err.code)
    helper.raises(asyncio.OSError, writer.drain, writer)
    assert.is_true(server:is_serving())
  end)
end)

describe("open_unix_connection", function()
  ait("names the path that it cannot connect to", function()
    local path <const>, _ <close> = streams.path()
    local err = helper.raises(asyncio.OSError, asyncio.open_unix_connection, path)
    assert.equal("connect " .. path .. ": no such file or directory (ENOENT)", err.message)
    assert.equal("connect", err.syscall)
    touch(path)
    err = helper.raises(asyncio.OSError, asyncio.open_unix_connection, path)
    assert.equal("ECONNREFUSED", err.code)
  end)

  ait("waits for a server that has too many connections to accept", function()
    local path <const>, _ <close> = streams.path()
    local n = 0
    local server <close> = asyncio.start_unix_server(function(_, writer)
      n = n + 1
      writer:close()
    end, path, { backlog = 1 })
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = asyncio.create_task(function()
        local reader, writer <close> = asyncio.open_unix_connection(path)
        assert.equal("", reader:read "a")
        assert.is_truthy(writer)
      end)
    end
    asyncio.gather(tasks):await()
    assert.equal(20, n)
    assert.is_true(server:is_serving())
  end)

  ait("leaves nothing when it is cancelled", function()
    local path <const>, _ <close> = streams.path()
    local server <close> = asyncio.start_unix_server(quiet, path, { backlog = 1 })
    asyncio.pipe() -- libuv opens a spare descriptor with the first stream
    helper.collect()
    asyncio.sleep(0)
    local before <const> = streams.descriptors()
    for turns = 0, 3 do
      local tasks = {}
      for i = 1, 5 do
        tasks[i] = asyncio.create_task(asyncio.open_unix_connection, path)
      end
      for _ = 1, turns do
        asyncio.sleep(0)
      end
      for _, task in ipairs(tasks) do
        task:cancel()
      end
      for _, task in ipairs((asyncio.wait(tasks))) do
        local ok, _, writer = pcall(task.result, task)
        if ok then
          writer:close()
        end
      end
    end
    server:abort_clients()
    asyncio.sleep(0.01)
    helper.collect()
    server:abort_clients()
    server:close()
    server:wait_closed()
    asyncio.sleep(0)
    assert.is_true(before == nil or streams.descriptors() < before)
  end)

  ait("refuses what is no path", function()
    local function refuses(pattern, ...)
      helper.raises("bad argument #1.*open_unix_connection.*" .. pattern, ...)
    end
    local open <const> = asyncio.open_unix_connection
    refuses("string expected, got nil", open, nil)
    refuses("string expected, got number", open, 0 / 0)
    refuses("string expected, got table", open, {})
    refuses("empty path", open, "")
    refuses("zero", open, "a\0b")
    helper.raises("bad argument #2", open, "x", 1)
    helper.raises("bad argument #2.*'limit'", open, "x", { limit = 0 / 0 })
    local err <const> = helper.raises(asyncio.OSError, open, ("x"):rep(108))
    assert.equal("ENAMETOOLONG", err.code)
    assert.matches("^connect xxx", err.message)
  end)

  it("waits, so that it needs a task", function()
    helper.raises("open_unix_connection", asyncio.open_unix_connection, "x")
    helper.raises("start_unix_server", asyncio.start_unix_server, quiet, "x")
  end)
end)

describe("start_unix_server", function()
  ait("removes its socket when it closes, and none that is another's", function()
    local path <const>, _ <close> = streams.path()
    local first <const> = asyncio.start_unix_server(quiet, path)
    assert.is_true(exists(path))
    local second <const> = asyncio.start_unix_server(echo, path)
    first:close()
    assert.is_true(exists(path))
    local reader, writer <close> = asyncio.open_unix_connection(path)
    writer:write "second\n"
    assert.equal("second\n", reader:readline())
    second:close()
    assert.is_false(exists(path))
    second:close_clients()
  end)

  ait("leaves a file that has taken the place of its socket", function()
    local path <const>, _ <close> = streams.path()
    local server <const> = asyncio.start_unix_server(quiet, path)
    os.remove(path)
    touch(path)
    server:close()
    assert.is_true(exists(path))
  end)

  ait("takes the place of a socket, not that of a file", function()
    local path <const>, _ <close> = streams.path()
    touch(path)
    local err <const> = helper.raises(asyncio.OSError, asyncio.start_unix_server, quiet, path)
    assert.equal("bind " .. path .. ": address already in use (EADDRINUSE)", err.message)
    assert.is_true(exists(path))
  end)

  ait("may begin to serve later", function()
    local path <const>, _ <close> = streams.path()
    local server <close> = asyncio.start_unix_server(echo, path, { start_serving = false })
    assert.is_false(server:is_serving())
    local err <const> = helper.raises(asyncio.OSError, asyncio.open_unix_connection, path)
    assert.equal("ECONNREFUSED", err.code)
    server:start_serving()
    local _, writer <close> = asyncio.open_unix_connection(path)
    assert.is_false(writer:is_closing())
  end)

  it("removes its socket with its loop, and when it is collected", function()
    local path <const>, _ <close> = streams.path()
    asyncio.run(asyncio.start_unix_server, quiet, path)
    assert.is_false(exists(path))
    helper.check_script(
      ([[
        local asyncio = require "asyncio"
        local loop = asyncio.new_event_loop()
        loop:run_until_complete(asyncio.async(asyncio.start_unix_server)(print, %q))
      ]]):format(path)
    )
    assert.is_false(exists(path))
  end)

  ait("applies the limit to its readers", function()
    local path <const>, _ <close> = streams.path()
    local result <const> = asyncio.Future()
    local server <close> = asyncio.start_unix_server(function(reader)
      result:set_result(pcall(reader.readline, reader))
    end, path, { limit = 4 })
    local _, writer <close> = asyncio.open_unix_connection(path)
    writer:write "much too long\n"
    local ok, err = result:await()
    assert.is_false(ok)
    assert.is_true(asyncio.isinstance(err, asyncio.LimitOverrunError))
    server:close_clients()
  end)

  ait("leaves no descriptor when it fails", function()
    local missing <const> = os.tmpname()
    os.remove(missing)
    helper.raises(asyncio.OSError, asyncio.open_unix_connection, missing)
    local before <const> = streams.descriptors() -- one is libuv's with its first stream
    for _ = 1, 3 do
      helper.raises(asyncio.OSError, asyncio.start_unix_server, quiet, missing .. "/socket")
      helper.raises(asyncio.OSError, asyncio.start_unix_server, quiet, ("x"):rep(108))
      helper.raises(asyncio.OSError, asyncio.open_unix_connection, missing)
    end
    asyncio.sleep(0.001)
    assert.equal(before, streams.descriptors())
  end)

  ait("refuses wrong arguments", function()
    local start <const> = asyncio.start_unix_server
    helper.raises("bad argument #1.*start_unix_server", start)
    helper.raises("bad argument #1.*start_unix_server", start, "x", "x")
    helper.raises("bad argument #2.*string expected, got nil", start, quiet, nil)
    helper.raises("bad argument #2.*zero", start, quiet, "a\0b")
    helper.raises("bad argument #2.*empty path", start, quiet, "")
    helper.raises("bad argument #3", start, quiet, "x", 5)
    helper.raises("bad argument #3.*'backlog'", start, quiet, "x", { backlog = 0 })
    helper.raises("bad argument #3.*'limit'", start, quiet, "x", { limit = "many" })
    assert.is_false(exists "x")
  end)
end)
