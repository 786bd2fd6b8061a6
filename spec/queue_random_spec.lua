-- Random schedules of producers and consumers that are cancelled, time out, get
-- or put without waiting, and shut the queue down: what went in comes out, once,
-- or is left in the queue.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local create_task <const>, sleep <const> = asyncio.create_task, asyncio.sleep

-- A generator of its own, so that a seed gives one schedule everywhere.
local function random_of(seed)
  local state = seed * 2654435761 & 0xffffffff
  return function(n)
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) % n + 1
  end
end

local World <const> = {}
World.__index = World

local function new_world(class, seed)
  local random = random_of(seed)
  local size = random(4) - 1
  return setmetatable({
    queue = class(size), random = random,
    next_item = 0, put = {}, got = {}, n_put = 0, n_got = 0, tasks = {},
  }, World)
end

function World:new_item()
  self.next_item = self.next_item + 1
  return self.next_item
end

function World:note_put(item)
  self.put[item] = true
  self.n_put = self.n_put + 1
end

function World:note_got(item)
  assert(item and not self.got[item], "an item came twice")
  self.got[item] = true
  self.n_got = self.n_got + 1
end

-- Calls fn(...), which may be cancelled, time out or find the queue full, empty
-- or shut down; returns whether it did its work.
local expected <const> = {
  asyncio.CancelledError, asyncio.TimeoutError, asyncio.QueueFull, asyncio.QueueEmpty,
  asyncio.QueueShutDown,
}

local function try(fn, ...)
  return asyncio.catch(expected, fn, ...)
end

-- How a step waits: until it can go on, for a time, or not at all.
function World:call(name, ...)
  local q, how = self.queue, self.random(5)
  if how == 1 then
    return try(q[name .. "_nowait"], q, ...)
  elseif how == 2 then
    return try(asyncio.wait_for, q[name], self.random(3) / 10000, q, ...)
  end
  return try(q[name], q, ...)
end

function World:pause()
  if self.random(3) == 1 then
    try(sleep, 0)
  end
end

function World:produce(n)
  for _ = 1, n do
    local item = self:new_item()
    if self:call("put", item) then
      self:note_put(item)
    end
    self:pause()
  end
end

function World:consume(n)
  for _ = 1, n do
    local ok, item = self:call "get"
    if ok then
      self:note_got(item)
      if self.random(2) == 1 then
        self.queue:task_done()
      end
    end
    self:pause()
  end
end

function World:iterate()
  try(function()
    for item in self.queue:items() do
      self:note_got(item)
      self:pause()
    end
  end)
end

function World:spawn()
  local jobs = { self.produce, self.produce, self.consume, self.consume, self.iterate }
  local task = create_task(jobs[self.random(#jobs)], self, self.random(8))
  self.tasks[#self.tasks + 1] = task
end

-- Cancels some of those that are there, sometimes again, sometimes in vain.
function World:disturb()
  for _ = 1, self.random(3) do
    local task = self.tasks[self.random(#self.tasks)]
    local what = self.random(8)
    if what <= 3 then
      task:cancel()
    elseif what == 4 and task:cancel() then
      task:uncancel()
    end
  end
end

function World:check()
  local q = self.queue
  local found = q:statistics()
  assert(q:empty() or found.getters == 0, "a getter waits though there is an item")
  assert(q:full() or found.putters == 0, "a putter waits though there is room")
end

-- Ends all tasks; what is left in the queue then completes the count.
function World:finish()
  local q = self.queue
  if self.random(2) == 1 then
    q:shutdown()
  end
  for _, task in ipairs(self.tasks) do
    while not task:done() do
      task:cancel()
      sleep(0)
    end
    assert.is_true(task:cancelled() or select("#", task:result()) == 0)
  end
  local left = q:qsize()
  for _ = 1, left do
    self:note_got(q:get_nowait())
  end
  local found = q:statistics()
  assert(q:empty() and found.getters == 0 and found.putters == 0)
  for item in pairs(self.put) do
    assert(self.got[item], "an item was lost")
  end
  assert.equal(self.n_put, self.n_got)
  return left
end

function World:run()
  for _ = 1, 6 do
    self:spawn()
  end
  for _ = 1, 40 do
    sleep(0)
    self:check()
    self:disturb()
    if self.random(4) == 1 then
      self:spawn()
    end
    if self.random(10) == 1 then
      sleep(0.0002)
    end
  end
  self:finish()
  return self.n_put
end

for _, name in ipairs { "Queue", "LifoQueue", "PriorityQueue" } do
  ait("a random schedule loses and doubles nothing in a " .. name, function()
    local put = 0
    for seed = 1, 60 do
      local world = new_world(asyncio[name], seed)
      local ok, err = xpcall(world.run, debug.traceback, world)
      if not ok then
        error(("seed %d: %s"):format(seed, err), 0)
      end
      put = put + err
    end
    assert.is_true(put > 500) -- it was not all cancelled
  end)
end

ait("a random schedule keeps the order of a Queue", function()
  for seed = 1, 30 do
    local random = random_of(seed)
    local q = asyncio.Queue(random(3))
    local number, got, consumers = 0, {}, {}
    local function consume()
      while true do
        local item = q:get()
        got[#got + 1] = item
      end
    end
    local producer = create_task(function()
      for _ = 1, 100 do
        number = number + 1
        q:put(number)
      end
    end)
    for i = 1, 4 do
      consumers[i] = create_task(consume)
    end
    while not producer:done() or not q:empty() do
      sleep(0)
      local i = random(4)
      consumers[i]:cancel()
      consumers[i] = create_task(consume)
    end
    sleep(0)
    sleep(0)
    for _, consumer in ipairs(consumers) do
      consumer:cancel()
    end
    sleep(0)
    assert.equal(number, #got + q:qsize())
    for i = 1, #got do
      assert.equal(i, got[i])
    end
  end
end)
