-- What the tasks of one schedule share: primitives, each beside a model of it,
-- and the list of the tasks. The checks between two turns and at the end are here.

local asyncio = require "asyncio"
local new_random = require "spec.schedule.random"

local World <const> = {}
World.__index = World

-- {====== Making ======

local function new_locks(world)
  local lock = asyncio.Lock()
  world.locks = {
    { name = "lock1", what = asyncio.Lock(), rank = 1, last = 0, next = 0 },
    { name = "lock2", what = lock, rank = 2 },
  }
  -- two conditions of the second lock: one says that there are tokens, one has
  -- any news
  world.conditions = {
    { name = "tokens", what = asyncio.Condition(lock), credits = 0, count = 0 },
    { name = "news", what = asyncio.Condition(lock), credits = 0 },
  }
end

local function new_semaphores(world)
  local n, bound = world.random(2), world.random(2)
  world.semaphores = {
    { name = "sem", what = asyncio.Semaphore(n), rank = 3, permits = n },
    { name = "bounded", what = asyncio.BoundedSemaphore(bound), rank = 4, permits = bound },
  }
  for _, m in ipairs(world.semaphores) do
    m.holders, m.last, m.next = 0, 0, 0
  end
end

local CLASSES <const> = { "Queue", "LifoQueue", "PriorityQueue" }

local function new_queues(world)
  world.queues = {}
  for i = 1, 2 do
    local class = CLASSES[world.random(#CLASSES)]
    world.queues[i] = {
      name = class:sub(1, 1) .. i, class = class, what = asyncio[class](world.random(4) - 1),
      present = {}, unfinished = 0, given_back = 0, last = 0,
    }
  end
end

-- One in so many schedules has tiny timeouts by the clock; these alone do not
-- replay exactly. One in so many starts its tasks eagerly.
local TIMED <const>, EAGER <const> = 6, 7

-- Makes the world of the seed, on the loop.
function World.new(seed, loop)
  local world = setmetatable({
    seed = seed, random = new_random(seed), loop = loop, turn = 0, actors = {}, budget = 24,
    scopes = {}, groups = {}, futures = {}, pool = {}, events = {}, marks = {},
  }, World)
  world.timed = seed % TIMED == 0
  world.eager = seed % EAGER == 0
  new_locks(world)
  new_semaphores(world)
  new_queues(world)
  world.event = { name = "event", what = asyncio.Event(), sets = 0 }
  local parties = world.random(4)
  world.barrier = { name = "barrier", what = asyncio.Barrier(parties), parties = parties,
    breaks = 0, seen = {} }
  return world
end

-- A future that somebody may wait for and somebody else may end; its error is
-- taken at the end.
function World:new_future()
  local future = self.loop:create_future()
  self.futures[#self.futures + 1] = future
  return future
end

-- }======

-- {====== Failures and the trace ======

-- Notes what went wrong first.
function World:fail(...)
  if not self.failure then
    self:note(nil, "FAILED")
    self.failure = debug.traceback(string.format(...), 2)
  end
end

function World:check(condition, ...)
  if not condition then
    self:fail(...)
  end
end

-- Notes what a task does; nil is the driver of the schedule.
function World:note(actor, text, object)
  local marks, n = self.marks, #self.marks
  marks[n + 1] = self.turn
  marks[n + 2] = actor and actor.name or "-"
  marks[n + 3] = object and text .. " " .. object.name or text
end

-- The trace: a line for each turn.
function World:trace()
  local lines, turn = {}, nil
  for i = 1, #self.marks, 3 do
    if self.marks[i] ~= turn then
      turn = self.marks[i]
      lines[#lines + 1] = ("%3d"):format(turn)
    end
    lines[#lines] = ("%s | %s %s"):format(lines[#lines], self.marks[i + 1], self.marks[i + 2])
  end
  return table.concat(lines, "\n")
end

-- }======

-- {====== Finding tasks ======

-- A task that has not ended, at random; nil when there is none.
function World:pick(random)
  local n = #self.actors
  local first = n > 0 and random(n) or 0
  for i = first, first + n - 1 do
    local actor = self.actors[i % n + 1]
    if actor.task and not actor.task:done() then
      return actor
    end
  end
end

-- The task that came first of those that wait for the object.
function World:waiter(object)
  for _, actor in ipairs(self.actors) do
    if actor.waiting == object and not actor.task:done() then
      return actor
    end
  end
end

function World:unfinished()
  for _, actor in ipairs(self.actors) do
    if actor.task and not actor.task:done() then
      return actor
    end
  end
end

-- }======

-- {====== Between two turns ======

-- Waits that nothing delays any more must have ended.
function World:check_waits()
  for _, m in ipairs(self.locks) do
    local found = m.what:statistics()
    self:check(found.locked or found.tasks_waiting == 0, "%s is free, but tasks wait", m.name)
    self:check(found.locked or not m.holder, "%s is held and free", m.name)
  end
  for _, m in ipairs(self.semaphores) do
    local found = m.what:statistics()
    self:check(m.what:locked() or found.tasks_waiting == 0, "%s has permits, but tasks wait",
      m.name)
    self:check(found.value >= 0 and found.value + m.holders <= m.permits,
      "%s: %d permits and %d holders of %d", m.name, found.value, m.holders, m.permits)
  end
  self:check(not self.event.what:is_set() or self.event.what:statistics().tasks_waiting == 0,
    "the event is set, but tasks wait")
  local found = self.barrier.what:statistics()
  self:check(not self.barrier.what.broken or found.tasks_waiting == 0,
    "the barrier is broken, but tasks wait")
  self:check(found.n_waiting < found.parties, "the barrier is full, and does not open")
  self:check(found.n_waiting <= found.tasks_waiting, "the barrier counts one that is gone")
end

function World:check_queue(q)
  local found = q.what:statistics()
  self:check(found.qsize == 0 or found.getters == 0, "%s: a getter waits for an item", q.name)
  self:check(q.what:full() or found.putters == 0, "%s: a putter waits for room", q.name)
  self:check(not q.down or found.putters == 0, "%s is shut down, but a putter waits", q.name)
  self:check(found.unfinished > 0 or found.joiners == 0, "%s: all done, but one joins", q.name)
  self:check(found.unfinished == q.unfinished, "%s: %d unfinished, not %d", q.name,
    found.unfinished, q.unfinished)
  self:check(found.qsize <= #q.present, "%s: %d items, though only %d are there", q.name,
    found.qsize, #q.present)
  -- what getters gave back comes on top of the limit, and of room that is promised
  if not q.what:full() then
    q.given_back = 0
  end
  self:check(self.killing or found.maxsize == 0 or found.qsize <= found.maxsize + q.given_back,
    "%s has %d items", q.name, found.qsize)
end

-- What is woken runs in the next turn, or leaves it to the next: a state that asks
-- for that cannot last. 'm' is what is in the state.
local STUCK <const> = 8

function World:check_passing(m, is_so, ...)
  m.stuck = is_so and (m.stuck or 0) + 1 or 0
  self:check(m.stuck < STUCK, ...)
end

function World:check_stuck()
  local c = self.conditions[1]
  local wanted = c.what:statistics().tasks_waiting > 0
  self:check_passing(c, wanted and c.count > 0 and not c.what:locked(),
    "a notification was lost: tokens, and tasks wait for one")
  local found = self.barrier.what:statistics()
  self:check_passing(self.barrier, tostring(self.barrier.what):find "filling" and
    found.tasks_waiting > found.n_waiting, "the barrier is filling, and tasks wait outside")
  for _, q in ipairs(self.queues) do
    self:check_passing(q, q.what:full() and q.what:qsize() < q.what.maxsize,
      "%s: room is lost", q.name)
  end
  for _, actor in ipairs(self.actors) do
    self:check_passing(actor, actor.task and not actor.task:done() and actor:is_late(),
      "%s: what it waits for is there", actor.name)
  end
end

function World:check_turn()
  self:check_waits()
  self:check_stuck()
  for _, q in ipairs(self.queues) do
    self:check_queue(q)
  end
end

-- }======

-- {====== At the end ======

local function is_cancelled(err)
  return asyncio.isinstance(err, asyncio.CancelledError)
end

-- How the task ended, and with which error.
local function state_of(task)
  local ok, err = pcall(task.exception, task)
  if not ok and is_cancelled(err) then
    return "cancelled"
  end
  return err == nil and "finished" or "failed", err
end

local function check_unborn(world, actor, state)
  world:check(state == "cancelled", "%s has not run, and is %s", actor.name, state)
  world:check(world.killing or actor.requests > 0 or actor.indirect or actor.uncancelled,
    "%s was cancelled before it ran, by nobody", actor.name)
end

-- The task has ended as its program did, with the right count of cancellations.
function World:check_actor(actor)
  local task, ending, name = actor.task, actor.ending, actor.name
  if not task or not task:done() then
    self:check(actor.refused, "%s did not end: %s", name, task)
    return
  end
  local state, err = state_of(task)
  if not ending then
    check_unborn(self, actor, state)
  elseif not (actor.is_started and ending == "failed") then
    self:check(state == ending, "%s %s, but its task is %s", name, ending, state)
    self:check(rawequal(err, actor.err) or state == "cancelled", "%s failed with another error: %s",
      name, err)
  end
  actor:check_count()
end

function World:check_free()
  for _, m in ipairs(self.locks) do
    local found = m.what:statistics()
    self:check(not found.locked and found.tasks_waiting == 0, "%s: %s at the end", m.name, m.what)
  end
  for _, c in ipairs(self.conditions) do
    self:check(c.what:statistics().tasks_waiting == 0, "tasks wait for %s at the end", c.name)
  end
  for _, m in ipairs(self.semaphores) do
    local found = m.what:statistics()
    self:check(found.value == m.permits and found.tasks_waiting == 0 and
      not m.what:locked(), "%s: %s at the end, not %d permits", m.name, m.what, m.permits)
  end
  self:check(self.event.what:statistics().tasks_waiting == 0, "tasks wait for the event at the end")
  self:check(self.barrier.what:statistics().tasks_waiting == 0, "tasks wait at the barrier")
end

-- What was put, and neither got nor dropped, is there.
function World:check_items(q)
  local found = q.what:statistics()
  self:check(found.getters == 0 and found.putters == 0 and found.joiners == 0, "%s: %s at the end",
    q.name, q.what)
  self:check(found.qsize == #q.present, "%s: %d items at the end, not %d", q.name, found.qsize,
    #q.present)
  for _ = 1, math.min(found.qsize, #q.present) do
    self:take(q, q.what:get_nowait())
  end
end

function World:check_end()
  for _, actor in ipairs(self.actors) do
    self:check_actor(actor)
  end
  self:check_free()
  for _, q in ipairs(self.queues) do
    self:check_queue(q)
    self:check_items(q)
  end
end

-- }======

-- {====== Items of a queue ======

-- The place of the item that comes next.
local function next_place(q)
  if q.class == "Queue" then
    return 1
  elseif q.class == "LifoQueue" then
    return #q.present
  end
  local least = 1
  for i = 2, #q.present do
    if q.present[i] < q.present[least] then
      least = i
    end
  end
  return least
end

-- An item came out: it must be the next of those that are in.
function World:take(q, item)
  local place = next_place(q)
  self:check(#q.present > 0, "%s: item %s came out of nothing", q.name, item)
  self:check(q.present[place] == item, "%s: item %s came, not %s", q.name, item, q.present[place])
  table.remove(q.present, place)
end

-- }======

return World
