-- run_coroutine_threadsafe: from a worker to the loop that it was given. The
-- result comes back through a channel, which only the two sides have.

local core <const> = require "asyncio.core"

local threadsafe <const> = {}

local ConcurrentFuture <const> = { name = "ConcurrentFuture", __name = "asyncio.ConcurrentFuture" }
ConcurrentFuture.__index = ConcurrentFuture

-- {====== In the loop's state ======

-- The tasks, by the channels of their results.
local tasks <const> = setmetatable({}, { __mode = "k" })

-- Sends how it ended, if the result can cross, and ends the channel.
local function send(reply, ...)
  local ok, err = pcall(reply.send_nowait, reply, ...)
  if not ok and not reply:is_closed() then
    reply:send_nowait(false, core.RuntimeError(tostring(err)))
  end
  reply:close()
end

-- Errors that the task ends with, too.
local PASSING <const> = { core.CancelledError, core.KeyboardInterrupt }

local function finish(reply, ok, ...)
  send(reply, ok, ...)
  if not ok and core.isinstance(..., PASSING) then
    error(..., 0)
  end
end

-- Keeps the traceback with an error that can have one.
local function keep_traceback(err)
  if core.isinstance(err, core.Error) and rawget(err, "traceback") == nil then
    err.traceback = debug.traceback("stack traceback:", 2):gsub("^stack traceback:\n", "", 1)
  end
  return err
end

local Closing <const> = {
  __close = function(self)
    self.reply:close()
  end,
}

-- Calls fn; what a coroutine function makes is awaited.
local function call(fn, ...)
  if core.iscoroutinefunction(fn) then
    return core.await(fn(...))
  end
  return fn(...)
end

local function body(reply, fn, ...)
  local _ <close> = setmetatable({ reply = reply }, Closing)
  finish(reply, xpcall(call, keep_traceback, fn, ...))
end

local start <const> = core.async(body)
local EAGER <const> = { eager_start = true }

-- These two cross by their names. The task begins at once: from then on the
-- channel is closed, however it ends.
function threadsafe.serve(fn, reply, ...)
  local task = core.create_task(start(reply, fn, ...), EAGER)
  tasks[reply] = task
  task:add_done_callback(function()
    reply:close()
  end)
end

function threadsafe.cancel(reply)
  local task = tasks[reply]
  if task then
    task:cancel()
  end
end

-- }======

-- {====== In the worker's state ======

local LOST <const> = { core.QueueShutDown, core.DeadlockError }

local function check_future(self, method)
  if not core.isinstance(self, ConcurrentFuture) then
    local message <const> = "bad argument #1 to '%s' (asyncio.ConcurrentFuture expected, got %s)"
    error(message:format(method, type(self)), 3)
  end
end

local function check_timeout(timeout, method)
  if timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout) then
    local got = type(timeout) == "number" and "nan" or type(timeout)
    error(("bad argument #1 to '%s' (number expected, got %s)"):format(method, got), 3)
  end
end

-- Keeps what came, or that nothing will come.
local function keep(self, received, ok, ...)
  if received then
    self._ok, self._values = ok, table.pack(...)
  else
    local message <const> = "the event loop was closed before the call was done"
    self._ok, self._values = false, { core.RuntimeError(message), n = 1 }
  end
end

local function receive(self)
  keep(self, core.catch(LOST, self._reply.recv, self._reply))
end

-- Waits until the outcome is here.
local function await(self, timeout)
  if self._values then
    return
  elseif timeout == nil then
    receive(self)
  elseif core.is_running() then
    core.wait_for(receive, timeout, self)
  elseif core.channel_wait(self._reply, timeout) then
    receive(self)
  else
    error(core.TimeoutError(), 0)
  end
end

function ConcurrentFuture:done()
  check_future(self, "done")
  return self._values ~= nil or #self._reply > 0 or self._reply:is_closed()
end

function ConcurrentFuture:result(timeout)
  check_future(self, "result")
  check_timeout(timeout, "result")
  await(self, timeout)
  if not self._ok then
    error(self._values[1], 0)
  end
  return table.unpack(self._values, 1, self._values.n)
end

function ConcurrentFuture:exception(timeout)
  check_future(self, "exception")
  check_timeout(timeout, "exception")
  await(self, timeout)
  if not self._ok then
    return self._values[1]
  end
  return nil
end

function ConcurrentFuture:cancelled()
  check_future(self, "cancelled")
  if not ConcurrentFuture.done(self) then
    return false
  end
  await(self)
  return not self._ok and core.isinstance(self._values[1], core.CancelledError)
end

function ConcurrentFuture:cancel()
  check_future(self, "cancel")
  if ConcurrentFuture.done(self) then
    return false
  end
  return (core.catch(core.RuntimeError, self._loop.call_soon_threadsafe, self._loop,
    threadsafe.cancel, self._reply))
end

function ConcurrentFuture:__await()
  return self:result()
end

function ConcurrentFuture:__tostring()
  local state = "pending"
  if ConcurrentFuture.done(self) then
    state = ConcurrentFuture.cancelled(self) and "cancelled" or self._ok and "finished" or "failed"
  end
  return ("<ConcurrentFuture %s>"):format(state)
end

setmetatable(ConcurrentFuture, {
  __tostring = function()
    return "asyncio.ConcurrentFuture"
  end,
})

local BAD_ARGUMENT <const> = "bad argument #%d to 'run_coroutine_threadsafe' (%s expected, got %s)"

-- run_coroutine_threadsafe(fn, loop, ...)
function threadsafe.run_coroutine_threadsafe(fn, loop, ...)
  if core.isinstance(loop, core.EventLoop) then
    return loop:create_task(fn, ...)
  elseif not core.isinstance(loop, core.LoopReference) then
    error(BAD_ARGUMENT:format(2, "event loop", type(loop)), 2)
  elseif type(fn) ~= "function" then
    error(BAD_ARGUMENT:format(1, "function", type(fn)), 2)
  end
  local reply = core.Channel(0)
  local ok, err = pcall(core.loop_post, loop, threadsafe.serve, fn, reply, ...)
  if not ok then
    error(err, 2)
  end
  return setmetatable({ _reply = reply, _loop = loop }, ConcurrentFuture)
end

-- }======

threadsafe.ConcurrentFuture = ConcurrentFuture

return threadsafe
