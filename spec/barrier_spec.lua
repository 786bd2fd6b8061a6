local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local N <const> = 5

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

-- So many tasks that run fn(i).
local function start(n, fn)
  local tasks = {}
  for i = 1, n do
    tasks[i] = asyncio.create_task(fn, i)
  end
  return tasks
end

-- The same, and waits for them; what they return.
local function gather(n, fn)
  return asyncio.gather(start(n, fn)):await()
end

-- So many tasks that wait, and note their number with what they got.
local function waiters(barrier, n, t)
  local tasks = start(n, function(i)
    local ok, got = asyncio.catch(asyncio.BrokenBarrierError, barrier.wait, barrier)
    t(i, ok and got or "broken")
  end)
  turns(1)
  return tasks
end

local function is_idle(barrier)
  assert.equal(0, barrier.n_waiting)
  assert.is_false(barrier.broken)
  assert.matches("filling", tostring(barrier))
  assert.equal(0, barrier:statistics().tasks_waiting)
end

describe("a barrier", function()
  ait("lets tasks go once enough are there, numbered in the order in which they came", function()
    local barrier, t = asyncio.Barrier(3), helper.trace()
    local tasks = waiters(barrier, 2, t)
    assert.same({}, t:list())
    assert.equal(2, barrier.n_waiting)
    assert.equal(3, barrier:wait()) -- the last need not wait
    assert.same({}, t:list())
    asyncio.gather(tasks):await()
    assert.same({ "1 1", "2 2" }, t:list())
    is_idle(barrier)
  end)

  ait("fills one by one", function()
    local barrier = asyncio.Barrier(3)
    local tasks = {}
    for i = 1, 2 do
      tasks[i] = asyncio.create_task(barrier.wait, barrier)
      turns(1)
      assert.equal(i, barrier.n_waiting)
      assert.equal(("<Barrier [filling, waiters:%d/3]>"):format(i), tostring(barrier))
    end
    tasks[3] = asyncio.create_task(barrier.wait, barrier)
    assert.same({ 1, 2, 3, n = 3 }, asyncio.gather(tasks):await())
    is_idle(barrier)
  end)

  ait("of one party keeps nobody", function()
    local barrier = asyncio.Barrier(1)
    assert.equal(1, barrier:wait())
    assert.equal(1, barrier:wait())
    is_idle(barrier)
  end)

  ait("can be used again at once", function()
    local barrier, t = asyncio.Barrier(N), helper.trace()
    local second = gather(N, function()
      barrier:wait()
      t "first"
      local index = barrier:wait()
      t "second"
      return index
    end)
    local list = t:list()
    for i = 1, 2 * N do
      assert.equal(i <= N and "first" or "second", list[i])
    end
    table.sort(second)
    assert.same({ 1, 2, 3, 4, 5, n = N }, second)
    is_idle(barrier)
  end)

  ait("drains until the last has left", function()
    local barrier, states = asyncio.Barrier(N), helper.trace()
    gather(N, function()
      barrier:wait()
      states(tostring(barrier):match "%[(%a+)")
      assert.equal(0, barrier.n_waiting)
    end)
    assert.same({ "draining", "draining", "draining", "draining", "filling" }, states:list())
  end)

  ait("lets nobody in while it drains", function()
    local barrier, others, again = asyncio.Barrier(N), asyncio.Barrier(N - 2), 2
    gather(N, function()
      barrier:wait()
      if again > 0 then
        again = again - 1
        barrier:wait()
      else
        others:wait() -- reached by all three of them, or this hangs
        barrier:wait()
      end
    end)
    is_idle(barrier)
  end)

  ait("lets those in first that came first", function()
    local barrier, t = asyncio.Barrier(2), helper.trace()
    local function work(name)
      for _ = 1, 2 do
        barrier:wait()
        t(name)
      end
    end
    local tasks = {}
    for i, name in ipairs { "a", "b", "c", "d" } do
      tasks[i] = asyncio.create_task(work, name)
    end
    asyncio.gather(tasks):await()
    -- a b, then b c, while d and a wait outside, who are next
    assert.equal("ba cb ad cd", table.concat(t:list()):gsub("..", "%0 "):sub(1, -2))
  end)

  ait("prints its state, and counts", function()
    local barrier, t = asyncio.Barrier(3), helper.trace()
    assert.equal("<Barrier [filling, waiters:0/3]>", tostring(barrier))
    local tasks = waiters(barrier, 2, t)
    assert.same({ parties = 3, n_waiting = 2, tasks_waiting = 2 }, barrier:statistics())
    barrier:wait()
    assert.equal("<Barrier [draining, waiters:0/3]>", tostring(barrier))
    barrier:reset()
    assert.equal("<Barrier [resetting, waiters:0/3]>", tostring(barrier))
    barrier:abort()
    assert.equal("<Barrier [broken]>", tostring(barrier))
    assert.same({ parties = 3, n_waiting = 0, tasks_waiting = 0 }, barrier:statistics())
    asyncio.gather(tasks):await()
    assert.same({ "1 broken", "2 broken" }, t:list())
  end)

  ait("has fields", function()
    local barrier = asyncio.Barrier(3.0)
    assert.equal("integer", math.type(barrier.parties))
    assert.equal(3, barrier.parties)
    assert.equal(0, barrier.n_waiting)
    assert.is_false(barrier.broken)
    assert.is_nil(barrier.other)
    assert.is_nil(barrier[1])
    assert.is_nil(asyncio.Barrier.parties)
    helper.raises("attempt to index", function()
      barrier.parties = 4
    end)
  end)

  it("has a class, and needs one party at least", function()
    assert.is_true(asyncio.isinstance(asyncio.Barrier(1), asyncio.Barrier))
    for _, wrong in ipairs { 0, -4, 1.5, 0 / 0, "x", 2 ^ 40, {}, false } do
      helper.raises("bad argument #1", asyncio.Barrier, wrong)
    end
    helper.raises("bad argument #1", asyncio.Barrier)
  end)

  ait("has methods for barriers alone", function()
    for _, method in pairs(getmetatable(asyncio.Barrier).__index) do
      helper.raises("asyncio.Barrier expected, got ", method, asyncio.Lock())
    end
  end)
end)

