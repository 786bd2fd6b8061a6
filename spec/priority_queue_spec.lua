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

-- Jobs are ordered by their rank; 'compare', when it is set, is asked before.
local Job <const> = {}
Job.__index = Job
Job.__lt = function(a, b)
  if Job.compare then
    Job.compare(a, b)
  end
  return a.rank < b.rank
end

local function job(rank, name)
  return setmetatable({ rank = rank, name = name }, Job)
end

local function names(list)
  local words = {}
  for i, item in ipairs(list) do
    words[i] = item.name
  end
  return table.concat(words, " ")
end

describe("a LifoQueue", function()
  ait("gives the item first that came last", function()
    local q = asyncio.LifoQueue()
    for _, item in ipairs { 1, 3, 2 } do
      q:put(item)
    end
    assert.same({ 2, 3, 1 }, { q:get(), q:get(), q:get() })
  end)

  it("takes nil and false, and grows", function()
    local q = asyncio.LifoQueue()
    q:put_nowait(nil)
    q:put_nowait(false)
    for i = 1, 100 do
      q:put_nowait(i)
    end
    for i = 100, 1, -1 do
      assert.equal(i, q:get_nowait())
    end
    assert.is_false(q:get_nowait())
    assert.is_nil(q:get_nowait())
    assert.is_true(q:empty())
  end)
end)

