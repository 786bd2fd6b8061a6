-- Random steps that do something to other tasks.

local Actor = require "spec.schedule.actor"
local groups = require "spec.schedule.groups"
local timeouts = require "spec.schedule.timeouts"

local function cancel(self)
  local other = self.world:pick(self.random)
  if other then
    other:cancel(self)
  end
end

local function cancel_twice(self)
  local other = self.world:pick(self.random)
  if other then
    other:cancel(self)
    other:cancel(self)
  end
end

-- Changes its mind, at once or later.
local function uncancel(self)
  local other = self.world:pick(self.random)
  if other then
    if self:once_in(2) then
      other:cancel(self)
    end
    other:uncancel(self)
  end
end

local function cancel_future(self)
  local futures = self.world.futures
  if #futures > 0 then
    self.world:note(self, "cancels a future")
    futures[self.random(#futures)]:cancel()
  end
end

local ways <const> = {
  cancel, cancel, cancel, cancel, cancel_twice, uncancel, cancel_future, timeouts.reschedule,
  timeouts.reschedule, groups.meddle,
}

local function disturb(self)
  ways[self.random(#ways)](self)
end

Actor.add {
  { 2, disturb },
}

return disturb