describe("a task that waits at a barrier", function()
  ait("is not there any more when it is cancelled", function()
    local barrier, t = asyncio.Barrier(3), helper.trace()
    local tasks = waiters(barrier, 2, t)
    tasks[1]:cancel()
    assert.equal(1, barrier.n_waiting)
    helper.raises(asyncio.CancelledError, tasks[1].await, tasks[1])
    local more = waiters(barrier, 1, t)
    assert.equal(2, barrier.n_waiting)
    assert.equal(3, barrier:wait())
    asyncio.gather(tasks[2], more[1]):await()
    assert.same({ "2 1", "1 2" }, t:list()) -- each index once
    is_idle(barrier)
  end)

  ait("is not counted even before it comes to run", function()
    local barrier, t = asyncio.Barrier(2), helper.trace()
    local tasks = waiters(barrier, 1, t)
    tasks[1]:cancel()
    local late = asyncio.create_task(barrier.wait, barrier)
    turns(2)
    assert.is_true(tasks[1]:cancelled())
    assert.is_false(late:done())
    assert.equal(1, barrier.n_waiting)
    barrier:wait()
    assert.equal(1, late:await())
  end)

  ait("leaves like the others when it is cancelled after it was let go", function()
    local barrier, t = asyncio.Barrier(3), helper.trace()
    local tasks = waiters(barrier, 2, t)
    barrier:wait()
    tasks[1]:cancel()
    tasks[1]:cancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
    assert.same({ "2 2" }, t:list())
    is_idle(barrier)
  end)

  ait("makes room for one outside when it is cancelled", function()
    local barrier, t = asyncio.Barrier(2), helper.trace()
    local first = waiters(barrier, 1, t)
    local outside = start(3, function(i)
      t("outside " .. i, barrier:wait())
    end)
    barrier:wait() -- it drains
    turns(1) -- the first has left, two of those outside are on their way in
    assert.equal(1, barrier:statistics().tasks_waiting)
    outside[1]:cancel()
    outside[2]:cancel()
    turns(3)
    assert.equal(1, barrier.n_waiting)
    assert.equal(2, barrier:wait())
    asyncio.wait(outside)
    assert.same({ "1 1", "outside 3 1" }, t:list())
    assert.is_true(first[1]:done())
    is_idle(barrier)
  end)

  ait("outside can be cancelled, too", function()
    local barrier, t = asyncio.Barrier(2), helper.trace()
    local first = waiters(barrier, 1, t)
    local late
    local second = asyncio.create_task(function()
      barrier:wait()
      late = asyncio.create_task(barrier.wait, barrier)
    end)
    asyncio.gather(first[1], second):await()
    late:cancel()
    helper.raises(asyncio.CancelledError, late.await, late)
    is_idle(barrier)
  end)

  ait("is cancelled even if that is taken back before it runs", function()
    local barrier, t = asyncio.Barrier(2), helper.trace()
    local tasks = waiters(barrier, 1, t)
    tasks[1]:cancel()
    tasks[1]:uncancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
    is_idle(barrier)
  end)

  ait("has a limit with wait_for", function()
    local barrier = asyncio.Barrier(2)
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, barrier.wait, 0.001, barrier)
    is_idle(barrier)
  end)

  ait("allocates nothing", function()
    local barrier = asyncio.Barrier(2)
    local function rounds(n)
      for _ = 1, n do
        barrier:wait()
      end
    end
    local other = asyncio.create_task(rounds, 2000)
    rounds(10)
    helper.collect()
    collectgarbage "stop"
    local before = collectgarbage "count"
    rounds(1000)
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.equal(before, after)
    other:cancel()
  end)
