-- wait_readable and wait_writable, on the ends of named pipes.

local asyncio = require "asyncio"
local fifo = require "spec.fifo"
local helper = require "spec.helper"
local streams = require "spec.streams"
local ait <const> = helper.ait

-- Writes to the pipe until it is full.
local function fill(path)
  os.execute(("dd if=/dev/zero of=%s bs=65536 count=1 oflag=nonblock 2>/dev/null"):format(path))
end

describe("waiting for a descriptor", function()
  local r, w, both

  before_each(function()
    r, w, both = fifo.pipe()
  end)

  after_each(function()
    for _, file in ipairs { r, w, both } do
      if io.type(file) == "file" then
        file:close()
      end
    end
  end)

  -- Starts to wait for what is readable; notes the end.
  local function start(trace, name, fd)
    return asyncio.create_task(function()
      local results <const> = table.pack(asyncio.wait_readable(fd or r))
      trace(name, results.n)
    end)
  end

  ait("ends when there is something to read, others run meanwhile", function()
    local trace <const> = helper.trace()
    local task <const> = start(trace, "readable")
    for i = 1, 3 do
      asyncio.sleep(0.001)
      trace("turn", i)
    end
    trace "write"
    w:write "hello"
    task:await()
    assert.same({ "turn 1", "turn 2", "turn 3", "write", "readable 0" }, trace:list())
    assert.equal("hello", r:read(5))
  end)

  ait("suspends even if the descriptor is ready", function()
    w:write "x"
    local turns = 0
    asyncio.get_running_loop():call_soon(function()
      turns = turns + 1
    end)
    asyncio.wait_readable(r)
    assert.equal(1, turns)
    asyncio.wait_writable(w)
  end)

  ait("ends at the end of the file", function()
    local trace <const> = helper.trace()
    local task <const> = start(trace, "end")
    asyncio.sleep(0)
    both:close()
    w:close()
    task:await()
    assert.same({ "end 0" }, trace:list())
  end)

  ait("for writing ends when there is room", function()
    local path <const> = os.tmpname()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
    local full <close> = assert(io.open(path, "r+"))
    fill(path)
    os.remove(path)
    local done = false
    local task <const> = asyncio.create_task(function()
      asyncio.wait_writable(full)
      done = true
    end)
    asyncio.wait_readable(full)
    asyncio.sleep(0.005)
    assert.is_false(done)
    full:setvbuf "no"
    full:read(65536)
    task:await()
    assert.is_true(done)
  end)

  ait("takes objects with a descriptor", function()
    local calls <const> = {}
    for _, name in ipairs { "getfd", "fileno" } do
      local object <const> = {}
      object[name] = function(self)
        calls[#calls + 1] = { name, self == object }
        return -1
      end
      local err <const> = helper.raises(asyncio.OSError, asyncio.wait_readable, object)
      assert.equal("EBADF", err.code)
      assert.equal("poll: bad file descriptor (EBADF)", err.message)
    end
    assert.same({ { "getfd", true }, { "fileno", true } }, calls)
    for _, wrong in ipairs { 1.5, "no", 1 << 40, {} } do
      local object <const> = setmetatable({}, {
        __index = {
          fileno = function()
            return wrong
          end,
        },
      })
      helper.raises("#1 to '.*' %(invalid file descriptor%)", asyncio.wait_writable, object)
    end
  end)

  ait("wakes all who wait, and callbacks too", function()
    local trace <const> = helper.trace()
    local loop <const> = asyncio.get_running_loop()
    local tasks <const> = { start(trace, "first"), start(trace, "second") }
    loop:add_reader(r, function()
      trace "callback"
      loop:remove_reader(r)
    end)
    asyncio.sleep(0)
    w:write "x"
    asyncio.wait(tasks)
    assert.same({ "callback", "first 0", "second 0" }, trace:list())
  end)

  ait("leaves callbacks alone, and they it", function()
    local trace <const> = helper.trace()
    local loop <const> = asyncio.get_running_loop()
    local task <const> = start(trace, "readable")
    asyncio.sleep(0)
    loop:add_reader(r, trace, "callback")
    assert.is_true(loop:remove_reader(r))
    assert.is_false(loop:remove_reader(r))
    w:write "x"
    task:await()
    local called <const> = loop:create_future()
    loop:add_reader(r, function()
      called:set_result()
      loop:remove_reader(r)
    end)
    local cancelled <const> = start(trace, "never")
    local other <const> = asyncio.create_task(asyncio.wait_writable, r)
    asyncio.sleep(0)
    cancelled:cancel()
    asyncio.wait { cancelled }
    called:await()
    other:cancel()
    assert.same({ "readable 0" }, trace:list())
  end)

  ait("is for both sides of one descriptor", function()
    local trace <const> = helper.trace()
    local reading <const> = start(trace, "readable", both)
    asyncio.wait_writable(both)
    trace "writable"
    both:write "x"
    reading:await()
    assert.same({ "writable", "readable 0" }, trace:list())
  end)

  ait("can be cancelled and timed out at each stage, and leaves nothing", function()
    helper.collect()
    local before <const> = streams.descriptors()
    local tasks <const> = {}
    for i = 1, 4 do
      tasks[i] = start(helper.trace(), "never")
      if i == 1 then
        tasks[i]:cancel() -- before it has begun
      end
    end
    asyncio.sleep(0)
    tasks[2]:cancel()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, asyncio.wait_readable, 0.001, r)
    w:write "x"
    while not tasks[3]:done() do -- woken, or about to run
      asyncio.sleep(0)
    end
    tasks[4]:cancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled() and tasks[2]:cancelled())
    assert.equal(before, streams.descriptors())
  end)

  ait("raises CancelledError in a task that is ready and cancelled in the same turn", function()
    local task <const> = start(helper.trace(), "never")
    local loop <const> = asyncio.get_running_loop()
    asyncio.sleep(0)
    loop:add_reader(r, function()
      task:cancel()
      loop:remove_reader(r)
    end)
    w:write "x"
    asyncio.wait { task }
    assert.is_true(task:cancelled())
  end)

  ait("raises OSError for what is not open", function()
    for _, name in ipairs { "wait_readable", "wait_writable" } do
      local err <const> = helper.raises(asyncio.OSError, asyncio[name], 9999)
      assert.equal("poll 9999: bad file descriptor (EBADF)", err.message)
      assert.equal("EBADF", err.code)
    end
    local file <const> = io.tmpfile()
    file:close()
    helper.raises("closed file", asyncio.wait_readable, file)
    helper.raises("bad argument #1", asyncio.wait_readable, -1)
  end)

  ait("raises OSError for a file on a disk", function()
    local file <close> = io.tmpfile()
    local err <const> = helper.raises(asyncio.OSError, asyncio.wait_readable, file)
    assert.equal("EPERM", err.code)
  end)

  ait("raises RuntimeError for a stream of asyncio", function()
    local reader, writer <close> = asyncio.pipe()
    local fd <const> = reader:get_extra_info "fd"
    helper.raises("belongs to a stream", asyncio.wait_readable, fd)
    helper.raises("file descriptor expected", asyncio.wait_readable, reader)
    assert.is_truthy(writer)
    reader:close()
  end)

  ait("ends with an error when the descriptor was closed, and its number is used again", function()
    local task <const> = asyncio.create_task(asyncio.wait_readable, r)
    asyncio.sleep(0)
    local old <const> = { r, w, both }
    r:close()
    r, w, both = fifo.pipe() -- the number is one of these
    for _, file in ipairs { r, w, both } do
      pcall(asyncio.wait_for, asyncio.wait_readable, 0.001, file)
    end
    old[2]:close()
    old[3]:close()
    assert.equal("EBADF", task:exception().code)
  end)

  ait("ends with an error when it is told that the descriptor is to be closed", function()
    local loop <const> = asyncio.get_running_loop()
    local a <const> = asyncio.create_task(asyncio.wait_readable, r)
    local b <const> = asyncio.create_task(asyncio.wait_readable, r)
    asyncio.sleep(0)
    loop:add_reader(r, error, "never")
    asyncio.notify_closing(r)
    r:close()
    asyncio.wait { a, b }
    for _, task in ipairs { a, b } do
      assert.equal("EBADF", task:exception().code)
    end
    assert.is_false(loop:remove_reader(w))
    asyncio.notify_closing(w)
    helper.raises("closed file", asyncio.notify_closing, r)
  end)

  it("leaves nothing when the loop closes while tasks wait", function()
    local before
    for _ = 1, 3 do
      local loop <const> = asyncio.new_event_loop()
      loop:run_until_complete(function()
        asyncio.create_task(asyncio.wait_readable, r)
        asyncio.create_task(asyncio.wait_writable, both)
        asyncio.sleep(0.001)
      end)
      loop:close()
      helper.collect()
      before = before or streams.descriptors()
      assert.equal(before, streams.descriptors())
    end
  end)

  it("is for tasks, and for a running loop", function()
    helper.raises("must be called in a task", asyncio.wait_readable, r)
    helper.raises("must be called in a task", asyncio.wait_writable, w)
    helper.raises("must be called while an event loop runs", asyncio.notify_closing, r)
  end)

  it("shows what a task waits for", function()
    asyncio.run(function()
      local task <const> = asyncio.create_task(asyncio.wait_readable, r)
      asyncio.sleep(0)
      assert.matches("wait_readable", tostring(task))
      task:cancel()
    end)
  end)
end)
