local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

-- So many tasks that wait for the event, and note their number.
local function waiters(event, n, t)
  local tasks = {}
  for i = 1, n do
    tasks[i] = asyncio.create_task(function()
      t(i, event:wait())
    end)
  end
  turns(1)
  return tasks
end

describe("an event", function()
  ait("lets those go who wait, in order, once it is set", function()
    local event, t = asyncio.Event(), helper.trace()
    local tasks = waiters(event, 2, t)
    assert.same({}, t:list())
    tasks[3] = asyncio.create_task(function()
      t(3, event:wait())
    end)
    event:set()
    asyncio.gather(tasks):await()
    assert.same({ "3 true", "1 true", "2 true" }, t:list()) -- 3 need not wait
  end)

  ait("that is set keeps nobody, nor takes a turn", function()
    local event, other = asyncio.Event(), false
    event:set()
    local task = asyncio.create_task(function()
      other = true
    end)
    assert.is_true(event:wait())
    assert.is_false(other)
    task:await()
  end)

  ait("can be set and cleared, as often as one likes", function()
    local event = asyncio.Event()
    assert.is_false(event:is_set())
    assert.equal(0, select("#", event:set()))
    event:set()
    assert.is_true(event:is_set())
    assert.equal(0, select("#", event:clear()))
    event:clear()
    assert.is_false(event:is_set())
  end)

  ait("lets those go who waited when it was set, though it was cleared at once", function()
    local event, t = asyncio.Event(), helper.trace()
    local tasks = waiters(event, 1, t)
    event:set()
    event:clear()
    assert.is_false(event:is_set())
    assert.equal(0, event:statistics().tasks_waiting)
    event:set()
    event:set()
    event:clear()
    turns(1)
    assert.same({ "1 true" }, t:list())
    assert.is_true(tasks[1]:done())
  end)

  ait("keeps those who come after it was cleared", function()
    local event, t = asyncio.Event(), helper.trace()
    event:set()
    event:clear()
    local tasks = waiters(event, 1, t)
    turns(2)
    assert.same({}, t:list())
    event:set()
    tasks[1]:await()
  end)

  ait("can be set from a callback", function()
    local event = asyncio.Event()
    asyncio.get_running_loop():call_later(0.001, event.set, event)
    assert.is_true(event:wait())
  end)

  ait("prints its state, and counts who waits", function()
    local event, t = asyncio.Event(), helper.trace()
    assert.equal("<Event [unset]>", tostring(event))
    local tasks = waiters(event, 2, t)
    assert.equal("<Event [unset, waiters:2]>", tostring(event))
    assert.same({ is_set = false, tasks_waiting = 2 }, event:statistics())
    event:set()
    assert.equal("<Event [set]>", tostring(event))
    assert.same({ is_set = true, tasks_waiting = 0 }, event:statistics())
    asyncio.gather(tasks):await()
  end)

  it("has a class", function()
    assert.is_true(asyncio.isinstance(asyncio.Event(), asyncio.Event))
    assert.equal("asyncio.Event", tostring(asyncio.Event))
  end)

  it("can be set where no loop runs", function()
    local event = asyncio.Event()
    event:set()
    assert.is_true(asyncio.run(event.wait, event))
  end)

  ait("has methods for events alone", function()
    local event = asyncio.Event()
    for _, name in ipairs { "set", "clear", "is_set", "wait", "statistics" } do
      helper.raises("asyncio.Event expected, got ", event[name], asyncio.Lock())
      helper.raises("asyncio.Event expected, got ", event[name])
    end
  end)
end)

describe("a task that waits for an event", function()
  ait("leaves it when it is cancelled", function()
    local event, t = asyncio.Event(), helper.trace()
    local tasks = waiters(event, 2, t)
    tasks[1]:cancel()
    assert.equal(1, event:statistics().tasks_waiting)
    helper.raises(asyncio.CancelledError, tasks[1].await, tasks[1])
    event:set()
    tasks[2]:await()
    assert.same({ "2 true" }, t:list())
  end)

  ait("is cancelled after it was woken, too, and keeps no other", function()
    local event, t = asyncio.Event(), helper.trace()
    local tasks = waiters(event, 2, t)
    event:set()
    tasks[1]:cancel()
    tasks[1]:cancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
    assert.same({ "2 true" }, t:list())
  end)

  ait("is cancelled even if that is taken back before it runs", function()
    local event, t = asyncio.Event(), helper.trace()
    local tasks = waiters(event, 1, t)
    tasks[1]:cancel()
    tasks[1]:uncancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
  end)

  ait("has a limit with wait_for and timeout", function()
    local event = asyncio.Event()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, event.wait, 0.001, event)
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      event:wait()
    end)
    assert.equal(0, event:statistics().tasks_waiting)
  end)

  ait("allocates nothing", function()
    local ping, pong = asyncio.Event(), asyncio.Event()
    local echo = asyncio.create_task(function()
      while true do
        ping:wait()
        ping:clear()
        pong:set()
      end
    end)
    local function rounds(n)
      for _ = 1, n do
        ping:set()
        pong:wait()
        pong:clear()
      end
    end
    rounds(10)
    helper.collect()
    collectgarbage "stop"
    local before = collectgarbage "count"
    rounds(1000)
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.equal(before, after)
    echo:cancel()
  end)
end)
