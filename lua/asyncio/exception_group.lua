-- ExceptionGroup(message, exceptions): several errors as one. It prints as a
-- tree, with the traceback of each where that is known:
--
--   ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
--   |- TimeoutError: timed out
--   |  stack traceback: ...
--   `- ExceptionGroup: inner (1 sub-exception)
--      `- boom

local core <const> = require "asyncio.core"

local ExceptionGroup <const> = core.ExceptionGroup

local function is_group(err)
  return core.isinstance(err, ExceptionGroup)
end

-- The errors of a group: none where somebody made one without a list.
local function errors_of(group)
  return type(group.exceptions) == "table" and group.exceptions or {}
end

-- {====== Printing ======

-- The heading of a group: its class, its message and how many errors it holds.
local function heading(group, exceptions)
  local text = group.name
  if group.message ~= nil then
    text = text .. ": " .. tostring(group.message)
  end
  return ("%s (%d sub-exception%s)"):format(text, #exceptions, #exceptions == 1 and "" or "s")
end

-- The traceback of a group's i-th error: an exception object has its own, those
-- of other values are kept with the group.
local function traceback_of(group, i)
  local err = errors_of(group)[i]
  local traceback = core.isinstance(err, core.Error) and rawget(err, "traceback")
  traceback = traceback or group.tracebacks and group.tracebacks[i]
  return type(traceback) == "string" and "\n" .. traceback or ""
end

-- Adds the lines of an error to the list. A group inside itself is not entered.
local function add_tree(lines, err, traceback, first, rest, entered)
  if not is_group(err) or entered[err] then
    local text = entered[err] and "(the group itself)" or tostring(err) .. traceback
    lines[#lines + 1] = first .. text:gsub("\n", "\n" .. rest)
    return
  end
  entered[err] = true
  local exceptions = errors_of(err)
  lines[#lines + 1] = first .. heading(err, exceptions):gsub("\n", "\n" .. rest)
  for i, inner in ipairs(exceptions) do
    local last = i == #exceptions
    local branch, trunk = last and "`- " or "|- ", last and "   " or "|  "
    add_tree(lines, inner, traceback_of(err, i), rest .. branch, rest .. trunk, entered)
  end
  entered[err] = nil
end

function ExceptionGroup:__tostring()
  if not is_group(self) then -- somebody took the list away
    return heading(self, {})
  end
  local lines = {}
  add_tree(lines, self, "", "", "", {})
  return table.concat(lines, "\n")
end

-- }======

-- {====== Splitting ======

local function check_group(group, fname)
  if not is_group(group) then
    local got = type(group)
    error(("bad argument #1 to '%s' (ExceptionGroup expected, got %s)"):format(fname, got), 3)
  end
end

-- A function that says whether an error is meant: by a class, by a list of
-- classes, or as a function says.
local function predicate_of(condition, fname)
  if type(condition) == "function" then
    return condition
  end
  local ok = pcall(core.isinstance, nil, condition)
  if not ok then
    local got = type(condition)
    local text = "bad argument #2 to '%s' (class, list of classes or function expected, got %s)"
    error(text:format(fname, got), 3)
  end
  return function(err)
    return core.isinstance(err, condition)
  end
end

-- A group like another one, of these errors; nil when there are none.
local function derive(group, exceptions, tracebacks)
  if #exceptions == 0 then
    return nil
  end
  local derived = {}
  for key, value in pairs(group) do
    derived[key] = value
  end
  derived.exceptions, derived.tracebacks = exceptions, tracebacks
  return setmetatable(derived, getmetatable(group))
end

-- What matches and the rest, each a group of the same shape, or nil.
local function split(group, matches)
  if matches(group) then
    return group, nil
  end
  local yes, no = { {}, {} }, { {}, {} }
  local function add(to, err, i)
    if err ~= nil then
      local exceptions = to[1]
      exceptions[#exceptions + 1] = err
      to[2][#exceptions] = group.tracebacks and group.tracebacks[i]
    end
  end
  for i, err in ipairs(errors_of(group)) do
    if is_group(err) then
      local match, rest = split(err, matches)
      add(yes, match, i)
      add(no, rest, i)
    else
      add(matches(err) and yes or no, err, i)
    end
  end
  return derive(group, table.unpack(yes)), derive(group, table.unpack(no))
end

function ExceptionGroup:split(condition)
  check_group(self, "split")
  return split(self, predicate_of(condition, "split"))
end

function ExceptionGroup:subgroup(condition)
  check_group(self, "subgroup")
  return (split(self, predicate_of(condition, "subgroup")))
end

-- }======
