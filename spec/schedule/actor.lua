-- A task that does random things, and what is known about it: who cancelled it,
-- and whether that arrived.

local asyncio = require "asyncio"
local new_random = require "spec.schedule.random"

local Actor <const> = {}
Actor.__index = Actor

local isinstance <const> = asyncio.isinstance

-- An error that a program raises by itself.
local Boom <const> = asyncio.exception "Boom"
Actor.Boom = Boom

local MAX_NESTING <const> = 4

-- A new one: child of another, or nil. A child may wait only for what its
-- parent may wait for, as the parent may wait for it.
function Actor.new(world, parent)
  local id = #world.actors + 1
  local actor = setmetatable({
    world = world, id = id, name = "t" .. id,
    random = new_random((parent or world).random(1 << 40)),
    order = parent and parent.order or id, -- waits only for tasks of a lower one
    rank = parent and parent.rank or 0, -- of the last lock it has; the next has a higher one
    nesting = parent and parent.nesting + 1 or 0,
    depth = 0, -- scopes it is in that may have cancelled it
    requests = 0, -- cancellations from outside that were not taken back
    pending = false, -- one of them has not arrived yet
    indirect = false, -- it may be cancelled by a group, or by those who await it
    uncancelled = false, -- somebody took a cancellation back
    blurred = false, -- when it was in a scope
  }, Actor)
  actor.fuel = actor.random(parent and 4 or 10)
  world.actors[id] = actor
  world.budget = world.budget - 1
  return actor
end

