-- reader:set_mode(mode): the mode of a terminal, which a scope puts back.

local core <const> = require "asyncio.core"

local methods <const> = getmetatable(core.StreamReader).__index
local set_mode <const> = methods.set_mode

-- The end of the scope. A terminal that was closed has its mode back already.
local Mode <const> = {
  __close = function(scope)
    core.catch(core.OSError, set_mode, scope.reader, scope.before)
  end,
}

function methods.set_mode(reader, mode)
  if core.isinstance(reader, core.StreamReader) and mode ~= "raw" and mode ~= "normal" then
    local text <const> = "bad argument #1 to 'set_mode' (\"raw\" or \"normal\" expected, got %s)"
    error(text:format(type(mode) == "string" and mode or type(mode)), 2)
  end
  return setmetatable({ reader = reader, before = set_mode(reader, mode) }, Mode)
end
