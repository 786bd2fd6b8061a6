local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("a future", function()
  ait("has a result once it is set", function()
    local future = asyncio.Future()
    assert.is_false(future:done())
    assert.is_false(future:cancelled())
    helper.raises(asyncio.InvalidStateError, future.result, future)
    helper.raises(asyncio.InvalidStateError, future.exception, future)
    future:set_result(1, nil, 3, nil)
    assert.is_true(future:done())
    assert.is_false(future:cancelled())
    assert.same({ n = 4, 1, nil, 3, nil }, table.pack(future:result()))
    assert.is_nil(future:exception())
  end)

  ait("may have no values, or nil", function()
    local none, null = asyncio.Future(), asyncio.Future()
    none:set_result()
    null:set_result(nil)
    assert.equal(0, select("#", none:result()))
    assert.equal(1, select("#", null:result()))
    assert.equal(0, select("#", none:await()))
    assert.equal(1, select("#", null:await()))
  end)

  ait("may have an error of any kind", function()
    local err = {}
    local future = asyncio.Future()
    future:set_exception(err)
    assert.is_true(future:done())
    assert.is_false(future:cancelled())
    assert.equal(err, future:exception())
    assert.equal(err, helper.catch(future.result, future))
    assert.equal(err, helper.catch(future.await, future))
    local other = asyncio.Future()
    other:set_exception(false)
    assert.is_false(other:exception())
    assert.is_false(helper.catch(other.result, other))
  end)

  ait("makes an instance of an exception class", function()
    local future = asyncio.Future()
    future:set_exception(asyncio.TimeoutError)
    local err = future:exception()
    assert.is_true(asyncio.isinstance(err, asyncio.TimeoutError))
    assert.not_equal(asyncio.TimeoutError, err)
    assert.is_nil(err.message)
  end)

  ait("is set once only", function()
    local result, failed, cancelled = asyncio.Future(), asyncio.Future(), asyncio.Future()
    result:set_result(1)
    failed:set_exception "no"
    cancelled:cancel()
    failed:exception()
    for _, future in ipairs { result, failed, cancelled } do
      helper.raises(asyncio.InvalidStateError, future.set_result, future, 2)
      helper.raises(asyncio.InvalidStateError, future.set_exception, future, "no")
      assert.is_false(future:cancel())
    end
    assert.equal(1, result:result())
  end)

  ait("can be cancelled, with a message", function()
    local future = asyncio.Future()
    local message = { "any value" }
    assert.is_true(future:cancel(message))
    assert.is_true(future:done())
    assert.is_true(future:cancelled())
    for _, method in ipairs { "result", "exception", "await" } do
      local err = helper.raises(asyncio.CancelledError, future[method], future)
      assert.equal(message, err.message)
    end
    local plain = asyncio.Future()
    plain:cancel()
    assert.is_nil(helper.catch(plain.result, plain).message)
  end)

  ait("keeps its loop", function()
    assert.equal(asyncio.get_running_loop(), asyncio.Future():get_loop())
  end)

  ait("is a Future, and no Task", function()
    local future = asyncio.Future()
    assert.is_true(asyncio.isinstance(future, asyncio.Future))
    assert.is_false(asyncio.isinstance(future, asyncio.Task))
    assert.is_true(asyncio.isfuture(future))
    assert.is_true(asyncio.isawaitable(future))
    assert.is_false(asyncio.iscoroutine(future))
  end)

  ait("shows its state as a string", function()
    local function shown(act, ...)
      local future = asyncio.Future()
      if act then
        future[act](future, ...)
        pcall(future.exception, future)
      end
      return tostring(future)
    end
    assert.equal("<Future pending>", shown())
    assert.equal("<Future finished result=7>", shown("set_result", 7))
    assert.equal("<Future finished result='text'>", shown("set_result", "text"))
    assert.equal("<Future finished exception='bad'>", shown("set_exception", "bad"))
    assert.equal("<Future cancelled>", shown "cancel")
  end)
end)

