-- What belongs to one loop cannot be waited for on another.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local raises <const> = helper.raises

-- Runs fn on a loop of its own, and passes what it returns to 'other', which
-- runs on a second one; then 'last' runs on the first.
local function on_two(fn, other, last)
  local loop <close> = asyncio.new_event_loop()
  local values <const> = table.pack(loop:run_until_complete(fn))
  helper.run(function()
    other(table.unpack(values, 1, values.n))
  end)
  loop:run_until_complete(function()
    last(table.unpack(values, 1, values.n))
  end)
end

local function refuses(object, method, what, ...)
  local err <const> = raises(asyncio.RuntimeError, object[method], object, ...)
  local text <const> = ("%s: the %s belongs to a different event loop"):format(method, what)
  assert.equal(text, err.message:sub(-#text))
end

describe("a task of another loop", function()
  it("cannot wait for a reader's data", function()
    on_two(streams.pair, function(here)
      for _, method in ipairs { "read", "readline", "readuntil" } do
        refuses(here.reader, method, "stream")
      end
      refuses(here.reader, "readexactly", "stream", 1)
    end, function(here, there)
      there.writer:write "one\n"
      assert.equal("one\n", here.reader:readline())
    end)
  end)

  it("can take what is there", function()
    on_two(function()
      local here <const>, there <const> = streams.pair()
      there.writer:write "one\ntwo\n"
      assert.equal("one\n", here.reader:readline())
      return here, there
    end, function(here)
      assert.equal("two\n", here.reader:readline())
    end, function(_, there)
      there.writer:close()
    end)
  end)

  it("cannot wait for a writer", function()
    on_two(function()
      local here <const>, there <const> = streams.pair()
      streams.fill(here.writer)
      return here, there
    end, function(here)
      refuses(here.writer, "drain", "stream")
      refuses(here.writer, "wait_closed", "stream")
      do
        local closing <close> = here.writer
        assert.is_false(closing:is_closing())
      end
      assert.is_true(here.writer:is_closing())
    end, function(here, there)
      assert.equal(1 << 25, #there.reader:read "a")
      here.writer:wait_closed()
    end)
  end)

  it("cannot wait for a server", function()
    on_two(function()
      return (asyncio.start_server(print, "127.0.0.1", 0))
    end, function(server)
      refuses(server, "wait_closed", "server")
      refuses(server, "serve_forever", "server")
      do
        local closing <close> = server
        assert.is_true(closing:is_serving())
      end
      assert.is_false(server:is_serving())
    end, function(server)
      server:wait_closed()
    end)
  end)

  it("cannot wait for a watcher's events", function()
    local path <const> = os.tmpname() -- in which nothing happens
    on_two(function()
      return (asyncio.fs.watch(path))
    end, function(watcher)
      raises("watch: the watcher belongs to a different event loop", watcher)
    end, function(watcher)
      watcher:close()
    end)
    os.remove(path)
  end)

  it("cannot wait for a file or an endpoint", function()
    on_two(function()
      local address <const> = { host = "127.0.0.1", port = 0 }
      return asyncio.fs.open "/dev/null", asyncio.open_datagram { local_addr = address }
    end, function(file, endpoint)
      refuses(file, "read", "file", 1)
      refuses(endpoint, "recv", "endpoint")
    end, function(file, endpoint)
      file:close()
      endpoint:close()
    end)
  end)
end)
