-- Thousands of random schedules of tasks over all primitives. A seed that fails
-- is replayed alone:
--
--   SCHEDULE_SEED=123 make test SPEC=spec/schedule_spec.lua
--
-- SCHEDULE_RUNS=100000 runs so many, SCHEDULE_FIRST says from which seed on.

local helper = require "spec.helper"
local run = require "spec.schedule.run"

-- So many seeds: fewer under a checker, where each takes longer.
local function default_runs()
  if (os.getenv "ASYNCIO_TEST_GC" or "") ~= "" then
    return 60
  end
  return (os.getenv "ASYNCIO_TEST_BUILD" or "build") == "build" and 3000 or 300
end

-- Leaks are looked for after so many schedules.
local COLLECT <const> = 500

local kept = setmetatable({}, { __mode = "k" })

-- Everything the world had must be garbage when it is.
local function track(world)
  local function keep(object)
    kept[object] = world.seed
  end
  for _, lists in ipairs { world.locks, world.conditions, world.semaphores, world.queues } do
    for _, m in ipairs(lists) do
      keep(m.what)
    end
  end
  for _, actor in ipairs(world.actors) do
    if actor.task then
      keep(actor.task)
    end
  end
  for _, future in ipairs(world.futures) do
    keep(future)
  end
  keep(world.event.what)
  keep(world.barrier.what)
  keep(world.loop)
end

local function check_garbage()
  helper.collect()
  local object, seed = next(kept)
  if object then
    error(("seed %d: %s is never collected"):format(seed, object), 0)
  end
end

local function check(seed)
  local world = run(seed)
  if world.failure then
    error(("seed %d: %s\n%s"):format(seed, world.failure, world:trace()), 0)
  end
  track(world)
end

local function number(name)
  return math.tointeger(os.getenv(name))
end

describe("random schedules", function()
  it("keep what the primitives promise", function()
    local seed = number "SCHEDULE_SEED"
    local first = seed or number "SCHEDULE_FIRST" or 1
    local last = seed or first + (number "SCHEDULE_RUNS" or default_runs()) - 1
    for i = first, last do
      check(i)
      if i % COLLECT == 0 or i == last then
        check_garbage()
      end
    end
  end)

  it("replay from their seed", function()
    for seed = 1, 20 do
      local first, second = run(seed), run(seed)
      if not first.timed then
        assert.equal(first:trace(), second:trace())
      end
    end
  end)
end)