-- {====== The task ======

-- create(fn, self) makes a task that runs fn(self).
function Actor:start(create)
  local ok, task = pcall(create, Actor.body, self)
  if ok then
    self.task, self.created = task, true
    self.world:note(self, "created")
    return task
  end
  self.refused = true
  error(task, 0)
end

-- The whole life of the task; 'first' is called first.
function Actor:body(first)
  self.task, self.refused = asyncio.current_task(), nil
  self.world:note(self, "begins")
  local ok, err = pcall(self.live, self, first)
  if ok then
    self.ending = "finished"
  else
    self.ending = isinstance(err, asyncio.CancelledError) and "cancelled" or "failed"
    self.err = err
  end
  self.world:note(self, self.ending)
  if not ok then
    error(err, 0)
  end
  return self.id
end

function Actor:live(first)
  if first then
    first(self)
  end
  while self.fuel > 0 do
    self:block()
  end
end

-- Some random steps.
function Actor:block()
  for _ = 1, self.random(3) do
    if self.fuel <= 0 then
      return
    end
    self.fuel = self.fuel - 1
    self:step()
  end
end

-- What a step can be, each as often as its weight says; those that nest make
-- blocks or tasks.
local function new_steps()
  return { plain = {}, nesting = {} }
end

local all <const>, themes <const> = new_steps(), {}

local function add_step(steps, step)
  for _ = 1, step[1] do
    table.insert(steps.nesting, step[2])
    if not step.nests then
      table.insert(steps.plain, step[2])
    end
  end
end

-- Adds kinds of steps: { weight, function, nests = true }. Together they are a
-- theme.
function Actor.add(kinds)
  local theme = new_steps()
  for _, step in ipairs(kinds) do
    add_step(all, step)
    add_step(theme, step)
  end
  themes[#themes + 1] = theme
end

-- What a schedule does more often than anything else; nil in one of three.
function Actor.theme(random)
  return random(3) > 1 and themes[random(#themes)] or nil
end

function Actor:step()
  local steps = self.world.theme
  if not steps or self:once_in(2) then
    steps = all
  end
  steps = self.nesting < MAX_NESTING and steps.nesting or steps.plain
  steps[self.random(#steps)](self)
end

-- Calls fn(self, ...), a block inside of something.
function Actor:nested(fn, ...)
  local depth = self.nesting
  self.nesting = depth + 1
  local ok, err = pcall(fn, self, ...)
  self.nesting = depth
  if not ok then
    error(err, 0)
  end
end

-- Whether to do what happens once in n times.
function Actor:once_in(n)
  return self.random(n) == 1
end

-- }======

-- {====== Waiting ======

-- How a wait may end by itself. "own": a CancelledError is the task's own.
-- "future": it may come from the future. "gather": a cancellation may become the
-- error of a child. "task": what is awaited may catch the task's cancellation.

local function came_back(self, kind, turn, ok, ...)
  local world = self.world
  self.waiting, self.is_late = nil, nil
  if not ok and isinstance((...), asyncio.CancelledError) then
    world:check(kind ~= "own" or self.uncancelled or self.task:cancelling() > 0,
      "%s: a CancelledError, and nobody asked for it", self.name)
    self.pending = false
  elseif kind == "task" or kind == "gather" and not ok then
    self.pending = false -- what was awaited had it
  elseif self.pending and world.turn ~= turn then
    world:check(self.blurred, "%s: a cancellation was lost", self.name)
    self.pending = false
  end
  world:note(self, ok and "got on" or "got " .. tostring((...)))
  if not ok then
    error((...), 0)
  end
  return ...
end

-- Whether what it waits for has come: a wait may set another such method.
function Actor.is_late()
  return false
end

-- Calls fn(...), which waits for the object.
function Actor:suspend(kind, object, fn, ...)
  self.waiting = object
  return came_back(self, kind, self.world.turn, pcall(fn, ...))
end

-- What the world may do to a wait; a program goes on after it, mostly.
local expected <const> = {
  asyncio.TimeoutError, asyncio.QueueEmpty, asyncio.QueueFull, asyncio.QueueShutDown,
  asyncio.BrokenBarrierError,
}

-- Calls fn(...); false when it raises one of these.
function Actor:try(fn, ...)
  if self:once_in(8) then
    return true, fn(...)
  end
  return asyncio.catch(expected, fn, ...)
end

-- }======

-- {====== Cancellation ======

-- Cancels the task, for another or for itself.
function Actor:cancel(by)
  local gather = self.gather
  local children = gather and not gather.all:done() and gather.actors or {}
  self.world:note(by, "cancels", self)
  if self.task:cancel() then
    self.requests = self.requests + 1
    self.pending = true
  end
  for _, child in ipairs(children) do
    child:check_cancelled()
  end
end

-- What somebody has cancelled is done, or knows.
function Actor:check_cancelled()
  self.world:check(self.task:done() or self.uncancelled or self.task:cancelling() > 0,
    "%s is not cancelled with its gather or group", self.name)
end

-- Takes one back that came from outside. In a scope that counts them that may
-- change what the scope does.
function Actor:uncancel(by)
  if self.requests == 0 then
    return
  end
  self.world:note(by, "uncancels", self)
  self.requests = self.requests - 1
  self.uncancelled = true
  self.blurred = self.blurred or self.depth > 0
  if self.task:uncancel() == 0 then
    self.pending = false
  end
end

-- Outside of all scopes what is left are the requests from outside.
function Actor:check_count()
  if self.depth > 0 or self.world.killing then
    return
  end
  local count = self.task:cancelling()
  self.world:check(count == self.requests or self.indirect and count > self.requests,
    "%s: cancelling() is %d after %d requests", self.name, count, self.requests)
end

-- Calls fn(self, ...) inside a scope that may cancel the task for a while; returns
-- as pcall does.
function Actor:scoped(fn, ...)
  self.depth = self.depth + 1
  local ok, err = pcall(fn, self, ...)
  self.depth = self.depth - 1
  self:check_count()
  return ok, err
end

-- Catches what a block raises, and goes on or not.
local function catch(self)
  local ok, err = pcall(self.nested, self, self.block)
  if ok then
    return
  elseif not isinstance(err, asyncio.CancelledError) then
    if self:once_in(4) then
      error(err, 0)
    end
  elseif self:once_in(2) then
    error(err, 0)
  elseif self.depth == 0 and self:once_in(2) then
    self:uncancel(self)
  end
end

local function raise(self)
  self.world:note(self, "raises")
  error(Boom(self.name), 0)
end

local function pause(self)
  self:suspend("own", nil, asyncio.sleep, 0)
end

local function doze(self)
  self:suspend("own", nil, asyncio.sleep, self.world.timed and 1e-9 or 0)
end

Actor.add {
  { 6, pause }, { 1, doze }, { 1, raise }, { 3, catch, nests = true },
}

-- }======

return Actor
