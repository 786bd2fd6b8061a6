-- What becomes of items and of room when those to whom they were handed over
-- are cancelled, when the queue is shut down, or when the loop is closed.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const>, raises <const> = helper.ait, helper.raises
local create_task <const>, sleep <const> = asyncio.create_task, asyncio.sleep

local function text(q)
  return (tostring(q):match "^<%a+ (.*)>$")
end

-- Starts n tasks that get, each an item; all of them wait.
local function getters_of(q, n)
  local tasks = {}
  for i = 1, n do
    tasks[i] = create_task(q.get, q)
  end
  sleep(0)
  return tasks
end

local function putters_of(q, ...)
  local tasks = {}
  for i, item in ipairs { ... } do
    tasks[i] = create_task(q.put, q, item)
  end
  sleep(0)
  return tasks
end

local function is_cancelled(task)
  raises(asyncio.CancelledError, task.await, task)
  return task:cancelled()
end

local function is_shut_down(task)
  return raises(asyncio.QueueShutDown, task.await, task) ~= nil
end

describe("a getter", function()
  ait("that is cancelled while it waits leaves no trace", function()
    local q = asyncio.Queue()
    local tasks = getters_of(q, 3)
    tasks[2]:cancel()
    assert.is_true(is_cancelled(tasks[2]))
    q:put_nowait "a"
    q:put_nowait "b"
    assert.equal("a", tasks[1]:await())
    assert.equal("b", tasks[3]:await())
  end)

  ait("that is cancelled while it waits does not touch what others have in hand", function()
    local q = asyncio.Queue()
    local tasks = getters_of(q, 4)
    tasks[2]:cancel() -- runs before the first, who is woken now
    q:put_nowait(1)
    sleep(0)
    sleep(0)
    q:put_nowait(2)
    q:put_nowait(3)
    assert.equal(1, tasks[1]:await())
    assert.equal(2, tasks[3]:await())
    assert.equal(3, tasks[4]:await())
    assert.is_true(tasks[2]:cancelled())
  end)

  ait("that is cancelled before it waits gets nothing", function()
    local q = asyncio.Queue()
    local task = create_task(function()
      asyncio.current_task():cancel()
      return q:get()
    end)
    sleep(0)
    q:put_nowait(1)
    assert.is_true(is_cancelled(task))
    assert.equal(1, q:get_nowait())
  end)

  ait("that is cancelled with an item in hand puts it back in front", function()
    local q = asyncio.Queue()
    local task = getters_of(q, 1)[1]
    q:put_nowait(1)
    q:put_nowait(2)
    task:cancel()
    assert.equal(1, q:qsize())
    assert.is_true(is_cancelled(task))
    assert.equal(2, q:qsize())
    assert.equal(1, q:get())
    assert.equal(2, q:get())
  end)

  ait("that is cancelled with an item in hand passes it on", function()
    local q = asyncio.Queue()
    local tasks = getters_of(q, 3)
    q:put_nowait(1)
    q:put_nowait(2)
    tasks[1]:cancel()
    assert.is_true(is_cancelled(tasks[1]))
    assert.equal(2, tasks[3]:await() + tasks[2]:await() - 1)
    assert.equal("maxsize=0 tasks=2", text(q))
  end)

  ait("that is cancelled after all in a chain of them", function()
    local q = asyncio.Queue()
    local tasks = getters_of(q, 10)
    q:put_nowait "item"
    for i = 1, 9 do
      tasks[i]:cancel()
    end
    assert.equal("item", tasks[10]:await())
    for i = 1, 9 do
      assert.is_true(tasks[i]:cancelled())
    end
  end)

  ait("may leave more than maxsize behind; who puts waits for that, too", function()
    local q = asyncio.Queue(1)
    local task = getters_of(q, 1)[1]
    q:put_nowait(1)
    q:put_nowait(2)
    task:cancel()
    local putter = putters_of(q, 3)[1]
    assert.equal(2, q:qsize())
    assert.is_true(q:full())
    assert.is_false(putter:done())
    assert.same({ 1, 2, 3 }, { q:get(), q:get(), q:get() })
    putter:await()
  end)

  ait("keeps the item when a cancellation after that is taken back", function()
    local q = asyncio.Queue()
    local task = getters_of(q, 1)[1]
    q:put_nowait(1)
    task:cancel()
    task:uncancel()
    assert.equal(1, task:await())
  end)

  ait("that swallows its cancellation can get again", function()
    local q = asyncio.Queue()
    local task = create_task(function()
      pcall(q.get, q)
      return q:get()
    end)
    sleep(0)
    q:put_nowait(1)
    task:cancel()
    assert.equal(1, task:await())
    assert.is_true(q:empty())
  end)

  ait("under a timeout loses nothing", function()
    local q = asyncio.Queue()
    local got = {}
    local consumer = create_task(function()
      while #got < 20 do
        local ok, item = asyncio.catch(asyncio.TimeoutError, asyncio.wait_for, q.get, 0.0005, q)
        got[#got + 1] = ok and item or nil
      end
    end)
    for i = 1, 20 do
      sleep(0.0005)
      q:put_nowait(i)
    end
    consumer:await()
    for i = 1, 20 do
      assert.equal(i, got[i])
    end
  end)
end)

describe("a putter", function()
  ait("that is cancelled while it waits puts nothing", function()
    local q = asyncio.Queue(1)
    q:put_nowait "a"
    local tasks = putters_of(q, "b", "c")
    tasks[1]:cancel()
    assert.is_true(is_cancelled(tasks[1]))
    assert.equal("a", q:get_nowait())
    tasks[2]:await()
    assert.equal("c", q:get_nowait())
    assert.equal("maxsize=1 tasks=2", text(q))
  end)

  ait("that is cancelled with room in hand gives it back", function()
    local q = asyncio.Queue(1)
    q:put_nowait(1)
    local task = putters_of(q, 2)[1]
    assert.equal(1, q:get_nowait())
    task:cancel()
    assert.is_true(q:full())
    assert.is_true(is_cancelled(task))
    assert.is_false(q:full())
    q:put_nowait(3)
    assert.equal(3, q:get_nowait())
    assert.equal(0, q:qsize())
  end)

  ait("that is cancelled with room in hand passes it on", function()
    local q = asyncio.Queue(2)
    q:put_nowait(1)
    q:put_nowait(2)
    local tasks = putters_of(q, 3, 4, 5, 6)
    assert.equal(1, q:get_nowait())
    assert.equal(2, q:get_nowait())
    tasks[1]:cancel()
    tasks[2]:cancel()
    tasks[3]:await()
    tasks[4]:await()
    assert.equal(5, q:get_nowait())
    assert.equal(6, q:get_nowait())
    assert.is_true(tasks[1]:cancelled() and tasks[2]:cancelled())
  end)

  ait("may have a getter wait for it, and others behind it", function()
    local q = asyncio.Queue(1)
    q:put_nowait(1)
    local first = putters_of(q, 2)[1]
    assert.equal(1, q:get_nowait()) -- the room is the putter's
    local getter = create_task(q.get, q)
    local second = create_task(q.put, q, 3)
    assert.equal(2, getter:await())
    second:await()
    assert.is_true(first:done())
    assert.equal("maxsize=1 items=1 tasks=3", text(q))
  end)

  ait("that is cancelled leaves a getter to the next one", function()
    local q = asyncio.Queue(1)
    q:put_nowait(1)
    local first = putters_of(q, 2)[1]
    q:get_nowait()
    local getter = create_task(q.get, q)
    local second = create_task(q.put, q, 3)
    first:cancel()
    assert.equal(3, getter:await())
    second:await()
    assert.is_true(first:cancelled())
  end)
end)

describe("items", function()
  ait("gives each item, and ends when the queue is shut down and drained", function()
    local q = asyncio.Queue(2)
    local t = helper.trace()
    local consumer = create_task(function()
      for item in q:items() do
        t(item)
      end
      t "end"
    end)
    for i = 1, 5 do
      q:put(i)
    end
    q:shutdown()
    consumer:await()
    assert.same({ 1, 2, 3, 4, 5, "end" }, t:list())
    for _ in q:items() do
      error "nothing is left"
    end
  end)

  ait("ends for all who wait", function()
    local q = asyncio.Queue()
    local consumers = {}
    for i = 1, 3 do
      consumers[i] = create_task(function()
        local n = 0
        for _ in q:items() do
          n = n + 1
        end
        return n
      end)
    end
    for _ = 1, 2 do
      sleep(0)
      q:put_nowait "item"
    end
    q:shutdown()
    local counts = asyncio.gather(consumers):await()
    assert.equal(2, counts[1] + counts[2] + counts[3])
  end)

  ait("passes false on, and raises at nil, which stays", function()
    for _, class in ipairs { asyncio.Queue, asyncio.LifoQueue } do
      local q = class()
      q:put_nowait(false)
      local iterator = q:items()
      assert.is_false(iterator())
      q:put_nowait(nil)
      raises(asyncio.RuntimeError, iterator)
      assert.equal(1, q:qsize())
      assert.is_nil(q:get_nowait())
    end
  end)

  ait("raises at nil when it has waited, and leaves it to others", function()
    local q = asyncio.Queue()
    local iteration = create_task(q:items())
    sleep(0)
    local getter = create_task(q.get, q)
    sleep(0)
    q:put_nowait(nil)
    raises(asyncio.RuntimeError, iteration.await, iteration)
    assert.is_nil(getter:await())
    assert.equal("maxsize=0 tasks=1", text(q))
  end)

  ait("passes an item on when it is cancelled", function()
    local q = asyncio.Queue()
    local iteration = create_task(q:items())
    local getter = create_task(q.get, q)
    sleep(0)
    q:put_nowait(1)
    iteration:cancel()
    assert.equal(1, getter:await())
    assert.is_true(iteration:cancelled())
  end)
end)

for _, name in ipairs { "Queue", "LifoQueue", "PriorityQueue" } do
  local class <const> = asyncio[name]

  local function refuses_all(q)
    raises(asyncio.QueueShutDown, q.put, q, "data")
    raises(asyncio.QueueShutDown, q.put_nowait, q, "data")
    raises(asyncio.QueueShutDown, q.get, q)
    raises(asyncio.QueueShutDown, q.get_nowait, q)
  end

  describe("shutdown of a " .. name, function()
    ait("that is empty ends the wait of getters", function()
      local q = class()
      local task = getters_of(q, 1)[1]
      q:shutdown()
      q:join()
      assert.is_true(is_shut_down(task))
      refuses_all(q)
      q:shutdown(false)
      assert.matches("shutdown>$", tostring(q))
    end)

    ait("leaves what is there, and refuses more", function()
      local q = class(1)
      q:put_nowait "data"
      local joiner = create_task(q.join, q)
      local putter = putters_of(q, "more")[1]
      q:shutdown()
      assert.equal(1, q:qsize())
      assert.is_true(is_shut_down(putter))
      raises(asyncio.QueueShutDown, q.put_nowait, q, "more")
      assert.equal("data", q:get())
      sleep(0)
      assert.is_false(joiner:done())
      refuses_all(q)
      q:task_done()
      joiner:await()
      raises(asyncio.RuntimeError, q.task_done, q)
    end)

    ait("at once drops what is there", function()
      local q = class()
      q:put_nowait "data"
      local joiner = create_task(q.join, q)
      sleep(0)
      q:shutdown(true)
      assert.equal(0, q:qsize())
      joiner:await()
      refuses_all(q)
      raises(asyncio.RuntimeError, q.task_done, q)
    end)

    ait("at once leaves what was taken to be done", function()
      local q = class()
      q:put_nowait "data"
      q:put_nowait "data"
      local joiner = create_task(q.join, q)
      assert.equal("data", q:get())
      q:shutdown(true)
      sleep(0)
      assert.is_false(joiner:done())
      refuses_all(q)
      q:task_done()
      raises(asyncio.RuntimeError, q.task_done, q)
      joiner:await()
    end)

    ait("leaves an item in hand to its getter, unless it is at once", function()
      for _, immediate in ipairs { false, true } do
        local q = class()
        local tasks = getters_of(q, 2)
        q:put_nowait "data"
        q:shutdown(immediate)
        if immediate then
          assert.is_true(is_shut_down(tasks[1]))
          q:join()
        else
          assert.equal("data", tasks[1]:await())
        end
        assert.is_true(is_shut_down(tasks[2]))
        refuses_all(q)
      end
    end)

    ait("leaves room in hand to its putter, unless it is at once", function()
      for _, immediate in ipairs { false, true } do
        local q = class(1)
        q:put_nowait "a"
        local tasks = putters_of(q, "b", "c")
        assert.equal("a", q:get_nowait())
        q:shutdown(immediate)
        if immediate then
          assert.is_true(is_shut_down(tasks[1]))
        else
          raises(asyncio.QueueEmpty, q.get_nowait, q)
          assert.equal("b", q:get()) -- which is still to come
          tasks[1]:await()
        end
        assert.is_true(is_shut_down(tasks[2]))
        refuses_all(q)
      end
    end)

    ait("keeps a getter waiting while an item may come back", function()
      local q = class()
      local first, second = table.unpack(getters_of(q, 2))
      q:put_nowait "data"
      q:shutdown()
      first:cancel()
      assert.equal("data", second:await())
      assert.is_true(first:cancelled())
      refuses_all(q)
    end)

    ait("ends the wait when the last putter is cancelled", function()
      local q = class(1)
      q:put_nowait "a"
      local putter = putters_of(q, "b")[1]
      q:get_nowait()
      q:shutdown()
      local getter = create_task(q.get, q)
      putter:cancel()
      assert.is_true(is_shut_down(getter))
      assert.is_true(putter:cancelled())
      refuses_all(q)
    end)

    ait("and a cancellation that meet: the cancellation wins", function()
      local q = class()
      local task = getters_of(q, 1)[1]
      q:shutdown()
      task:cancel()
      assert.is_true(is_cancelled(task))
    end)
  end)
end

describe("closing a loop", function()
  it("gives back what its tasks had in hand", function()
    local q, full = asyncio.Queue(), asyncio.Queue(1)
    local loop = asyncio.new_event_loop()
    full:put_nowait(1)
    loop:run_until_complete(function()
      getters_of(q, 2)
      putters_of(full, 2, 3)
      q:put_nowait "a"
      full:get_nowait()
    end)
    assert.equal(0, q:qsize())
    assert.is_true(full:full())
    loop:close()
    assert.equal("maxsize=0 items=1 tasks=1", text(q))
    assert.equal("maxsize=1 tasks=1", text(full))
    assert.equal("a", q:get_nowait())
    full:put_nowait(4)
  end)

  it("forgets those who waited", function()
    local q, full = asyncio.Queue(), asyncio.Queue(1)
    full:put_nowait(1)
    local loop = asyncio.new_event_loop()
    loop:run_until_complete(function()
      getters_of(q, 2)
      putters_of(full, 2)
      create_task(full.join, full)
      sleep(0)
    end)
    loop:close()
    for _, queue in ipairs { q, full } do
      local found = queue:statistics()
      assert.equal(0, found.getters + found.putters + found.joiners)
    end
    assert.equal(1, full:get_nowait())
  end)

  it("may come with the end of the Lua state", function()
    helper.check_script [[
      local asyncio = require "asyncio"
      local loop = asyncio.new_event_loop()
      loop:run_until_complete(function()
        for _, class in ipairs { asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue } do
          local q, full = class(), class(1)
          full:put(1)
          for i = 1, 3 do
            asyncio.create_task(q.get, q)
            asyncio.create_task(full.put, full, i)
            asyncio.create_task(full.join, full)
          end
          asyncio.sleep(0)
          q:put(1)
          full:get()
        end
      end)
    ]]
  end)
end)

describe("a queue with its waiters", function()
  it("is collected when the loop is closed", function()
    local weak = setmetatable({}, { __mode = "k" })
    pcall(asyncio.run, function()
      local q = asyncio.Queue()
      weak[q] = true
      getters_of(q, 3)
    end)
    helper.collect()
    assert.is_nil(next(weak))
  end)

  ait("stays while they wait, though nobody else has it", function()
    local put
    local getter = create_task(function()
      local q = asyncio.Queue()
      put = setmetatable({ q.put_nowait, q }, { __mode = "v" })
      return q:get()
    end)
    sleep(0)
    helper.collect()
    put[1](put[2], "item")
    assert.equal("item", getter:await())
  end)
end)
