local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function both(...)
  asyncio.sleep(0)
  return ...
end

describe("await", function()
  ait("takes each kind of awaitable", function()
    local future = asyncio.Future()
    future:set_result(1, 2)
    assert.same({ 1, 2 }, { asyncio.await(future) })
    assert.same({ 1, 2 }, { asyncio.await(asyncio.create_task(both, 1, 2)) })
    assert.same({ 1, 2 }, { asyncio.await(asyncio.async(both)(1, 2)) })
    assert.same({ 1, 2 }, { asyncio.await(both, 1, 2) })
    assert.same({ 1, 2 }, { asyncio.await(asyncio.async(both), 1, 2) })
    assert.same({ 1 }, { asyncio.await(coroutine.create(function() return both(1) end)) })
  end)

  ait("calls __await with the object, in the current task", function()
    local object = setmetatable({ value = 8 }, { __await = function(self)
      asyncio.sleep(0)
      return self.value, asyncio.current_task()
    end })
    assert.same({ 8, asyncio.current_task() }, { asyncio.await(object) })
    assert.equal(8, (asyncio.create_task(object):await()))
  end)

  ait("refuses what is none", function()
    for _, value in ipairs { 1, "text", true, {}, io.stdout } do
      local text = "bad argument #1 to '[%w.]*await' %(function or awaitable expected"
      helper.raises(text, asyncio.await, value)
      assert.is_false(asyncio.isawaitable(value))
    end
    helper.raises("bad argument #1 to '[%w.]*await'", asyncio.await, nil)
    helper.raises("bad argument #1 to '[%w.]*await'", asyncio.await)
  end)

  ait("refuses a thread that has started or ended", function()
    local started = coroutine.create(function() coroutine.yield() end)
    coroutine.resume(started)
    helper.raises("thread that has started", asyncio.await, started)
    coroutine.resume(started)
    helper.raises("thread that has started", asyncio.await, started)
    helper.raises("bad argument", asyncio.await, coroutine.running())
  end)

  ait("runs a function in the current task and thread", function()
    local task, thread = asyncio.current_task(), coroutine.running()
    asyncio.await(function()
      assert.equal(task, asyncio.current_task())
      assert.equal(thread, coroutine.running())
    end)
  end)
end)

describe("an await where none is possible", function()
  it("is an error outside of a task", function()
    local err = helper.raises(asyncio.RuntimeError, asyncio.sleep, 0)
    assert.matches("'sleep'", err.message, 1, true)
    assert.matches("asyncio.run", err.message, 1, true)
    local loop = asyncio.new_event_loop()
    local future = loop:create_future()
    helper.raises(asyncio.RuntimeError, future.await, future)
    loop:close()
  end)

  ait("is an error in a callback", function()
    local err
    asyncio.get_running_loop():call_soon(function()
      err = helper.catch(asyncio.sleep, 0)
    end)
    asyncio.sleep(0)
    assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
    assert.matches("'sleep' suspends .* start one with asyncio%.create_task", err.message)
  end)

  ait("is an error in a foreign coroutine", function()
    local iterate = coroutine.wrap(function()
      return helper.catch(asyncio.sleep, 0)
    end)
    local err = iterate()
    assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
    assert.matches("coroutine library", err.message, 1, true)
  end)

  ait("names the C function that cannot yield", function()
    local err
    local function fail()
      err = helper.catch(asyncio.sleep, 0)
      return false
    end
    table.sort({ 2, 1 }, fail)
    assert.matches("'table.sort'", err.message, 1, true)
    ;("x"):gsub("x", fail)
    assert.matches("'string.gsub'", err.message, 1, true)
    tostring(setmetatable({}, { __tostring = function()
      fail()
      return ""
    end }))
    assert.matches("'tostring'", err.message, 1, true)
    assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
  end)

  ait("leaves the task as it was", function()
    table.sort({ 3, 1, 2 }, function(a, b)
      pcall(asyncio.sleep, 0)
      return a < b
    end)
    assert.equal("fine", asyncio.sleep(0, "fine"))
  end)
end)

describe("ensure_future", function()
  ait("returns a future as it is", function()
    local future = asyncio.Future()
    assert.equal(future, asyncio.ensure_future(future))
    local task = asyncio.current_task()
    assert.equal(task, asyncio.ensure_future(task))
  end)

  ait("makes a task of anything else", function()
    local task = asyncio.ensure_future(both, 1, 2)
    assert.is_true(asyncio.isinstance(task, asyncio.Task))
    assert.same({ 1, 2 }, { task:await() })
    local named = asyncio.ensure_future(asyncio.async(both)(), { name = "named" })
    assert.equal("named", named:get_name())
    named:await()
  end)
end)

describe("what asks for a kind", function()
  it("answers for any value", function()
    local hostile = setmetatable({}, { __index = error })
    for _, value in ipairs { 0, "", false, {}, io.stdout, coroutine.create(print), hostile } do
      assert.is_false(asyncio.isfuture(value))
      assert.is_false(asyncio.iscoroutine(value))
      assert.is_false(asyncio.iscoroutinefunction(value))
      assert.is_false(asyncio.isinstance(value, asyncio.Future))
      assert.is_boolean(asyncio.isawaitable(value))
    end
    assert.is_false(asyncio.isfuture(nil))
    assert.is_false(asyncio.isawaitable(nil))
    assert.is_false(asyncio.isinstance(nil, asyncio.Future))
    assert.is_true(asyncio.isawaitable(print))
    assert.is_true(asyncio.isawaitable(coroutine.create(print)))
  end)
end)
