local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

local function value(semaphore)
  return semaphore:statistics().value
end

local function waiting(semaphore)
  return semaphore:statistics().tasks_waiting
end

-- So many tasks that acquire the semaphore, and note their number.
local function acquirers(semaphore, n, t)
  local tasks = {}
  for i = 1, n do
    tasks[i] = asyncio.create_task(function()
      semaphore:acquire()
      t(i)
    end)
  end
  turns(1)
  return tasks
end

describe("a semaphore", function()
  ait("has a permit unless told otherwise", function()
    local semaphore = asyncio.Semaphore()
    assert.is_false(semaphore:locked())
    assert.equal(semaphore, semaphore:acquire())
    assert.is_true(semaphore:locked())
    assert.equal(0, select("#", semaphore:release()))
    assert.is_false(semaphore:locked())
  end)

  ait("may have none at first", function()
    local semaphore = asyncio.Semaphore(0)
    assert.is_true(semaphore:locked())
    semaphore:release()
    semaphore:release()
    assert.equal(2, value(semaphore))
    semaphore:acquire()
    semaphore:acquire()
    assert.is_true(semaphore:locked())
  end)

  ait("lets so many in, and then one for each that leaves", function()
    local semaphore, t = asyncio.Semaphore(3), helper.trace()
    semaphore:acquire()
    semaphore:acquire()
    assert.is_false(semaphore:locked())
    local tasks = acquirers(semaphore, 3, t)
    assert.same({ 1 }, t:list())
    assert.is_true(semaphore:locked())
    assert.equal(2, waiting(semaphore))
    tasks[4] = asyncio.create_task(function()
      semaphore:acquire()
      t(4)
    end)
    semaphore:release()
    semaphore:release()
    assert.equal(0, value(semaphore)) -- they belong to 2 and 3 already
    turns(1)
    assert.same({ 1, 2, 3 }, t:list())
    assert.equal(1, waiting(semaphore))
    assert.is_false(tasks[4]:done())
    semaphore:release()
    asyncio.gather(tasks):await()
  end)

  ait("serves first who came first", function()
    local semaphore, t = asyncio.Semaphore(1), helper.trace()
    local function work(name)
      for i = 1, 2 do
        semaphore:acquire()
        t(name .. i)
        turns(2)
        semaphore:release()
      end
    end
    local list = {}
    for i, name in ipairs { "a", "b", "c" } do
      list[i] = asyncio.create_task(work, name)
    end
    asyncio.gather(list):await()
    assert.same({ "a1", "b1", "c1", "a2", "b2", "c2" }, t:list())
  end)

  ait("has who releases stand in line", function()
    local semaphore, t = asyncio.Semaphore(1), helper.trace()
    local one = asyncio.create_task(function()
      semaphore:acquire()
      t(1)
    end)
    local two = asyncio.create_task(function()
      semaphore:acquire()
      t(2)
      semaphore:release()
      semaphore:acquire()
      t(4)
    end)
    local three = asyncio.create_task(function()
      semaphore:acquire()
      t(3)
    end)
    turns(1)
    semaphore:release()
    semaphore:release()
    asyncio.gather(one, two, three):await()
    assert.same({ 1, 2, 3, 4 }, t:list())
  end)

  ait("has everybody wait behind those who have yet to run, permits left or not", function()
    local semaphore, t, last = asyncio.Semaphore(0), helper.trace(), nil
    local one = asyncio.create_task(function()
      semaphore:acquire()
      assert.equal(0, value(semaphore)) -- the others are served, too
      last = asyncio.create_task(function()
        t(4)
      end)
      t(1)
    end)
    local two = asyncio.create_task(function()
      for _ = 1, 3 do
        semaphore:release()
      end
      assert.equal(2, value(semaphore))
      assert.is_true(semaphore:locked())
      assert.equal("<Semaphore [locked]>", tostring(semaphore))
      semaphore:acquire()
      t(2)
    end)
    local three = asyncio.create_task(function()
      semaphore:acquire()
      assert.is_true(semaphore:locked())
      t(3)
    end)
    turns(1)
    assert.same({ value = 2, tasks_waiting = 2 }, semaphore:statistics())
    asyncio.gather(one, two, three):await()
    last:await()
    assert.same({ 1, 2, 3, 4 }, t:list())
  end)

  ait("serves those behind a cancelled one with the permits that are left", function()
    local semaphore, t = asyncio.Semaphore(0), helper.trace()
    local tasks = acquirers(semaphore, 1, t)
    semaphore:release()
    semaphore:release()
    local late = asyncio.create_task(semaphore.acquire, semaphore)
    tasks[1]:cancel()
    late:await()
    assert.same({}, t:list())
    assert.equal(1, value(semaphore))
    assert.is_false(semaphore:locked())
  end)

  ait("is released at the end of a <close> variable's block", function()
    local semaphore = asyncio.Semaphore(2)
    do
      local held <close> = semaphore:acquire()
      assert.equal(semaphore, held)
      assert.equal(1, value(semaphore))
      local _ <close> = semaphore:acquire()
      assert.is_true(semaphore:locked())
    end
    assert.equal(2, value(semaphore))
    local err = {}
    assert.equal(err, helper.catch(function()
      local _ <close> = semaphore:acquire()
      error(err)
    end))
    assert.equal(2, value(semaphore))
  end)

  ait("prints its state, and counts", function()
    local semaphore, t = asyncio.Semaphore(1), helper.trace()
    assert.equal("<Semaphore [unlocked, value:1]>", tostring(semaphore))
    assert.same({ value = 1, tasks_waiting = 0 }, semaphore:statistics())
    semaphore:acquire()
    assert.equal("<Semaphore [locked]>", tostring(semaphore))
    local tasks = acquirers(semaphore, 2, t)
    assert.equal("<Semaphore [locked, waiters:2]>", tostring(semaphore))
    assert.same({ value = 0, tasks_waiting = 2 }, semaphore:statistics())
    semaphore:release()
    semaphore:release()
    asyncio.gather(tasks):await()
  end)

  it("refuses a value that is no number of permits", function()
    for _, wrong in ipairs { -1, 1.5, 0 / 0, 1 / 0, "one", {}, false } do
      helper.raises("bad argument #1", asyncio.Semaphore, wrong)
      helper.raises("bad argument #1", asyncio.BoundedSemaphore, wrong)
    end
    assert.equal(3, value(asyncio.Semaphore(3.0)))
  end)

  it("cannot have more than every number of permits", function()
    local semaphore = asyncio.Semaphore(math.maxinteger)
    helper.raises(asyncio.RuntimeError, semaphore.release, semaphore)
    assert.equal(math.maxinteger, value(semaphore))
  end)

  it("has a class", function()
    local semaphore = asyncio.Semaphore()
    assert.is_true(asyncio.isinstance(semaphore, asyncio.Semaphore))
    assert.is_false(asyncio.isinstance(semaphore, asyncio.BoundedSemaphore))
    assert.is_false(asyncio.isinstance(semaphore, asyncio.Lock))
  end)

  ait("has methods for semaphores alone", function()
    local semaphore = asyncio.Semaphore()
    for _, name in ipairs { "acquire", "release", "locked", "statistics" } do
      helper.raises("asyncio.Semaphore expected, got ", semaphore[name], asyncio.Lock())
    end
  end)

  ait("allocates nothing when there are permits", function()
    local semaphore = asyncio.Semaphore(2)
    local function rounds(n)
      for _ = 1, n do
        semaphore:acquire()
        semaphore:release()
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

describe("a bounded semaphore", function()
  ait("refuses more releases than acquires", function()
    local semaphore = asyncio.BoundedSemaphore(2)
    helper.raises(asyncio.RuntimeError, semaphore.release, semaphore)
    semaphore:acquire()
    semaphore:release()
    helper.raises(asyncio.RuntimeError, semaphore.release, semaphore)
    assert.equal(2, value(semaphore))
  end)

  ait("has one permit unless told otherwise, and may have none", function()
    local semaphore = asyncio.BoundedSemaphore():acquire()
    assert.is_true(semaphore:locked())
    local none = asyncio.BoundedSemaphore(0)
    helper.raises(asyncio.RuntimeError, none.release, none)
  end)

  ait("is a semaphore in everything else", function()
    local semaphore, t = asyncio.BoundedSemaphore(1), helper.trace()
    assert.is_true(asyncio.isinstance(semaphore, asyncio.BoundedSemaphore))
    assert.is_true(asyncio.isinstance(semaphore, asyncio.Semaphore))
    assert.equal(asyncio.Semaphore().acquire, semaphore.acquire)
    assert.equal("<BoundedSemaphore [unlocked, value:1]>", tostring(semaphore))
    local tasks = acquirers(semaphore, 2, t)
    assert.same({ value = 0, tasks_waiting = 1, max_value = 1 }, semaphore:statistics())
    semaphore:release()
    asyncio.gather(tasks):await()
    assert.same({ 1, 2 }, t:list())
    do
      local _ <close> = semaphore
    end
    assert.equal(1, value(semaphore))
  end)
end)

describe("a task that waits for a semaphore", function()
  ait("leaves the line when it is cancelled", function()
    local semaphore, t = asyncio.Semaphore(0), helper.trace()
    local tasks = acquirers(semaphore, 2, t)
    tasks[1]:cancel()
    assert.equal(1, waiting(semaphore))
    helper.raises(asyncio.CancelledError, tasks[1].await, tasks[1])
    semaphore:release()
    tasks[2]:await()
    assert.same({ 2 }, t:list())
    assert.equal(0, value(semaphore))
  end)

  ait("is passed over when it was cancelled before the release", function()
    local semaphore, t = asyncio.Semaphore(0), helper.trace()
    local tasks = acquirers(semaphore, 4, t)
    tasks[1]:cancel()
    tasks[2]:cancel()
    semaphore:release()
    turns(2)
    assert.same({ 3 }, t:list())
    assert.is_false(tasks[4]:done())
    assert.is_true(semaphore:locked())
    tasks[4]:cancel()
  end)

  ait("hands its permit on when it was cancelled after the release", function()
    local semaphore, t = asyncio.Semaphore(0), helper.trace()
    local tasks = acquirers(semaphore, 3, t)
    semaphore:release()
    semaphore:release()
    tasks[1]:cancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
    assert.same({ 2, 3 }, t:list())
    assert.equal(0, value(semaphore))
  end)

  ait("gives its permit back when nobody else wants it", function()
    local semaphore, t = asyncio.Semaphore(0), helper.trace()
    local tasks = acquirers(semaphore, 2, t)
    semaphore:release()
    semaphore:release()
    tasks[1]:cancel()
    tasks[2]:cancel()
    tasks[2]:cancel()
    asyncio.wait(tasks)
    assert.same({}, t:list())
    assert.equal(2, value(semaphore))
  end)

  ait("is cancelled even if that is taken back before it runs", function()
    local semaphore, t = asyncio.Semaphore(0), helper.trace()
    local tasks = acquirers(semaphore, 1, t)
    tasks[1]:cancel()
    tasks[1]:uncancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
    assert.equal(0, value(semaphore))
  end)

  ait("does not hang when the one before it ends and cancels it", function()
    local semaphore = asyncio.Semaphore(1)
    local second
    local first = asyncio.create_task(function()
      do
        local _ <close> = semaphore:acquire()
        turns(1)
      end
      second:cancel()
    end)
    second = asyncio.create_task(function()
      local _ <close> = semaphore:acquire()
      error "never comes so far"
    end)
    asyncio.wait { first, second }
    first:result()
    assert.is_true(second:cancelled())
    assert.equal(semaphore, asyncio.wait_for(semaphore.acquire, 1000, semaphore))
  end)

  ait("has a limit with wait_for", function()
    local semaphore = asyncio.Semaphore(0)
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, semaphore.acquire, 0.001, semaphore)
    assert.equal(0, waiting(semaphore))
    semaphore:release()
    assert.equal(1, value(semaphore))
  end)

  ait("blocks nobody, whoever is cancelled when", function()
    local semaphore, inside, most, tasks = asyncio.BoundedSemaphore(3), 0, 0, {}
    local function work()
      for _ = 1, 4 do
        local _ <close> = semaphore:acquire()
        inside = inside + 1
        most = math.max(most, inside)
        local _ <close> = setmetatable({}, {
          __close = function()
            inside = inside - 1
          end,
        })
        turns(1)
      end
    end
    for i = 1, 16 do
      tasks[i] = asyncio.create_task(work)
    end
    local seed = 3
    for _ = 1, 40 do
      seed = (seed * 1103515245 + 12345) % 2147483648
      if seed >> 16 & 3 == 0 then
        tasks[(seed >> 20) % 16 + 1]:cancel()
      end
      turns(1)
    end
    asyncio.wait(tasks)
    assert.equal(3, most)
    assert.same({ value = 3, tasks_waiting = 0, max_value = 3 }, semaphore:statistics())
    for _, task in ipairs(tasks) do
      assert.is_true(task:cancelled() or task:exception() == nil)
    end
  end)
end)
