-- Random steps that wait for other tasks and futures.

local asyncio = require "asyncio"
local Actor = require "spec.schedule.actor"

local isinstance <const> = asyncio.isinstance

local function is_cancelled(err)
  return isinstance(err, asyncio.CancelledError)
end

-- What a program does with an error of another task: mostly nothing.
local function pass_on(self, err)
  if is_cancelled(err) or self:once_in(4) then
    error(err, 0)
  end
end

-- {====== Children ======

-- Starts some tasks; returns the actors and their tasks. None when there are
-- enough tasks.
local function start(self, n, indirect)
  local actors, tasks = {}, {}
  for i = 1, math.min(n, self.world.budget) do
    local child = Actor.new(self.world, self)
    child.indirect = indirect
    actors[i], tasks[i] = child, child:start(asyncio.create_task)
  end
  return actors, tasks
end

local function error_of(task)
  local ok, err = pcall(task.exception, task)
  return err, ok
end

local function failed_with(actors, err)
  for _, actor in ipairs(actors) do
    if actor.task:done() and rawequal(error_of(actor.task), err) then
      return true
    end
  end
  return false
end

-- }======

-- {====== gather and shield ======

local function check_gathered(self, actors, results)
  local world = self.world
  world:check(results.n == #actors, "gather: %s results of %d", results.n, #actors)
  for i, actor in ipairs(actors) do
    world:check(actor.task:done(), "gather: %s is not done", actor.name)
    local err, retrieved = error_of(actor.task)
    if retrieved and err == nil then
      world:check(results[i] == actor.id, "gather: result %d is %s", i, results[i])
    elseif retrieved then
      world:check(rawequal(results[i], err), "gather: error %d is %s", i, results[i])
    else
      world:check(is_cancelled(results[i]), "gather: cancelled %d is %s", i, results[i])
    end
  end
end

local function gather(self)
  local world = self.world
  local actors, tasks = start(self, self.random(3), true)
  if #tasks == 0 then
    return
  end
  local options = self:once_in(2) and { return_exceptions = true } or nil
  local all = asyncio.gather(tasks, options)
  world.futures[#world.futures + 1] = all
  world:note(self, options and "gathers all" or "gathers")
  self.gather = { all = all, actors = actors }
  local ok, results = pcall(self.suspend, self, "gather", all, all.await, all)
  self.gather = nil
  if ok then
    check_gathered(self, actors, results)
    return
  end
  world:check(is_cancelled(results) or not options and failed_with(actors, results),
    "gather: %s is nobody's error", results)
  pass_on(self, results)
end

-- The inner task hears nothing of a cancellation.
local function shield(self)
  local actors, tasks = start(self, 1, false)
  if #tasks == 0 then
    return
  end
  local outer = asyncio.shield(tasks[1])
  self.world.futures[#self.world.futures + 1] = outer
  self.world:note(self, "shields", actors[1])
  local ok, result = pcall(self.suspend, self, "future", outer, outer.await, outer)
  if ok then
    self.world:check(result == actors[1].id, "shield: the result is %s", result)
  else
    self.world:check(is_cancelled(result) or failed_with(actors, result),
      "shield: %s is not the inner error", result)
    pass_on(self, result)
  end
end

-- }======

-- {====== wait and as_completed ======

local UNTIL <const> = { "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION" }

local function check_waited(self, tasks, done, pending, how)
  local world, is_done, failed = self.world, {}, false
  for _, task in ipairs(done) do
    world:check(task:done(), "wait: %s is done?", task)
    is_done[task] = true
    failed = failed or not task:cancelled() and task:exception() ~= nil
  end
  for _, task in ipairs(pending) do
    world:check(not is_done[task], "wait: %s is done and pending", task)
  end
  world:check(#done + #pending == #tasks, "wait: %d of %d", #done + #pending, #tasks)
  if how == "ALL_COMPLETED" then
    world:check(#pending == 0, "wait: not all completed")
  elseif how == "FIRST_COMPLETED" then
    world:check(#done > 0, "wait: none completed")
  else
    world:check(failed or #pending == 0, "wait: no exception")
  end
end

local function wait(self)
  local _, tasks = start(self, self.random(3), false)
  if #tasks == 0 then
    return
  end
  local how = UNTIL[self.random(3)]
  self.world:note(self, "waits for tasks")
  local options = { return_when = how, timeout = self.world.timed and 1e-9 or nil }
  local done, pending = self:suspend("own", nil, asyncio.wait, tasks, options)
  if not options.timeout then
    check_waited(self, tasks, done, pending, how)
  end
end

local function as_completed(self)
  local world = self.world
  local _, tasks = start(self, self.random(3), false)
  if #tasks == 0 then
    return
  end
  local most, seen = self:once_in(4) and 1 or #tasks, {}
  world:note(self, "takes tasks as completed")
  function self.is_late()
    for _, task in ipairs(tasks) do
      if task:done() and not seen[task] then
        return true
      end
    end
  end
  self:suspend("own", nil, function()
    for task in asyncio.as_completed(tasks) do
      world:check(task:done() and not seen[task], "as_completed: %s came", task)
      seen[task] = true
      seen[#seen + 1] = task
      if #seen == most then
        break
      end
    end
  end)
  world:check(#seen == most, "as_completed: %d of %d tasks", #seen, #tasks)
end

-- }======

-- {====== Futures and other tasks ======

local function future_of(self)
  local pool, i = self.world.pool, self.random(2)
  if not pool[i] or pool[i]:done() then
    pool[i] = self.world:new_future()
  end
  return pool[i]
end

local function await_future(self)
  local future = future_of(self)
  self.world:note(self, "awaits a future")
  local ok, value = pcall(self.suspend, self, "future", future, future.await, future)
  if ok then
    self.world:check(value == future, "a future's result is %s", value)
  else
    self.world:check(is_cancelled(value) or future:exception() == value,
      "a future's error is %s", value)
    pass_on(self, value)
  end
end

local function end_future(self)
  local future = future_of(self)
  self.world:note(self, "ends a future")
  local victim = self:once_in(4) and self.world:waiter(future)
  local how = self.random(4)
  if how == 1 then
    future:cancel()
  elseif how == 2 then
    future:set_exception(Actor.Boom "of a future")
  else
    future:set_result(future)
  end
  if victim then
    victim:cancel(self)
  end
end

-- Awaits a task that cannot wait for this one.
local function await_task(self)
  local other = self.world:pick(self.random)
  if self.rank > 0 or not other or other.order >= self.order or other.is_started then
    return
  end
  other.indirect = true
  self.world:note(self, "awaits", other)
  local ok, value = pcall(self.suspend, self, "task", other, other.task.await, other.task)
  if ok then
    self.world:check(value == other.id, "await: the result is %s", value)
  else
    self.world:check(is_cancelled(value) or rawequal(error_of(other.task), value),
      "await: the error is %s", value)
    pass_on(self, value)
  end
end

-- }======

Actor.add {
  { 2, gather, nests = true }, { 2, shield, nests = true }, { 1, wait, nests = true },
  { 1, as_completed, nests = true }, { 2, await_future }, { 2, end_future }, { 2, await_task },
}

-- Ends the futures that somebody may wait for.
local function help(world)
  for i = 1, 2 do
    local future = world.pool[i]
    if future and not future:done() then
      future:set_result(future)
    end
  end
end

return { help = help, start = start }
