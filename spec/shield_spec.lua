local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local shield <const> = asyncio.shield

describe("shield", function()
  ait("has the result and the error of what it stands for", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(shield(function()
      return 1, nil, 3
    end):await()))
    assert.equal("x", shield(asyncio.sleep, 0, "x"):await())
    assert.equal("y", shield(asyncio.create_task(asyncio.sleep, 0, "y")):await())
    local err = {}
    assert.equal(err, helper.catch(asyncio.await, shield(error, err)))
  end)

  ait("keeps cancellation from the inner task", function()
    local task = asyncio.create_task(asyncio.sleep, 0.002, "done")
    local outer = shield(task)
    assert.is_true(asyncio.isinstance(outer, asyncio.Future))
    assert.is_true(outer:cancel())
    assert.is_true(outer:cancelled())
    assert.is_false(task:done())
    assert.equal("done", task:await())
  end)

  ait("keeps the cancellation of who awaits it from the inner task", function()
    local task = asyncio.create_task(asyncio.sleep, 0.002, "done")
    local waiter = asyncio.create_task(asyncio.await, shield(task))
    asyncio.sleep(0)
    waiter:cancel()
    helper.raises(asyncio.CancelledError, waiter.await, waiter)
    assert.equal("done", task:await())
  end)

  ait("is cancelled with the inner task", function()
    local task = asyncio.create_task(asyncio.sleep, 1000)
    local outer = shield(task)
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, outer.await, outer)
    assert.is_true(outer:cancelled())
  end)

  ait("of something done is that thing", function()
    local future = asyncio.Future()
    future:set_result(1)
    assert.equal(future, shield(future))
  end)

  it("that was given a result keeps it", function()
    assert.equal("1\n", helper.check_script [[
      local asyncio = require "asyncio"
      local inner = asyncio.Future()
      local outer = asyncio.shield(inner)
      outer:set_result(1)
      inner:set_result(2)
      print(outer:result())
    ]])
  end)

  it("of shields of shields needs no deep C stack", function()
    assert.equal("done\n", helper.check_script [[
      collectgarbage "stop" -- else the most eager one takes its time
      local asyncio = require "asyncio"
      asyncio.run(function()
        local inner = asyncio.Future()
        local outer = inner
        for _ = 1, 200000 do
          outer = asyncio.shield(outer)
        end
        inner:set_result("done")
        print(outer:await())
      end)
    ]])
  end)

  ait("can be cancelled on the way down a deep nest", function()
    local inner = asyncio.Future()
    local nest = { inner }
    for i = 1, 200 do
      nest[i + 1] = shield(nest[i])
    end
    inner:set_result(1)
    assert.is_true(nest[200]:cancel())
    asyncio.sleep(0.001)
    assert.is_true(nest[200]:cancelled())
    assert.is_true(nest[201]:cancelled())
    assert.equal(1, nest[50]:result())
  end)

  ait("leaves a late error of the inner task to the exception handler", function()
    local seen = {}
    asyncio.get_running_loop():set_exception_handler(function(_, context)
      seen[#seen + 1] = context.exception
    end)
    do
      local outer = shield(function()
        asyncio.sleep(0.001)
        error("late", 0)
      end)
      asyncio.sleep(0)
      outer:cancel()
    end
    asyncio.sleep(0.005)
    helper.collect()
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.same({ "late" }, seen)
  end)

  ait("refuses what is not awaitable", function()
    helper.raises("bad argument #1", shield)
    helper.raises("bad argument #1", shield, 5)
    helper.raises("bad argument #1", shield, {})
  end)
end)
