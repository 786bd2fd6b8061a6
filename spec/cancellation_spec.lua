local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

-- A task that has come to its first wait.
local function started(fn, ...)
  local task = asyncio.create_task(fn, ...)
  asyncio.sleep(0)
  return task
end

local function is_cancellation(err)
  return asyncio.isinstance(err, asyncio.CancelledError)
end

describe("cancelling a task", function()
  ait("raises CancelledError where it waits, a turn later", function()
    local t = helper.trace()
    local task = started(function()
      local ok, err = pcall(asyncio.sleep, 3600)
      t(ok, is_cancellation(err))
      error(err)
    end)
    assert.is_true(task:cancel())
    assert.is_false(task:done())
    assert.same({}, t:list())
    asyncio.sleep(0)
    assert.same({ "false true" }, t:list())
    assert.is_true(task:done())
    assert.is_true(task:cancelled())
    helper.raises(asyncio.CancelledError, task.result, task)
    helper.raises(asyncio.CancelledError, task.exception, task)
    helper.raises(asyncio.CancelledError, task.await, task)
  end)

  ait("that has not started keeps it from ever running", function()
    local ran = false
    local task = asyncio.create_task(function() ran = true end)
    assert.is_true(task:cancel())
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_false(ran)
    assert.is_true(task:cancelled())
  end)

  ait("that is done does nothing", function()
    local task = asyncio.create_task(function() return 1 end)
    task:await()
    assert.is_false(task:cancel())
    assert.is_false(task:cancelled())
    assert.equal(0, task:cancelling())
    assert.equal(1, task:result())
  end)

  ait("that runs comes at its next await", function()
    local t = helper.trace()
    local task
    task = asyncio.create_task(function()
      task:cancel()
      t "still here"
      local ok, err = pcall(asyncio.sleep, 0)
      t(ok, is_cancellation(err))
      asyncio.sleep(0)
      t "went on"
      return 3
    end)
    assert.equal(3, task:await())
    assert.same({ "still here", "false true", "went on" }, t:list())
    assert.equal(1, task:cancelling())
  end)

  ait("that runs and never waits again has no effect", function()
    local task
    task = asyncio.create_task(function()
      task:cancel()
      return "done"
    end)
    assert.equal("done", task:await())
    assert.is_false(task:cancelled())
  end)

  ait("can be answered by a return, or by another error", function()
    local returns = started(function()
      pcall(asyncio.sleep, 3600)
      return "fine"
    end)
    local fails = started(function()
      pcall(asyncio.sleep, 3600)
      error("failed", 0)
    end)
    returns:cancel()
    fails:cancel()
    asyncio.wait { returns, fails }
    assert.equal("fine", returns:result())
    assert.is_false(returns:cancelled())
    assert.equal("failed", fails:exception())
    assert.is_false(fails:cancelled())
  end)

  ait("comes in the order of the calls", function()
    local t = helper.trace()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = started(function()
        pcall(asyncio.sleep, 3600)
        t(i)
      end)
    end
    tasks[3]:cancel()
    tasks[1]:cancel()
    tasks[2]:cancel()
    asyncio.wait(tasks)
    assert.same({ 3, 1, 2 }, t:list())
  end)

  ait("wins over a result that came in the same turn", function()
    local future = asyncio.Future()
    local task = started(function() return future:await() end)
    future:set_result "too late"
    assert.is_true(task:cancel())
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("too late", future:result())
  end)

  ait("is what a task does that raises CancelledError itself", function()
    local task = asyncio.create_task(function()
      error(asyncio.CancelledError "by hand")
    end)
    local err = helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("by hand", err.message)
    assert.is_true(task:cancelled())
    assert.equal(0, task:cancelling())
  end)

  ait("runs its <close> variables from the inside out", function()
    local t = helper.trace()
    local function closing(name)
      return setmetatable({}, { __close = function(_, err)
        asyncio.sleep(0)
        t(name, is_cancellation(err))
      end })
    end
    local task = started(function()
      local _ <close> = closing "outer"
      local _ <close> = closing "inner"
      asyncio.sleep(3600)
    end)
    task:cancel()
    asyncio.wait { task }
    assert.same({ "inner true", "outer true" }, t:list())
  end)
end)

