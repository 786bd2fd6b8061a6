-- Random steps in timeouts and wait_for.

local asyncio = require "asyncio"
local Actor = require "spec.schedule.actor"
local waits = require "spec.schedule.waits"

local isinstance <const> = asyncio.isinstance

local function is_cancelled(err)
  return isinstance(err, asyncio.CancelledError)
end

-- Most errors stay in a scope that a step makes.
local function pass_on(self, err)
  if is_cancelled(err) or self:once_in(4) then
    error(err, 0)
  end
end

-- {====== timeout ======

-- Puts the deadline into the past: whoever does it decides the moment.
local function expire(scope)
  scope.expired = true
  scope.timeout:reschedule(0)
end

local DELAYS <const> = { 0, 3600, 3600 }

local function open_timeout(self, scope)
  local delay = DELAYS[self.random(4)]
  if self.world.timed and self:once_in(2) then
    scope.timed, delay = true, 1e-9
  end
  scope.expired = delay == 0
  scope.timeout = asyncio.timeout(delay)
  self.world.scopes[#self.world.scopes + 1] = scope
  self.world:note(self, delay == 0 and "opens an expired timeout" or "opens a timeout")
  return scope.timeout
end

-- What leaves the scope, after what left the block.
local function check_timeout(self, scope, inner, ok, outer)
  local world, name = self.world, self.name
  local expired = scope.timeout:expired()
  world:check(expired == scope.expired or scope.timed, "%s: expired() is %s", name, expired)
  if ok or not rawequal(inner, outer) then
    world:check(ok == (inner == nil) and (ok or is_cancelled(inner) and expired),
      "%s: %s became %s in a timeout", name, inner, outer)
    world:check(ok or isinstance(outer, asyncio.TimeoutError), "%s left a timeout", outer)
    world:check(ok or self.requests <= scope.requests or self.blurred,
      "%s: a timeout took a cancellation from outside", name)
  elseif is_cancelled(inner) and expired and not self.indirect and not self.blurred then
    world:check(self.requests > scope.requests or self.depth > 0,
      "%s: a timeout did not take its own cancellation", name)
  end
end

local function timeout(self)
  local scope = { requests = self.requests, name = "a timeout" }
  local inner
  local ok, outer = self:scoped(function()
    local _ <close> = open_timeout(self, scope)
    local inside, err = pcall(self.nested, self, self.block)
    scope.over = true
    if not inside then
      inner = err
      error(err, 0)
    end
  end)
  check_timeout(self, scope, inner, ok, outer)
  if not ok then
    pass_on(self, outer)
  end
end

-- A timeout of somebody expires, or gets another deadline.
local function reschedule(self)
  local scopes = self.world.scopes
  local scope = #scopes > 0 and scopes[self.random(#scopes)]
  if not scope or scope.over or scope.timeout:expired() then
    return
  end
  self.world:note(self, "reschedules", scope)
  if self:once_in(4) then
    scope.timeout:reschedule(self.world.loop:time() + 1800)
    scope.timed = true
  else
    expire(scope)
  end
end

-- }======

-- {====== wait_for ======

-- How long: for ever, long, no time at all, or an instant.
local function limit(self)
  local which = self.random(4)
  if which == 1 then
    return nil
  elseif which == 2 then
    return self.world.timed and 1e-9 or 0
  end
  return 3600
end

local function wait_for_block(self)
  local seconds = limit(self)
  self.world:note(self, "waits for a block")
  local ok, err = self:scoped(function()
    asyncio.wait_for(self.nested, seconds, self, self.block)
  end)
  if not ok then
    pass_on(self, err)
  end
end

local function wait_for_task(self)
  local actors, tasks = waits.start(self, 1, true)
  if #tasks == 0 then
    return
  end
  self.world:note(self, "waits for", actors[1])
  local ok, result = self:scoped(function()
    return self:suspend("task", actors[1], asyncio.wait_for, tasks[1], limit(self))
  end)
  if ok then
    self.world:check(result == actors[1].id, "wait_for: the result is %s", result)
    return
  end
  self.world:check(not isinstance(result, asyncio.TimeoutError) or tasks[1]:done(),
    "wait_for timed out before the task's end")
  pass_on(self, result)
end

-- }======

Actor.add {
  { 4, timeout, nests = true }, { 2, wait_for_block, nests = true },
  { 2, wait_for_task, nests = true }, { 3, reschedule },
}

return { reschedule = reschedule }
