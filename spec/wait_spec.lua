local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local wait <const> = asyncio.wait

local function after(delay, ...)
  asyncio.sleep(delay)
  return ...
end

local function sleeper(delay, ...)
  return asyncio.create_task(after, delay, ...)
end

local function failing(delay)
  return asyncio.create_task(function()
    asyncio.sleep(delay)
    error "failed"
  end)
end

local function cancel_all(tasks)
  for _, task in ipairs(tasks) do
    task:cancel()
  end
end

describe("wait", function()
  ait("waits for all, and gives them in the order given", function()
    local a, b, c = sleeper(0.002), sleeper(0), sleeper(0.001)
    local done, pending = wait { a, b, c }
    assert.same({ a, b, c }, done)
    assert.same({}, pending)
  end)

  ait("may wait for the first", function()
    local a, b, c = sleeper(1000), sleeper(0.001), sleeper(1000)
    local done, pending = wait({ a, b, c }, { return_when = asyncio.FIRST_COMPLETED })
    assert.same({ b }, done)
    assert.same({ a, c }, pending)
    cancel_all(pending)
  end)

  ait("may wait for the first error", function()
    local a, b, c = sleeper(0), failing(0.001), sleeper(1000)
    local done, pending = wait({ a, b, c }, { return_when = asyncio.FIRST_EXCEPTION })
    assert.same({ a, b }, done)
    assert.same({ c }, pending)
    assert.matches("failed", b:exception())
    cancel_all(pending)
  end)

  ait("does not take a cancelled one for an error", function()
    local a, b = sleeper(1000), sleeper(0.002)
    asyncio.get_running_loop():call_soon(a.cancel, a)
    local done = wait({ a, b }, { return_when = "FIRST_EXCEPTION" })
    assert.same({ a, b }, done)
  end)

  ait("returns after the timeout, and cancels nothing", function()
    local a, b = sleeper(0), sleeper(1000)
    local done, pending = wait({ a, b }, { timeout = 0.002 })
    assert.same({ a }, done)
    assert.same({ b }, pending)
    assert.is_false(b:done())
    done, pending = wait({ b }, { timeout = 0 })
    assert.same({}, done)
    assert.same({ b }, pending)
    b:cancel()
  end)

  ait("with what is done already returns at once", function()
    local a, b = asyncio.Future(), asyncio.Future()
    a:set_result(1)
    local t = helper.trace()
    asyncio.get_running_loop():call_soon(t, "turn")
    local done, pending = wait({ a, b }, { return_when = asyncio.FIRST_COMPLETED })
    assert.same({}, t:list())
    assert.same({ a }, done)
    assert.same({ b }, pending)
  end)

  ait("gives one that stands there twice once", function()
    local a = sleeper(0)
    local done, pending = wait { a, a, a }
    assert.same({ a }, done)
    assert.same({}, pending)
  end)

  ait("lets go of everything when cancelled", function()
    local a = sleeper(1000)
    local waiter = asyncio.create_task(wait, { a }, { timeout = 1000 })
    asyncio.sleep(0)
    waiter:cancel()
    helper.raises(asyncio.CancelledError, waiter.await, waiter)
    assert.is_false(a:cancelled())
    a:cancel()
    asyncio.sleep(0)
  end)

  ait("refuses bad arguments", function()
    local a = sleeper(1000)
    helper.raises("bad argument #1", wait)
    helper.raises("bad argument #1 .*empty", wait, {})
    helper.raises("bad argument #1", wait, a)
    helper.raises("bad argument #1 .*at %[2%]", wait, { a, after })
    helper.raises("bad argument #2", wait, { a }, 5)
    helper.raises("bad argument #2 .*timeout", wait, { a }, { timeout = "x" })
    helper.raises("bad argument #2 .*nan", wait, { a }, { timeout = 0 / 0 })
    helper.raises("bad argument #2 .*return_when", wait, { a }, { return_when = "ALL" })
    a:cancel()
  end)

  it("needs a task, unless nothing is to be waited for", function()
    local loop = asyncio.new_event_loop()
    local future = loop:create_future()
    helper.raises(asyncio.RuntimeError, wait, { future })
    future:set_result()
    assert.same({ future }, (wait { future }))
    loop:close()
  end)
end)
