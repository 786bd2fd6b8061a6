local asyncio = require "asyncio"
local helper = require "spec.helper"

local left <const> = helper.left

describe("an unfinished task", function()
  helper.ait("is kept by its loop though nobody else does", function()
    local t = helper.trace()
    for i = 1, 3 do
      asyncio.create_task(function()
        asyncio.sleep(0.002)
        t(i)
      end)
    end
    asyncio.sleep(0)
    helper.collect()
    asyncio.sleep(0.01)
    assert.same({ 1, 2, 3 }, t:list())
  end)

  helper.ait("is kept while it waits for a future that only it knows", function()
    local ended = false
    local weak = setmetatable({}, { __mode = "v" })
    asyncio.create_task(function()
      local future = asyncio.Future()
      weak[1] = future
      local _ <close> = setmetatable({}, { __close = function() ended = true end })
      future:await()
    end)
    asyncio.sleep(0)
    helper.collect()
    assert.is_userdata(weak[1])
    weak[1]:set_result()
    asyncio.sleep(0)
    assert.is_true(ended)
  end)
end)

describe("a finished task", function()
  helper.ait("is collected with all it had", function()
    local weak = setmetatable({}, { __mode = "v" })
    for i = 1, 100 do
      local value = {}
      weak[2 * i] = value
      weak[2 * i - 1] = asyncio.create_task(function()
        asyncio.sleep(0)
        return value
      end)
    end
    asyncio.sleep(0.001)
    asyncio.sleep(0.001)
    assert.equal(0, left(weak))
    assert.equal(1, #asyncio.all_tasks())
  end)

  helper.ait("is collected after a failure or a cancellation, too", function()
    local weak = setmetatable({}, { __mode = "v" })
    local function make(fn, ...)
      local task = asyncio.create_task(fn, ...)
      weak[#weak + 1] = task
      return task
    end
    do
      local bad, slow = make(error, {}), make(asyncio.sleep, 3600)
      asyncio.sleep(0)
      local unborn = make(print)
      slow:cancel()
      unborn:cancel()
      asyncio.wait { bad, slow, unborn }
      bad:exception()
    end
    asyncio.sleep(0)
    assert.equal(0, left(weak))
  end)

  helper.ait("keeps the result of its wait, not the waited-for", function()
    local weak = setmetatable({}, { __mode = "v" })
    weak[1] = asyncio.create_task(asyncio.sleep, 0, {})
    local outer = asyncio.create_task(function(inner) return inner:await() end, weak[1])
    outer:await()
    assert.equal(0, left(weak))
    assert.is_table(outer:result())
  end)
end)

describe("what is cancelled", function()
  helper.ait("before its start lets go of its arguments", function()
    local weak = setmetatable({ {} }, { __mode = "v" })
    local task = asyncio.create_task(print, weak[1])
    task:cancel()
    asyncio.wait { task }
    assert.equal(0, left(weak))
    assert.is_true(task:cancelled())
  end)

  helper.ait("lets go of functions and arguments", function()
    local weak = setmetatable({}, { __mode = "v" })
    local loop = asyncio.get_running_loop()
    for i = 1, 10 do
      local value = {}
      weak[i] = value
      loop:call_later(3600, print, value):cancel()
      loop:call_soon(print, value):cancel()
    end
    asyncio.sleep(0)
    assert.equal(0, left(weak))
  end)

  helper.ait("lets go of removed done callbacks", function()
    local weak = setmetatable({}, { __mode = "v" })
    local future = asyncio.Future()
    do
      local value = {}
      local function callback() return value end
      weak[1] = value
      future:add_done_callback(callback)
      future:remove_done_callback(callback)
    end
    assert.equal(0, left(weak))
    future:cancel()
  end)
end)

describe("memory", function()
  -- KiB in use after the function ran n times in each of several rounds.
  local function growth(n, fn)
    local function measure()
      for _ = 1, n do
        fn()
      end
      helper.collect()
      return collectgarbage "count"
    end
    measure()
    local before = measure()
    return measure() - before
  end

  helper.ait("does not grow with sequential tasks", function()
    assert.is_true(growth(2000, function()
      asyncio.create_task(function() asyncio.sleep(0) end):await()
    end) < 16)
  end)

  helper.ait("does not grow with time-outs, shields, gathers and cancellations", function()
    assert.is_true(growth(300, function()
      asyncio.wait_for(asyncio.sleep, 3600, 0)
      pcall(asyncio.wait_for, asyncio.Future(), 0)
      asyncio.shield(asyncio.sleep, 0):await()
      local a, b = asyncio.create_task(asyncio.sleep, 0), asyncio.create_task(asyncio.sleep, 0)
      asyncio.gather(a, b):await()
      local task = asyncio.create_task(asyncio.sleep, 3600)
      asyncio.sleep(0)
      task:cancel()
      asyncio.wait { task }
    end) < 16)
  end)

  it("does not grow with runs", function()
    assert.is_true(growth(50, function()
      asyncio.run(function()
        asyncio.create_task(asyncio.sleep, 3600)
        asyncio.sleep(0)
      end)
    end) < 16)
  end)

  it("does not grow with loops that nobody closed", function()
    assert.is_true(growth(20, function()
      local loop = asyncio.new_event_loop()
      loop:create_task(asyncio.sleep, 3600)
      loop:call_later(3600, print)
      loop:create_future()
      loop:close()
    end) < 16)
  end)
end)

describe("objects collected in any order", function()
  it("do no harm: a loop with what belongs to it", function()
    for order = 1, 6 do
      local loop = asyncio.new_event_loop()
      local future = loop:create_future()
      local handle = loop:call_later(3600, print)
      local kept = ({ future, handle, loop, { future, handle }, { loop, future }, {} })[order]
      loop, future, handle = nil, nil, nil
      helper.collect()
      assert.is_truthy(kept)
      assert.is_nil(loop or future or handle)
    end
    helper.collect()
  end)

  it("do no harm: a loop nobody closed, with tasks under way", function()
    local closed = 0
    local weak = setmetatable({}, { __mode = "v" })
    do
      local loop = asyncio.new_event_loop()
      weak[1] = loop
      loop:create_task(function()
        local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
        asyncio.sleep(3600)
      end)
      loop:run_until_complete(asyncio.sleep, 0)
      loop:close()
    end
    assert.equal(0, left(weak))
    assert.equal(1, closed)
  end)

  it("keep their loop alive as long as they need it", function()
    local future = asyncio.new_event_loop():create_future()
    helper.collect()
    local loop = future:get_loop()
    loop:call_soon(future.set_result, future, "alive")
    assert.equal("alive", loop:run_until_complete(future))
    loop:close()
  end)
end)

describe("a loop that only a finalizer reaches", function()
  it("can be run and closed there", function()
    local stdout = helper.check_script [[
      local asyncio = require "asyncio"
      setmetatable({ loop = asyncio.new_event_loop() }, { __gc = function(self)
        local loop = self.loop
        print(loop:run_until_complete(function()
          print(asyncio.get_running_loop() == loop)
          return asyncio.create_task(asyncio.sleep, 0.001, "ran"):await()
        end))
        loop:create_task(asyncio.sleep, 1000)
        loop:close()
        print(loop:is_closed())
      end })
      collectgarbage()
    ]]
    assert.equal("true\nran\ntrue\n", stdout)
  end)
end)

describe("collecting at every step", function()
  helper.ait("changes nothing", function()
    local var = asyncio.ContextVar("var", 0)
    local total = 0
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = asyncio.create_task(function()
        var:set(i)
        collectgarbage()
        asyncio.sleep(0)
        local future = asyncio.Future()
        asyncio.get_running_loop():call_soon(future.set_result, future, i)
        collectgarbage()
        local value = asyncio.wait_for(future, 10) + var:get()
        total = total + value
        collectgarbage "step"
        return i
      end)
    end
    local results = asyncio.gather(tasks):await()
    collectgarbage()
    assert.equal(420, total)
    assert.equal(20, results[20])
  end)
end)
