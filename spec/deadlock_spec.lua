local asyncio = require "asyncio"
local helper = require "spec.helper"

local function deadlock(fn)
  return helper.raises(asyncio.DeadlockError, asyncio.run, fn)
end

-- The line of the error for the task of that name, without the place.
local function line_of(err, name)
  local line <const> = err.message:match("\n  (" .. name .. " [^\n]*)")
  return (line:gsub(" at .*", ""))
end

describe("a deadlock over a lock", function()
  it("says who holds it", function()
    local err = deadlock(function()
      local lock <const> = asyncio.Lock()
      asyncio.create_task(function()
        local _ <close> = lock:acquire()
        asyncio.Future():await()
      end):set_name "holder"
      asyncio.sleep(0)
      asyncio.current_task():set_name "waiter"
      lock:acquire()
    end)
    local expected <const> = "waiter waits for <Lock [locked, waiters:1]> held by <Task 'holder'>"
    assert.equal(expected, line_of(err, "waiter"))
  end)

  it("says to whom it was handed", function()
    local err = deadlock(function()
      local lock <const> = asyncio.Lock()
      lock:acquire()
      local function hold()
        lock:acquire()
        asyncio.Future():await()
      end
      asyncio.create_task(hold):set_name "second"
      asyncio.create_task(hold):set_name "third"
      asyncio.sleep(0)
      lock:release()
      asyncio.create_task(lock.acquire, lock):set_name "fourth"
      asyncio.Future():await()
    end)
    assert.matches("held by <Task 'second'>$", line_of(err, "third"))
    assert.matches("held by <Task 'second'>$", line_of(err, "fourth"))
  end)

  it("says that its holder waits itself, or has ended", function()
    local err = deadlock(function()
      local lock <const>, other <const> = asyncio.Lock(), asyncio.Lock()
      asyncio.create_task(function()
        lock:acquire()
      end):await()
      collectgarbage()
      asyncio.create_task(function()
        other:acquire()
        other:acquire()
      end):set_name "again"
      asyncio.current_task():set_name "main"
      lock:acquire()
    end)
    assert.matches("waiters:1%]> held by a task that has ended$", line_of(err, "main"))
    assert.matches("waiters:1%]> held by itself$", line_of(err, "again"))
  end)

  it("says so of a condition's", function()
    local err = deadlock(function()
      local condition <const> = asyncio.Condition()
      asyncio.create_task(function()
        condition:acquire()
        condition:wait()
      end):set_name "relocks"
      asyncio.sleep(0)
      asyncio.current_task():set_name "main"
      local _ <close> = condition:acquire()
      asyncio.create_task(condition.acquire, condition):set_name "acquires"
      asyncio.sleep(0)
      condition:notify()
      asyncio.Future():await()
    end)
    assert.matches("held by <Task 'main'>$", line_of(err, "relocks"))
    assert.matches("held by <Task 'main'>$", line_of(err, "acquires"))
  end)

  it("knows an eager task", function()
    local err = deadlock(function()
      local lock <const> = asyncio.Lock()
      local function hold()
        lock:acquire()
        asyncio.Future():await()
      end
      asyncio.Task(asyncio.async(hold)(), { eager_start = true, name = "eager" })
      asyncio.current_task():set_name "main"
      lock:acquire()
    end)
    assert.matches("held by <Task 'eager'>$", line_of(err, "main"))
  end)
end)

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
