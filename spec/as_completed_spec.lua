local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local as_completed <const> = asyncio.as_completed

local function after(delay, ...)
  asyncio.sleep(delay)
  return ...
end

local function sleeper(delay, ...)
  return asyncio.create_task(after, delay, ...)
end

describe("as_completed", function()
  ait("gives tasks as they end", function()
    local a, b, c = sleeper(0.08, "a"), sleeper(0.01, "b"), sleeper(0.04, "c")
    local order = {}
    for task in as_completed { a, b, c } do
      assert.is_true(task:done())
      order[#order + 1] = task
    end
    assert.same({ b, c, a }, order)
  end)

  ait("starts what is no future yet, at the call", function()
    local t = helper.trace()
    local iterator = as_completed {
      function()
        t "started"
        return 1
      end,
      asyncio.async(after)(0.001, 2),
    }
    asyncio.sleep(0)
    assert.same({ "started" }, t:list())
    local results = {}
    for task in iterator do
      assert.is_true(asyncio.isinstance(task, asyncio.Task))
      results[#results + 1] = task:result()
    end
    assert.same({ 1, 2 }, results)
  end)

  ait("gives failed and cancelled ones, too", function()
    local failed, cancelled = asyncio.create_task(error, "no"), sleeper(1000)
    cancelled:cancel()
    local seen = {}
    for task in as_completed { failed, cancelled } do
      seen[task] = pcall(task.result, task)
    end
    assert.same({ [failed] = false, [cancelled] = false }, seen)
  end)

  ait("gives those that are done in the order of the list, at once", function()
    local a, b = asyncio.Future(), asyncio.Future()
    b:set_result(2)
    a:set_result(1)
    local order = {}
    for future in as_completed { a, b, a } do
      order[#order + 1] = future
    end
    assert.same({ a, b }, order)
  end)

  ait("of nothing ends at once", function()
    for _ in as_completed {} do
      error "there is nothing"
    end
  end)

  ait("raises a TimeoutError and stops no task", function()
    local a, b = sleeper(0, "a"), sleeper(1000)
    local seen = {}
    helper.raises(asyncio.TimeoutError, function()
      for task in as_completed({ a, b }, { timeout = 0.003 }) do
        seen[#seen + 1] = task
      end
    end)
    assert.same({ a }, seen)
    assert.is_false(b:done())
    b:cancel()
  end)

  ait("first gives what was done before its timeout", function()
    local a, b = sleeper(0, "a"), sleeper(1000)
    local iterator = as_completed({ a, b }, { timeout = 0.001 })
    asyncio.sleep(0.005)
    assert.equal(a, iterator())
    helper.raises(asyncio.TimeoutError, iterator)
    b:cancel()
  end)

  ait("can be left early", function()
    local a, b, n = sleeper(0), sleeper(0.05), 0
    for task in as_completed { a, b } do
      n = n + 1
      if task == a then
        break
      end
    end
    assert.equal(1, n)
    assert.is_false(b:done())
    b:await()
  end)

  ait("goes on after a cancellation", function()
    local future = asyncio.Future()
    local iterator = as_completed { future }
    local waiter = asyncio.create_task(iterator)
    asyncio.sleep(0)
    waiter:cancel()
    helper.raises(asyncio.CancelledError, waiter.await, waiter)
    assert.is_false(future:done())
    future:set_result(1)
    assert.equal(future, iterator())
    assert.is_nil(iterator())
  end)

  ait("has one task waiting at a time", function()
    local future = asyncio.Future()
    local iterator = as_completed { future }
    local waiter = asyncio.create_task(iterator)
    asyncio.sleep(0)
    helper.raises(asyncio.RuntimeError, iterator)
    future:set_result(1)
    assert.equal(future, waiter:await())
  end)

  it("refuses futures of a closed loop", function()
    assert.equal("true\n", helper.check_script [[
      local asyncio = require "asyncio"
      local loop = asyncio.new_event_loop()
      local future = loop:create_future()
      loop:close()
      local ok, err = pcall(asyncio.as_completed, { future }, { timeout = 1 })
      print(not ok and asyncio.isinstance(err, asyncio.RuntimeError))
    ]])
  end)

  ait("refuses to wait for futures of another loop", function()
    local loop <close> = setmetatable({ asyncio.new_event_loop() }, {
      __close = function(self)
        self[1]:close()
      end,
    })
    local iterator = as_completed { loop[1]:create_future() }
    helper.raises(asyncio.RuntimeError, iterator)
  end)

  ait("may be collected while tasks run", function()
    local a = sleeper(0.002)
    as_completed { a }
    helper.collect()
    a:await()
  end)

  ait("refuses bad arguments", function()
    helper.raises("bad argument #1", as_completed)
    helper.raises("bad argument #1", as_completed, 5)
    helper.raises("bad argument #1 .*at %[1%]", as_completed, { 5 })
    helper.raises("bad argument #2", as_completed, {}, 5)
    helper.raises("bad argument #2 .*timeout", as_completed, {}, { timeout = {} })
  end)
end)