describe("a cancellation's message", function()
  ait("reaches the task and those who await it", function()
    local inside
    local task = started(function()
      local _, err = pcall(asyncio.sleep, 3600)
      inside = err.message
      error(err)
    end)
    task:cancel "reason"
    assert.equal("reason", helper.catch(task.await, task).message)
    assert.equal("reason", inside)
  end)

  ait("may be any value, and none is nil", function()
    local value = {}
    local with, without = started(asyncio.sleep, 3600), started(asyncio.sleep, 3600)
    with:cancel(value)
    without:cancel()
    asyncio.wait { with, without }
    assert.equal(value, helper.catch(with.result, with).message)
    assert.is_nil(helper.catch(without.result, without).message)
  end)

  ait("reaches through what the task awaits", function()
    local inner = asyncio.create_task(asyncio.sleep, 3600)
    local outer = started(function() inner:await() end)
    outer:cancel "all the way"
    assert.equal("all the way", helper.catch(outer.await, outer).message)
    assert.is_true(inner:cancelled())
    assert.equal("all the way", helper.catch(inner.await, inner).message)
  end)

  ait("reaches the innermost task, also one that goes on", function()
    local seen
    local inner = started(function()
      local _, err = pcall(asyncio.sleep, 3600)
      seen = err.message
      return "went on"
    end)
    local middle = started(inner.await, inner)
    local outer = started(middle.await, middle)
    outer:cancel "down"
    assert.equal("went on", outer:await())
    assert.equal("down", seen)
  end)

  ait("goes round a ring of tasks once", function()
    local first, second
    first = asyncio.create_task(function() second:await() end)
    second = asyncio.create_task(function()
      asyncio.sleep(0)
      pcall(first.await, first)
    end)
    asyncio.sleep(0)
    asyncio.sleep(0)
    first:cancel "round"
    assert.equal("round", helper.catch(first.await, first).message)
  end)

  ait("without a message has none, whatever the one before had", function()
    local t = helper.trace()
    local task = started(function()
      for _ = 1, 3 do
        local _, err = pcall(asyncio.sleep, 1000)
        t(tostring(err.message))
      end
    end)
    task:cancel "first"
    asyncio.sleep(0)
    task:cancel()
    asyncio.sleep(0)
    task:cancel "second"
    task:cancel()
    task:await()
    assert.same({ "first", "nil", "nil" }, t:list())
  end)

  ait("is not lost when what it awaits cannot be cancelled any more", function()
    local nest = { asyncio.Future() }
    for i = 1, 100 do
      nest[i + 1] = asyncio.gather(nest[i])
    end
    local task = started(function() nest[66]:await() end)
    nest[1]:set_result() -- the loop completes the 65th gather
    assert.is_false(nest[66]:done())
    assert.is_false(nest[66]:cancel())
    assert.is_true(task:cancel())
    helper.raises(asyncio.CancelledError, task.await, task)
    local late = asyncio.create_task(function()
      asyncio.current_task():cancel()
      asyncio.shield(asyncio.sleep, 0):await()
    end)
    helper.raises(asyncio.CancelledError, late.await, late)
  end)

  ait("counts as often as it is asked for", function()
    local task = started(function() asyncio.sleep(1000) end)
    for _ = 1, 70000 do
      task:cancel()
    end
    assert.equal(70000, task:cancelling())
    helper.raises(asyncio.CancelledError, task.await, task)
  end)

  ait("before the start is not lost", function()
    local task = asyncio.create_task(asyncio.sleep, 0)
    task:cancel "early"
    assert.equal("early", helper.catch(task.await, task).message)
  end)
end)

describe("cancelling a task that awaits", function()
  ait("a future cancels the future", function()
    local future = asyncio.Future()
    local task = started(function() future:await() end)
    task:cancel()
    assert.is_true(future:cancelled())
    assert.is_false(task:done())
    asyncio.wait { task }
    assert.is_true(task:cancelled())
  end)

  ait("a task cancels that one, and waits for its end", function()
    local t = helper.trace()
    local inner = asyncio.create_task(function()
      pcall(asyncio.sleep, 3600)
      asyncio.sleep(0.001)
      t "inner ends"
      return "kept"
    end)
    local outer = started(function()
      local value = inner:await()
      t("outer goes on", value)
    end)
    asyncio.sleep(0)
    outer:cancel()
    outer:await()
    assert.same({ "inner ends", "outer goes on kept" }, t:list())
    assert.is_false(outer:cancelled())
    assert.equal(1, outer:cancelling())
    assert.equal(1, inner:cancelling())
  end)

  ait("a chain reaches its far end", function()
    local task = asyncio.create_task(asyncio.sleep, 3600)
    local chain = { task }
    for i = 1, 200 do
      local previous <const> = task
      task = asyncio.create_task(function() previous:await() end)
      chain[i + 1] = task
    end
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait(chain)
    for _, link in ipairs(chain) do
      assert.is_true(link:cancelled())
    end
  end)

  ait("what others await, too, cancels them all", function()
    local future = asyncio.Future()
    local one = started(function() future:await() end)
    local other = started(function() future:await() end)
    one:cancel()
    asyncio.wait { one, other }
    assert.is_true(one:cancelled())
    assert.is_true(other:cancelled())
    assert.equal(0, other:cancelling())
  end)

  ait("in a ring breaks the ring", function()
    local tasks = {}
    for i = 1, 40 do
      tasks[i] = asyncio.create_task(function() tasks[i % 40 + 1]:await() end)
    end
    asyncio.sleep(0)
    tasks[7]:cancel()
    asyncio.wait(tasks)
    for _, task in ipairs(tasks) do
      assert.is_true(task:cancelled())
    end
  end)
end)

