-- Futures that nobody will ever end, and what waits for them: both go when
-- nobody knows the future any more, and not before.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const>, left <const> = helper.ait, helper.left

local function weak_table()
  return setmetatable({}, { __mode = "k" })
end

-- Ways to watch a future; each gives what watches it, if there is a value for it.
local ways <const> = {
  ["a done callback"] = function(future)
    local function callback()
      return future
    end
    future:add_done_callback(callback)
    return callback
  end,
  ["a callback that is removed"] = function(future)
    future:add_done_callback(print)
    future:remove_done_callback(print)
  end,
  ["a shield"] = asyncio.shield,
  ["a cancelled shield"] = function(future)
    local shield = asyncio.shield(future)
    shield:cancel()
    return shield
  end,
  ["a gather"] = function(future)
    return asyncio.gather { future, future, asyncio.Future() }
  end,
  ["a gather with one that is done"] = function(future)
    local done = asyncio.Future()
    done:set_result(1)
    return asyncio.gather(done, future)
  end,
  ["a gather that has failed"] = function(future)
    local other = asyncio.Future()
    local gather = asyncio.gather(future, other)
    other:set_exception "wrong"
    gather:exception()
    return gather
  end,
  ["layers of all"] = function(future)
    local outer = asyncio.gather { asyncio.shield(asyncio.gather { future }), asyncio.Future() }
    outer:add_done_callback(function()
      return outer
    end)
    return asyncio.shield(outer)
  end,
  ["as_completed"] = function(future)
    return (asyncio.as_completed { future })
  end,
}

local function watch_in_task(watch, weak)
  asyncio.create_task(function()
    local future = asyncio.Future()
    weak[future] = true
    local watcher = watch(future)
    if watcher then
      weak[watcher] = true
    end
  end):await()
end

describe("a pending future that is dropped", function()
  for name, watch in pairs(ways) do
    ait("is freed with " .. name .. " on it", function()
      local weak <const> = weak_table()
      for _ = 1, 50 do -- more than are looked through at once
        watch_in_task(watch, weak)
      end
      asyncio.sleep(0)
      assert.equal(0, left(weak))
      watch_in_task(watch, weak) -- what they had is used again
      assert.equal(0, left(weak))
    end)
  end

  ait("leaves nothing behind", function()
    local function round()
      for _ = 1, 2000 do
        local future = asyncio.Future()
        future:add_done_callback(print)
        asyncio.gather { asyncio.shield(future), future }
      end
      helper.collect()
      return collectgarbage "count"
    end
    round()
    local before <const> = round()
    assert.is_true(round() < before + 200)
  end)

  it("is freed after its loop has closed, too", function()
    local weak <const> = weak_table()
    helper.run(function()
      for _, watch in pairs(ways) do
        watch_in_task(watch, weak)
      end
    end)
    assert.equal(0, left(weak))
  end)
end)

describe("a pending future", function()
  ait("calls back though nobody has kept anything else", function()
    local t <const> = helper.trace()
    local future <const> = asyncio.Future()
    for i = 1, 20 do
      future:add_done_callback(function(f)
        t(i, f:result())
      end)
      asyncio.gather({ asyncio.shield(future) }):add_done_callback(function(f)
        t("gather " .. i, f:result()[1])
      end)
    end
    helper.collect()
    future:set_result "x"
    helper.collect()
    asyncio.sleep(0)
    assert.equal(40, #t:list())
    assert.equal("20 x", t:list()[39])
    assert.equal("gather 20 x", t:list()[40])
  end)

  ait("calls back though it goes at once", function()
    local t <const> = helper.trace()
    local function complete(method, ...)
      local future = asyncio.Future()
      for i = 1, 10 do
        future:add_done_callback(function(f)
          t(tostring(f):match "<Future (%a+)" .. i)
        end)
      end
      future[method](future, ...)
    end
    complete("set_result", 1)
    complete "cancel"
    helper.collect()
    asyncio.sleep(0)
    assert.equal(20, #t:list())
    assert.equal("cancelled10", t:list()[20])
  end)

  ait("is kept by a timer that will end it", function()
    local t <const> = helper.trace()
    do
      local future = asyncio.Future()
      asyncio.shield(future):add_done_callback(function(f)
        t(f:result())
      end)
      asyncio.get_running_loop():call_later(0.005, future.set_result, future, "due")
    end
    helper.collect()
    asyncio.sleep(0.01)
    assert.same({ "due" }, t:list())
  end)

  ait("is kept by a task that awaits what watches it", function()
    local weak <const> = setmetatable({}, { __mode = "v" })
    local task = asyncio.create_task(function()
      local future = asyncio.Future()
      weak[1] = future
      return asyncio.gather(asyncio.shield(future), asyncio.shield(future)):await()
    end)
    asyncio.sleep(0)
    helper.collect()
    weak[1]:set_result(5)
    assert.same({ 5, 5 }, { task:await() })
  end)

  ait("is kept by a gather until that is over", function()
    local weak <const> = weak_table()
    local task <const> = asyncio.create_task(asyncio.sleep, 0.005, "slept")
    local gather
    do
      local future = asyncio.Future()
      weak[future] = true
      gather = asyncio.gather(task, future)
    end
    assert.equal(1, left(weak))
    task:await()
    assert.equal(1, left(weak))
    for future in pairs(weak) do
      future:set_result "set"
    end
    assert.same({ "slept", "set" }, { gather:await() })
  end)

  ait("may be ended by a finalizer that is alone to know it", function()
    local t <const> = helper.trace()
    do
      local owner = setmetatable({ closed = asyncio.Future() }, {
        __gc = function(self)
          self.closed:set_result "closed"
        end,
      })
      owner.closed:add_done_callback(function(f)
        t(f:result(), owner.closed == f)
      end)
      asyncio.shield(owner.closed):add_done_callback(function(f)
        t("shield", f:result())
      end)
    end
    helper.collect()
    helper.collect()
    asyncio.sleep(0)
    assert.same({ "closed true", "shield closed" }, t:list())
  end)

  ait("does not keep what has watched it", function()
    local weak <const> = weak_table()
    local future <const> = asyncio.Future()
    for _ = 1, 1000 do
      local shield = asyncio.shield(future)
      weak[shield] = true
      shield:cancel()
    end
    assert.is_true(left(weak) <= 16)
    local kept = asyncio.shield(future)
    weak[asyncio.gather(future, kept)] = true
    future:set_result {}
    assert.same({}, kept:result())
    assert.equal(0, left(weak))
  end)

  ait("can be watched through many layers, and then go", function()
    local t <const> = helper.trace()
    local function layers()
      local future = asyncio.Future()
      local top = future
      for _ = 1, 100 do -- the loop goes on with the last ones
        top = asyncio.gather { asyncio.shield(top) }
      end
      top:add_done_callback(function()
        t "done"
      end)
      return future
    end
    layers():set_result()
    helper.collect()
    for _ = 1, 10 do
      asyncio.sleep(0)
      helper.collect()
    end
    assert.same({ "done" }, t:list())
    layers()
    helper.collect()
  end)
end)
