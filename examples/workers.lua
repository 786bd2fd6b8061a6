-- A bank of workers: a producer fills a bounded queue, the workers empty it, and
-- Ctrl-C shuts both down in order.
--
--   lua5.4 examples/workers.lua [--workers N] [--jobs N] [--seed N] [--speed X]
--
-- It shows
-- * back-pressure: 'put' waits while the queue is full, so that the producer is
--   never far ahead, however many jobs there are;
-- * queue:shutdown(), which tells the workers that no more jobs will come, and
--   after Ctrl-C tells the producer that no more are wanted;
-- * a Ctrl-C that is handled: run cancels the main task, and nothing else. The
--   main task waits behind a shield, so that the others go on and can finish.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"
local jobs = require "workers.jobs"
local options = require "workers.options"
local report = require "workers.report"
local views = require "workers.view"

local QUEUE_SIZE <const> = 8
local PAUSE <const> = 0.1 -- seconds before the second attempt, twice that before the third

-- Makes one job after the other, until the queue is shut down.
local function produce(bank)
  for number = 1, bank.opts.jobs do
    bank.made = number
    bank.queue:put(jobs.make(number))
  end
  bank.queue:shutdown() -- no more will come: the workers end when it is empty
end

-- The i-th attempt. Returns whether the job is over, done or given up.
local function attempt(bank, worker, job, i)
  local speed <const> = bank.opts.speed
  worker.job, worker.attempt, worker.since = job, i, bank.loop:time()
  local ok <const>, err <const> = asyncio.catch(jobs.JobError, jobs.attempt, job, i, speed)
  bank.spent = bank.spent + job[i].seconds / speed
  worker.job = nil
  if ok then
    bank.done = bank.done + 1
    bank.view:detail("%s has done job %d", worker.name, job.number)
  elseif i < #job then
    bank.retries = bank.retries + 1
    bank.view:note("yellow", "%s tries job %d again: %s", worker.name, job.number, err.message)
  else
    bank.failed = bank.failed + 1
    bank.view:note("red", "%s gives up job %d: %s", worker.name, job.number, err.message)
  end
  return ok or i == #job
end

-- Takes job after job, until the queue is shut down and empty. A job that fails
-- stays with its worker: putting it back into the queue might mean to wait for
-- room there, and when all workers do that, nobody is left to make any.
local function work(bank, worker)
  for job in bank.queue:items() do
    bank.view:detail("%s begins job %d: %s", worker.name, job.number, job.kind)
    local i = 1
    while not attempt(bank, worker, job, i) do
      asyncio.sleep(PAUSE * 2 ^ (i - 1) / bank.opts.speed)
      i = i + 1
    end
  end
end

-- Starts the producer, which may find the queue shut down, and the workers;
-- returns a future of all their ends.
local function start(bank)
  local tasks <const> = {}
  for i, worker in ipairs(bank.workers) do
    tasks[i] = asyncio.create_task(work, bank, worker):set_name(worker.name)
  end
  local producer <const> = asyncio.create_task(asyncio.catch, asyncio.QueueShutDown, produce, bank)
  tasks[#tasks + 1] = producer:set_name "producer"
  return asyncio.gather(tasks)
end

-- Returns whether all was done, or Ctrl-C put an end to it.
local function main(bank)
  bank.loop = asyncio.get_running_loop()
  bank.started = bank.loop:time()
  local all <const> = start(bank)
  asyncio.create_task(bank.view.follow, bank.view):set_name "view"

  -- Ctrl-C cancels this wait, but thanks to the shield nobody who is waited for.
  if asyncio.catch(asyncio.CancelledError, asyncio.await, asyncio.shield(all)) then
    return true
  end
  asyncio.current_task():uncancel()
  bank.view:note("bold", "stopping: what was begun is finished; Ctrl-C again ends that, too")
  bank.queue:shutdown(true) -- drops the jobs that nobody has begun
  all:await()
  return false
end

local function new_bank(opts)
  local bank <const> = { opts = opts, queue = asyncio.Queue(QUEUE_SIZE), workers = {} }
  for i = 1, opts.workers do
    bank.workers[i] = { name = "worker " .. i }
  end
  bank.made, bank.done, bank.failed, bank.retries = 0, 0, 0, 0
  bank.spent = 0 -- seconds of work, by all workers together
  return bank
end

-- Returns what main does, or false after a second Ctrl-C. The view is closed
-- out here: no Ctrl-C can keep it from that.
local function run(bank)
  local view <close> = views.open(bank)
  bank.view = view
  local ok <const>, finished <const> =
    asyncio.catch(asyncio.KeyboardInterrupt, asyncio.run, main, bank)
  return ok and finished
end

local opts <const> = command_line.read("workers.lua", options.USAGE, options.parse)
math.randomseed(opts.seed)
local bank <const> = new_bank(opts)
local finished <const> = run(bank)
report.write(io.stdout, bank, finished)
os.exit(finished and (bank.failed > 0 and 1 or 0) or 130, true)
