-- The workloads on cqueues: coroutines of one controller, its conditions and
-- its promises.
--
-- cqueues.lua WORKLOAD N

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local promise = require "cqueues.promise"
local process = dofile("bench/peers/process.lua")

local now <const>, sleep <const> = cqueues.monotime, cqueues.sleep
local cq = cqueues.new()

-- Runs what was wrapped until all of it has ended.
local function run_all()
  assert(cq:loop())
end

local workloads = {}

function workloads.spawn(n)
  local ended = 0
  local function job()
    ended = ended + 1
  end
  local start = now()
  for _ = 1, n do
    cq:wrap(job)
  end
  run_all()
  assert(ended == n)
  return now() - start
end

function workloads.switch(n)
  local function switcher()
    for _ = 1, n // 100 do
      sleep(0)
    end
  end
  local start = now()
  for _ = 1, 100 do
    cq:wrap(switcher)
  end
  run_all()
  return now() - start
end

function workloads.sleepers(n)
  local start = now()
  for _ = 1, n do
    cq:wrap(sleep, 1)
  end
  run_all()
  return now() - start
end

function workloads.handover(n)
  local slots = {promise.new(), promise.new()}
  local function player(mine)
    for _ = 1, n // 2 do
      slots[mine]:get()
      slots[mine] = promise.new()
      slots[3 - mine]:set(true)
    end
  end
  local start = now()
  cq:wrap(player, 1)
  cq:wrap(player, 2)
  slots[1]:set(true)
  run_all()
  return now() - start
end

-- A wait with a limit is native here: a condition that another coroutine
-- signals in each turn.
function workloads.waitfor(n)
  local changed = condition.new()
  local waiting = true
  cq:wrap(function()
    for _ = 1, n do
      changed:wait(10)
    end
    waiting = false
  end)
  cq:wrap(function()
    while waiting do
      changed:signal()
      sleep(0)
    end
  end)
  local start = now()
  run_all()
  return now() - start
end

function workloads.waitfuture(n)
  local waiting, pending = true, nil
  cq:wrap(function()
    for _ = 1, n do
      pending = promise.new()
      pending:wait(10)
    end
    waiting = false
  end)
  cq:wrap(function()
    while waiting do
      if pending and pending:status() == "pending" then
        pending:set(true)
      end
      sleep(0)
    end
  end)
  local start = now()
  run_all()
  return now() - start
end

-- A bounded queue: an array, and a condition for each side.
local Queue = {}
Queue.__index = Queue

local function new_queue(size)
  return setmetatable({
    size = size, first = 1, last = 0,
    filled = condition.new(), emptied = condition.new(),
  }, Queue)
end

function Queue:put(value)
  while self.last - self.first + 1 >= self.size do
    self.emptied:wait()
  end
  local last = self.last + 1
  self[last], self.last = value, last
  self.filled:signal(1)
end

function Queue:get()
  while self.last < self.first do
    self.filled:wait()
  end
  local first = self.first
  local value = self[first]
  self[first], self.first = nil, first + 1
  self.emptied:signal(1)
  return value
end

function workloads.queue(n)
  local there, back = new_queue(1), new_queue(1)
  cq:wrap(function()
    for _ = 1, n do
      back:put(there:get())
    end
  end)
  cq:wrap(function()
    for i = 1, n do
      there:put(i)
      back:get()
    end
  end)
  local start = now()
  run_all()
  return now() - start
end

-- Nothing cancels a coroutine here: a sleep that can be ended is a wait with
-- a limit, and the one who is woken early raises.
function workloads.cancel(n)
  local wake, ended, start = {}, 0, nil
  local function sleeper(i)
    local woken <const> = condition.new()
    wake[i] = woken
    pcall(function()
      if woken:wait(1000) then
        error("cancelled", 0)
      end
    end)
    ended = ended + 1
  end
  for i = 1, n do
    cq:wrap(sleeper, i)
  end
  cq:wrap(function()
    sleep(0)
    start = now()
    for i = 1, n do
      wake[i]:signal()
    end
  end)
  run_all()
  assert(ended == n)
  return now() - start
end

local base = process.rss_kib()
process.report(workloads[arg[1]](math.tointeger(tonumber(arg[2]))), base)
