-- The workloads on luv, by coroutines and the small scheduler that a program
-- on luv brings along: a ready list that an idle handle drains, and tasks that
-- can be awaited and cancelled.
--
-- luv.lua WORKLOAD N

local uv = require "luv"
local process = dofile("bench/peers/process.lua")

local create <const>, resume <const> = coroutine.create, coroutine.resume
local yield <const> = coroutine.yield

-- -- the scheduler --

local ready, spare, ready_n = {}, {}, 0
local idle = uv.new_idle()
local current
local drain

local function enqueue(task)
  ready_n = ready_n + 1
  ready[ready_n] = task
  if ready_n == 1 then
    idle:start(drain)
  end
end

local function run(task)
  current = task
  local ok, err = resume(task.co, task)
  if not ok then
    error(debug.traceback(task.co, err), 0)
  end
end

-- What is made ready meanwhile has its turn after all that is ready now. The
-- poll for events comes when nothing is ready, or after so many turns.
local TURNS_PER_POLL <const> = 64

function drain()
  for _ = 1, TURNS_PER_POLL do
    local turn, n = ready, ready_n
    ready, spare, ready_n = spare, turn, 0
    for i = 1, n do
      local task = turn[i]
      turn[i] = false
      run(task)
    end
    if ready_n == 0 then
      idle:stop()
      return
    end
  end
end

local function task_end(task, ok, value)
  task.done, task.ok, task.value = true, ok, value
  if task.waiter then
    enqueue(task.waiter)
  end
end

local function task_body(task)
  task_end(task, pcall(task.fn, task.arg))
end

local function spawn(fn, arg)
  local task = {co = create(task_body), fn = fn, arg = arg}
  enqueue(task)
  return task
end

-- Awaits a task, or a future: a table of the same fields that has no body.
local function await(task)
  if not task.done then
    task.waiter = current
    yield()
  end
  return task.ok, task.value
end

local function future_set(future, value)
  task_end(future, true, value)
end

local function await_all(list)
  local results = {}
  for i = 1, #list do
    local _, value = await(list[i])
    results[i] = value
  end
  return results
end

local function turn()
  enqueue(current)
  yield()
end

-- Timers are handles, dear to make: a finished one is used again.
local timers = {}

local function timer_start(seconds, fn)
  local timer = table.remove(timers) or uv.new_timer()
  timer:start(math.ceil(seconds * 1000), 0, fn)
  return timer
end

local function timer_free(timer)
  timer:stop()
  timers[#timers + 1] = timer
end

local function sleep(seconds)
  local task = current
  task.timer = timer_start(seconds, function()
    run(task)
  end)
  yield()
  timer_free(task.timer)
  task.timer = nil
  if task.cancelled then
    error("cancelled", 0)
  end
end

-- Ends the sleep of a task with an error.
local function cancel(task)
  task.cancelled = true
  task.timer:stop()
  enqueue(task)
end

-- Calls fn, which suspends; true when it ended within so many seconds.
local function wait_for(seconds, fn, arg)
  local task, late = current, false
  local timer = timer_start(seconds, function()
    late = true
    run(task)
  end)
  fn(arg)
  timer_free(timer)
  return not late
end

-- A list of values, first in, first out; once empty it begins anew, so that the
-- places stay in the table's array.
local function new_list()
  return {first = 1, last = 0}
end

local function append(list, value)
  local last = list.last + 1
  list[last], list.last = value, last
end

local function take(list)
  local first, last = list.first, list.last
  local value = list[first]
  list[first] = false
  if first == last then
    list.first, list.last = 1, 0
  else
    list.first = first + 1
  end
  return value
end

-- A bounded queue.
local Queue = {}
Queue.__index = Queue

local function new_queue(size)
  return setmetatable(
    {size = size, items = new_list(), getters = new_list(), putters = new_list()}, Queue)
end

function Queue:put(value)
  local items, getters = self.items, self.getters
  while items.last - items.first + 1 >= self.size do
    append(self.putters, current)
    yield()
  end
  append(items, value)
  if getters.last >= getters.first then
    enqueue(take(getters))
  end
end

function Queue:get()
  local items, putters = self.items, self.putters
  while items.last < items.first do
    append(self.getters, current)
    yield()
  end
  local value = take(items)
  if putters.last >= putters.first then
    enqueue(take(putters))
  end
  return value
end

-- -- the workloads --

local function seconds_now()
  return uv.hrtime() / 1e9
end

local function spawn_all(n, fn, arg)
  local list = {}
  for i = 1, n do
    list[i] = spawn(fn, arg)
  end
  return list
end

local workloads = {}

local function job(i)
  return i
end

function workloads.spawn(n)
  local start = seconds_now()
  local list = {}
  for i = 1, n do
    list[i] = spawn(job, i)
  end
  await_all(list)
  return seconds_now() - start
end

local function switcher(turns)
  for _ = 1, turns do
    turn()
  end
end

function workloads.switch(n)
  local start = seconds_now()
  await_all(spawn_all(100, switcher, n // 100))
  return seconds_now() - start
end

function workloads.sleepers(n)
  local start = seconds_now()
  await_all(spawn_all(n, sleep, 1))
  return seconds_now() - start
end

function workloads.handover(n)
  local slots = {{}, {}}
  local function player(mine)
    for _ = 1, n // 2 do
      await(slots[mine])
      slots[mine] = {}
      future_set(slots[3 - mine])
    end
  end
  local start = seconds_now()
  local players = {spawn(player, 1), spawn(player, 2)}
  future_set(slots[1])
  await_all(players)
  return seconds_now() - start
end

function workloads.waitfor(n)
  local start = seconds_now()
  for _ = 1, n do
    wait_for(10, turn)
  end
  return seconds_now() - start
end

function workloads.waitfuture(n)
  local pending
  local setter = spawn(function()
    while pending do
      future_set(pending)
      turn()
    end
  end)
  local start = seconds_now()
  for _ = 1, n do
    pending = {}
    wait_for(10, await, pending)
  end
  local seconds = seconds_now() - start
  pending = nil
  await(setter)
  return seconds
end

function workloads.queue(n)
  local there, back = new_queue(1), new_queue(1)
  local function echo()
    for _ = 1, n do
      back:put(there:get())
    end
  end
  local start = seconds_now()
  local task = spawn(echo)
  for i = 1, n do
    there:put(i)
    back:get()
  end
  await(task)
  return seconds_now() - start
end

function workloads.cancel(n)
  local list = spawn_all(n, sleep, 1000)
  turn()
  local start = seconds_now()
  for i = 1, n do
    cancel(list[i])
  end
  await_all(list)
  return seconds_now() - start
end

local base = process.rss_kib()
local seconds
spawn(function()
  seconds = workloads[arg[1]](math.tointeger(tonumber(arg[2])))
end)
uv.run()
process.report(seconds, base)
