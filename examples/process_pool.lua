-- A pool of shell commands: some run at the same time, each for a limited time,
-- and Ctrl-C ends them in order.
--
--   lua5.4 examples/process_pool.lua [--jobs N] [--timeout X] [COMMAND...]
--
-- It shows
-- * subprocess.run, which collects what a command writes, and which has ended it
--   when a timeout or a cancellation goes on;
-- * tasks that share the work: each takes the next command when its last one has
--   ended, so that no more run than there are tasks;
-- * a task group, which Ctrl-C cancels with the main task: it is left when all
--   commands are gone.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"
local options = require "pool.options"
local views = require "pool.view"

-- Runs the command; returns how it ended, and what it wrote.
local function attempt(opts, command)
  local ok <const>, result <const> =
    asyncio.catch(asyncio.TimeoutError, asyncio.subprocess.run, command, {
      stdin = "null",
      stderr = "stdout",
      timeout = opts.timeout,
      grace = opts.grace,
      start_new_session = true, -- Ctrl-C is for us, and we end it
    })
  if not ok then
    return "timed out", result.stdout
  end
  return result.returncode == 0 and "succeeded" or "failed", result.stdout
end

-- Takes command after command.
local function work(pool)
  while pool.begun < #pool.jobs do
    pool.begun = pool.begun + 1
    local job <const> = pool.jobs[pool.begun]
    job.since = pool.loop:time()
    job.how, job.output = attempt(pool.opts, job.command)
    job.seconds = pool.loop:time() - job.since
    pool.ended = pool.ended + 1
    pool[job.how] = pool[job.how] + 1
    pool.view:ended(job)
  end
end

local function main(pool)
  pool.loop = asyncio.get_running_loop()
  asyncio.create_task(pool.view.follow, pool.view):set_name "view"
  local group <close> = asyncio.TaskGroup()
  for i = 1, math.min(pool.opts.jobs, #pool.jobs) do
    group:create_task(work, pool):set_name("worker " .. i)
  end
end

local function new_pool(opts)
  local pool <const> = { opts = opts, jobs = {}, begun = 0, ended = 0 }
  for i, command in ipairs(opts.commands) do
    pool.jobs[i] = { command = command }
  end
  pool.succeeded, pool.failed, pool["timed out"] = 0, 0, 0
  return pool
end

-- Returns false after Ctrl-C. The view is closed out here: no Ctrl-C can keep it
-- from that.
local function run(pool)
  local view <close> = views.open(pool)
  pool.view = view
  return (asyncio.catch(asyncio.KeyboardInterrupt, asyncio.run, main, pool))
end

local opts <const> = command_line.read("process_pool.lua", options.USAGE, options.parse)
if #opts.commands == 0 then
  for line in io.lines() do
    table.insert(opts.commands, line:find "%S" and line or nil)
  end
end
local pool <const> = new_pool(opts)
local finished <const> = run(pool)
print(("%d commands: %d succeeded, %d failed, %d timed out, %d left"):format(
  #pool.jobs, pool.succeeded, pool.failed, pool["timed out"], #pool.jobs - pool.ended))
os.exit(finished and (pool.succeeded < #pool.jobs and 1 or 0) or 130, true)