describe("awaiting a future", function()
  ait("suspends until another task sets it", function()
    local t = helper.trace()
    local future = asyncio.Future()
    asyncio.create_task(function()
      t "setting"
      future:set_result("a", "b")
      t "set"
    end)
    t "waiting"
    t(future:await())
    assert.same({ "waiting", "setting", "set", "a b" }, t:list())
  end)

  ait("does not suspend when it is done", function()
    local t = helper.trace()
    asyncio.get_running_loop():call_soon(t, "turn")
    local future = asyncio.Future()
    future:set_result(1)
    future:await()
    t "main"
    asyncio.sleep(0)
    assert.same({ "main", "turn" }, t:list())
  end)

  ait("wakes all who wait in the order in which they came", function()
    local t = helper.trace()
    local future = asyncio.Future()
    for i = 1, 4 do
      asyncio.create_task(function()
        t(i, future:await())
      end)
    end
    asyncio.sleep(0)
    future:set_result "x"
    assert.same({}, t:list())
    asyncio.sleep(0)
    assert.same({ "1 x", "2 x", "3 x", "4 x" }, t:list())
  end)

  ait("raises the same error to each", function()
    local future = asyncio.Future()
    local err = asyncio.TimeoutError "late"
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = asyncio.create_task(function()
        return future:await()
      end)
    end
    asyncio.sleep(0)
    future:set_exception(err)
    asyncio.wait(tasks)
    for _, task in ipairs(tasks) do
      assert.equal(err, task:exception())
    end
  end)

  it("refuses one of another loop", function()
    local loop = asyncio.new_event_loop()
    local future = loop:create_future()
    asyncio.run(function()
      helper.raises(asyncio.RuntimeError, future.await, future)
    end)
    loop:close()
  end)
end)

describe("a done callback", function()
  ait("is called soon after, with the future, in the order of adding", function()
    local t = helper.trace()
    local future = asyncio.Future()
    local seen
    future:add_done_callback(function(f)
      seen = f
      t "first"
    end)
    future:add_done_callback(function() t "second" end)
    future:set_result()
    t "set"
    asyncio.sleep(0)
    assert.same({ "set", "first", "second" }, t:list())
    assert.equal(future, seen)
  end)

  ait("keeps its place among those who await", function()
    local t = helper.trace()
    local future = asyncio.Future()
    future:add_done_callback(function() t "callback 1" end)
    asyncio.create_task(function()
      future:await()
      t "task"
    end)
    asyncio.sleep(0)
    future:add_done_callback(function() t "callback 2" end)
    future:set_result()
    asyncio.sleep(0)
    assert.same({ "callback 1", "task", "callback 2" }, t:list())
  end)

  ait("added to a done future is called soon, not at once", function()
    local t = helper.trace()
    local future = asyncio.Future()
    future:set_result()
    future:add_done_callback(function() t "called" end)
    assert.same({}, t:list())
    asyncio.sleep(0)
    assert.same({ "called" }, t:list())
  end)

  ait("can be removed, as often as it was added", function()
    local called = 0
    local function count()
      called = called + 1
    end
    local future = asyncio.Future()
    future:add_done_callback(count)
    future:add_done_callback(count)
    future:add_done_callback(function() called = called + 10 end)
    assert.equal(2, future:remove_done_callback(count))
    assert.equal(0, future:remove_done_callback(count))
    assert.equal(0, future:remove_done_callback(print))
    future:set_result()
    asyncio.sleep(0)
    assert.equal(10, called)
  end)

  ait("cannot be removed any more when the future is done", function()
    local called = 0
    local function count()
      called = called + 1
    end
    local future = asyncio.Future()
    future:add_done_callback(count)
    future:set_result()
    future:add_done_callback(count)
    assert.equal(0, future:remove_done_callback(count))
    asyncio.sleep(0)
    assert.equal(2, called)
  end)

  ait("of a future that is done is not kept", function()
    local future = asyncio.Future()
    future:set_result()
    for _ = 1, 1000 do
      future:add_done_callback(function() end)
    end
    asyncio.sleep(0)
    helper.collect()
    local before = collectgarbage "count"
    for _ = 1, 1000 do
      future:add_done_callback(function() end)
    end
    asyncio.sleep(0)
    helper.collect()
    assert.is_true(collectgarbage "count" - before < 64)
  end)

  ait("that raises does not keep others from being called", function()
    local errors, called = {}, false
    asyncio.get_running_loop():set_exception_handler(function(_, context)
      errors[#errors + 1] = context.exception
    end)
    local future = asyncio.Future()
    future:add_done_callback(function() error("bad", 0) end)
    future:add_done_callback(function() called = true end)
    future:cancel()
    asyncio.sleep(0)
    assert.same({ "bad" }, errors)
    assert.is_true(called)
  end)
end)
