local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

local function waiting(condition)
  return condition:statistics().tasks_waiting
end

local function lock_waiting(condition)
  return condition:statistics().lock_statistics.tasks_waiting
end

-- So many tasks that wait for the condition, note their number with what they
-- got, and let go of the lock.
local function waiters(condition, n, t)
  local tasks = {}
  for i = 1, n do
    tasks[i] = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      t(i, condition:wait())
    end)
  end
  turns(1)
  return tasks
end

-- A task that takes one from `stock` whenever there is something, and ends when
-- that is negative.
local function consumer(condition, stock)
  return asyncio.create_task(function()
    local _ <close> = condition:acquire()
    while true do
      condition:wait_for(function()
        return stock.n ~= 0
      end)
      if stock.n < 0 then
        return
      end
      stock.n = stock.n - 1
      stock.taken = stock.taken + 1
      condition:notify_all()
    end
  end)
end

local function finish(condition, stock, tasks)
  do
    local _ <close> = condition:acquire()
    stock.n = -1
    condition:notify_all()
  end
  asyncio.wait(tasks)
end

describe("a condition", function()
  ait("lets go of the lock while tasks wait, and gives it back to each", function()
    local condition, t, tasks = asyncio.Condition(), helper.trace(), {}
    for i = 1, 3 do
      tasks[i] = asyncio.create_task(function()
        condition:acquire()
        t(i, condition:wait())
      end)
    end
    turns(1)
    assert.same({}, t:list())
    assert.is_false(condition:locked())
    assert.equal(condition, condition:acquire())
    assert.equal(0, select("#", condition:notify()))
    turns(1)
    assert.same({}, t:list())
    assert.is_true(condition:locked())
    condition:release()
    turns(2)
    assert.same({ "1 true" }, t:list())
    assert.is_true(condition:locked())
    condition:notify(2)
    turns(2)
    assert.same({ "1 true" }, t:list())
    condition:release()
    turns(2)
    assert.same({ "1 true", "2 true" }, t:list())
    condition:release()
    turns(2)
    assert.same({ "1 true", "2 true", "3 true" }, t:list())
    assert.is_true(condition:locked())
    asyncio.gather(tasks):await()
  end)

  ait("notifies so many, those first that came first", function()
    local condition, t = asyncio.Condition(), helper.trace()
    local tasks = waiters(condition, 4, t)
    do
      local _ <close> = condition:acquire()
      condition:notify(1)
    end
    turns(3)
    assert.same({ "1 true" }, t:list())
    do
      local _ <close> = condition:acquire()
      condition:notify(0)
      condition:notify(-1)
      condition:notify(math.mininteger)
      assert.equal(3, waiting(condition))
      condition:notify(1)
      condition:notify(2048)
    end
    asyncio.gather(tasks):await()
    assert.same({ "1 true", "2 true", "3 true", "4 true" }, t:list())
  end)

  ait("notifies all", function()
    local condition, t = asyncio.Condition(), helper.trace()
    local tasks = waiters(condition, 3, t)
    do
      local _ <close> = condition:acquire()
      assert.equal(0, select("#", condition:notify_all()))
      assert.equal(0, waiting(condition))
    end
    asyncio.gather(tasks):await()
    assert.same({ "1 true", "2 true", "3 true" }, t:list())
    assert.is_false(condition:locked())
  end)

  ait("keeps a notification for nobody", function()
    local condition, t = asyncio.Condition(), helper.trace()
    do
      local _ <close> = condition:acquire()
      condition:notify_all()
    end
    local tasks = waiters(condition, 1, t)
    turns(3)
    assert.same({}, t:list())
    tasks[1]:cancel()
  end)

  ait("needs its lock to wait and to notify", function()
    local condition = asyncio.Condition()
    local function refused(message, fn, ...)
      assert.equal(message, helper.raises(asyncio.RuntimeError, fn, ...).message)
    end
    refused("cannot wait on un-acquired lock", condition.wait, condition)
    refused("cannot wait on un-acquired lock", condition.wait_for, condition, function()
      return false
    end)
    refused("cannot notify on un-acquired lock", condition.notify, condition)
    refused("cannot notify on un-acquired lock", condition.notify_all, condition)
    helper.raises(asyncio.RuntimeError, condition.release, condition)
    assert.is_false(condition:locked())
  end)

  ait("has no holder while its lock is on the way to the next", function()
    local condition = asyncio.Condition():acquire()
    local next_one = asyncio.create_task(condition.acquire, condition)
    turns(1)
    condition:release()
    assert.is_true(condition:locked())
    helper.raises("cannot notify", condition.notify, condition)
    helper.raises("cannot wait", condition.wait, condition)
    next_one:await()
    condition:notify()
    condition:release()
  end)

  ait("may share a lock with others", function()
    local lock = asyncio.Lock()
    local full, empty = asyncio.Condition(lock), asyncio.Condition(lock)
    do
      local _ <close> = full:acquire()
      assert.is_true(lock:locked() and empty:locked())
    end
    local room, items, t = 1, 0, helper.trace()
    local producer = asyncio.create_task(function()
      for i = 1, 3 do
        local _ <close> = lock:acquire()
        empty:wait_for(function()
          return room > 0
        end)
        room, items = room - 1, items + 1
        t("put " .. i)
        full:notify()
      end
    end)
    for i = 1, 3 do
      local _ <close> = lock:acquire()
      full:wait_for(function()
        return items > 0
      end)
      room, items = room + 1, items - 1
      t("got " .. i)
      empty:notify()
    end
    producer:await()
    assert.same({ "put 1", "got 1", "put 2", "got 2", "put 3", "got 3" }, t:list())
    assert.is_false(lock:locked())
  end)

  ait("is released at the end of a <close> variable's block", function()
    local condition, err = asyncio.Condition(), {}
    do
      local held <close> = condition:acquire()
      assert.equal(condition, held)
      assert.is_true(condition:locked())
    end
    assert.is_false(condition:locked())
    assert.equal(err, helper.catch(function()
      local _ <close> = condition:acquire()
      error(err)
    end))
    assert.is_false(condition:locked())
  end)

  ait("prints its state, and counts", function()
    local condition, t = asyncio.Condition(), helper.trace()
    assert.equal("<Condition [unlocked]>", tostring(condition))
    local tasks = waiters(condition, 2, t)
    assert.equal("<Condition [unlocked, waiters:2]>", tostring(condition))
    condition:acquire()
    assert.equal("<Condition [locked, waiters:2]>", tostring(condition))
    assert.same({
      tasks_waiting = 2,
      lock_statistics = { locked = true, tasks_waiting = 0 },
    }, condition:statistics())
    condition:notify_all()
    turns(1)
    assert.same({
      tasks_waiting = 0,
      lock_statistics = { locked = true, tasks_waiting = 2 },
    }, condition:statistics())
    condition:release()
    asyncio.gather(tasks):await()
  end)

  it("has a class, and takes nothing but a lock", function()
    assert.is_true(asyncio.isinstance(asyncio.Condition(), asyncio.Condition))
    assert.is_true(asyncio.isinstance(asyncio.Condition(nil, 1), asyncio.Condition))
    assert.is_true(asyncio.isinstance(asyncio.Condition(asyncio.Lock(), 1), asyncio.Condition))
    for _, wrong in ipairs { 1, {}, asyncio.Condition(), asyncio.Event(), false } do
      helper.raises("bad argument #1.*asyncio.Lock expected", asyncio.Condition, wrong)
    end
  end)

  ait("has methods for conditions alone", function()
    local condition = asyncio.Condition()
    for _, method in pairs(getmetatable(asyncio.Condition).__index) do
      helper.raises("asyncio.Condition expected, got ", method, asyncio.Lock(), "other")
    end
    helper.raises("bad argument #1 to 'notify'", function()
      condition:notify "all"
    end)
    for _, wrong in ipairs { false, 1, {} } do
      helper.raises("bad argument #1 to 'wait_for' %(function expected, got ", function()
        condition:wait_for(wrong or nil)
      end)
    end
    local callable = setmetatable({}, { __call = function(_, x) return x end })
    assert.equal(5, condition:wait_for(callable, 5))
  end)
end)