describe("counting cancellations", function()
  ait("taken back does not make a wait that it has ended look as if it were over", function()
    local future = asyncio.Future()
    for text, fn in pairs {
      sleep = function() asyncio.sleep(1000) end,
      wait = function() asyncio.wait { future } end,
      future = function() asyncio.Future():await() end,
      wait_for = function() asyncio.wait_for(asyncio.Future(), 1000) end,
    } do
      local task = asyncio.create_task(fn)
      asyncio.sleep(0)
      task:cancel()
      task:uncancel()
      asyncio.wait { task }
      assert.is_true(task:cancelled(), text)
    end
    local lazy = asyncio.create_task(asyncio.sleep, 0)
    asyncio.sleep(0) -- it is to run next, and nothing has been interrupted
    lazy:cancel()
    lazy:uncancel()
    lazy:await()
    assert.is_false(lazy:cancelled())
  end)

  ait("goes up with cancel and down with uncancel", function()
    local task = started(function()
      pcall(asyncio.sleep, 3600)
      asyncio.sleep(0.005)
      return "end"
    end)
    assert.equal(0, task:cancelling())
    assert.equal(0, task:uncancel())
    task:cancel()
    assert.equal(1, task:cancelling())
    asyncio.sleep(0)
    assert.equal(1, task:cancelling())
    assert.equal(0, task:uncancel())
    assert.equal(0, task:uncancel())
    assert.equal("end", task:await())
  end)

  ait("counts each call, but raises once for those of one wait", function()
    local raised = 0
    local task = started(function()
      if not pcall(asyncio.sleep, 3600) then
        raised = raised + 1
      end
      if not pcall(asyncio.sleep, 0) then
        raised = raised + 1
      end
    end)
    assert.is_true(task:cancel())
    assert.is_true(task:cancel())
    assert.equal(2, task:cancelling())
    task:await()
    assert.equal(1, raised)
  end)

  ait("takes back a cancellation that was not delivered yet", function()
    local task
    task = asyncio.create_task(function()
      task:cancel()
      assert(task:uncancel() == 0)
      return asyncio.sleep(0, "undisturbed")
    end)
    assert.equal("undisturbed", task:await())
  end)

  ait("keeps it while one of two is taken back", function()
    local task
    task = asyncio.create_task(function()
      task:cancel()
      task:cancel()
      assert(task:uncancel() == 1)
      asyncio.sleep(0)
    end)
    helper.raises(asyncio.CancelledError, task.await, task)
  end)

  -- What is done in the task, which waits then.
  local waits <const> = {
    sleep = function() asyncio.sleep(3600) end,
    wait = function() asyncio.wait { asyncio.Future() } end,
    as_completed = function()
      for _ in asyncio.as_completed { asyncio.Future() } do end
    end,
    ["a future"] = function() asyncio.Future():await() end,
    ["a task group"] = function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(asyncio.sleep, 3600)
    end,
    ["a queue's get"] = function() asyncio.Queue():get() end,
    ["a queue's put"] = function()
      local queue = asyncio.Queue(1)
      queue:put(1)
      queue:put(2)
    end,
  }

  for name, fn in pairs(waits) do
    ait("cannot take back that it has ended the wait of " .. name, function()
      local task = started(fn)
      task:cancel()
      assert.equal(0, task:uncancel())
      helper.raises(asyncio.CancelledError, task.await, task)
      assert.equal(0, task:cancelling())
    end)
  end

  ait("cannot take back that it has prevented a wait", function()
    local task
    task = started(function()
      task = asyncio.current_task()
      task:cancel()
      asyncio.sleep(3600)
    end)
    assert.equal(0, task:uncancel())
    helper.raises(asyncio.CancelledError, task.await, task)
  end)

  ait("takes back one that came after the wake-up", function()
    local future = asyncio.Future()
    local task = started(function() return future:await() end)
    future:set_result "in time"
    task:cancel()
    assert.equal(0, task:uncancel())
    assert.equal("in time", task:await())
  end)

  ait("delivers each of two that come one after the other", function()
    local raised = 0
    local task = started(function()
      for _ = 1, 2 do
        local _, err = pcall(asyncio.sleep, 3600)
        raised = raised + (is_cancellation(err) and 1 or 0)
      end
    end)
    task:cancel()
    asyncio.sleep(0)
    task:cancel()
    task:await()
    assert.equal(2, raised)
    assert.equal(2, task:cancelling())
  end)
end)

describe("a stale wake-up", function()
  ait("never reaches a later wait", function()
    local first, second = asyncio.Future(), asyncio.Future()
    local t = helper.trace()
    local task = started(function()
      t(pcall(asyncio.wait_for, asyncio.shield(first), 3600))
      t(second:await())
    end)
    task:cancel()
    asyncio.sleep(0)
    first:set_result "first"
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.is_false(task:done())
    second:set_result "second"
    task:await()
    assert.equal("second", t:list()[2])
  end)

  ait("of a sleep that was cancelled does not come", function()
    local task = started(function()
      pcall(asyncio.sleep, 0.002)
      return asyncio.sleep(0.02, asyncio.get_running_loop():time())
    end)
    task:cancel()
    local start = task:await()
    assert.is_true(asyncio.get_running_loop():time() - start >= 0.02)
  end)
end)
