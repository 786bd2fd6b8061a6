local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("timeout", function()
  ait("turns its own cancellation into a TimeoutError", function()
    local scope
    local err = helper.raises(asyncio.TimeoutError, function()
      scope = asyncio.timeout(0.001)
      local _ <close> = scope
      asyncio.sleep(1000)
    end)
    assert.is_string(err.message)
    assert.is_true(scope:expired())
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0) -- nothing is left of it
  end)

  ait("does nothing when the body is in time", function()
    local scope = asyncio.timeout(1000)
    do
      local _ <close> = scope
      asyncio.sleep(0)
      assert.is_false(scope:expired())
    end
    assert.is_false(scope:expired())
  end)

  ait("of nil has no deadline", function()
    local scope <close> = asyncio.timeout(nil)
    assert.is_nil(scope:when())
    asyncio.sleep(0)
  end)

  ait("that has passed takes effect at the next await", function()
    local reached, awaited = false, false
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(-1)
      reached = true
      asyncio.sleep(0)
      awaited = true
    end)
    assert.is_true(reached)
    assert.is_false(awaited)
  end)

  ait("knows its deadline, which can be moved", function()
    local loop = asyncio.get_running_loop()
    local scope <close> = asyncio.timeout(0.001)
    local when = scope:when()
    assert.is_true(math.abs(when - loop:time()) < 1)
    scope:reschedule(loop:time() + 1000)
    assert.is_true(scope:when() > when)
    asyncio.sleep(0.003)
    scope:reschedule(nil)
    assert.is_nil(scope:when())
    helper.raises("bad argument #1 to 'reschedule'", function()
      scope:reschedule "later"
    end)
  end)

  ait("can be moved to now", function()
    helper.raises(asyncio.TimeoutError, function()
      local scope <close> = asyncio.timeout(1000)
      scope:reschedule(asyncio.get_running_loop():time())
      asyncio.sleep(1000)
    end)
  end)

  ait("cannot be moved once it is over", function()
    local scope = asyncio.timeout(1000)
    do
      local _ <close> = scope
    end
    helper.raises(asyncio.RuntimeError, scope.reschedule, scope, 0)
    local expired
    pcall(function()
      expired = asyncio.timeout(0)
      local _ <close> = expired
      asyncio.sleep(1)
    end)
    helper.raises(asyncio.RuntimeError, expired.reschedule, expired, 0)
  end)

  ait("at an absolute time is timeout_at", function()
    local loop = asyncio.get_running_loop()
    local when = loop:time() + 0.001
    helper.raises(asyncio.TimeoutError, function()
      local scope <close> = asyncio.timeout_at(when)
      assert.is_true(math.abs(scope:when() - when) < 1e-6)
      asyncio.sleep(1000)
    end)
    assert.is_true(loop:time() >= when)
  end)

  ait("lets other errors pass", function()
    local err = {}
    assert.equal(err, helper.catch(function()
      local _ <close> = asyncio.timeout(1000)
      error(err)
    end))
    -- also after it expired
    assert.equal(err, helper.catch(function()
      local _ <close> = asyncio.timeout(0.001)
      pcall(asyncio.sleep, 1000)
      error(err)
    end))
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("lets a body that caught its cancellation return", function()
    local scope = asyncio.timeout(0.001)
    do
      local _ <close> = scope
      assert.is_false(pcall(asyncio.sleep, 1000))
    end
    assert.is_true(scope:expired())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("lets a cancellation from outside pass", function()
    local scope
    local task = asyncio.create_task(function()
      scope = asyncio.timeout(1000)
      local _ <close> = scope
      asyncio.sleep(1000)
    end)
    asyncio.sleep(0)
    task:cancel "stop"
    local err = helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("stop", err.message)
    assert.is_false(scope:expired())
  end)

  ait("stays cancelled when both meet", function()
    local task
    task = asyncio.create_task(function()
      local _ <close> = asyncio.timeout(0)
      task:cancel()
      asyncio.sleep(1000)
    end)
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_true(task:cancelled())
  end)

  ait("can be nested: the outer one is due first", function()
    local inner, outer
    helper.raises(asyncio.TimeoutError, function()
      outer = asyncio.timeout(0.001)
      local _ <close> = outer
      helper.raises(asyncio.CancelledError, function()
        inner = asyncio.timeout(1000)
        local _ <close> = inner
        asyncio.sleep(1000)
      end)
      asyncio.sleep(0) -- what was caught is over; the exit still raises nothing
      error(asyncio.CancelledError())
    end)
    assert.is_true(outer:expired())
    assert.is_false(inner:expired())
  end)

  ait("can be nested: the inner one is due first", function()
    local outer <close> = asyncio.timeout(1000)
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      asyncio.sleep(1000)
    end)
    assert.is_false(outer:expired())
    asyncio.sleep(0)
  end)

  ait("may run its cleanup as long as it takes", function()
    local cleaned = false
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      local _ <close> = setmetatable({}, {
        __close = function()
          asyncio.sleep(0.002)
          cleaned = true
        end,
      })
      asyncio.sleep(1000)
    end)
    assert.is_true(cleaned)
  end)

  ait("prints its state", function()
    local scope = asyncio.timeout(1000)
    assert.matches("active", tostring(scope))
    do
      local _ <close> = scope
    end
    assert.matches("finished", tostring(scope))
    assert.is_true(asyncio.isinstance(scope, asyncio.Timeout))
  end)

  it("that its task does not leave is reported in debug mode", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      local function late()
        asyncio.timeout(0.001)
        asyncio.sleep(1000)
      end
      local function early()
        asyncio.timeout_at(math.huge)
        local _ <close> = asyncio.timeout(1000)
      end
      local function main()
        print(pcall(asyncio.Task.await, asyncio.create_task(late)))
        asyncio.create_task(early):await()
        asyncio.create_task(early):cancel()
        asyncio.get_running_loop():set_debug(false)
        asyncio.create_task(early):await()
      end
      asyncio.run(asyncio.async(main)(), { debug = true })
    ]]
    local text = "asyncio: a timeout was never left: make it a 'local _ <close>' "
      .. "(created at script:%d)\n"
    assert.equal("false\tCancelledError\n", result.stdout)
    assert.equal(text:format(3) .. text:format(7), result.stderr)
  end)

  ait("refuses bad times", function()
    helper.raises("bad argument #1", asyncio.timeout, "x")
    helper.raises("bad argument #1", asyncio.timeout, 0 / 0)
    helper.raises("bad argument #1", asyncio.timeout_at, {})
  end)

  it("needs a task", function()
    helper.raises(asyncio.RuntimeError, asyncio.timeout, 1)
    helper.raises(asyncio.RuntimeError, asyncio.timeout_at, 1)
  end)
end)
