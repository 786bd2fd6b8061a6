-- Jobs of all kinds, many at once, cancelled at random moments: every future ends,
-- and nothing is left. SOAK_JOBS=1000000 has so many of them, SOAK_SEED=1 the
-- same again.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local spin <const> = require("spec.jobs").spin

local JOBS <const> = math.tointeger(os.getenv "SOAK_JOBS") or 3000
local SEED <const> = math.tointeger(os.getenv "SOAK_SEED") or os.time()
local AT_ONCE <const> = 64

-- see thread_spec
local assert, describe, it = assert, describe, it
local _ENV <const> = _G -- luacheck: ignore 211

local function echo(...)
  return ...
end

local function stubborn()
  pcall(function()
    local list
    while true do
      list = { list and #list }
    end
  end)
  return "went on"
end

-- Kinds of jobs: each submits one and says whether it must be cancelled to end.
local KINDS <const> = {
  function(pool)
    return pool:submit(echo, 1, "two", { 3 })
  end,
  function(pool)
    return pool:submit(error, { code = 1 })
  end,
  function(pool)
    return pool:submit(function()
      error(require("asyncio").TimeoutError "late")
    end)
  end,
  function(pool)
    return pool:submit(function()
      return print, io.stdout -- cannot cross
    end)
  end,
  function(pool)
    return pool:submit(string.rep, "x", 100000)
  end,
  function(pool)
    return pool:submit(echo, ("y"):rep(50000))
  end,
  function(pool)
    return pool:submit(spin), true
  end,
  function(pool)
    return pool:submit(stubborn), true
  end,
  function(pool)
    return pool:submit(function()
      local asyncio = require "asyncio" -- luacheck: ignore 431
      return asyncio.run(function()
        asyncio.sleep(0)
        return 1
      end)
    end)
  end,
  function(pool)
    return pool:submit(function()
      local asyncio = require "asyncio" -- luacheck: ignore 431
      return asyncio.run(asyncio.sleep, 3600)
    end), true
  end,
}

-- Submits one job, and waits for its end, or cancels it first.
local function one(pool, random, counts)
  local future, endless = KINDS[random(#KINDS)](pool)
  if endless or random(4) == 1 then
    for _ = 1, random(0, 3) do
      asyncio.sleep(0)
    end
    future:cancel()
  end
  local ok = pcall(future.await, future)
  assert(future:done())
  if future:cancelled() then
    counts.cancelled = counts.cancelled + 1
  elseif ok then
    counts.returned = counts.returned + 1
  else
    counts.failed = counts.failed + 1
  end
end

-- A generator of its own, so that the seed decides.
local function generator(seed)
  local state = seed & 0x7fffffff
  return function(a, b)
    if not b then
      a, b = 1, a
    end
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return a + (state >> 8) % (b - a + 1)
  end
end

local function soak(jobs, seed)
  local counts <const> = { cancelled = 0, returned = 0, failed = 0 }
  local random <const> = generator(seed)
  local pool <close> = asyncio.ThreadPoolExecutor(4)
  local begun = 0
  local function take_turns()
    while begun < jobs do
      begun = begun + 1
      one(pool, random, counts)
    end
  end
  do
    local group <close> = asyncio.TaskGroup()
    for _ = 1, AT_ONCE do
      group:create_task(take_turns)
    end
  end
  pool:shutdown()
  assert(pool:statistics().workers == 0)
  return counts
end

describe("jobs of all kinds", function()
  it(("end, each of %d (seed %d)"):format(JOBS, SEED), function()
    local counts = asyncio.run(soak, JOBS, SEED)
    assert.are.equal(JOBS, counts.cancelled + counts.returned + counts.failed)
    helper.collect()
    local before = collectgarbage "count"
    asyncio.run(soak, JOBS, SEED)
    helper.collect()
    assert.is_true(collectgarbage "count" < before + 100)
  end)
end)
