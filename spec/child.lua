-- Runs Lua code in a process of its own, for what goes to stderr and for what
-- happens when a state is closed.

local helper = require "spec.helper"

local child = {}

-- Runs the code, in which 'asyncio' is there, with the environment variables
-- given; returns what it wrote to stdout and to stderr, where the file is called
-- "script", and its exit status or the number of the signal that ended it. To
-- hang is an error.
function child.run(code, env)
  local result = helper.run_script('local asyncio = require "asyncio" ' .. code, { env = env })
  return result.stdout, result.stderr, result.code or result.signal
end

-- The same for code that succeeds; returns stdout and stderr.
function child.check(code, env)
  local out, err, status = child.run(code, env)
  if status ~= 0 then
    error(("the script ended with %s:\n%s"):format(tostring(status), err), 2)
  end
  return out, err
end

return child