end)

describe("the reset of a barrier", function()
  ait("does nothing when nobody is there", function()
    local barrier = asyncio.Barrier(1)
    assert.equal(0, select("#", barrier:reset()))
    is_idle(barrier)
    assert.equal(1, barrier:wait())
  end)

  ait("has those who wait leave with BrokenBarrierError", function()
    local barrier, t = asyncio.Barrier(N), helper.trace()
    local tasks = waiters(barrier, N - 1, t)
    barrier:reset()
    assert.equal(0, barrier.n_waiting)
    assert.is_false(barrier.broken)
    asyncio.gather(tasks):await()
    assert.same({ "1 broken", "2 broken", "3 broken", "4 broken" }, t:list())
    is_idle(barrier)
    assert.equal(N, #gather(N, function()
      return barrier:wait()
    end))
  end)

  ait("can be called where no task runs", function()
    local barrier, t = asyncio.Barrier(2), helper.trace()
    local tasks = waiters(barrier, 1, t)
    asyncio.get_running_loop():call_soon(barrier.reset, barrier)
    tasks[1]:await()
    assert.same({ "1 broken" }, t:list())
  end)

  ait("concerns those who have yet to leave", function()
    local barrier, left, broken = asyncio.Barrier(N), 0, 0
    gather(N, function()
      local ok, err = pcall(barrier.wait, barrier)
      if ok then
        left = left + 1
        if left == 3 then
          barrier:reset()
        end
      else
        assert.is_true(asyncio.isinstance(err, asyncio.BrokenBarrierError))
        broken = broken + 1
      end
    end)
    assert.equal(3, left)
    assert.equal(2, broken)
    is_idle(barrier)
  end)

  ait("does not concern those who wait to come in", function()
    local barrier, broken, count = asyncio.Barrier(N), 0, 0
    gather(N, function()
      if not pcall(barrier.wait, barrier) then
        broken = broken + 1
        barrier:wait()
        return
      end
      count = count + 1
      if count > N // 2 then
        barrier:reset()
      end
      barrier:wait() -- raises nothing
    end)
    assert.equal(N // 2, broken)
    is_idle(barrier)
  end)

  ait("leaves those alone whom the end of draining lets in", function()
    local barrier, count, seconds, thirds = asyncio.Barrier(N), 0, 0, 0
    gather(N, function()
      barrier:wait()
      count = count + 1
      if count == N then -- the last one to leave
        barrier:reset()
      end
      barrier:wait()
      seconds = seconds + 1
      barrier:wait()
      thirds = thirds + 1
    end)
    assert.equal(N, seconds)
    assert.equal(N, thirds)
    is_idle(barrier)
  end)

  ait("can be waited after by those whom it concerned", function()
    local barrier, broken, passed = asyncio.Barrier(N), 0, 0
    local tasks = start(N - 1, function()
      if not pcall(barrier.wait, barrier) then
        broken = broken + 1
      end
      barrier:wait()
      passed = passed + 1
    end)
    turns(1)
    barrier:reset()
    tasks[N] = asyncio.create_task(function()
      barrier:wait()
      passed = passed + 1
    end)
    asyncio.gather(tasks):await()
    assert.equal(N - 1, broken)
    assert.equal(N, passed)
    is_idle(barrier)
  end)

  ait("sends those back who were on their way in", function()
    local barrier, t = asyncio.Barrier(3), helper.trace()
    local tasks = waiters(barrier, 2, t)
    for i = 3, 6 do
      tasks[i] = asyncio.create_task(function()
        local ok, index = asyncio.catch(asyncio.BrokenBarrierError, barrier.wait, barrier)
        t(i, ok and index or "broken")
      end)
    end
    barrier:wait() -- it drains
    turns(1) -- 3, 4 and 5 are on their way in
    tasks[3]:cancel() -- lets 6 go after them, but the reset comes before
    asyncio.get_running_loop():call_soon(barrier.reset, barrier)
    turns(1)
    assert.matches("resetting", tostring(barrier))
    turns(3)
    assert.same({ "1 1", "2 2", "4 broken", "5 broken" }, t:list())
    assert.equal(1, barrier.n_waiting)
    asyncio.gather(start(2, function()
      barrier:wait()
    end)):await()
    asyncio.wait(tasks)
    assert.equal("6 1", t:list()[5])
    is_idle(barrier)
  end)
end)

