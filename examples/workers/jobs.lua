-- Jobs that take their time, and sometimes fail: as if there were work.

local asyncio = require "asyncio"

local jobs = {}

-- What befalls a job. Any other error is a mistake in this program.
jobs.JobError = asyncio.exception "JobError"

-- How often a job is tried.
jobs.ATTEMPTS = 3

local KINDS <const> = {
  "bake a cake", "count the stars", "feed the cat", "fold a crane", "mend a sail", "paint a door",
  "plant a tree", "tune a piano", "wind the clock", "write a letter",
}
local MISHAPS <const> = { "no answer", "out of paint", "the cat ran off", "rain", "a bent nail" }

local function pick(list)
  return list[math.random(#list)]
end

-- Makes the next job. All that is left to chance is decided here, in the order
-- of the jobs: one seed means the same work, whoever does it and when.
function jobs.make(number)
  local is_hopeless <const> = math.random() < 0.04
  local job <const> = { number = number, kind = pick(KINDS) }
  for i = 1, jobs.ATTEMPTS do
    local attempt <const> = { seconds = 0.1 + 0.35 * math.random(), mishap = pick(MISHAPS) }
    attempt.fails = math.random() < 0.15 or is_hopeless
    job[i] = attempt
  end
  return job
end

-- Does the job, the i-th time.
function jobs.attempt(job, i, speed)
  asyncio.sleep(job[i].seconds / speed)
  if job[i].fails then
    error(jobs.JobError(job[i].mishap))
  end
end

return jobs
