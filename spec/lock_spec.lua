local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

local function waiting(lock)
  return lock:statistics().tasks_waiting
end

-- A lock that is held, and so many tasks that wait for it; each notes its
-- number once it has the lock, and keeps it.
local function contended(n)
  local lock, got, tasks = asyncio.Lock():acquire(), helper.trace(), {}
  for i = 1, n do
    tasks[i] = asyncio.create_task(function()
      lock:acquire()
      got(i)
    end)
  end
  turns(1)
  return lock, got, tasks
end

describe("a lock", function()
  ait("is held from acquire to release", function()
    local lock = asyncio.Lock()
    assert.is_false(lock:locked())
    assert.equal(lock, lock:acquire())
    assert.is_true(lock:locked())
    assert.equal(0, select("#", lock:release()))
    assert.is_false(lock:locked())
  end)

  ait("goes to those who wait, in the order in which they came", function()
    local lock, got, tasks = contended(2)
    assert.same({}, got:list())
    lock:release()
    turns(1)
    assert.same({ 1 }, got:list())
    turns(1)
    assert.same({ 1 }, got:list())
    tasks[3] = asyncio.create_task(function()
      lock:acquire()
      got(3)
    end)
    lock:release()
    turns(1)
    assert.same({ 1, 2 }, got:list())
    lock:release()
    turns(1)
    assert.same({ 1, 2, 3 }, got:list())
    asyncio.gather(tasks):await()
  end)

  ait("is handed over: the releaser stands in line like any other", function()
    local lock, t = asyncio.Lock(), helper.trace()
    local function work(name)
      for i = 1, 3 do
        local _ <close> = lock:acquire()
        t(name .. i)
        turns(1)
      end
    end
    asyncio.gather(asyncio.create_task(work, "a"), asyncio.create_task(work, "b")):await()
    assert.same({ "a1", "b1", "a2", "b2", "a3", "b3" }, t:list())
    assert.is_false(lock:locked())
  end)

  ait("is locked between release and the run of the next", function()
    local lock, got = contended(1)
    lock:release()
    assert.is_true(lock:locked())
    assert.equal(0, waiting(lock))
    helper.raises(asyncio.RuntimeError, lock.release, lock) -- it is not ours any more
    turns(1)
    assert.same({ 1 }, got:list())
    lock:release()
    assert.is_false(lock:locked())
  end)

  ait("may be released by another task than the holder", function()
    local lock = asyncio.Lock():acquire()
    asyncio.create_task(lock.release, lock):await()
    assert.is_false(lock:locked())
  end)

  ait("takes no turn when it is free", function()
    local lock, t = asyncio.Lock(), helper.trace()
    local other = asyncio.create_task(function()
      t "other"
    end)
    lock:acquire()
    t "acquired"
    other:await()
    assert.same({ "acquired", "other" }, t:list())
  end)

  ait("prints its state", function()
    local lock = asyncio.Lock()
    assert.equal("<Lock [unlocked]>", tostring(lock))
    lock:acquire()
    assert.equal("<Lock [locked]>", tostring(lock))
    local busy = contended(2)
    assert.equal("<Lock [locked, waiters:2]>", tostring(busy))
    busy:release()
    assert.equal("<Lock [locked, waiters:1]>", tostring(busy))
    turns(1)
    busy:release()
    turns(1)
  end)

  ait("counts who waits", function()
    local lock = asyncio.Lock()
    assert.same({ locked = false, tasks_waiting = 0 }, lock:statistics())
    local busy, _, tasks = contended(3)
    assert.same({ locked = true, tasks_waiting = 3 }, busy:statistics())
    tasks[2]:cancel()
    assert.same({ locked = true, tasks_waiting = 2 }, busy:statistics())
    tasks[1]:cancel()
    tasks[3]:cancel()
  end)

  it("has a class, and needs no loop to be made", function()
    local lock = asyncio.Lock()
    assert.is_true(asyncio.isinstance(lock, asyncio.Lock))
    assert.is_false(asyncio.isinstance(lock, asyncio.Future))
    assert.equal("asyncio.Lock", tostring(asyncio.Lock))
    assert.is_true(asyncio.isinstance(asyncio.Lock(1, 2), asyncio.Lock)) -- ignored
  end)

  ait("refuses to be released when nobody holds it", function()
    local lock = asyncio.Lock()
    helper.raises(asyncio.RuntimeError, lock.release, lock)
    lock:acquire()
    lock:release()
    helper.raises(asyncio.RuntimeError, lock.release, lock)
    assert.is_false(lock:locked())
  end)

  ait("has methods for locks alone", function()
    local lock = asyncio.Lock()
    for _, name in ipairs { "acquire", "release", "locked", "statistics" } do
      for _, wrong in ipairs { 1, {}, asyncio.Future(), io.stdout } do
        helper.raises("asyncio.Lock expected, got ", lock[name], wrong)
      end
    end
  end)
end)

