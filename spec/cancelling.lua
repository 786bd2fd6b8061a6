-- Operations that wait for the world, cancelled at each of their stages: after that
-- nothing is left in their loop, nor in the process.
--
-- An operation gets 'keep', which takes what is to be closed at the end, and
-- returns the function that waits and one that lets it end.

local assert = require "luassert"
local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local cancelling = {}

-- An operation that ends by itself.
function cancelling.by_itself(fn, ...)
  local arguments <const> = table.pack(...)
  return function()
    return function()
      fn(table.unpack(arguments, 1, arguments.n))
    end, function() end
  end
end

-- What has to be done to a task, between its making and its end.
local STAGES <const> = {
  ["before its first step"] = function(task)
    task:cancel()
  end,

  ["when it has begun"] = function(task)
    asyncio.sleep(0)
    task:cancel()
  end,

  ["while it waits"] = function(task)
    asyncio.sleep(0.002)
    task:cancel()
  end,

  ["as it is to end"] = function(task, finish)
    asyncio.sleep(0.002)
    finish()
    task:cancel()
  end,

  ["in the turn in which it ends"] = function(task, finish)
    asyncio.sleep(0.002)
    asyncio.get_running_loop():call_soon(finish)
    for _ = 1, 3 do
      asyncio.sleep(0)
    end
    task:cancel()
  end,

  ["twice"] = function(task)
    asyncio.sleep(0)
    task:cancel()
    asyncio.sleep(0)
    task:cancel()
  end,
}

-- Closes what fn(keep) has kept when that has ended.
local function with_kept(fn)
  local kept <const> = {}
  local _ <close> = setmetatable({}, {
    __close = function()
      for i = #kept, 1, -1 do
        local _ <close> = kept[i]
      end
    end,
  })
  fn(function(object)
    kept[#kept + 1] = object
  end)
end

-- Runs fn on a loop of its own. Then nothing can wake the loop any more, and all
-- descriptors are closed.
local function leaves_nothing(fn)
  local before <const> = streams.descriptors()
  local ok <const>, err <const> = pcall(asyncio.run, function()
    fn()
    helper.collect()
    asyncio.Future():await()
  end)
  assert.is_false(ok)
  assert.is_true(asyncio.isinstance(err, asyncio.DeadlockError), tostring(err))
  assert.equal(before, streams.descriptors())
end

-- The task's end: whatever it did, or its cancellation.
local function settle(task)
  asyncio.wait { task }
  local err <const> = not task:cancelled() and task:exception()
  assert(not err or asyncio.isinstance(err, asyncio.CancelledError), tostring(err))
end

local function cancel_at(operation, stage)
  with_kept(function(keep)
    local fn <const>, finish <const> = operation(keep)
    local task <const> = asyncio.create_task(fn)
    stage(task, function()
      asyncio.create_task(finish)
    end)
    settle(task)
  end)
end

-- A loop on which the operation has gone on for so many turns.
local function left_behind(operation, turns)
  local loop <const> = asyncio.new_event_loop()
  loop:run_until_complete(function()
    local fn <const> = operation(function() end)
    asyncio.create_task(fn)
    for _ = 1, turns do
      asyncio.sleep(0)
    end
  end)
  return loop
end

-- What is to be seen of each operation, by when it is.
cancelling.CHECKS = {
  ["it is cancelled"] = function(operation)
    leaves_nothing(function()
      for _, stage in pairs(STAGES) do
        cancel_at(operation, stage)
      end
    end)
  end,

  ["its time is over"] = function(operation)
    leaves_nothing(function()
      for _, seconds in ipairs { 0, 0.001 } do
        with_kept(function(keep)
          local ok <const>, err <const> = pcall(asyncio.wait_for, (operation(keep)), seconds)
          assert(ok or asyncio.isinstance(err, asyncio.TimeoutError), tostring(err))
        end)
      end
    end)
  end,

  ["its loop closes"] = function(operation)
    local before <const> = streams.descriptors()
    for turns = 0, 2 do
      left_behind(operation, turns):close()
    end
    helper.collect()
    assert.equal(before, streams.descriptors())
  end,
}

return cancelling
