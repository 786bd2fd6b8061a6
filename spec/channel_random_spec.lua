-- Random schedules of tasks that send, receive, are cancelled and timed out: what
-- was sent comes out once, in order, and nobody who could go on is left waiting.
-- CHANNEL_SEED=123 replays the schedule of that seed.

local asyncio = require "asyncio"
local new_random = require "spec.schedule.random"

local RUNS <const> = os.getenv "ASYNCIO_TEST_GC" and 20 or 300

-- One schedule: 'sent' has what went in and has not come out, in order.
local function new_world(seed)
  local random = new_random(seed)
  return { random = random, ch = asyncio.Channel(random(4) - 1), sent = {}, last = 0, open = {} }
end

local function fail(world, text)
  error(("%s (seed %d)"):format(text, world.seed), 0)
end

-- An item that is under way may come out before its sender goes on: it is known
-- from the call on, and forgotten when the call fails.
local function send(world, method)
  world.last = world.last + 1
  local item = world.last
  world.open[item] = true
  local ok, err = pcall(world.ch[method], world.ch, item)
  if not ok then
    if not world.open[item] then
      fail(world, "a send that failed has sent " .. item)
    end
    world.open[item] = nil
    error(err, 0)
  end
end

local function receive(world, method)
  local item = world.ch[method](world.ch)
  if not world.open[item] then
    fail(world, ("item %s came twice, or was never sent"):format(item))
  end
  world.open[item] = nil
end

local EXPECTED <const> = {
  asyncio.CancelledError, asyncio.TimeoutError, asyncio.QueueFull, asyncio.QueueEmpty,
  asyncio.QueueShutDown,
}

-- A task that takes random steps; it ends when the channel does.
local function actor(world)
  local random <const> = world.random
  for _ = 1, 4 + random(8) do
    local step = random(2) == 1 and send or receive
    local name = step == send and "send" or "recv"
    if random(4) == 1 then
      name = name .. "_nowait"
    end
    local ok, err
    if random(5) == 1 then
      ok, err = pcall(asyncio.wait_for, step, 0, world, name)
    else
      ok, err = pcall(step, world, name)
    end
    if not ok and not asyncio.isinstance(err, EXPECTED) then
      world.failure = world.failure or err
    end
    if not ok and asyncio.isinstance(err, asyncio.QueueShutDown) then
      return
    end
    if random(3) == 1 then
      asyncio.sleep(0)
    end
  end
end

local function run(seed)
  local world = new_world(seed)
  world.seed = seed
  local random <const> = world.random
  local actors = {}
  for i = 1, 2 + random(5) do
    actors[i] = asyncio.create_task(actor, world)
  end
  for _ = 1, 40 do
    asyncio.sleep(0)
    if random(3) == 1 then
      actors[random(#actors)]:cancel()
    end
  end
  world.ch:close()
  asyncio.wait(actors, { timeout = 30 })
  for _, task in ipairs(actors) do
    if not task:done() then
      fail(world, "a task still waits")
    end
    pcall(task.result, task)
  end
  while world.ch:qsize() > 0 do
    receive(world, "recv_nowait")
  end
  if world.failure then
    error(world.failure, 0)
  elseif next(world.open) then
    fail(world, "an item was lost: " .. next(world.open))
  end
end

describe("random schedules of a channel", function()
  it("lose nothing and double nothing", function()
    local only <const> = tonumber(os.getenv "CHANNEL_SEED")
    for seed = only or 1, only or RUNS do
      asyncio.run(run, seed)
    end
  end)
end)
