local asyncio = require "asyncio"
local helper = require "spec.helper"

local function deadlock(fn)
  return helper.raises(asyncio.DeadlockError, asyncio.run, fn)
end

describe("a deadlock", function()
  it("is an error when nothing can wake the main task", function()
    local err = deadlock(function()
      asyncio.current_task():set_name "the main one"
      asyncio.Future():await()
    end)
    assert.matches("the main one", err.message, 1, true)
    assert.matches("deadlock_spec.lua", err.message, 1, true)
  end)

  it("names all tasks that wait", function()
    local err = deadlock(function()
      local future = asyncio.Future()
      local a = asyncio.create_task(function() future:await() end):set_name "worker a"
      local b = asyncio.create_task(function() a:await() end):set_name "worker b"
      b:await()
    end)
    assert.matches("worker a", err.message, 1, true)
    assert.matches("worker b", err.message, 1, true)
  end)

  it("is found for a ring of tasks", function()
    local err = deadlock(function()
      local tasks = {}
      for i = 1, 30 do
        tasks[i] = asyncio.create_task(function() tasks[i % 30 + 1]:await() end)
      end
      tasks[1]:await()
    end)
    assert.is_true(asyncio.isinstance(err, asyncio.Error))
  end)

  it("is an error at once for a short ring", function()
    asyncio.run(function()
      local a, b
      a = asyncio.create_task(function() b:await() end)
      b = asyncio.create_task(function() a:await() end)
      helper.raises(asyncio.RuntimeError, a.await, a)
    end)
  end)

  it("ends the main task, whose scopes close", function()
    local t = helper.trace()
    deadlock(function()
      local _ <close> = setmetatable({}, { __close = function() t "closed" end })
      asyncio.Future():await()
    end)
    assert.same({ "closed" }, t:list())
  end)

  it("ends the other tasks, too", function()
    local other
    deadlock(function()
      local future = asyncio.Future()
      other = asyncio.create_task(function() future:await() end)
      asyncio.Future():await()
    end)
    assert.is_true(other:cancelled())
  end)

  it("leaves the loop usable", function()
    local loop = asyncio.new_event_loop()
    local future = loop:create_future()
    helper.raises(asyncio.DeadlockError, loop.run_until_complete, loop, future)
    assert.is_false(loop:is_running())
    assert.equal("fine", loop:run_until_complete(asyncio.sleep, 0.001, "fine"))
    loop:call_later(0.001, future.set_result, future, "set")
    assert.equal("set", loop:run_until_complete(future))
    loop:close()
  end)

  it("is none while a timer, a callback or another task is left", function()
    asyncio.run(function()
      local loop = asyncio.get_running_loop()
      local later, soon, task = asyncio.Future(), asyncio.Future(), asyncio.Future()
      loop:call_later(0.002, later.set_result, later)
      later:await()
      loop:call_soon(soon.set_result, soon)
      soon:await()
      asyncio.create_task(function()
        asyncio.sleep(0.002)
        task:set_result()
      end)
      task:await()
    end)
  end)

  it("is one again once the last timer is cancelled", function()
    deadlock(function()
      local loop, future = asyncio.get_running_loop(), asyncio.Future()
      local handle = loop:call_later(3600, future.set_result, future)
      loop:call_soon(handle.cancel, handle)
      future:await()
    end)
  end)

  it("is none under a timeout", function()
    asyncio.run(function()
      helper.raises(asyncio.TimeoutError, asyncio.wait_for, asyncio.Future(), 0.002)
    end)
  end)
end)
