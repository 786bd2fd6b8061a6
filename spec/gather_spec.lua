local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local gather <const> = asyncio.gather

local function after(delay, ...)
  asyncio.sleep(delay)
  return ...
end

local function fail_after(delay, err)
  asyncio.sleep(delay)
  error(err, 0)
end

local function task(...)
  return asyncio.create_task(...)
end

describe("gather", function()
  ait("of a list gives a list in the order given", function()
    local a, b, c = task(after, 0.002, "a"), task(after, 0, "b"), task(after, 0.001, "c")
    local results = gather({ a, b, c }):await()
    assert.same({ n = 3, "a", "b", "c" }, results)
  end)

  ait("takes each child's first value", function()
    local results = gather({ task(after, 0, nil, 2), task(after, 0), task(after, 0, 1, 2) }):await()
    assert.equal(3, results.n)
    assert.is_nil(results[1])
    assert.is_nil(results[2])
    assert.equal(1, results[3])
  end)

  ait("of arguments gives several values", function()
    local a, b, c = gather(task(after, 0, 1), asyncio.async(after)(0, 2), function()
      return 3
    end):await()
    assert.same({ 1, 2, 3 }, { a, b, c })
  end)

  ait("of nothing is done at once", function()
    local future = gather {}
    assert.is_true(future:done())
    assert.same({ n = 0 }, future:await())
  end)

  ait("runs an awaitable given twice once, for both places", function()
    local calls = 0
    local function count()
      calls = calls + 1
      return calls
    end
    local coroutine = asyncio.async(count)()
    assert.same({ n = 4, 1, 2, 1, 2 }, gather({ coroutine, count, coroutine, count }):await())
    local future = task(after, 0, "x")
    assert.same({ n = 2, "x", "x" }, gather({ future, future }):await())
  end)

  ait("raises the first error and leaves the others running", function()
    local slow = task(after, 0.1, "slow")
    local first, second = task(fail_after, 0.01, "first"), task(fail_after, 0.05, "second")
    local future = gather { slow, first, second }
    assert.equal("first", helper.catch(future.await, future))
    assert.equal("first", future:exception())
    assert.is_false(slow:done())
    assert.equal("slow", slow:await())
  end)

  ait("collects errors when told so", function()
    local err = {}
    local cancelled = task(after, 1000)
    asyncio.get_running_loop():call_soon(cancelled.cancel, cancelled)
    local list = { task(after, 0, 1), task(error, err), cancelled }
    local results = gather(list, { return_exceptions = true }):await()
    assert.equal(3, results.n)
    assert.equal(1, results[1])
    assert.equal(err, results[2])
    assert.is_true(asyncio.isinstance(results[3], asyncio.CancelledError))
  end)

  ait("fails with the CancelledError of a child, uncancelled itself", function()
    local child = task(after, 1000)
    local future = gather { child, task(after, 0) }
    asyncio.sleep(0)
    child:cancel()
    helper.raises(asyncio.CancelledError, future.await, future)
    assert.is_false(future:cancelled())
  end)

  ait("cancels its children when it is cancelled", function()
    local a, b = task(after, 1000), task(after, 1000)
    local future = gather { a, b }
    asyncio.sleep(0)
    assert.is_true(future:cancel())
    helper.raises(asyncio.CancelledError, future.await, future)
    assert.is_true(a:cancelled())
    assert.is_true(b:cancelled())
    assert.is_false(future:cancel())
  end)

  ait("cancels its children when who awaits it is cancelled", function()
    local a = task(after, 1000)
    local waiter = task(asyncio.await, gather { a, task(after, 1000) })
    asyncio.sleep(0)
    asyncio.sleep(0)
    waiter:cancel()
    helper.raises(asyncio.CancelledError, waiter.await, waiter)
    assert.is_true(a:cancelled())
  end)

  ait("is cancelled even when its children's errors are collected", function()
    local future = gather({ task(after, 1000) }, { return_exceptions = true })
    asyncio.sleep(0)
    future:cancel()
    helper.raises(asyncio.CancelledError, future.await, future)
  end)

  ait("waits for children that take their time to end", function()
    local done = false
    local future = gather {
      task(function()
        pcall(asyncio.sleep, 1000)
        asyncio.sleep(0.001)
        done = true
      end),
    }
    asyncio.sleep(0)
    future:cancel()
    assert.is_false(future:done())
    helper.raises(asyncio.CancelledError, future.await, future)
    assert.is_true(done)
  end)

  ait("of done futures needs no turn of the loop", function()
    local a, b = asyncio.Future(), asyncio.Future()
    a:set_result(1)
    b:set_result(2)
    local future = gather { a, b }
    assert.is_true(future:done())
    assert.same({ n = 2, 1, 2 }, future:result())
  end)

  ait("can be nested, deep too", function()
    local inner = gather { task(after, 0, 1), task(after, 0, 2) }
    local results = gather({ inner, task(after, 0, 3) }):await()
    assert.same({ n = 2, { n = 2, 1, 2 }, 3 }, results)
    local leaf = task(after, 0.001, "leaf")
    local future = leaf
    for _ = 1, 5000 do
      future = gather(future)
    end
    assert.equal("leaf", future:await())
  end)

  ait("cancels a deep nest", function()
    local leaf = task(after, 1000)
    local future = leaf
    for _ = 1, 5000 do
      future = gather(future)
    end
    asyncio.sleep(0)
    future:cancel()
    helper.raises(asyncio.CancelledError, future.await, future)
    assert.is_true(leaf:cancelled())
  end)

  it("that was given a result on the way down a deep nest keeps it", function()
    assert.equal("mine\tmine\n", helper.check_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local nest = { asyncio.Future() }
        for i = 1, 100 do
          nest[i + 1] = asyncio.gather(nest[i])
        end
        nest[1]:set_result("leaf")
        for _, future in ipairs(nest) do
          if not future:done() then
            future:set_result("mine")
          end
        end
        local before = nest[66]:result()
        asyncio.sleep(0.001)
        print(before, (nest[66]:result()))
      end)
    ]])
  end)

  ait("does not report the late errors of its children", function()
    local reports = 0
    asyncio.get_running_loop():set_exception_handler(function()
      reports = reports + 1
    end)
    pcall(asyncio.await, gather { task(fail_after, 0, "a"), task(fail_after, 0.001, "b") })
    asyncio.sleep(0.003)
    helper.collect()
    asyncio.sleep(0)
    assert.equal(0, reports)
  end)

  ait("of nothing is done at once, with an empty list or with no values", function()
    assert.are.same({ n = 0 }, gather({}):result())
    assert.are.equal(0, select("#", gather():result()))
  end)

  ait("refuses what is not awaitable, before it starts anything", function()
    local called = false
    local message = "bad argument #1 to 'gather' %(function or awaitable expected at %[2%], got n"
    helper.raises(message, function()
      gather {
        function()
          called = true
        end,
        5,
      }
    end)
    helper.raises("bad argument #2 to 'gather'", function()
      gather(function()
        called = true
      end, {})
    end)
    helper.raises("bad argument #2", gather, {}, 5)
    asyncio.sleep(0)
    assert.is_false(called)
  end)

  ait("takes a list that has its elements from metamethods", function()
    local list = setmetatable({}, {
      __len = function() return 2 end,
      __index = function(_, i) return task(after, 0, i) end,
    })
    assert.same({ 1, 2, n = 2 }, gather(list):await())
  end)

  it("refuses futures of two loops", function()
    local a, b = asyncio.new_event_loop(), asyncio.new_event_loop()
    helper.raises(asyncio.RuntimeError, gather, { a:create_future(), b:create_future() })
    a:close()
    b:close()
  end)
end)