describe("a lock in a <close> variable", function()
  ait("is released at the end of the block", function()
    local lock = asyncio.Lock()
    do
      local held <close> = lock:acquire()
      assert.equal(lock, held)
      assert.is_true(lock:locked())
    end
    assert.is_false(lock:locked())
  end)

  ait("is released by an error, which passes", function()
    local lock, err = asyncio.Lock(), {}
    assert.equal(err, helper.catch(function()
      local _ <close> = lock:acquire()
      turns(1)
      error(err)
    end))
    assert.is_false(lock:locked())
  end)

  ait("is released by a cancellation", function()
    local lock = asyncio.Lock()
    local task = asyncio.create_task(function()
      local _ <close> = lock:acquire()
      asyncio.sleep(1000)
    end)
    turns(1)
    assert.is_true(lock:locked())
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_false(lock:locked())
  end)

  ait("must not be released before: that is one release too many", function()
    local lock = asyncio.Lock()
    helper.raises(asyncio.RuntimeError, function()
      local _ <close> = lock:acquire()
      lock:release()
    end)
    assert.is_false(lock:locked())
  end)
end)

describe("a task that waits for a lock", function()
  ait("leaves the line when it is cancelled", function()
    local lock, got, tasks = contended(2)
    tasks[1]:cancel "no more"
    assert.equal(1, waiting(lock))
    local err = helper.raises(asyncio.CancelledError, tasks[1].await, tasks[1])
    assert.equal("no more", err.message)
    assert.is_true(lock:locked())
    lock:release()
    tasks[2]:await()
    assert.same({ 2 }, got:list())
  end)

  ait("is passed over when it was cancelled before the release", function()
    local lock, got, tasks = contended(2)
    tasks[1]:cancel()
    lock:release()
    turns(1)
    assert.is_true(tasks[1]:cancelled())
    assert.same({ 2 }, got:list())
    assert.is_true(lock:locked())
  end)

  ait("hands the lock on when it was cancelled after the release", function()
    local lock, got, tasks = contended(3)
    lock:release()
    tasks[1]:cancel()
    turns(1)
    assert.is_true(tasks[1]:cancelled())
    turns(1)
    assert.same({ 2 }, got:list()) -- one of them, not both
    assert.is_true(lock:locked())
    assert.equal(1, waiting(lock))
    tasks[3]:cancel()
  end)

  ait("frees the lock when it is the last, and was cancelled after the release", function()
    local lock, _, tasks = contended(1)
    lock:release()
    tasks[1]:cancel()
    assert.is_true(lock:locked())
    turns(1)
    assert.is_false(lock:locked())
    assert.equal(lock, lock:acquire())
  end)

  ait("hands it on along a row of cancelled tasks", function()
    local lock, got, tasks = contended(5)
    lock:release()
    for i = 1, 4 do
      tasks[i]:cancel()
    end
    asyncio.wait(tasks)
    assert.same({ 5 }, got:list())
    for i = 1, 4 do
      assert.is_true(tasks[i]:cancelled())
    end
    assert.is_true(lock:locked())
  end)

  ait("may be cancelled twice", function()
    local lock, got, tasks = contended(2)
    tasks[1]:cancel()
    tasks[1]:cancel()
    lock:release()
    tasks[2]:cancel()
    tasks[2]:cancel()
    asyncio.wait(tasks)
    assert.same({}, got:list())
    assert.is_false(lock:locked())
  end)

  ait("is cancelled even if that is taken back before it runs", function()
    local lock, got, tasks = contended(1)
    tasks[1]:cancel()
    tasks[1]:uncancel()
    turns(1)
    assert.is_true(tasks[1]:cancelled())
    lock:release()
    assert.is_false(lock:locked())
    assert.same({}, got:list())
  end)

  ait("has the lock when a cancellation after the release is taken back", function()
    local lock, got, tasks = contended(1)
    lock:release()
    tasks[1]:cancel()
    tasks[1]:uncancel()
    turns(1)
    assert.same({ 1 }, got:list())
    assert.is_true(lock:locked())
  end)

  ait("that was cancelled before does not wait at all", function()
    local lock = asyncio.Lock():acquire()
    local task
    task = asyncio.create_task(function()
      task:cancel()
      lock:acquire()
    end)
    turns(2)
    assert.is_true(task:cancelled())
    assert.equal(0, waiting(lock))
    lock:release()
    assert.is_false(lock:locked())
  end)

  ait("can catch its cancellation, and wait again at the end of the line", function()
    local lock, got = asyncio.Lock():acquire(), helper.trace()
    local first = asyncio.create_task(function()
      got(pcall(lock.acquire, lock) and "wrong" or "cancelled")
      lock:acquire()
      got "first"
      lock:release()
    end)
    local second = asyncio.create_task(function()
      local _ <close> = lock:acquire()
      got "second"
    end)
    turns(1)
    first:cancel()
    turns(1)
    lock:release()
    asyncio.wait { first, second }
    assert.same({ "cancelled", "second", "first" }, got:list())
  end)

  ait("has a limit with wait_for", function()
    local lock, got, tasks = contended(1)
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, lock.acquire, 0.001, lock)
    assert.equal(1, waiting(lock))
    lock:release()
    tasks[1]:await()
    assert.same({ 1 }, got:list())
    lock:release()
    assert.equal(lock, asyncio.wait_for(lock.acquire, 1000, lock))
  end)

  ait("loses nothing when the limit and the release meet", function()
    for delay = 0, 4 do
      local lock = asyncio.Lock():acquire()
      local loop = asyncio.get_running_loop()
      local task = asyncio.create_task(function()
        local _ <close> = asyncio.timeout(0.002)
        local _ <close> = lock:acquire()
      end)
      turns(1)
      local due = loop:time() + delay / 1000
      while loop:time() < due do
      end
      lock:release()
      asyncio.wait { task }
      assert.is_false(lock:locked())
      task:exception()
    end
  end)

  ait("under a limit that ends after the release hands it on", function()
    local lock, got, tasks = contended(2)
    local scope
    local task = asyncio.create_task(function()
      scope = asyncio.timeout(1000)
      local _ <close> = scope
      lock:acquire()
    end)
    turns(1)
    lock:release() -- to the first
    turns(1)
    lock:release() -- to the second
    turns(1)
    lock:release() -- to the task
    scope:reschedule(asyncio.get_running_loop():time())
    helper.raises(asyncio.TimeoutError, task.await, task)
    assert.is_false(lock:locked())
    assert.same({ 1, 2 }, got:list())
    asyncio.gather(tasks):await()
  end)

  ait("blocks nobody, whoever is cancelled when", function()
    local lock, inside, passes = asyncio.Lock(), 0, 0
    local tasks = {}
    local function work()
      for _ = 1, 4 do
        local _ <close> = lock:acquire()
        inside = inside + 1
        assert(inside == 1)
        local _ <close> = setmetatable({}, {
          __close = function()
            inside = inside - 1
          end,
        })
        turns(1)
        passes = passes + 1
      end
    end
    for i = 1, 12 do
      tasks[i] = asyncio.create_task(work)
    end
    local seed = 7
    for _ = 1, 60 do
      seed = (seed * 1103515245 + 12345) % 2147483648
      if seed >> 16 & 7 == 0 then
        tasks[(seed >> 20) % 12 + 1]:cancel()
      end
      turns(1)
    end
    asyncio.wait(tasks)
    for _, task in ipairs(tasks) do
      assert.is_true(task:cancelled() or task:exception() == nil)
    end
    assert.is_true(passes > 20)
    assert.is_false(lock:locked())
    assert.equal(0, waiting(lock))
  end)
end)

describe("a lock that nobody else wants", function()
  ait("is acquired and released without an allocation", function()
    local lock = asyncio.Lock()
    local function rounds(n)
      for _ = 1, n do
        lock:acquire()
        lock:release()
      end
    end
    rounds(10)
    helper.collect()
    collectgarbage "stop"
    local before = collectgarbage "count"
    rounds(100000)
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.equal(before, after)
  end)
end)

describe("waiting for a lock", function()
  ait("allocates nothing", function()
    local lock = asyncio.Lock()
    local function rounds(n)
      for _ = 1, n do
        lock:acquire()
        asyncio.sleep(0)
        lock:release()
      end
    end
    local before, after
    local partner = asyncio.create_task(rounds, 5000)
    rounds(10)
    helper.collect()
    collectgarbage "stop"
    before = collectgarbage "count"
    rounds(1000)
    after = collectgarbage "count"
    collectgarbage "restart"
    assert.is_true(partner:done() == false)
    assert.equal(before, after)
    partner:cancel()
  end)
end)
