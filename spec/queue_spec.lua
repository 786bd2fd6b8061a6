local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const>, raises <const> = helper.ait, helper.raises
local create_task <const>, sleep <const> = asyncio.create_task, asyncio.sleep

local function get_all(q)
  local list = {}
  while not q:empty() do
    list[#list + 1] = q:get_nowait()
  end
  return list
end

-- The states of a queue, as words.
local function text(q)
  return (tostring(q):match "^<%a+ (.*)>$")
end

describe("a queue", function()
  ait("gives its items in the order in which they came", function()
    local q = asyncio.Queue()
    for _, item in ipairs { 1, 3, 2 } do
      q:put(item)
    end
    assert.same({ 1, 3, 2 }, { q:get(), q:get(), q:get() })
  end)

  it("works without a task as long as nobody must wait", function()
    local q = asyncio.Queue(2)
    q:put_nowait "a"
    q:put "b"
    assert.equal("a", q:get_nowait())
    assert.equal("b", q:get())
    raises(asyncio.QueueEmpty, q.get_nowait, q)
  end)

  ait("knows whether it is empty or full, and how much it holds", function()
    local q = asyncio.Queue(2)
    assert.is_true(q:empty())
    q:put(1)
    assert.is_false(q:empty())
    assert.is_false(q:full())
    q:put(2)
    assert.is_true(q:full())
    assert.equal(2, q:qsize())
    q:get()
    assert.is_false(q:full())
    assert.equal(1, q:qsize())
  end)

  it("without a size is never full", function()
    for _, q in ipairs { asyncio.Queue(), asyncio.Queue(nil), asyncio.Queue(0) } do
      for i = 1, 100 do
        q:put_nowait(i)
      end
      assert.is_false(q:full())
      assert.equal(0, q.maxsize)
    end
  end)

  it("raises QueueFull and QueueEmpty where others would wait", function()
    local q = asyncio.Queue(1)
    raises(asyncio.QueueEmpty, q.get_nowait, q)
    q:put_nowait(1)
    raises(asyncio.QueueFull, q.put_nowait, q, 2)
    assert.equal(1, q:get_nowait())
    assert.is_true(q:empty())
  end)

  ait("takes any value, nil and false, too", function()
    local q = asyncio.Queue()
    local getter = create_task(q.get, q)
    sleep(0)
    q:put(nil)
    q:put(false)
    q:put(nil)
    local table_item = {}
    q:put(table_item)
    assert.equal(3, q:qsize())
    assert.equal(1, select("#", getter:await()))
    assert.is_nil((getter:await()))
    assert.is_false(q:get())
    assert.equal(1, select("#", q:get()))
    assert.equal(table_item, q:get_nowait())
  end)

  it("keeps the order when it grows, wherever its first item is", function()
    local q = asyncio.Queue()
    local put, got = 0, 0
    for round = 1, 40 do
      for _ = 1, round do
        put = put + 1
        q:put_nowait(put)
      end
      for _ = 1, round // 2 do
        got = got + 1
        assert.equal(got, q:get_nowait())
      end
    end
    assert.equal(put - got, q:qsize())
    for i, item in ipairs(get_all(q)) do
      assert.equal(got + i, item)
    end
  end)

  it("can be filled and emptied again and again", function()
    local q = asyncio.Queue()
    for _ = 1, 3 do
      for i = 1, 3000 do
        q:put_nowait(i)
      end
      for i = 1, 3000 do
        assert.equal(i, q:get_nowait())
      end
    end
  end)

  it("keeps no item that was taken", function()
    for _, class in ipairs { asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue } do
      local q = class()
      local weak = setmetatable({}, { __mode = "k" })
      for _ = 1, 2 do
        local item = setmetatable({}, { __lt = function() return false end })
        weak[item] = true
        q:put_nowait(item)
      end
      q:get_nowait()
      q:get_nowait()
      helper.collect()
      assert.is_nil(next(weak))
    end
  end)

  it("allocates nothing once it has the room", function()
    for _, class in ipairs { asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue } do
      local q = class()
      for i = 1, 5 do
        q:put_nowait(i)
      end
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      for i = 1, 100000 do
        q:put_nowait(i)
        q:get_nowait()
      end
      local after = collectgarbage "count"
      collectgarbage "restart"
      assert.is_true(after - before < 1, tostring(class))
    end
  end)

  ait("allocates nothing when it hands over", function()
    local q, answers = asyncio.Queue(1), asyncio.Queue(1)
    local task = create_task(function()
      for item in q:items() do
        answers:put(item)
      end
    end)
    q:put(0)
    answers:get()
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for i = 1, 10000 do
      q:put(i)
      answers:get()
    end
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.is_true(after - before < 1)
    q:shutdown()
    task:await()
  end)

  ait("shows its state", function()
    local q = asyncio.Queue(1)
    assert.equal("<Queue maxsize=1>", tostring(q))
    local getter = create_task(q.get, q)
    sleep(0)
    assert.equal("maxsize=1 getters=1", text(q))
    q:put(1)
    assert.equal("maxsize=1 tasks=1", text(q))
    q:put(2)
    local putter = create_task(q.put, q, 3)
    sleep(0)
    assert.equal("maxsize=1 items=1 putters=1 tasks=2", text(q))
    assert.equal(1, getter:await())
    q:shutdown(true)
    assert.equal("maxsize=1 tasks=1 shutdown", text(q))
    raises(asyncio.QueueShutDown, putter.await, putter)
    assert.equal("<LifoQueue maxsize=0>", tostring(asyncio.LifoQueue()))
    assert.equal("<PriorityQueue maxsize=0>", tostring(asyncio.PriorityQueue()))
  end)

  ait("counts who waits and what is left", function()
    local q = asyncio.Queue(1)
    q:put(1)
    local putters = { create_task(q.put, q, 2), create_task(q.put, q, 3) }
    local joiner = create_task(q.join, q)
    sleep(0)
    assert.same({
      qsize = 1, maxsize = 1, getters = 0, putters = 2, joiners = 1, unfinished = 1,
      shutdown = false,
    }, q:statistics())
    q:shutdown(true)
    asyncio.wait { putters[1], putters[2], joiner }
    assert.is_true(q:statistics().shutdown)
    for _, putter in ipairs(putters) do
      raises(asyncio.QueueShutDown, putter.result, putter)
    end
  end)

  it("has a class, a base of the others", function()
    local q = asyncio.Queue(3)
    assert.is_true(asyncio.isinstance(q, asyncio.Queue))
    assert.is_false(asyncio.isinstance(q, asyncio.LifoQueue))
    assert.is_true(asyncio.isinstance(asyncio.LifoQueue(), asyncio.Queue))
    assert.is_true(asyncio.isinstance(asyncio.PriorityQueue(7), asyncio.PriorityQueue))
    assert.is_true(asyncio.isinstance(asyncio.PriorityQueue(), asyncio.Queue))
    assert.equal("asyncio.Queue", tostring(asyncio.Queue))
    assert.equal(asyncio.Queue.put, q.put)
    assert.is_nil(q.unknown)
    assert.is_false(pcall(function() q.maxsize = 4 end))
    assert.equal(3, q.maxsize)
  end)

  it("refuses sizes that are none", function()
    for _, name in ipairs { "Queue", "LifoQueue", "PriorityQueue" } do
      for _, size in ipairs { -1, 1.5, 0 / 0, math.huge, "x", {}, true } do
        raises("bad argument #1", asyncio[name], size)
      end
      assert.equal(2, asyncio[name](2.0).maxsize)
    end
    raises("bad argument #1 to 'Queue'", function()
      asyncio.Queue(-1)
    end)
    raises("bad argument #2 to 'PriorityQueue'", function()
      asyncio.PriorityQueue(0, "less")
    end)
  end)

  it("refuses a wrong self, an item that is missing, and a bad flag", function()
    local q = asyncio.Queue()
    for name, method in pairs(getmetatable(q).__methods) do
      for _, self in ipairs { {}, io.stdout, asyncio.Future(), 1 } do
        raises("asyncio.Queue expected, got", method, self, name)
      end
      raises("asyncio.Queue expected, got no value", method)
    end
    raises("bad argument #1 to 'put'", function() q:put() end)
    raises("bad argument #1 to 'put_nowait'", function() q:put_nowait() end)
    raises("bad argument #1 to 'shutdown'", function() q:shutdown { immediate = true } end)
    assert.equal("maxsize=0", text(q))
  end)

  it("can be waited for in a task alone", function()
    local q = asyncio.Queue(1)
    for _, method in ipairs { "get", "items" } do
      local err = raises(asyncio.RuntimeError, function()
        return method == "get" and q:get() or q:items()()
      end)
      assert.matches("'" .. method .. "' suspends", err.message)
    end
    q:put_nowait(1)
    assert.matches("'put'", raises(asyncio.RuntimeError, q.put, q, 2).message)
    assert.matches("'join'", raises(asyncio.RuntimeError, q.join, q).message)
    assert.equal("maxsize=1 items=1 tasks=1", text(q))
  end)

  it("belongs to the loop on which a task first waited", function()
    local q = asyncio.Queue()
    local function wait_in_vain()
      local task = create_task(q.get, q)
      sleep(0)
      task:cancel()
      raises(asyncio.CancelledError, task.await, task)
    end
    helper.run(function() -- no wait yet
      q:put(1)
      q:get()
    end)
    helper.run(wait_in_vain)
    helper.collect() -- its loop is closed, and still there
    helper.run(function()
      local err = raises(asyncio.RuntimeError, q.get, q)
      assert.matches("different event loop", err.message)
      raises(asyncio.RuntimeError, q.join, q)
      q:put(2) -- needs no loop
      assert.equal(2, q:get())
      assert.equal(0, q:statistics().getters)
    end)
  end)

  ait("says what a task waits for", function()
    local q = asyncio.Queue(1)
    local getter = create_task(q.get, q)
    sleep(0)
    assert.matches("waits for an item of a queue", tostring(getter))
    q:put(1)
    q:put(2)
    local putter, joiner = create_task(q.put, q, 3), create_task(q.join, q)
    sleep(0)
    assert.matches("waits for room in a queue", tostring(putter))
    assert.matches("waits for the items of a queue to be done", tostring(joiner))
    q:shutdown(true)
    q:task_done()
    asyncio.wait { getter, putter, joiner }
    raises(asyncio.QueueShutDown, putter.result, putter)
  end)

  it("that nobody fills is a deadlock", function()
    local err = raises(asyncio.DeadlockError, asyncio.run, function()
      asyncio.Queue():get()
    end)
    local line = "waits for an item of a queue: <Queue maxsize=0 getters=1> at .*queue_spec.lua"
    assert.matches(line, err.message)
  end)
end)

describe("get", function()
  ait("waits for an item", function()
    local q = asyncio.Queue()
    local t = helper.trace()
    local task = create_task(function()
      t "started"
      t(q:get())
      t "finished"
    end)
    sleep(0)
    assert.same({ "started" }, t:list())
    asyncio.get_running_loop():call_later(0.001, q.put_nowait, q, 1)
    task:await()
    assert.same({ "started", 1, "finished" }, t:list())
  end)

  ait("is served in the order of the calls", function()
    local q = asyncio.Queue()
    local t = helper.trace()
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = create_task(function() t("getter", i, q:get()) end)
    end
    sleep(0)
    for i = 1, 5 do
      q:put_nowait("item" .. i)
    end
    asyncio.gather(tasks):await()
    assert.same({
      "getter 1 item1", "getter 2 item2", "getter 3 item3", "getter 4 item4", "getter 5 item5",
    }, t:list())
  end)

  ait("lets those who wait to put go on", function()
    local q = asyncio.Queue(1)
    create_task(q.put, q, "a")
    create_task(q.put, q, "b")
    sleep(0)
    assert.equal("a", q:get())
    assert.equal("b", q:get())
  end)

  ait("does not lose its turn to one that comes later", function()
    local q = asyncio.Queue()
    local waiting = create_task(q.get, q)
    sleep(0)
    q:put_nowait(1)
    assert.equal(0, q:qsize())
    assert.is_true(q:empty())
    raises(asyncio.QueueEmpty, q.get_nowait, q)
    local late = create_task(q.get, q)
    assert.equal(1, waiting:await())
    q:put_nowait(2)
    assert.equal(2, late:await())
  end)

  ait("has no trace left after a timeout", function()
    local q = asyncio.Queue(5)
    raises(asyncio.TimeoutError, asyncio.wait_for, q.get, 0.001, q)
    assert.equal("maxsize=5", text(q))
  end)
end)

describe("put", function()
  ait("returns nothing, and waits only when the queue is full", function()
    local q = asyncio.Queue(1)
    assert.equal(0, select("#", q:put(1)))
    local done = false
    local task = create_task(function()
      q:put(2)
      done = true
    end)
    sleep(0)
    assert.is_false(done)
    assert.equal(1, q:get_nowait())
    task:await()
    assert.is_true(done)
    assert.equal(2, q:get_nowait())
  end)

  ait("waits once there are maxsize items", function()
    local q = asyncio.Queue(2)
    local put = {}
    local task = create_task(function()
      for i = 1, 3 do
        q:put(i)
        put[#put + 1] = i
      end
    end)
    sleep(0)
    sleep(0)
    assert.same({ 1, 2 }, put)
    assert.equal(1, q:get())
    sleep(0)
    assert.same({ 1, 2, 3 }, put)
    assert.is_true(task:done())
    assert.same({ 2, 3 }, get_all(q))
  end)

  ait("is served in the order of the calls", function()
    local q = asyncio.Queue(1)
    q:put_nowait(0)
    for i = 1, 4 do
      create_task(q.put, q, i)
    end
    sleep(0)
    for i = 0, 4 do
      assert.equal(i, q:get())
    end
  end)

  ait("does not lose its room to one that comes later", function()
    local q = asyncio.Queue(1)
    q:put_nowait(1)
    local waiting = create_task(q.put, q, 2)
    sleep(0)
    assert.equal(1, q:get_nowait())
    assert.is_true(q:full())
    raises(asyncio.QueueFull, q.put_nowait, q, 3)
    waiting:await()
    assert.equal(2, q:get_nowait())
  end)

  ait("to a getter that waits needs no room", function()
    local q = asyncio.Queue(1)
    local getters = { create_task(q.get, q), create_task(q.get, q) }
    sleep(0)
    for i = 1, 3 do
      q:put_nowait(i)
    end
    assert.is_true(q:full())
    assert.equal(1, getters[1]:await())
    assert.equal(2, getters[2]:await())
    assert.equal(3, q:get())
  end)

  ait("and get over a queue of one item take turns", function()
    local q = asyncio.Queue(1)
    local got = {}
    local producer = create_task(function()
      for i = 1, 50 do
        q:put(i)
      end
    end)
    for i = 1, 50 do
      got[i] = q:get()
    end
    producer:await()
    for i = 1, 50 do
      assert.equal(i, got[i])
    end
  end)
end)

for _, name in ipairs { "Queue", "LifoQueue", "PriorityQueue" } do
  local class <const> = asyncio[name]

  describe("join of a " .. name, function()
    ait("returns at once where nothing was put", function()
      local q = class()
      q:join()
      q:join()
    end)

    ait("waits until task_done was called for each item", function()
      local q = class()
      for i = 1, 100 do
        q:put_nowait(i)
      end
      local sum = 0
      local workers = {}
      for i = 1, 2 do
        workers[i] = create_task(function()
          for item in q:items() do
            sleep(0)
            sum = sum + item
            q:task_done()
          end
        end)
      end
      q:join()
      assert.equal(5050, sum)
      q:shutdown()
      asyncio.gather(workers):await()
    end)

    ait("goes on though more was put before it ran", function()
      local q = class()
      q:put_nowait(1)
      local joiners = { create_task(q.join, q), create_task(q.join, q) }
      sleep(0)
      q:get_nowait()
      q:task_done()
      q:put_nowait(2)
      asyncio.gather(joiners):await()
      assert.equal(1, q:statistics().unfinished)
    end)

    ait("can be cancelled", function()
      local q = class()
      q:put_nowait(1)
      raises(asyncio.TimeoutError, asyncio.wait_for, q.join, 0.001, q)
      assert.equal(0, q:statistics().joiners)
    end)

    ait("is cancelled even if that is taken back before it runs", function()
      local q = class()
      q:put_nowait(1)
      local task = create_task(q.join, q)
      sleep(0)
      task:cancel()
      task:uncancel()
      sleep(0)
      assert.is_true(task:cancelled())
    end)

    it("refuses a task_done too many", function()
      local q = class()
      local err = raises(asyncio.RuntimeError, q.task_done, q)
      assert.equal("task_done() called too many times", err.message)
      q:put_nowait(1)
      q:task_done()
      raises(asyncio.RuntimeError, q.task_done, q)
      assert.equal(1, q:get_nowait())
    end)
  end)
end
