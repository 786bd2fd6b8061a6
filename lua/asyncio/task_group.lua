-- group:start(fn, ...): starts a child and waits until it says that it is ready.

local core <const> = require "asyncio.core"

local TaskGroup <const> = core.TaskGroup

local function check_start(group, fn)
  local expected, value = nil, nil
  if not core.isinstance(group, TaskGroup) then
    expected, value = "asyncio.TaskGroup", group
  elseif type(fn) ~= "function" then
    expected, value = "function", fn
  end
  if expected then
    local text = "bad argument #1 to 'start' (%s expected, got %s)"
    error(text:format(expected, type(value)), 3)
  end
end

-- The function by which the child reports itself ready, with values for who
-- started it.
local function reporter(ready)
  return function(...)
    if ready:cancelled() then
      return -- who started it does not wait any more
    elseif ready:done() then
      error(core.RuntimeError "the child has said before that it is ready, or has ended")
    end
    ready:set_result(...)
  end
end

-- The body of the child. An error before it is ready belongs to who started it,
-- a later one to the group.
local function run_child(ready, fn, ...)
  local results = table.pack(core.pcall(core.await, fn, reporter(ready), ...))
  if not results[1] and ready:done() then
    core.rethrow(results[2])
  elseif not results[1] then
    ready:set_exception(results[2])
    return
  elseif not ready:done() then
    ready:set_exception(core.RuntimeError "the child ended without saying that it is ready")
  end
  return table.unpack(results, 2, results.n)
end

-- A child that was cancelled before it was ready has perhaps never run.
local function release(ready, task)
  if not ready:done() then
    local _, err = pcall(task.exception, task)
    ready:cancel(core.isinstance(err, core.CancelledError) and err.message or nil)
  end
end

-- Who started the child was cancelled while waiting for it: so is the child.
local Starting <const> = {
  __close = function(self, err)
    if core.isinstance(err, core.CancelledError) then
      self.task:cancel(err.message)
    end
  end,
}

-- The method: what the child reports are the results.
getmetatable(TaskGroup).__index.start = function(group, fn, ...)
  check_start(group, fn)
  local ready = core.get_running_loop():create_future()
  local task = group:create_task(run_child, ready, fn, ...)
  local _ <close> = setmetatable({ task = task }, Starting)
  task:add_done_callback(function()
    release(ready, task)
  end)
  return ready:await()
end
