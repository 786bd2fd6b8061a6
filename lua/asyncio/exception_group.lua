-- ExceptionGroup(message, exceptions) prints as a tree:
--
--   ExceptionGroup: unhandled errors (2 sub-exceptions)
--   |- TimeoutError: timed out
--   `- ExceptionGroup: inner (1 sub-exception)
--      `- boom

local core <const> = require "asyncio.core"

local ExceptionGroup <const> = core.ExceptionGroup

-- The heading of a group: its class, its message and how many errors it holds.
local function heading(group, exceptions)
  local text = group.name
  if group.message ~= nil then
    text = text .. ": " .. tostring(group.message)
  end
  return ("%s (%d sub-exception%s)"):format(text, #exceptions, #exceptions == 1 and "" or "s")
end

local function is_group(err)
  return core.isinstance(err, ExceptionGroup) and type(err.exceptions) == "table"
end

-- Adds the lines of an error to the list. A group inside itself is not entered.
local function add_tree(lines, err, first, rest, entered)
  if not is_group(err) or entered[err] then
    local text = entered[err] and "(the group itself)" or tostring(err)
    lines[#lines + 1] = first .. text:gsub("\n", "\n" .. rest)
    return
  end
  entered[err] = true
  lines[#lines + 1] = first .. heading(err, err.exceptions)
  for i, inner in ipairs(err.exceptions) do
    local last = i == #err.exceptions
    local branch, trunk = last and "`- " or "|- ", last and "   " or "|  "
    add_tree(lines, inner, rest .. branch, rest .. trunk, entered)
  end
  entered[err] = nil
end

function ExceptionGroup:__tostring()
  if not is_group(self) then -- somebody took the list away
    return heading(self, {})
  end
  local lines = {}
  add_tree(lines, self, "", "", {})
  return table.concat(lines, "\n")
end
