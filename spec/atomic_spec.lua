local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local atomic <const> = asyncio.atomic

-- The error of an await, made by fn, in atomic.
local function refused(fn, ...)
  local err = helper.raises(asyncio.RuntimeError, atomic, fn, ...)
  assert.matches("asyncio.atomic", err.message, 1, true)
end

describe("atomic", function()
  ait("returns what the function returns", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(atomic(function(...)
      return ...
    end, 1, nil, 3)))
    assert.equal(0, select("#", atomic(function() end)))
  end)

  ait("refuses every call that suspends, and await in any case", function()
    local done = asyncio.Future()
    done:set_result(1)
    refused(asyncio.sleep, 0)
    refused(asyncio.await, asyncio.Future())
    refused(done.await, done)
    refused(asyncio.wait_for, done, 1)
    refused(asyncio.wait, { asyncio.Future() })
    refused(asyncio.await, function() end)
    refused(asyncio.from_callback, print)
    refused(function()
      asyncio.coroutine.wrap(asyncio.sleep)(0)
    end)
    refused(function()
      for _ in asyncio.generator(function() asyncio.sleep(0) end) do end
    end)
  end)

  ait("leaves the task as it was", function()
    assert.equal(1, asyncio.sleep(0, 1))
    atomic(function() end)
    assert.equal(1, asyncio.sleep(0, 1))
    pcall(atomic, error)
    assert.equal(1, asyncio.sleep(0, 1))
    atomic(pcall, asyncio.sleep, 0)
    assert.equal(1, asyncio.sleep(0, 1))
  end)

  ait("raises the function's error, with its traceback", function()
    local object = {}
    assert.equal(object, helper.catch(atomic, error, object))
    assert.equal("text", helper.catch(atomic, error, "text"))
    local task = asyncio.create_task(function()
      atomic(function()
        local function named()
          error "oops"
        end
        named()
      end)
    end)
    asyncio.wait { task }
    assert.matches("oops", task:exception())
    assert.matches("in local 'named'", task:traceback())
  end)

  ait("may be nested, and allows no await until the outermost ends", function()
    atomic(function()
      atomic(function() end)
      helper.raises("asyncio.atomic", asyncio.sleep, 0)
      pcall(atomic, error)
      helper.raises("asyncio.atomic", asyncio.sleep, 0)
    end)
    asyncio.sleep(0)
  end)

  ait("lets everything happen that does not switch", function()
    local t = helper.trace()
    local task, future = atomic(function()
      local future = asyncio.Future()
      local task = asyncio.create_task(function()
        t "task"
        return future:await()
      end)
      asyncio.get_running_loop():call_soon(t, "callback")
      future:set_result(1)
      local iterate = asyncio.coroutine.wrap(function()
        asyncio.coroutine.yield(2)
      end)
      t(iterate())
      for i in asyncio.generator(function(yield) yield(3) end) do
        t(i)
      end
      return task, future
    end)
    t "after"
    assert.equal(1, task:await())
    assert.equal(1, future:result())
    assert.same({ 2, 3, "after", "task", "callback" }, t:list())
  end)

  ait("does not keep an eager task from waiting", function()
    local task = atomic(function()
      return asyncio.create_task(asyncio.async(asyncio.sleep)(0, 1), { eager_start = true })
    end)
    assert.equal(1, task:await())
  end)

  ait("cannot be left by a coroutine's yield", function()
    local c = asyncio.coroutine.create(function()
      atomic(asyncio.coroutine.yield, 1)
    end)
    local ok, err = asyncio.coroutine.resume(c)
    assert.is_false(ok)
    assert.matches("yield across a C%-call boundary", err)
    asyncio.sleep(0)
  end)

  ait("lets a cancellation come at the next await after it", function()
    local task = asyncio.create_task(function()
      asyncio.sleep(0)
      atomic(function()
        asyncio.current_task():cancel()
      end)
      return asyncio.sleep(0)
    end)
    asyncio.wait { task }
    assert.is_true(task:cancelled())
  end)

  it("works outside of tasks", function()
    assert.equal(1, atomic(function() return 1 end))
    helper.raises("must be called in a task", atomic, asyncio.sleep, 0)
    assert.equal("text", helper.catch(atomic, error, "text"))
    helper.raises("bad argument #1 to '[%w.]*atomic'", asyncio.atomic)
  end)
end)
