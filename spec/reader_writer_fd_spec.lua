-- add_reader and add_writer. The descriptors are both ends of named pipes.

local asyncio = require "asyncio"
local fifo = require "spec.fifo"
local helper = require "spec.helper"
local ait = helper.ait

local pipe <const> = fifo.pipe

local function reading_end(text)
  local r, w, both = pipe()
  both:close()
  w:write(text or "")
  return r, w
end

-- Long enough for a callback that should not come, to come.
local function settle()
  asyncio.sleep(0.01)
end

describe("add_reader", function()
  local loop, files

  before_each(function()
    files = {}
  end)

  after_each(function()
    for _, file in ipairs(files) do
      if io.type(file) == "file" then
        file:close()
      end
    end
  end)

  local function keep(...)
    for _, file in ipairs { ... } do
      files[#files + 1] = file
    end
    return ...
  end

  local function begin(text)
    loop = asyncio.get_running_loop()
    return keep(reading_end(text))
  end

  ait("calls the function with its arguments once there is something to read", function()
    local r, w = begin()
    local called = loop:create_future()
    local result = table.pack(loop:add_reader(r, function(...)
      loop:remove_reader(r)
      called:set_result(select("#", ...), ..., r:read(5))
    end, "a", nil, 3))
    assert.equal(0, result.n)
    settle()
    assert.is_false(called:done())
    w:write "hello"
    assert.same({ 3, "a", "hello" }, { called:await() })
  end)

  ait("calls it again and again until all is read", function()
    local r, w = begin "abc"
    local read, turns = {}, 0
    loop:add_reader(r, function()
      turns = turns + 1
      if turns % 2 == 0 then
        read[#read + 1] = r:read(1)
      end
    end)
    while #read < 3 do
      asyncio.sleep(0)
    end
    assert.equal(6, turns)
    settle()
    assert.equal(6, turns)
    w:write "d"
    while #read < 4 do
      asyncio.sleep(0)
    end
    assert.equal(8, turns)
    loop:remove_reader(r)
  end)

  ait("calls it at the end of the file", function()
    local r, w = begin()
    local got = loop:create_future()
    loop:add_reader(r, function()
      loop:remove_reader(r)
      got:set_result(r:read(1))
    end)
    w:close()
    assert.is_nil(got:await())
  end)

  ait("keeps the loop waiting for another process", function()
    loop = asyncio.get_running_loop()
    local child = keep(io.popen "sleep 0.02; echo hello")
    local got = loop:create_future()
    loop:add_reader(child, function()
      loop:remove_reader(child)
      got:set_result(child:read "l")
    end)
    assert.equal("hello", got:await())
  end)

  ait("replaces the function that was there", function()
    local r = begin "x"
    local trace = helper.trace()
    loop:add_reader(r, trace, "old")
    loop:add_reader(r, function()
      trace "new"
      loop:remove_reader(r)
    end)
    settle()
    assert.same({ "new" }, trace:list())
  end)

  ait("replaces one whose turn has come already", function()
    local a, b = begin "x", begin "x"
    local trace = helper.trace()
    local function first(name, other)
      trace(name)
      loop:remove_reader(a)
      loop:remove_reader(b)
      loop:add_reader(other, function()
        trace "new"
        loop:remove_reader(other)
      end)
    end
    loop:add_reader(a, first, "one", b)
    loop:add_reader(b, first, "one", a)
    settle()
    assert.same({ "one", "new" }, trace:list())
  end)

  ait("tells the exception handler of an error, and goes on calling", function()
    local r = begin "x"
    local messages = {}
    loop:set_exception_handler(function(_, context)
      messages[#messages + 1] = context.exception
      if #messages == 2 then
        loop:remove_reader(r)
      end
    end)
    loop:add_reader(r, error, "broken")
    settle()
    assert.same({ "broken", "broken" }, messages)
  end)

  ait("calls it in a copy of the context it was added in", function()
    local r = begin "x"
    local var = asyncio.ContextVar("var", "none")
    local seen = loop:create_future()
    local token = var:set "added"
    loop:add_reader(r, function()
      loop:remove_reader(r)
      seen:set_result(var:get())
      var:set "called"
    end)
    var:reset(token)
    assert.equal("added", seen:await())
    assert.equal("none", var:get())
  end)

  ait("leaves the descriptor's mode alone: reading still waits", function()
    loop = asyncio.get_running_loop()
    local child = keep(io.popen "sleep 0.02; echo hello")
    loop:add_reader(child, function() end)
    assert.equal("hello", child:read "l")
    assert.is_true(loop:remove_reader(child))
  end)

  ait("survives that the file is closed and its number used again", function()
    local trace = helper.trace()
    local old = begin()
    loop:add_reader(old, trace, "old")
    old:close()
    local r, w = begin()
    loop:add_reader(r, function()
      trace(r:read(1))
      loop:remove_reader(r)
    end)
    settle()
    assert.same({}, trace:list())
    w:write "x"
    settle()
    assert.same({ "x" }, trace:list())
  end)

  ait("refuses a descriptor that is not open", function()
    loop = asyncio.get_running_loop()
    local err = helper.raises(asyncio.OSError, loop.add_reader, loop, 1000000, print)
    assert.equal("EBADF", err.code)
    assert.is_false(loop:remove_reader(1000000))
  end)

  ait("refuses a file on disk, which is always ready", function()
    loop = asyncio.get_running_loop()
    local file = keep(assert(io.tmpfile()))
    local err = helper.raises(asyncio.OSError, loop.add_reader, loop, file, print)
    assert.equal("EPERM", err.code)
    assert.is_false(loop:remove_reader(file))
  end)

  ait("refuses what a stream of ours reads", function()
    loop = asyncio.get_running_loop()
    local server <close> = asyncio.start_server(function(_, writer)
      writer:close()
    end, "127.0.0.1", 0)
    local _, writer = asyncio.open_connection("127.0.0.1", server:sockets()[1].port)
    local closing <close> = writer
    local fd = closing:get_extra_info "fd"
    for _, method in ipairs { "add_reader", "add_writer" } do
      local err = helper.raises(asyncio.RuntimeError, loop[method], loop, fd, print)
      assert.matches("belongs to a stream", err.message)
    end
  end)

  ait("refuses what is neither descriptor nor open file, and no function", function()
    local r = begin()
    local closed = keep(assert(io.tmpfile()))
    closed:close()
    local calls <const> = {
      add_reader = function(fd)
        loop:add_reader(fd, print)
      end,
      remove_reader = function(fd)
        loop:remove_reader(fd)
      end,
      add_writer = function(fd)
        loop:add_writer(fd, print)
      end,
      remove_writer = function(fd)
        loop:remove_writer(fd)
      end,
    }
    local nan <const> = 0 / 0
    for name, call in pairs(calls) do
      local message <const> = "bad argument #1 to '" .. name .. "'"
      for _, fd in ipairs { -1, 1.5, math.huge, nan, math.maxinteger, "x", {}, false, closed } do
        helper.raises(message, call, fd)
      end
      helper.raises(message, call, nil)
      helper.raises("EventLoop expected", loop[name], r, r, print)
    end
    for _, fn in ipairs { false, 1, "f", {} } do
      helper.raises("bad argument #2 to 'add_reader'", function()
        loop:add_reader(r, fn)
      end)
    end
    assert.is_false(loop:remove_reader(r))
  end)

  it("refuses a closed loop", function()
    local closed = asyncio.new_event_loop()
    closed:close()
    helper.raises(asyncio.RuntimeError, closed.add_reader, closed, 0, print)
    helper.raises(asyncio.RuntimeError, closed.remove_reader, closed, 0)
  end)

  it("works on a loop that runs later", function()
    local other = asyncio.new_event_loop()
    local r = keep(reading_end "x")
    local got
    other:add_reader(r, function()
      got = r:read(1)
      other:stop()
    end)
    other:run_forever()
    assert.equal("x", got)
    other:close()
  end)

  it("takes the number of a descriptor", function()
    local out = helper.check_script [[
      local asyncio = require "asyncio"
      if not arg[1] then -- once more, with a pipe as standard input
        local lua = os.getenv "ASYNCIO_TEST_LUA" or "lua5.4"
        os.exit((os.execute(("printf hello | %s '%s' again"):format(lua, arg[0]))))
      end
      asyncio.run(function()
        local loop, got = asyncio.get_running_loop(), asyncio.Future()
        loop:add_reader(0, function()
          got:set_result(io.read(5))
          print(loop:remove_reader(0), loop:remove_reader(io.stdin))
        end)
        print(got:await())
      end)
    ]]
    assert.equal("true\tfalse\nhello\n", out)
  end)

  it("ends with the loop, and with the Lua state", function()
    local out = helper.check_script [[
      local asyncio = require "asyncio"
      local path = os.tmpname()
      os.remove(path)
      os.execute("mkfifo " .. path)
      local file = io.open(path, "r+")
      os.remove(path)
      file:setvbuf "no"
      file:write "x"
      asyncio.run(function()
        local loop = asyncio.get_running_loop()
        loop:add_reader(file, function() end)
        loop:add_writer(file, function() end)
        asyncio.sleep(0)
      end)
      local loop = asyncio.new_event_loop()
      loop:add_reader(file, function()
        loop:stop()
      end)
      loop:run_forever()
      print "left open"
    ]]
    assert.equal("left open\n", out)
  end)
end)

describe("remove_reader", function()
  ait("says whether there was one, and nothing is called any more", function()
    local loop = asyncio.get_running_loop()
    local r <close>, w = reading_end "x"
    local trace = helper.trace()
    assert.is_false(loop:remove_reader(r))
    loop:add_reader(r, trace, "called")
    assert.is_false(loop:remove_writer(r))
    assert.is_true(loop:remove_reader(r))
    assert.is_false(loop:remove_reader(r))
    settle()
    assert.same({}, trace:list())
    w:close()
  end)

  ait("also stops a call whose turn has come already", function()
    local loop = asyncio.get_running_loop()
    local a <close>, wa = reading_end "x"
    local b <close>, wb = reading_end "x"
    local trace = helper.trace()
    local function first(other)
      trace(loop:remove_reader(other))
    end
    loop:add_reader(a, first, b)
    loop:add_reader(b, first, a)
    while #trace == 0 do
      asyncio.sleep(0)
    end
    assert.is_true(trace[1])
    assert.is_true(loop:remove_reader(a) ~= loop:remove_reader(b))
    settle()
    for i = 2, #trace do
      assert.is_false(trace[i])
    end
    wa:close()
    wb:close()
  end)

  ait("lets a closed file go at once: its other end sees that", function()
    local loop = asyncio.get_running_loop()
    local path = os.tmpname()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    local keeper = fifo.open(path, "r+")
    local r <close>, w = fifo.open(path, "r"), fifo.open(path, "w")
    os.remove(path)
    keeper:close()
    loop:add_writer(w, function() end)
    loop:remove_writer(w)
    w:close()
    assert.is_nil(r:read(1)) -- would wait for ever
  end)
end)

describe("add_writer", function()
  -- Writes as long as that does not block; returns how much it wrote.
  local function fill(loop, w)
    local written = 0
    loop:add_writer(w, function()
      w:write(("x"):rep(512))
      written = written + 512
    end)
    repeat
      local before = written
      settle()
    until written == before
    return written
  end

  ait("calls the function as long as there is room", function()
    local loop = asyncio.get_running_loop()
    local r <close>, w = reading_end()
    local written = fill(loop, w)
    assert.is_true(written >= 512)
    assert.is_true(loop:remove_writer(w))
    local room = loop:create_future()
    loop:add_writer(w, function()
      room:set_result(true)
      loop:remove_writer(w)
    end)
    settle()
    assert.is_false(room:done())
    assert.equal(written, #r:read(written))
    assert.is_true(room:await())
    w:close()
  end)

  ait("goes together with a reader on one descriptor", function()
    local loop = asyncio.get_running_loop()
    local r, w, both = pipe()
    r:close()
    w:close()
    local trace = helper.trace()
    local read, wrote = loop:create_future(), loop:create_future()
    loop:add_reader(both, function()
      trace(both:read(1))
      loop:remove_reader(both)
      read:set_result()
    end)
    loop:add_writer(both, function()
      both:write "x"
      trace(loop:remove_writer(both))
      wrote:set_result()
    end)
    wrote:await()
    read:await()
    assert.same({ true, "x" }, trace:list())
    assert.is_false(loop:remove_reader(both))
    assert.is_false(loop:remove_writer(both))
    both:close()
  end)
end)
