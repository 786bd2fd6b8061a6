-- Random steps with locks, conditions, semaphores, events and barriers.

local asyncio = require "asyncio"
local Actor = require "spec.schedule.actor"

-- {====== What is held ======

-- Leaves what it holds: for a <close> variable, also where the loop closes.
local Holding <const> = {}

function Holding:__close()
  local actor, m = self.actor, self.m
  actor.rank = self.rank
  if m.holders then
    m.holders = m.holders - 1
  elseif not actor.world.killing then
    actor.world:check(m.holder == actor, "%s: %s has lost it", m.name, actor.name)
    m.holder = nil
  else
    m.holder = nil
  end
end

-- Tasks get it in the order of their tickets.
local function take_ticket(m)
  if m.next then
    m.next = m.next + 1
    return m.next
  end
end

local function hold(actor, m, ticket)
  local world = actor.world
  if ticket then
    world:check(ticket > m.last, "%s: not first come, first served", m.name)
    m.last = ticket
  end
  if m.holders then
    m.holders = m.holders + 1
    world:check(m.holders <= m.permits, "%s: %d holders", m.name, m.holders)
  else
    world:check(not m.holder, "%s: %s and another hold it", m.name, actor.name)
    m.holder = actor
  end
  local holding = setmetatable({ actor = actor, m = m, rank = actor.rank }, Holding)
  actor.rank = m.rank
  return holding
end

-- Who waits for it longest, and is to be cancelled when it was just woken; mostly
-- nil, for nobody.
local function victim_of(actor, m)
  return actor:once_in(4) and actor.world:waiter(m) or nil
end

local function hit(actor, victim)
  if victim then
    victim:cancel(actor)
  end
end

-- Acquires it by one of its names, runs fn(self, m), and releases it.
local function with(actor, m, what, fn)
  actor.world:note(actor, "acquires", m)
  local ticket = take_ticket(m)
  local _ <close> = actor:suspend("own", m, what.acquire, what)
  local _ <close> = hold(actor, m, ticket)
  actor:nested(fn, m)
  actor.world:note(actor, "releases", m)
end

local function hold_and_hit(actor, m, fn)
  if actor.rank >= m.rank then
    return
  end
  local victim
  with(actor, m, m.what, function()
    fn(actor, m)
    victim = victim_of(actor, m)
  end)
  hit(actor, victim)
end

-- }======

-- {====== Locks and conditions ======

local function lock(self)
  hold_and_hit(self, self.world.locks[self.random(2)], self.block)
end

-- Calls the wait of the condition, whose lock comes back however it ends.
local function wait(self, c, method, ...)
  local world, m = self.world, self.world.locks[2]
  world:note(self, method, c)
  m.holder = nil
  local ok, err = pcall(self.suspend, self, "own", c, c.what[method], c.what, ...)
  world:check(not m.holder, "%s came back from %s, but another has the lock", self.name, c.name)
  world:check(c.what:locked(), "%s came back from %s without the lock", self.name, c.name)
  m.holder = self
  if not ok then
    error(err, 0)
  end
end

local function was_notified(world, c)
  c.credits = c.credits - 1
  world:check(c.credits >= 0, "%s: more went on than were notified", c.name)
end

local function notify(self, c, n)
  c.credits = c.credits + math.min(n, c.what:statistics().tasks_waiting)
  local victim = victim_of(self, c)
  self.world:note(self, "notifies", c)
  c.what:notify(n)
  hit(self, victim)
end

local function locked(self, fn)
  local m = self.world.locks[2]
  if self.rank < m.rank then
    local names = { m.what, self.world.conditions[1].what, self.world.conditions[2].what }
    with(self, m, names[self.random(3)], fn)
  end
end

local function wait_for_news(self)
  locked(self, function()
    wait(self, self.world.conditions[2], "wait")
    was_notified(self.world, self.world.conditions[2])
  end)
end

local function tell_news(self)
  locked(self, function()
    notify(self, self.world.conditions[2], self.random(2))
  end)
end

local function make_token(self)
  locked(self, function()
    local c = self.world.conditions[1]
    c.count = c.count + 1
    notify(self, c, 1)
  end)
end

-- What one waits for may be gone again when one is notified.
local function take_token(self)
  locked(self, function()
    local world, c, asked = self.world, self.world.conditions[1], false
    wait(self, c, "wait_for", function()
      world:check(not world.locks[2].holder, "a predicate runs without the lock")
      if asked then
        was_notified(world, c)
      end
      asked = true
      return c.count > 0 or world.helping
    end)
    c.count = math.max(c.count - 1, 0)
  end)
end

-- }======

