-- timed: a decorator that reports when a call starts, when it ends and how long
-- it took, suspended or not.

local core <const> = require "asyncio.core"

local function report_line(name, event, seconds)
  if event == "start" then
    io.stderr:write(("asyncio: %s started\n"):format(name))
  else
    io.stderr:write(("asyncio: %s ended after %.6f s\n"):format(name, seconds))
  end
end

-- "file:line" of where the function was defined.
local function place_of(fn)
  local info = debug.getinfo(fn, "S")
  return info.what == "C" and "C function" or ("%s:%d"):format(info.short_src, info.linedefined)
end

local function check(value, arg, kind)
  if type(value) ~= kind then
    error(("bad argument #%d to 'timed' (%s expected, got %s)"):format(arg, kind, type(value)), 3)
  end
end

return function(fn, name, report)
  check(fn, 1, "function")
  name = name ~= nil and name or place_of(fn)
  check(name, 2, "string")
  report = report ~= nil and report or report_line
  check(report, 3, "function")

  local call <const> = core.iscoroutinefunction(fn) and core.await or nil

  local function timed(...)
    local start <const> = core.monotonic()
    report(name, "start", 0.0)
    -- closed also when the call fails or is cancelled
    local _ <close> = setmetatable({}, {
      __close = function()
        report(name, "end", core.monotonic() - start)
      end,
    })
    if call then
      return call(fn(...))
    end
    return fn(...)
  end

  return call and core.async(timed) or timed
end
