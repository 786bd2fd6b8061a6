local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local from_callback <const> = asyncio.from_callback

-- Calls back later with the arguments before the callback.
local function later(...)
  local arguments = table.pack(...)
  local callback = arguments[arguments.n]
  asyncio.get_running_loop():call_soon(function()
    callback(table.unpack(arguments, 1, arguments.n - 1))
  end)
end

describe("from_callback", function()
  ait("suspends until the callback is called, and returns what it got", function()
    local t = helper.trace()
    asyncio.create_task(function()
      t "another task"
    end)
    t(from_callback(later, "a", nil, "c"))
    assert.same({ "another task", "a nil c" }, t:list())
    assert.equal(0, select("#", from_callback(later)))
    assert.same({ 1, nil, 3, nil, n = 4 }, table.pack(from_callback(later, 1, nil, 3, nil)))
  end)

  ait("gives the function its arguments, and the callback last", function()
    for n = 0, 5 do
      local list = { 1, 2, 3, 4, 5 }
      local got = table.pack(from_callback(function(...)
        local arguments = table.pack(...)
        assert.equal(n + 1, arguments.n)
        arguments[arguments.n](table.unpack(arguments, 1, n))
      end, table.unpack(list, 1, n)))
      assert.same(table.pack(table.unpack(list, 1, n)), got)
    end
  end)

  ait("does not suspend when the callback is called at once", function()
    local switched = false
    asyncio.create_task(function()
      switched = true
    end)
    assert.same({ 1, 2, n = 2 }, table.pack(from_callback(function(a, callback)
      callback(a, 2)
    end, 1)))
    assert.is_false(switched)
  end)

  ait("takes a callback from another task or coroutine", function()
    assert.equal(1, from_callback(function(callback)
      asyncio.create_task(callback, 1)
    end))
    assert.equal(2, from_callback(function(callback)
      asyncio.create_task(coroutine.wrap(callback), 2)
    end))
    assert.equal(3, asyncio.coroutine.wrap(from_callback)(later, 3))
  end)

  ait("lets the function suspend before it calls back", function()
    assert.equal(1, from_callback(function(callback)
      asyncio.sleep(0)
      callback(1)
    end))
  end)

  ait("raises what the function raises", function()
    local object = {}
    assert.equal(object, helper.catch(from_callback, function()
      error(object)
    end))
    assert.equal("text", helper.catch(from_callback, function(callback)
      callback(1)
      error("text", 0)
    end))
  end)

  ait("takes anything that can be called", function()
    local callable = setmetatable({}, { __call = function(_, a, callback)
      callback(a)
    end })
    assert.equal(1, from_callback(callable, 1))
    for _, wrong in ipairs { 1, "x", true, {} } do
      helper.raises("bad argument #1 to 'from_callback'", from_callback, wrong)
    end
    helper.raises("bad argument #1 to 'from_callback'", from_callback)
  end)

  it("begins nothing where it cannot suspend", function()
    local called = false
    local function fn()
      called = true
    end
    helper.raises("'from_callback' suspends", from_callback, fn)
    helper.run(function()
      coroutine.wrap(helper.raises)("'from_callback'", from_callback, fn)
      table.sort({ 2, 1 }, function(a, b)
        helper.raises("below 'table.sort'", from_callback, fn)
        return a < b
      end)
    end)
    assert.is_false(called)
  end)
end)

describe("the callback of from_callback", function()
  ait("raises InvalidStateError when it is called again", function()
    local kept
    assert.equal(1, from_callback(function(callback)
      kept = callback
      callback(1)
      helper.raises(asyncio.InvalidStateError, callback, 2)
    end))
    helper.raises(asyncio.InvalidStateError, kept, 3)
    local err
    assert.equal(1, from_callback(function(callback)
      later(1, callback)
      asyncio.get_running_loop():call_soon(function()
        err = helper.catch(callback, 2)
      end)
    end))
    assert.is_true(asyncio.isinstance(err, asyncio.InvalidStateError))
  end)

  ait("does nothing when nobody waits any more", function()
    local kept
    local task = asyncio.create_task(from_callback, function(callback)
      kept = callback
    end)
    asyncio.sleep(0)
    task:cancel()
    kept "before the task knows"
    asyncio.wait { task }
    assert.is_true(task:cancelled())

    task = asyncio.create_task(from_callback, function(callback)
      kept = callback
    end)
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait { task }
    kept "after"
    kept "again"
    assert.is_true(task:cancelled())
  end)
end)

describe("cancelling from_callback", function()
  -- Cancels it while it waits for a function that returned the object.
  local function cancelled(object)
    local task = asyncio.create_task(from_callback, function()
      return object
    end)
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
  end

  ait("closes or else cancels what the function returned", function()
    local t = helper.trace()
    local methods = {
      close = function(self) t("close", self.name) end,
      cancel = function(self) t("cancel", self.name) end,
    }
    cancelled { name = "closed", close = methods.close, cancel = methods.cancel }
    cancelled { name = "cancelled", cancel = methods.cancel }
    cancelled(setmetatable({ name = "inherited" }, { __index = methods }))
    assert.same({ "close closed", "cancel cancelled", "close inherited" }, t:list())
    local handle = asyncio.get_running_loop():call_later(10, print)
    cancelled(handle)
    assert.is_true(handle:cancelled())
  end)

  ait("leaves alone what has neither", function()
    cancelled(nil)
    cancelled {}
    cancelled "text"
    cancelled(setmetatable({}, { __index = error }))
  end)

  ait("tells the exception handler what closing raises", function()
    local loop, reported = asyncio.get_running_loop(), nil
    loop:set_exception_handler(function(_, context)
      reported = context
    end)
    cancelled { close = function() error("oops", 0) end }
    loop:set_exception_handler(nil)
    assert.equal("oops", reported.exception)
    assert.matches("from_callback", reported.message)
  end)

  ait("by a timeout does the same", function()
    local closed = 0
    local function fn()
      return { close = function() closed = closed + 1 end }
    end
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, from_callback, 0.001, fn)
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      from_callback(fn)
    end)
    assert.equal(2, closed)
  end)

  it("by closing the loop does the same", function()
    local closed, kept = false, nil
    local loop = asyncio.new_event_loop()
    loop:create_task(from_callback, function(callback)
      kept = callback
      return { close = function() closed = true end }
    end)
    loop:run_until_complete(asyncio.sleep, 0)
    loop:close()
    assert.is_true(closed)
    kept(1)
  end)

  ait("is too late once the callback was called", function()
    local closed = false
    local kept
    local task = asyncio.create_task(from_callback, function(callback)
      kept = callback
      return { close = function() closed = true end }
    end)
    asyncio.sleep(0)
    kept(1)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    assert.is_false(closed)
  end)

  ait("keeps what the function returned alive while it waits", function()
    local weak, kept = setmetatable({}, { __mode = "v" }), nil
    local task = asyncio.create_task(from_callback, function(callback)
      kept = callback
      weak[1] = { close = print }
      return weak[1]
    end)
    asyncio.sleep(0)
    helper.collect()
    assert.is_table(weak[1])
    kept(1)
    task:await()
    task, kept = nil, nil -- luacheck: ignore
    helper.collect()
    assert.is_nil(weak[1])
  end)
end)