describe("wait_for of a condition", function()
  ait("waits until the predicate is true", function()
    local condition, ready, calls = asyncio.Condition(), false, 0
    local task = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      return condition:wait_for(function()
        calls = calls + 1
        assert.is_true(condition:locked())
        return ready
      end)
    end)
    for _, value in ipairs { false, "ready" } do
      turns(2)
      ready = value
      local _ <close> = condition:acquire()
      condition:notify()
    end
    assert.equal("ready", task:await())
    assert.equal(3, calls)
  end)

  ait("gives the predicate its arguments, and returns all that it returns", function()
    local condition = asyncio.Condition()
    local count = 0
    local task = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      return condition:wait_for(function(...)
        count = count + 1
        return count == 2 and select("#", ...), ...
      end, "a", nil, nil)
    end)
    turns(1)
    do
      local _ <close> = condition:acquire()
      condition:notify()
    end
    assert.same({ n = 4, 3, "a" }, table.pack(task:await()))
  end)

  ait("returns at once when the predicate is true, and needs no lock then", function()
    local condition, list = asyncio.Condition(), {}
    assert.equal(list, condition:wait_for(function()
      return list
    end))
    helper.raises(asyncio.RuntimeError, condition.wait_for, condition, function() end)
  end)

  ait("takes a predicate that suspends", function()
    local condition, polls = asyncio.Condition(), 0
    local task = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      return condition:wait_for(function()
        polls = polls + 1
        asyncio.sleep(0)
        return polls == 3 and "third"
      end)
    end)
    while not task:done() do
      do
        local _ <close> = condition:acquire()
        condition:notify()
      end
      turns(1)
    end
    assert.equal("third", task:await())
    assert.is_false(condition:locked())
  end)

  ait("raises what the predicate raises, with the lock", function()
    local condition, err = asyncio.Condition(), {}
    local _ <close> = condition:acquire()
    assert.equal(err, helper.catch(condition.wait_for, condition, error, err))
    assert.is_true(condition:locked())
    helper.raises("bad argument #2.*function expected", condition.wait_for, condition, 1)
    assert.is_true(condition:locked())
  end)

  ait("has a limit", function()
    local condition = asyncio.Condition()
    do
      local _ <close> = condition:acquire()
      helper.raises(asyncio.TimeoutError, function()
        local _ <close> = asyncio.timeout(0.001)
        condition:wait_for(function()
          return false
        end)
      end)
      assert.is_true(condition:locked())
      helper.raises(asyncio.TimeoutError, asyncio.wait_for, condition.wait, 0.001, condition)
      assert.is_true(condition:locked())
    end
    assert.is_false(condition:locked())
    assert.equal(0, waiting(condition))
  end)
