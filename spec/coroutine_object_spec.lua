local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("a coroutine function", function()
  it("makes a Coroutine object, and runs nothing", function()
    local called = false
    local fn = asyncio.async(function() called = true end)
    assert.is_true(asyncio.iscoroutinefunction(fn))
    assert.is_false(asyncio.iscoroutinefunction(print))
    local coro = fn()
    assert.is_false(called)
    assert.is_true(asyncio.iscoroutine(coro))
    assert.is_true(asyncio.isawaitable(coro))
    assert.is_true(asyncio.isinstance(coro, asyncio.Coroutine))
    assert.is_false(asyncio.isfuture(coro))
    assert.is_false(asyncio.iscoroutine(fn))
    assert.is_false(asyncio.iscoroutine(coroutine.create(print)))
  end)

  it("takes many arguments, but not any number of them", function()
    local count = asyncio.async(function(...)
      return select("#", ...), (select(-1, ...))
    end)
    local arguments = {}
    for i = 1, 70000 do
      arguments[i] = i
    end
    assert.same({ 60000, 60000, n = 2 },
      table.pack(asyncio.run(count(table.unpack(arguments, 1, 60000)))))
    helper.raises("too many arguments", count, table.unpack(arguments))
  end)

  ait("given as a function is called, and what it makes is awaited", function()
    local double = asyncio.async(function(x)
      asyncio.sleep(0)
      return 2 * x
    end)
    assert.equal(6, asyncio.create_task(double, 3):await())
    assert.equal(6, asyncio.ensure_future(double, 3):await())
    assert.equal(6, asyncio.wait_for(double, 1, 3))
    assert.equal(6, asyncio.shield(double, 3):await())
  end)
end)

describe("a Coroutine object", function()
  ait("runs in the task that awaits it", function()
    local results = table.pack(asyncio.async(function(...)
      assert(asyncio.current_task() == (...))
      asyncio.sleep(0)
      return select("#", ...), nil
    end)(asyncio.current_task(), nil, nil):await())
    assert.same({ n = 2, 3, nil }, results)
  end)

  ait("runs on the thread that awaits it", function()
    local thread = coroutine.running()
    assert.equal(thread, (asyncio.await(asyncio.async(coroutine.running)())))
  end)

  ait("passes its error on unchanged", function()
    local err = {}
    local coro = asyncio.async(error)(err)
    assert.equal(err, helper.catch(coro.await, coro))
  end)

  ait("is awaited once only", function()
    local calls = 0
    local fn = asyncio.async(function() calls = calls + 1 end)
    local awaited, tasked, waiting = fn(), fn(), fn()
    awaited:await()
    asyncio.create_task(tasked):await()
    local task = asyncio.create_task(waiting)
    for _, coro in ipairs { awaited, tasked, waiting } do
      helper.raises(asyncio.RuntimeError, coro.await, coro)
      helper.raises(asyncio.RuntimeError, asyncio.create_task, coro)
    end
    task:await()
    assert.equal(3, calls)
  end)

  ait("that was closed never runs", function()
    local called = false
    local coro = asyncio.async(function() called = true end)()
    coro:close()
    coro:close()
    helper.raises(asyncio.RuntimeError, coro.await, coro)
    assert.is_false(called)
  end)

  ait("lets go of its arguments when it is closed", function()
    local weak = setmetatable({ {} }, { __mode = "v" })
    local coro = asyncio.async(print)(weak[1])
    helper.collect()
    assert.is_table(weak[1])
    coro:close()
    helper.collect()
    assert.is_nil(weak[1])
  end)

  ait("can be closed while it runs, to no effect", function()
    local coro
    coro = asyncio.async(function()
      coro:close()
      asyncio.sleep(0)
      return "went on"
    end)()
    assert.equal("went on", coro:await())
  end)

  ait("shows its state as a string", function()
    local coro = asyncio.async(function() end)()
    assert.matches("^<Coroutine created ", tostring(coro))
    local task = asyncio.create_task(coro)
    assert.matches("^<Coroutine scheduled ", tostring(coro))
    task:await()
    assert.matches("^<Coroutine started ", tostring(coro))
    local closed = asyncio.async(function() end)()
    closed:close()
    assert.matches("^<Coroutine closed ", tostring(closed))
  end)

  ait("of a task that is cancelled before its start is closed", function()
    local called = false
    local coro = asyncio.async(function() called = true end)()
    local task = asyncio.create_task(coro)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_false(called)
    helper.raises(asyncio.RuntimeError, coro.await, coro)
  end)

  it("cannot be awaited outside of a task", function()
    local coro = asyncio.async(print)()
    helper.raises(asyncio.RuntimeError, coro.await, coro)
    coro:close()
  end)
end)
