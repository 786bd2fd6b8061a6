-- Random steps with queues.

local asyncio = require "asyncio"
local Actor = require "spec.schedule.actor"
local locks = require "spec.schedule.locks"

local isinstance <const> = asyncio.isinstance

local function pick(self)
  return self.world.queues[self.random(2)]
end

-- Items are numbers: those of a PriorityQueue do not come in order.
local function new_item(self, q)
  q.last = q.last + 1
  return q.class == "PriorityQueue" and self.random(4) * 1000 + q.last or q.last
end

-- Puts an item by the method, and then knows it is in.
local function put(self, q, method)
  local item = new_item(self, q)
  self.world:note(self, method, q)
  self:suspend("own", q, q.what[method], q.what, item)
  q.present[#q.present + 1] = item
  q.unfinished = q.unfinished + 1
end

local function came_out(self, q, item)
  self.world:take(q, item)
  if self:once_in(2) and q.unfinished > 0 then
    q.unfinished = q.unfinished - 1
    q.what:task_done()
  end
end

local function get(self, q, method)
  self.world:note(self, method, q)
  local ok, item = pcall(self.suspend, self, "own", q, q.what[method], q.what)
  if ok then
    came_out(self, q, item)
    return
  end
  if isinstance(item, asyncio.CancelledError) then
    q.given_back = q.given_back + 1
  end
  error(item, 0)
end

local function iterate(self, q)
  local next_item = q.what:items()
  for _ = 1, self.random(4) do
    self.world:note(self, "iterates", q)
    local ok, item = pcall(self.suspend, self, "own", q, next_item)
    if ok and item == nil then
      self.world:check(q.down, "%s: the loop ended", q.name)
      return
    elseif ok then
      came_out(self, q, item)
    else
      q.given_back = q.given_back + 1
      error(item, 0)
    end
  end
end

-- Calls the step with a queue, by a method that waits or does not, and perhaps
-- cancels who waited for the queue before.
local function with_queue(fn, name)
  return function(self)
    local q = pick(self)
    local victim = locks.victim_of(self, q)
    self:try(fn, self, q, self:once_in(4) and name .. "_nowait" or name)
    if victim and not victim.task:done() then
      locks.hit(self, victim)
    end
  end
end

local function join(self, q)
  self.world:note(self, "joins", q)
  self:suspend("own", q, q.what.join, q.what)
end

local function shutdown(self)
  local q = pick(self)
  if not self:once_in(3) then
    return
  end
  local immediate = self:once_in(2)
  self.world:note(self, "shuts down", q)
  q.down = true
  if immediate then
    q.unfinished = q.unfinished - #q.present
    q.present = {}
  end
  q.what:shutdown(immediate)
  self.world:check_queue(q)
  self.world:check(not immediate or q.what:statistics().getters == 0,
    "%s is over, but a getter waits", q.name)
end

Actor.add {
  { 7, with_queue(put, "put") }, { 7, with_queue(get, "get") },
  { 2, function(self) self:try(iterate, self, pick(self)) end },
  { 1, function(self) self:try(join, self, pick(self)) end }, { 1, shutdown },
}

-- Whoever puts, gets or joins goes on.
local function help(world)
  for _, q in ipairs(world.queues) do
    q.down = true
    q.what:shutdown()
    while q.unfinished > #q.present do
      q.unfinished = q.unfinished - 1
      q.what:task_done()
    end
  end
  if world.turn % 16 == 0 then
    for _, q in ipairs(world.queues) do
      q.unfinished = q.unfinished - #q.present
      q.present = {}
      q.what:shutdown(true)
    end
  end
end

return { help = help }
