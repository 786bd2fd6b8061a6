-- The workloads on this project's asyncio.
--
-- asyncio.lua WORKLOAD N

local asyncio = require "asyncio"
local core = require "asyncio.core"
local process = dofile("bench/peers/process.lua")

local create_task <const>, gather <const> = asyncio.create_task, asyncio.gather
local sleep <const>, wait_for <const> = asyncio.sleep, asyncio.wait_for
local now

local workloads = {}

local function tasks_of(n, fn, ...)
  local tasks = {}
  for i = 1, n do
    tasks[i] = create_task(fn, ...)
  end
  return tasks
end

local function job(i)
  return i
end

function workloads.spawn(n)
  local start = now()
  local tasks = {}
  for i = 1, n do
    tasks[i] = create_task(job, i)
  end
  gather(tasks):await()
  return now() - start
end

-- Tasks that run at once, up to their first await, while they are made.
function workloads.eager(n)
  local start = now()
  local coroutine_function = asyncio.async(job)
  local options = {eager_start = true}
  local tasks = {}
  for i = 1, n do
    tasks[i] = create_task(coroutine_function(i), options)
  end
  gather(tasks):await()
  return now() - start
end

-- The same, made in a scope at whose end they are awaited.
function workloads.group(n)
  local start = now()
  do
    local group <close> = asyncio.TaskGroup()
    for i = 1, n do
      group:create_task(job, i)
    end
  end
  return now() - start
end

local function switcher(turns)
  for _ = 1, turns do
    sleep(0)
  end
end

function workloads.switch(n)
  local start = now()
  gather(tasks_of(100, switcher, n // 100)):await()
  return now() - start
end

function workloads.sleepers(n)
  local start = now()
  gather(tasks_of(n, sleep, 1)):await()
  return now() - start
end

function workloads.handover(n)
  local Future <const> = asyncio.Future
  local slots = {Future(), Future()}
  local function player(mine)
    for _ = 1, n // 2 do
      slots[mine]:await()
      slots[mine] = Future()
      slots[3 - mine]:set_result(true)
    end
  end
  local start = now()
  local players = gather(create_task(player, 1), create_task(player, 2))
  slots[1]:set_result(true)
  players:await()
  return now() - start
end

function workloads.waitfor(n)
  local start = now()
  for _ = 1, n do
    wait_for(sleep, 10, 0)
  end
  return now() - start
end

function workloads.waitfuture(n)
  local loop = asyncio.get_running_loop()
  local start = now()
  for i = 1, n do
    local future = loop:create_future()
    loop:call_soon(future.set_result, future, i)
    wait_for(future, 10)
  end
  return now() - start
end

function workloads.timeout(n)
  local start = now()
  for _ = 1, n do
    local _ <close> = asyncio.timeout(10)
    sleep(0)
  end
  return now() - start
end

function workloads.queue(n)
  local there, back = asyncio.Queue(1), asyncio.Queue(1)
  local function echo()
    for _ = 1, n do
      back:put(there:get())
    end
  end
  local start = now()
  local task = create_task(echo)
  for i = 1, n do
    there:put(i)
    back:get()
  end
  task:await()
  return now() - start
end

-- What a job's argument goes through: packed, and unpacked.
function workloads.crossing(n)
  local list = {}
  for i = 1, n do
    list[i] = {
      id = i, name = "user" .. i, active = true, score = i / 2,
      tags = {"red", "green", "blue"}, place = {x = i, y = 2 * i, z = {1, 2, 3}},
    }
  end
  local start = now()
  core.crossing_copy(list)
  return now() - start
end

function workloads.lock(n)
  local lock = asyncio.Lock()
  local start = now()
  for _ = 1, n do
    lock:acquire()
    lock:release()
  end
  return now() - start
end

function workloads.contended(n)
  local lock = asyncio.Lock()
  local function worker(rounds)
    for _ = 1, rounds do
      lock:acquire()
      lock:release()
    end
  end
  lock:acquire()
  local tasks = tasks_of(1000, worker, n // 1000)
  sleep(0)
  local start = now()
  lock:release()
  gather(tasks):await()
  return now() - start
end

function workloads.cancel(n)
  local tasks = tasks_of(n, sleep, 1000)
  sleep(0)
  local start = now()
  for i = 1, n do
    tasks[i]:cancel()
  end
  for i = 1, n do
    pcall(tasks[i].await, tasks[i])
  end
  return now() - start
end

-- How long n tasks take to be made and to go to sleep.
function workloads.asleep(n)
  local start = now()
  tasks_of(n, sleep, 1000)
  sleep(0)
  return now() - start
end

-- The processor time that n sleepers take from when the last has gone to sleep
-- until all have been woken and have ended.
function workloads.wake(n)
  local delay = 0.2 + n * 4e-6
  local start = now()
  local tasks = tasks_of(n, sleep, delay)
  sleep(0)
  assert(now() - start < delay, "the first woke before the last slept")
  local clock = os.clock()
  gather(tasks):await()
  return os.clock() - clock
end

-- n tasks one after the other; also the memory when 100,000 have ended.
function workloads.sequential(n)
  local start = now()
  local early
  for i = 1, n do
    create_task(job, i):await()
    if i == 100000 then
      early = process.rss_kib()
    end
  end
  return now() - start, "early_kib=" .. (early or 0)
end

local function nothing() end

function workloads.tothread(n)
  asyncio.to_thread(nothing)
  local start = now()
  for _ = 1, n do
    asyncio.to_thread(nothing)
  end
  return now() - start
end

function workloads.executor(n)
  local pool <close> = asyncio.ThreadPoolExecutor(2)
  asyncio.gather(pool:submit(nothing), pool:submit(nothing)):await()
  local start = now()
  local futures = {}
  for i = 1, n do
    futures[i] = pool:submit(nothing)
  end
  gather(futures):await()
  return now() - start
end

function workloads.processes(n)
  local pool <close> = asyncio.ProcessPoolExecutor(2)
  pool:submit(nothing):await()
  local start = now()
  for _ = 1, n do
    pool:submit(nothing):await()
  end
  return now() - start
end

local function compute(n)
  local x = 0
  for i = 1, n do
    x = x + i % 7
  end
  return x
end

-- So many computing jobs at once, in threads that are warm.
local function compute_in(jobs, n)
  local pool <close> = asyncio.ThreadPoolExecutor(jobs)
  local futures, start = {}, nil
  for _, size in ipairs {1, n} do
    start = now()
    for i = 1, jobs do
      futures[i] = pool:submit(compute, size)
    end
    gather(futures):await()
  end
  return now() - start
end

function workloads.onejob(n)
  return compute_in(1, n)
end

function workloads.twojobs(n)
  return compute_in(2, n)
end

function workloads.ticks(n)
  local computing = create_task(compute_in, 2, n)
  local gaps = {}
  while not computing:done() do
    local start = now()
    sleep(0.001)
    gaps[#gaps + 1] = now() - start
  end
  table.sort(gaps)
  return gaps[math.ceil(#gaps * 0.99)]
end

local base = process.rss_kib()
local seconds, more = asyncio.run(function()
  local loop = asyncio.get_running_loop()
  now = function()
    return loop:time()
  end
  return workloads[arg[1]](math.tointeger(tonumber(arg[2])))
end)
process.report(seconds, base, more)