describe("the abort of a barrier", function()
  ait("breaks it until it is reset", function()
    local barrier = asyncio.Barrier(1)
    assert.equal(0, select("#", barrier:abort()))
    assert.is_true(barrier.broken)
    assert.equal(0, barrier.n_waiting)
    helper.raises(asyncio.BrokenBarrierError, barrier.wait, barrier)
    barrier:abort()
    barrier:reset()
    is_idle(barrier)
    assert.equal(1, barrier:wait())
  end)

  ait("has those who wait leave with BrokenBarrierError", function()
    local barrier, t = asyncio.Barrier(3), helper.trace()
    local tasks = waiters(barrier, 2, t)
    barrier:abort()
    assert.equal("<Barrier [broken]>", tostring(barrier))
    asyncio.gather(tasks):await()
    assert.same({ "1 broken", "2 broken" }, t:list())
    assert.is_true(barrier.broken)
  end)

  ait("concerns those who have yet to leave, and those outside", function()
    local barrier, leaving, outside, count = asyncio.Barrier(N), 0, 0, 0
    gather(N, function()
      if not pcall(barrier.wait, barrier) then
        leaving = leaving + 1
        return
      end
      count = count + 1
      if count > N // 2 then
        barrier:abort()
      elseif not pcall(barrier.wait, barrier) then
        outside = outside + 1
      end
    end)
    assert.is_true(barrier.broken)
    assert.equal(N // 2, leaving)
    assert.equal(N - N // 2 - 1, outside)
    assert.equal(0, barrier.n_waiting)
  end)

  ait("lets a task that is cancelled besides end as cancelled", function()
    local barrier, t = asyncio.Barrier(3), helper.trace()
    local tasks = waiters(barrier, 2, t)
    barrier:abort()
    tasks[1]:cancel()
    asyncio.wait(tasks)
    assert.is_true(tasks[1]:cancelled())
    assert.same({ "2 broken" }, t:list())
  end)

  ait("then reset concerns those who waited, and nobody after", function()
    local barrier, t = asyncio.Barrier(2), helper.trace()
    local tasks = waiters(barrier, 1, t)
    barrier:abort()
    barrier:reset()
    assert.matches("resetting", tostring(barrier))
    tasks[2] = asyncio.create_task(barrier.wait, barrier) -- outside
    tasks[3] = asyncio.create_task(barrier.wait, barrier)
    asyncio.gather(tasks):await()
    assert.same({ "1 broken" }, t:list())
    is_idle(barrier)
  end)

  ait("and reset is what one does when a party fails", function()
    local barrier, meeting = asyncio.Barrier(N), asyncio.Barrier(N)
    local broken, passed = 0, 0
    gather(N, function(i)
      local ok, err = pcall(function()
        barrier:wait()
        assert(i ~= 3, "the third fails")
        barrier:wait()
      end)
      assert.is_false(ok)
      if asyncio.isinstance(err, asyncio.BrokenBarrierError) then
        broken = broken + 1
      else
        barrier:abort()
      end
      if meeting:wait() == 2 then
        barrier:reset()
      end
      meeting:wait()
      barrier:wait()
      passed = passed + 1
    end)
    assert.equal(N - 1, broken)
    assert.equal(N, passed)
    is_idle(barrier)
  end)
end)

describe("a barrier under all of that at once", function()
  ait("loses nobody", function()
    for seed = 1, 12 do
      local barrier, ended = asyncio.Barrier(3), 0
      local tasks = start(7, function()
        local _ <close> = setmetatable({}, {
          __close = function()
            ended = ended + 1
          end,
        })
        while true do
          local ok = asyncio.catch(asyncio.BrokenBarrierError, barrier.wait, barrier)
          if not ok or seed % 2 == 0 then
            turns(1)
          end
        end
      end)
      turns(1)
      local x = seed
      for _ = 1, 60 do
        x = (x * 1103515245 + 12345) % 2147483648
        local what = x >> 16 & 15
        if what == 0 then
          barrier:abort()
        elseif what < 4 then
          barrier:reset()
        elseif what == 4 then
          tasks[(x >> 20) % 7 + 1]:cancel()
        end
        turns(what % 3)
      end
      barrier:reset()
      for _, task in ipairs(tasks) do
        task:cancel()
      end
      asyncio.wait(tasks)
      assert.equal(7, ended)
      is_idle(barrier)
    end
  end)
end)