end)

describe("a task that waits for a condition", function()
  ait("has the lock again when it is cancelled", function()
    local condition = asyncio.Condition()
    local task = asyncio.create_task(function()
      condition:acquire()
      condition:wait()
    end)
    turns(1)
    assert.is_false(condition:locked())
    task:cancel "enough"
    assert.equal(0, waiting(condition))
    local err = helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("enough", err.message)
    assert.is_true(condition:locked())
    condition:release()
  end)

  ait("waits for the lock before its cancellation is raised", function()
    local condition, t = asyncio.Condition(), helper.trace()
    local task = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      local ok, err = pcall(condition.wait, condition)
      t(ok, err.message, condition:locked(), asyncio.current_task():cancelling())
      error(err)
    end)
    turns(1)
    condition:acquire()
    task:cancel "stop"
    turns(3)
    assert.same({}, t:list())
    assert.equal(1, lock_waiting(condition))
    condition:release()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.same({ "false stop true 1" }, t:list())
    assert.is_false(condition:locked())
  end)

  ait("is cancelled on its way back to the lock", function()
    local condition, t = asyncio.Condition(), helper.trace()
    local task = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      local ok, err = pcall(condition.wait, condition)
      t(ok, err.message, condition:locked())
      error(err)
    end)
    turns(1)
    condition:acquire()
    condition:notify()
    turns(1) -- it waits for the lock now
    assert.equal(1, lock_waiting(condition))
    task:cancel "foo"
    turns(2)
    assert.equal(1, lock_waiting(condition)) -- and still does
    condition:release()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_true(task:cancelled())
    assert.same({ "false foo true" }, t:list())
    assert.is_false(condition:locked())
  end)

  ait("is cancelled again and again, and still has the lock in the end", function()
    local condition, t = asyncio.Condition(), helper.trace()
    local task = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      local ok, err = pcall(condition.wait, condition)
      t(ok, err.message, condition:locked(), asyncio.current_task():cancelling())
      turns(1) -- nothing is left of it
      t "end"
    end)
    turns(1)
    condition:acquire()
    for i = 1, 3 do
      task:cancel(i)
      turns(2)
    end
    condition:release()
    task:cancel(4) -- the lock is its own already
    task:await()
    assert.same({ "false 4 true 4", "end" }, t:list())
  end)

  ait("has a notification and a cancellation meet at the contested lock", function()
    local condition = asyncio.Condition()
    local loop = asyncio.get_running_loop()
    condition:acquire()
    local task = asyncio.create_task(condition.wait, condition)
    turns(1)
    assert.is_false(condition:locked())
    condition:acquire()
    condition:notify()
    loop:call_soon(task.cancel, task)
    loop:call_soon(condition.release, condition)
    asyncio.wait { task }
    assert.is_true(condition:locked())
    condition:release()
  end)

  ait("is cancelled even if that is taken back before it runs", function()
    local condition, t = asyncio.Condition(), helper.trace()
    local tasks = waiters(condition, 1, t)
    tasks[1]:cancel()
    tasks[1]:uncancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
    assert.is_false(condition:locked())
  end)

  ait("leaves without taking a notification when it is cancelled before", function()
    local condition, t = asyncio.Condition(), helper.trace()
    local tasks = waiters(condition, 3, t)
    condition:acquire()
    tasks[1]:cancel()
    condition:notify()
    turns(1)
    assert.equal(1, waiting(condition)) -- 3, for 2 was notified
    condition:release()
    turns(4)
    assert.same({ "2 true" }, t:list())
    assert.is_true(tasks[1]:cancelled())
    tasks[3]:cancel()
    asyncio.wait(tasks)
  end)

  ait("passes its notification on when it is cancelled before it runs", function()
    local condition, stock = asyncio.Condition(), { n = 0, taken = 0 }
    local tasks = { consumer(condition, stock), consumer(condition, stock) }
    turns(1)
    do
      local _ <close> = condition:acquire()
      stock.n = 1
      condition:notify()
      tasks[1]:cancel()
      condition:wait_for(function()
        return stock.n == 0
      end)
    end
    assert.equal(1, stock.taken)
    finish(condition, stock, tasks)
    assert.is_true(tasks[1]:cancelled())
    tasks[2]:result()
  end)

  ait("passes its notification on when it is cancelled on its way to the lock", function()
    local condition, stock = asyncio.Condition(), { n = 0, taken = 0 }
    local tasks = { consumer(condition, stock), consumer(condition, stock) }
    turns(1)
    do
      local _ <close> = condition:acquire()
      stock.n = 1
      condition:notify()
      turns(1)
      tasks[1]:cancel()
      condition:wait_for(function()
        return stock.n == 0
      end)
    end
    assert.equal(1, stock.taken)
    finish(condition, stock, tasks)
    assert.is_true(tasks[1]:cancelled())
  end)

  ait("passes its notification on when it is cancelled with the lock in hand", function()
    local condition, stock = asyncio.Condition(), { n = 0, taken = 0 }
    local tasks = { consumer(condition, stock), consumer(condition, stock) }
    turns(1)
    condition:acquire()
    stock.n = 1
    condition:notify()
    turns(1)
    condition:release()
    tasks[1]:cancel()
    turns(5)
    assert.equal(1, stock.taken)
    finish(condition, stock, tasks)
    assert.is_true(tasks[1]:cancelled())
  end)

  ait("leaves the line for the lock like any other while it acquires", function()
    local condition = asyncio.Condition():acquire()
    local task = asyncio.create_task(condition.acquire, condition)
    local other = asyncio.create_task(condition.acquire, condition)
    turns(1)
    condition:release()
    task:cancel()
    assert.equal(condition, other:await())
    assert.is_true(task:cancelled())
    condition:release()
    assert.is_false(condition:locked())
  end)

  ait("allocates nothing", function()
    local condition, turn = asyncio.Condition(), 0
    local function is_mine(who)
      return turn == who
    end
    local function play(who, rounds)
      local _ <close> = condition:acquire()
      for _ = 1, rounds do
        condition:wait_for(is_mine, who)
        turn = 1 - who
        condition:notify()
      end
    end
    local other = asyncio.create_task(play, 1, 2000)
    play(0, 10)
    helper.collect()
    collectgarbage "stop"
    local before = collectgarbage "count"
    play(0, 1000)
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.equal(before, after)
    other:cancel()
  end)
end)