-- {====== Semaphores ======

local function semaphore(self)
  hold_and_hit(self, self.world.semaphores[self.random(2)], self.block)
end

local function hold_shortly(self, m)
  hold_and_hit(self, m, function()
    self:suspend("own", nil, asyncio.sleep, 0)
  end)
end

local function short_semaphore(self)
  hold_shortly(self, self.world.semaphores[self.random(2)])
end

-- Permits that nobody has acquired, and then one is. For the bounded semaphore they
-- are an error.
local function release_more(self)
  local m = self.world.semaphores[self.random(2)]
  if m.name == "sem" then
    for _ = 1, math.min(self.random(2), 5 - m.permits) do
      m.permits = m.permits + 1
      m.what:release()
    end
    hold_shortly(self, m)
  elseif m.what:statistics().value == m.permits then
    local ok, err = pcall(m.what.release, m.what)
    self.world:check(not ok and asyncio.isinstance(err, asyncio.RuntimeError),
      "bounded: %s after a release too many", err)
  end
end

-- }======

-- {====== Events and barriers ======

local function set_event(self)
  local e = self.world.event
  local victim = victim_of(self, e)
  self.world:note(self, "sets", e)
  e.sets = e.sets + 1
  e.what:set()
  hit(self, victim)
  if self:once_in(2) then
    e.what:clear()
  end
end

local function wait_event(self)
  local e = self.world.event
  local sets = e.what:is_set() and -1 or e.sets
  self.world:note(self, "waits", e)
  self:suspend("own", e, e.what.wait, e.what)
  self.world:check(e.sets > sets, "%s: the event was not set", self.name)
end

local function breaks(b)
  return b.what.broken and -1 or b.breaks
end

local function wait_barrier(self)
  local world, b = self.world, self.world.barrier
  local before, index = breaks(b), nil
  world:note(self, "waits", b)
  local ok, err = pcall(function()
    index = self:suspend("own", b, b.what.wait, b.what)
  end)
  if ok and index == b.parties then
    b.seen = {}
  elseif ok then
    world:check(b.seen[b.parties], "barrier: %d, but not all have come", index)
  elseif asyncio.isinstance(err, asyncio.BrokenBarrierError) then
    world:check(b.breaks > before, "barrier: broken by nobody")
  end
  if ok then
    world:check(not b.seen[index], "barrier: %d came twice", index)
    b.seen[index] = true
  elseif not asyncio.isinstance(err, asyncio.BrokenBarrierError) or self:once_in(4) then
    error(err, 0)
  end
end

-- Comes back while others have yet to leave.
local function wait_often(self)
  for _ = 1, 3 do
    wait_barrier(self)
  end
end

local function break_barrier(self)
  local b = self.world.barrier
  b.breaks = b.breaks + 1
  self.world:note(self, "breaks", b)
  local victim = victim_of(self, b)
  if self:once_in(2) then
    b.what:abort()
  end
  if self:once_in(2) then
    b.what:reset()
  end
  hit(self, victim)
end

-- }======

Actor.add {
  { 5, lock, nests = true }, { 2, wait_for_news }, { 2, tell_news }, { 3, make_token },
  { 3, take_token },
}

Actor.add {
  { 4, semaphore, nests = true }, { 2, short_semaphore }, { 2, release_more },
}

Actor.add {
  { 2, set_event }, { 2, wait_event }, { 2, wait_barrier }, { 2, wait_often }, { 1, break_barrier },
}

-- Lets everybody go on who waits for something that a program may never do.
local function help(world)
  world.event.sets = world.event.sets + 1
  world.event.what:set()
  world.barrier.breaks = world.barrier.breaks + 1
  world.barrier.what:abort()
  if not world.locks[2].what:locked() then
    local _ <close> = world.locks[2].what:acquire()
    for _, c in ipairs(world.conditions) do
      c.credits = c.credits + c.what:statistics().tasks_waiting
      c.what:notify_all()
    end
  end
end

return { help = help, victim_of = victim_of, hit = hit }
