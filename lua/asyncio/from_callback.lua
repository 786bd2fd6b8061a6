-- from_callback: a function that calls back when it is done becomes a call that
-- suspends.

local core <const> = require "asyncio.core"

-- Calls fn(..., last).
local function call(fn, last, ...)
  local n = select("#", ...)
  if n == 0 then
    return fn(last)
  elseif n == 1 then
    return fn(..., last)
  end
  local arguments = table.pack(...)
  arguments[n + 1] = last
  return fn(table.unpack(arguments, 1, n + 1))
end

local function method_of(object, name)
  return object[name]
end

-- Stops what the function began: by the method 'close' or 'cancel' of what it
-- returned, a luv handle or request for one.
local function stop(object)
  if type(object) ~= "table" and type(object) ~= "userdata" then
    return
  end
  for _, name in ipairs { "close", "cancel" } do
    local ok, method = pcall(method_of, object, name)
    if ok and method ~= nil then
      return method(object)
    end
  end
end

-- The end of the wait. Where the callback has not come, nobody waits for it any
-- more: the task was cancelled, or its loop closes.
local waiting <const> = {
  __close = function(self)
    if self.called then
      return
    end
    self.given_up = true
    local ok, err = pcall(stop, self.object)
    if not ok then
      self.loop:call_exception_handler {
        message = "error while from_callback stopped what it had begun",
        exception = err,
      }
    end
  end,
}

local function check_callable(fn)
  local meta = getmetatable(fn)
  if type(fn) ~= "function" and not (type(meta) == "table" and meta.__call) then
    error(("bad argument #1 to 'from_callback' (function expected, got %s)"):format(type(fn)), 3)
  end
end

return function(fn, ...)
  check_callable(fn)
  core.check_await "from_callback"
  local future <const> = core.Future()
  local state <const> = setmetatable({ loop = future:get_loop() }, waiting)

  local function callback(...)
    if state.given_up then
      return
    elseif state.called then
      error(core.InvalidStateError "the callback of from_callback was called again", 2)
    end
    state.called = true
    if not future:cancelled() then
      future:set_result(...)
    end
  end

  state.object = call(fn, callback, ...)
  if not state.called then
    local _ <close> = state
    return future:await()
  end
  return future:result()
end
