-- Random steps in task groups.

local asyncio = require "asyncio"
local Actor = require "spec.schedule.actor"

local isinstance <const> = asyncio.isinstance

local function is_cancelled(err)
  return isinstance(err, asyncio.CancelledError)
end

-- {====== Children ======

-- A child of the group, made by whomever; none when the group takes no more.
local function create_child(scope, by)
  local world, group = scope.owner.world, scope.group
  if world.budget <= 0 then
    return
  end
  local child = Actor.new(world, scope.owner)
  child.indirect = true
  scope.children[#scope.children + 1] = child
  world:note(by, "makes a child", child)
  local ok, err = pcall(child.start, child, function(...)
    return group:create_task(...)
  end)
  world:check(ok or isinstance(err, asyncio.RuntimeError), "create_task: %s", err)
end

-- A child that says when it is ready.
local function start_child(self, scope)
  local world = self.world
  if world.budget <= 0 then
    return
  end
  local child = Actor.new(world, self)
  child.indirect, child.is_started, child.refused = true, true, true
  scope.children[#scope.children + 1] = child
  world:note(self, "starts a child", child)
  local ok, value = pcall(self.suspend, self, "future", nil, scope.group.start, scope.group,
    function(ready)
      return child:body(function()
        child:block()
        ready(child.id)
      end)
    end)
  if ok then
    world:check(value == child.id, "start: the child said %s", value)
    return
  end
  world:check(is_cancelled(value) or rawequal(value, child.err) or
    isinstance(value, asyncio.RuntimeError), "start: the error is %s", value)
  if is_cancelled(value) and child.task then
    child:check_cancelled()
  end
  if is_cancelled(value) or self:once_in(3) then
    error(value, 0)
  end
end

-- }======

-- {====== The end ======

-- A child that fails takes the others with it.
local function has_failed(scope)
  local failed, left = false, false
  for _, child in ipairs(scope.children) do
    local task = child.task
    if task and not task:done() then
      left = left or task:cancelling() == 0 and not child.uncancelled
    elseif task and not task:cancelled() then
      failed = failed or task:exception() ~= nil
    end
  end
  return failed and left
end

-- The errors that the group must raise together.
local function errors_of(scope, inner)
  local errors = {}
  for _, child in ipairs(scope.children) do
    local task = child.task
    local ok, err = pcall(function()
      return task and task:exception()
    end)
    if ok and err ~= nil then
      errors[#errors + 1] = err
    end
  end
  if inner ~= nil and not is_cancelled(inner) then
    errors[#errors + 1] = inner
  end
  return errors
end

local function has(list, value)
  for _, v in ipairs(list) do
    if rawequal(v, value) then
      return true
    end
  end
  return false
end

local function check_errors(self, errors, outer)
  local world = self.world
  if #errors == 0 then
    world:check(outer == nil or is_cancelled(outer), "%s: a group raised %s", self.name, outer)
    return
  end
  local is_group = isinstance(outer, asyncio.ExceptionGroup)
  world:check(is_group, "%s: a group raised %s, not %d errors", self.name, outer, #errors)
  if is_group then
    world:check(#errors == #outer.exceptions, "%s: a group raised %d errors of %d", self.name,
      #outer.exceptions, #errors)
    for _, err in ipairs(errors) do
      world:check(has(outer.exceptions, err), "%s: a group lost %s", self.name, err)
    end
  end
end

-- A cancellation from outside leaves the scope, or is due again after it.
local function check_cancellation(self, scope, inner, outer)
  local world = self.world
  if is_cancelled(outer) then
    world:check(inner ~= nil or self.uncancelled or self.task:cancelling() > 0,
      "%s: a group was cancelled by nobody", self.name)
    self.pending = false
  elseif outer == nil and self.pending and scope.left ~= world.turn then
    world:check(self.blurred, "%s: a group lost a cancellation", self.name)
  end
end

local function check_group(self, scope, inner, outer)
  for _, child in ipairs(scope.children) do
    self.world:check(child.refused or child.task:done(), "%s outlives its group", child.name)
  end
  check_errors(self, errors_of(scope, inner), outer)
  check_cancellation(self, scope, inner, outer)
end

-- }======

-- {====== The scope ======

local function cancel(self, scope)
  self.world:note(self, "cancels", scope)
  scope.group:cancel()
  for _, child in ipairs(scope.children) do
    if child.created then -- an eager one that runs its first step is no child yet
      child:check_cancelled()
    end
  end
end

local function body(self, scope)
  for _ = 1, self.random(4) do
    local what = self.random(8)
    if what <= 4 then
      create_child(scope, self)
    elseif what == 5 then
      start_child(self, scope)
    elseif what == 6 and self:once_in(3) then
      cancel(self, scope)
    else
      self:block()
    end
  end
end

local function group(self)
  local world = self.world
  local scope = { name = "a group", owner = self, children = {} }
  local inner
  local ok, outer = self:scoped(function()
    local tg <close> = asyncio.TaskGroup()
    scope.group = tg
    world.groups[#world.groups + 1] = scope
    world:note(self, "opens", scope)
    local inside, err = pcall(self.nested, self, body, scope)
    world:note(self, "leaves", scope)
    scope.left = world.turn
    function self.is_late()
      return has_failed(scope)
    end
    if not inside then
      inner = err
      error(err, 0)
    end
  end)
  scope.over, self.is_late = true, nil
  if ok then
    outer = nil
  end
  world:note(self, "left", scope)
  check_group(self, scope, inner, outer)
  if not ok and (is_cancelled(outer) or self:once_in(4)) then
    error(outer, 0)
  end
end

-- Somebody, a child perhaps, cancels a group or gives it another child.
local function meddle(self)
  local groups = self.world.groups
  local scope = #groups > 0 and groups[self.random(#groups)]
  if not scope or scope.over then
    return
  elseif self:once_in(2) then
    cancel(self, scope)
  else
    create_child(scope, self)
  end
end

-- }======

Actor.add {
  { 6, group, nests = true }, { 1, meddle },
}

return { meddle = meddle }