describe("a PriorityQueue", function()
  ait("gives the least item first", function()
    local q = asyncio.PriorityQueue()
    for _, item in ipairs { 1, 3, 2 } do
      q:put(item)
    end
    assert.same({ 1, 2, 3 }, { q:get(), q:get(), q:get() })
  end)

  it("orders numbers, strings, and what has __lt", function()
    local q = asyncio.PriorityQueue()
    for _, item in ipairs { 2.5, -1, math.huge, 2, -math.huge } do
      q:put_nowait(item)
    end
    assert.same({ -math.huge, -1, 2, 2.5, math.huge }, get_all(q))
    for _, item in ipairs { "pear", "apple", "fig" } do
      q:put_nowait(item)
    end
    assert.same({ "apple", "fig", "pear" }, get_all(q))
    for i, rank in ipairs { 3, 1, 2 } do
      q:put_nowait(job(rank, i))
    end
    assert.equal("2 3 1", names(get_all(q)))
  end)

  it("orders as it is told", function()
    local q = asyncio.PriorityQueue(0, function(a, b) return (a or 0) > (b or 0) end)
    for _, item in ipairs { 1, 3, 2 } do
      q:put_nowait(item)
    end
    q:put_nowait(nil)
    assert.same({ 3, 2, 1 }, { q:get_nowait(), q:get_nowait(), q:get_nowait() })
    assert.is_nil(q:get_nowait())
    assert.is_true(q:empty())
  end)

  it("takes items of any kind as long as it need not compare them", function()
    local q = asyncio.PriorityQueue()
    for _, item in ipairs { {}, false, print } do
      q:put_nowait(item)
      assert.equal(item, q:get_nowait())
    end
    q:put_nowait(nil)
    assert.equal(1, q:qsize())
    assert.is_nil(q:get_nowait())
  end)

  it("gives equal items in the order in which they came", function()
    local q = asyncio.PriorityQueue()
    local random = 7
    local expected = {}
    for i = 1, 300 do
      random = random * 1103515245 + 12345 & 0x7fffffff
      local item = job(random >> 16 & 7, i)
      expected[i] = item
      q:put_nowait(item)
    end
    table.sort(expected, function(a, b)
      return a.rank < b.rank or a.rank == b.rank and a.name < b.name
    end)
    assert.equal(names(expected), names(get_all(q)))
  end)

  it("stays in order when it is filled and emptied in turn", function()
    local q = asyncio.PriorityQueue()
    local random, model, number = 1, {}, 0
    for _ = 1, 3000 do
      random = random * 1103515245 + 12345 & 0x7fffffff
      if #model == 0 or random >> 16 & 3 > 1 then
        number = number + 1
        local item = job(random >> 18 & 15, number)
        local place = #model + 1
        while place > 1 and item.rank < model[place - 1].rank do
          place = place - 1
        end
        table.insert(model, place, item)
        q:put_nowait(item)
      else
        assert.equal(table.remove(model, 1), q:get_nowait())
      end
      assert.equal(#model, q:qsize())
    end
  end)

  ait("hands the least item to whoever waits longest", function()
    local q = asyncio.PriorityQueue()
    local first, second = create_task(q.get, q), create_task(q.get, q)
    sleep(0)
    q:put_nowait(2)
    q:put_nowait(1)
    assert.equal(1, first:await())
    assert.equal(2, second:await())
  end)
end)

describe("a comparison", function()
  after_each(function() Job.compare = nil end)

  local function filled(...)
    local q = asyncio.PriorityQueue()
    for _, rank in ipairs { ... } do
      q:put_nowait(job(rank, rank))
    end
    return q
  end

  it("that raises in put_nowait changes nothing", function()
    local q = filled(4, 2, 6, 1, 3)
    local err = {}
    for limit = 1, 2 do
      local calls = 0
      Job.compare = function()
        calls = calls + 1
        if calls == limit then
          error(err)
        end
      end
      assert.equal(err, helper.catch(q.put_nowait, q, job(0, 0)))
    end
    Job.compare = nil
    assert.matches("items=5 tasks=5", tostring(q))
    q:put_nowait(job(5, 5))
    assert.equal("1 2 3 4 5 6", names(get_all(q)))
  end)

  it("that raises in get_nowait changes nothing", function()
    for limit = 1, 3 do
      local q = filled(4, 2, 6, 1, 3, 5, 7, 8, 9)
      local calls = 0
      Job.compare = function()
        calls = calls + 1
        if calls == limit then
          error "incomparable"
        end
      end
      raises("incomparable", q.get_nowait, q)
      Job.compare = nil
      assert.equal(9, q:qsize())
      assert.equal("1 2 3 4 5 6 7 8 9", names(get_all(q)))
    end
  end)

  it("of values that have no order is Lua's error", function()
    local q = asyncio.PriorityQueue()
    q:put_nowait(1)
    raises("attempt to compare", q.put_nowait, q, "one")
    raises("attempt to compare", q.put_nowait, q, nil)
    raises("attempt to compare", q.put_nowait, q, {})
    assert.equal(1, q:get_nowait())
    assert.matches("maxsize=0 tasks=1>", tostring(q))
  end)

  it("that puts into the queue is a RuntimeError of the outer call", function()
    local q = filled(4, 2, 6)
    Job.compare = function()
      Job.compare = nil
      q:put_nowait(job(5, 5))
    end
    raises(asyncio.RuntimeError, q.put_nowait, q, job(3, 3))
    assert.equal("2 4 5 6", names(get_all(q)))
  end)

  it("that takes from the queue is a RuntimeError of the outer call", function()
    for _, name in ipairs { "get_nowait", "put_nowait" } do
      local q = filled(4, 2, 6, 5)
      local taken
      Job.compare = function()
        Job.compare = nil
        taken = q:get_nowait()
      end
      raises(asyncio.RuntimeError, q[name], q, job(3, 3))
      assert.equal(2, taken.rank)
      assert.equal("4 5 6", names(get_all(q)))
    end
  end)

  it("that shuts the queue down is a RuntimeError of the outer call", function()
    for _, immediate in ipairs { false, true } do
      local q = filled(4, 2, 6)
      Job.compare = function() q:shutdown(immediate) end
      raises(asyncio.RuntimeError, q.get_nowait, q)
      Job.compare = nil
      assert.equal(immediate and "" or "2 4 6", names(get_all(q)))
      raises(asyncio.QueueShutDown, q.get_nowait, q)
    end
  end)

  it("that never ends to use the queue is an error", function()
    local q = filled(4, 2, 6)
    Job.compare = function() q:put_nowait(job(1, 1)) end
    assert.is_false(pcall(q.put_nowait, q, job(3, 3)))
    Job.compare = nil
    assert.equal("2 4 6", names(get_all(q)))
  end)

  ait("that would suspend is told so", function()
    local q = filled(4, 2, 6)
    Job.compare = function() sleep(0) end
    local err = raises(asyncio.RuntimeError, function()
      q:put(job(1, 1))
    end)
    assert.matches("'sleep' cannot suspend the task below 'put'", err.message)
    Job.compare = nil
    assert.equal("2 4 6", names(get_all(q)))
  end)

  it("may also be a function that raises", function()
    local fails = false
    local q = asyncio.PriorityQueue(0, function(a, b)
      return not fails and a < b or fails and error "incomparable"
    end)
    q:put_nowait(2)
    q:put_nowait(1)
    fails = true
    raises("incomparable", q.put_nowait, q, 3)
    fails = false
    assert.same({ 1, 2 }, get_all(q))
  end)

  ait("that raises for a getter with an item in hand passes that on", function()
    local q = asyncio.PriorityQueue()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = create_task(q.get, q)
    end
    sleep(0)
    local text = "incomparable"
    for rank = 3, 1, -1 do
      q:put_nowait(job(rank, rank))
    end
    local late = create_task(q.get, q)
    Job.compare = function()
      Job.compare = nil
      error(text)
    end
    local err = raises(text, tasks[1].await, tasks[1])
    assert.is_string(err)
    assert.matches("priority_queue_spec.lua", tasks[1]:traceback())
    local ranks = { tasks[2]:await().rank, tasks[3]:await().rank, late:await().rank }
    assert.same({ 1, 2, 3 }, ranks)
    assert.is_true(q:empty())
  end)

  ait("that raises for a putter with room in hand passes that on", function()
    local q = asyncio.PriorityQueue(2)
    q:put(job(1, 1))
    q:put(job(2, 2))
    local first, second = create_task(q.put, q, job(3, 3)), create_task(q.put, q, job(4, 4))
    sleep(0)
    assert.equal(1, q:get_nowait().rank)
    Job.compare = function()
      Job.compare = nil
      error "incomparable"
    end
    raises("incomparable", first.await, first)
    second:await()
    assert.equal("2 4", names(get_all(q)))
    assert.is_false(q:full())
  end)
end)
