-- The command line of workers.lua.

local shared = require "shared.options"

local options = {}

options.USAGE = [[
usage: lua5.4 workers.lua [OPTION...]

Has a bank of workers do many jobs, some of which fail and are tried again.
Ctrl-C stops it in order: jobs that were begun are finished first. A second
Ctrl-C stops it at once.

  --workers N     so many work at the same time (4)
  --jobs N        so many jobs are to be done (40)
  --seed N        other jobs for each number (1)
  --speed X       work X times as fast (1)
  --help          show this

The exit status is 1 if a job failed for good, 2 for wrong usage, 130 after
Ctrl-C.
]]

local SETTERS <const> = {
  ["--workers"] = shared.integer("workers", 1, 1000),
  ["--jobs"] = shared.integer("jobs", 0, 1000000000),
  ["--seed"] = shared.integer("seed", math.mininteger, math.maxinteger),
  ["--speed"] = shared.number("speed", 0.001, 100000),
}

-- Options from the list of arguments: workers, jobs, seed, speed, help. Raises a
-- text when they make no sense.
function options.parse(arguments)
  return shared.parse(arguments, SETTERS, { workers = 4, jobs = 40, seed = 1, speed = 1 })
end

return options
