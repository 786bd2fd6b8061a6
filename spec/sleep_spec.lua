local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("sleep", function()
  ait("returns what came after the delay", function()
    assert.same({ n = 3, 1, nil, false }, table.pack(asyncio.sleep(0, 1, nil, false)))
    assert.same({ n = 2, "a", nil }, table.pack(asyncio.sleep(0.001, "a", nil)))
    assert.equal(0, select("#", asyncio.sleep(0)))
  end)

  ait("is never early", function()
    local loop = asyncio.get_running_loop()
    for _, delay in ipairs { 0.001, 0.0005, 0.01, 0.0123 } do
      local start = loop:time()
      asyncio.sleep(delay)
      assert.is_true(loop:time() - start >= delay)
    end
  end)

  ait("with 0 or less gives every other ready task one turn", function()
    local t = helper.trace()
    local function count(name)
      for i = 1, 3 do
        t(name .. i)
        asyncio.sleep(-1)
      end
    end
    local a, b = asyncio.create_task(count, "a"), asyncio.create_task(count, "b")
    asyncio.sleep(0)
    t "main"
    asyncio.gather(a, b):await()
    assert.same({ "a1", "b1", "main", "a2", "b2", "a3", "b3" }, t:list())
  end)

  ait("wakes sleepers in the order of their times", function()
    local t = helper.trace()
    local tasks = {}
    for _, delay in ipairs { 0.12, 0.04, 0.08, 0.01 } do
      tasks[#tasks + 1] = asyncio.create_task(function()
        asyncio.sleep(delay)
        t(delay)
      end)
    end
    asyncio.gather(tasks):await()
    assert.same({ 0.01, 0.04, 0.08, 0.12 }, t:list())
  end)

  ait("ends at once when cancelled", function()
    local task = asyncio.create_task(asyncio.sleep, 1000)
    asyncio.sleep(0)
    assert.is_true(task:cancel())
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_true(task:cancelled())
  end)

  ait("takes infinite delays", function()
    local task = asyncio.create_task(asyncio.sleep, math.huge)
    asyncio.sleep(0.001)
    assert.is_false(task:done())
    task:cancel()
    local past = asyncio.create_task(asyncio.sleep, -math.huge, "now")
    assert.equal("now", past:await())
  end)

  ait("refuses what is no number of seconds", function()
    helper.raises("bad argument #1 to 'sleep' %(number expected, got nil%)", function()
      asyncio.sleep(nil)
    end)
    helper.raises("bad argument #1 to 'sleep' %(number expected, got table%)", function()
      asyncio.sleep {}
    end)
    helper.raises("bad argument #1 to 'sleep' .*nan", function()
      asyncio.sleep(0 / 0)
    end)
  end)

  it("needs a task", function()
    local err = helper.raises(asyncio.RuntimeError, asyncio.sleep, 0)
    assert.matches("'sleep'", err.message)
  end)
end)
