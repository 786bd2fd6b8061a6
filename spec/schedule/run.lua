-- Runs the schedule of a seed: tasks that do random things, while a driver that
-- has a turn whenever they have looks at the world and disturbs it.

local asyncio = require "asyncio"
local Actor = require "spec.schedule.actor"
local World = require "spec.schedule.world"
local locks = require "spec.schedule.locks"
local queues = require "spec.schedule.queues"
local waits = require "spec.schedule.waits"
local disturb = require "spec.schedule.disturb"

-- Tasks whose programs are short end within so many turns.
local WATCHDOG <const> = 2000

local function spawn(world)
  if world.budget > 0 then
    Actor.new(world):start(asyncio.create_task)
  end
end

-- {====== The driver ======

-- Lets the others have a turn; tiny timeouts have passed after it in the end.
local function next_turn(world)
  asyncio.sleep(world.timed and world.ending and 1e-6 or 0)
  world.turn = world.turn + 1
  world:check_turn()
  return not world.failure
end

local function disturb_all(world, driver)
  for _ = 1, 4 + world.random(32) do
    if not next_turn(world) then
      return
    end
    if world.random(3) == 1 then
      disturb(driver)
    end
    if world.random(8) == 1 then
      spawn(world)
    end
  end
end

-- Lets everybody go on until all have ended by themselves.
local function help(world)
  world.helping = true
  locks.help(world)
  queues.help(world)
  waits.help(world)
end

local function cancel_all(world, driver)
  for _, actor in ipairs(world.actors) do
    if actor.task and not actor.task:done() then
      actor:cancel(driver)
    end
  end
end

local function finish(world, driver)
  local step = world.random(4) == 1 and cancel_all or help
  world.ending = true
  for _ = 1, WATCHDOG do
    if not world:unfinished() then
      return
    end
    step(world, driver)
    if not next_turn(world) then
      return
    end
  end
  local actor = world:unfinished()
  world:fail("%s does not end: %s\n%s", actor.name, actor.task, actor.task:traceback())
end

-- The main task. One loop in eight is closed in the middle.
local function drive(world)
  local driver = setmetatable({ name = "-", world = world, random = world.random }, Actor)
  world.theme = Actor.theme(world.random)
  if world.eager then
    world.loop:set_task_factory(asyncio.eager_task_factory)
  end
  for _ = 1, 2 + world.random(4) do
    spawn(world)
  end
  disturb_all(world, driver)
  world.killing = world.random(8) == 1
  if world.failure or world.killing then
    return
  end
  finish(world, driver)
  next_turn(world)
end

-- }======

-- Takes the errors that nobody in the schedule has taken.
local function retrieve(world)
  local function take(future)
    if future and future:done() then
      pcall(future.exception, future)
    end
  end
  for _, actor in ipairs(world.actors) do
    take(actor.task)
  end
  for _, future in ipairs(world.futures) do
    take(future)
  end
end

-- The errors of its children are lost when a group is not left, as its loop closes.
local function is_orphan(world, task)
  for _, scope in ipairs(world.groups) do
    for _, child in ipairs(world.killing and not scope.over and scope.children or {}) do
      if task and child.task == task then
        return true
      end
    end
  end
  return false
end

-- So is that of a child before it was ready, when who started it is cancelled just then.
local function is_unready(world, context)
  for _, actor in ipairs(world.actors) do
    if not context.task and actor.is_started and rawequal(actor.err, context.exception) then
      return true
    end
  end
  return false
end

local function run(world)
  local loop = world.loop
  loop:set_exception_handler(function(_, context)
    if not is_orphan(world, context.task) and not is_unready(world, context) then
      world:fail("reported: %s: %s", context.message, context.exception)
    end
  end)
  local ok, err = pcall(loop.run_until_complete, loop, drive, world)
  if not ok then
    world:fail("the driver failed: %s", err)
  end
  retrieve(world)
  if not world.killing and not world.failure then
    world:check(#asyncio.all_tasks(loop) == 0, "tasks are left")
  end
  world.killing = world.killing or world.failure ~= nil
  loop:close()
  if not world.failure then
    world:check_end()
  end
end

-- Runs the schedule; returns the world, whose 'failure' says what was wrong.
return function(seed)
  local loop = asyncio.new_event_loop()
  local world = World.new(seed, loop)
  run(world)
  return world
end
