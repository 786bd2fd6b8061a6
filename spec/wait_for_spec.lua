local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local wait_for <const> = asyncio.wait_for

-- A task that ends its own way when it is cancelled.
local function stubborn(on_cancel)
  return asyncio.create_task(function()
    local ok, err = pcall(asyncio.sleep, 1000)
    return on_cancel(ok, err)
  end)
end

describe("wait_for", function()
  ait("returns the values of what ends in time", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(wait_for(function()
      return 1, nil, 3
    end, 10)))
    assert.equal("x", wait_for(asyncio.sleep, 10, 0, "x"))
    assert.equal("y", wait_for(asyncio.async(asyncio.sleep)(0, "y"), 10))
    assert.equal("z", wait_for(asyncio.create_task(asyncio.sleep, 0, "z"), 10))
    local future = asyncio.Future()
    future:set_result "f"
    assert.equal("f", wait_for(future, 10))
    assert.equal("f", wait_for(future, 0))
  end)

  ait("raises the errors of what fails in time", function()
    local err = {}
    assert.equal(err, helper.catch(wait_for, error, 10, err))
    assert.equal(err, helper.catch(wait_for, asyncio.create_task(error, err), 10))
  end)

  ait("without a timeout waits as long as it takes", function()
    assert.equal("x", wait_for(asyncio.sleep, nil, 0.001, "x"))
    assert.equal("y", wait_for(asyncio.create_task(asyncio.sleep, 0.001, "y"), nil))
    assert.equal("z", wait_for(asyncio.create_task(asyncio.sleep, 0.001, "z")))
  end)

  ait("cancels a task that is late and waits until it ended", function()
    local t = helper.trace()
    local task = stubborn(function(_, err)
      t(asyncio.isinstance(err, asyncio.CancelledError))
      asyncio.sleep(0.002)
      t "cleaned up"
      error(err)
    end)
    helper.raises(asyncio.TimeoutError, wait_for, task, 0.001)
    t "timed out"
    assert.same({ true, "cleaned up", "timed out" }, t:list())
    assert.is_true(task:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("runs a function in the current task", function()
    local current = asyncio.current_task()
    local t = helper.trace()
    helper.raises(asyncio.TimeoutError, wait_for, function()
      t(asyncio.current_task() == current)
      local _ <close> = setmetatable({}, {
        __close = function()
          asyncio.sleep(0)
          t "closed"
        end,
      })
      asyncio.sleep(1000)
    end, 0.001)
    assert.same({ true, "closed" }, t:list())
    assert.equal(0, current:cancelling())
  end)

  ait("gives a result that comes in spite of the cancellation", function()
    local task = stubborn(function()
      return "late"
    end)
    assert.equal("late", wait_for(task, 0.001))
  end)

  ait("raises an error that comes of the cancellation", function()
    local task = stubborn(function()
      error "failed"
    end)
    helper.raises("failed", wait_for, task, 0.001)
  end)

  ait("with no time cancels at once", function()
    local future = asyncio.Future()
    helper.raises(asyncio.TimeoutError, wait_for, future, 0)
    assert.is_true(future:cancelled())
    local task = asyncio.create_task(asyncio.sleep, 1000)
    asyncio.sleep(0)
    helper.raises(asyncio.TimeoutError, wait_for, task, -1)
    assert.is_true(task:cancelled())
    local called = false
    helper.raises(asyncio.TimeoutError, wait_for, function()
      called = true
    end, 0)
    assert.is_false(called)
  end)

  ait("lets an outer cancellation through", function()
    local inner = asyncio.create_task(asyncio.sleep, 1000)
    local outer = asyncio.create_task(wait_for, inner, 1000)
    asyncio.sleep(0)
    asyncio.sleep(0)
    outer:cancel "stop"
    local err = helper.raises(asyncio.CancelledError, outer.await, outer)
    assert.equal("stop", err.message)
    assert.is_true(inner:cancelled())
  end)

  ait("lets an outer cancellation through that comes with the end", function()
    local future = asyncio.Future()
    local outer = asyncio.create_task(wait_for, future, 1000)
    asyncio.sleep(0)
    future:set_result "done"
    outer:cancel()
    helper.raises(asyncio.CancelledError, outer.await, outer)
  end)

  ait("lets an outer cancellation through that came before, and the deadline after", function()
    local inner = stubborn(function()
      pcall(asyncio.sleep, 1000) -- until the deadline
      error(asyncio.CancelledError(), 0)
    end)
    asyncio.sleep(0)
    local outer = asyncio.create_task(function()
      asyncio.current_task():cancel "stop"
      wait_for(inner, 0.001)
    end)
    local err = helper.raises(asyncio.CancelledError, outer.await, outer)
    assert.equal("stop", err.message)
    assert.equal(1, outer:cancelling())
    assert.is_true(inner:done())
  end)

  ait("with no time lets an outer cancellation through while it waits", function()
    local inner = stubborn(function()
      pcall(asyncio.sleep, 1000)
      error(asyncio.CancelledError(), 0)
    end)
    asyncio.sleep(0)
    local outer = asyncio.create_task(wait_for, inner, 0)
    asyncio.sleep(0)
    asyncio.sleep(0)
    outer:cancel "stop"
    local err = helper.raises(asyncio.CancelledError, outer.await, outer)
    assert.equal("stop", err.message)
    assert.is_false(inner:done())
    inner:cancel()
  end)

  ait("leaves a shielded task running", function()
    local future = asyncio.Future()
    local task = asyncio.create_task(function() return future:await() end)
    helper.raises(asyncio.TimeoutError, wait_for, asyncio.shield(task), 0.001)
    assert.is_false(task:done())
    future:set_result "done"
    assert.equal("done", task:await())
  end)

  ait("can be nested; the inner one that is due first wins", function()
    assert.equal("inner", wait_for(function()
      helper.raises(asyncio.TimeoutError, wait_for, asyncio.sleep, 0.001, 1000)
      return "inner"
    end, 1000))
    helper.raises(asyncio.TimeoutError, wait_for, function()
      wait_for(asyncio.sleep, 1000, 1000)
    end, 0.001)
  end)

  ait("ends its own deadline, not that of a timeout nobody closed", function()
    assert.equal("done", wait_for(function()
      asyncio.timeout(1000)
      return "done"
    end, 0.001))
    asyncio.sleep(0.003)
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("tells a cancelled future from a timeout", function()
    local future = asyncio.Future()
    asyncio.get_running_loop():call_soon(future.cancel, future, "away")
    local err = helper.raises(asyncio.CancelledError, wait_for, future, 1000)
    assert.equal("away", err.message)
  end)

  ait("refuses bad arguments", function()
    helper.raises("bad argument #1", wait_for, nil, 1)
    helper.raises("bad argument #1", wait_for, 5, 1)
    helper.raises("bad argument #2", wait_for, asyncio.sleep, "soon")
    helper.raises("bad argument #2", wait_for, asyncio.sleep, 0 / 0)
    helper.raises(asyncio.RuntimeError, wait_for, asyncio.current_task(), 1)
  end)

  it("needs a task", function()
    helper.raises(asyncio.RuntimeError, wait_for, asyncio.sleep, 1, 0)
  end)
end)
