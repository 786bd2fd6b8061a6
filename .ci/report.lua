-- A busted output handler: a line for each file of specs, then what is pending
-- and what failed, then "N passed, N failed". What is raised outside of a test
-- (a file that does not load, a setup) counts as a failure.
-- ASYNCIO_TEST_NOW   a file to write the name of the test to that is running

local pretty = require "pl.pretty"

local function place(result)
  local trace = result.element.trace or result.trace or {}
  return ("%s:%s"):format(trace.short_src or "?", trace.currentline or "?")
end

local function describe(result)
  local message = result.message
  if message == nil then
    return "(no message)"
  elseif type(message) == "string" then
    return message
  elseif (getmetatable(message) or {}).__tostring then
    return tostring(message)
  end
  return pretty.write(message)
end

local function print_result(kind, result)
  local trace = type(result.trace) == "table" and result.trace.traceback
  io.write("\n", kind, " ", place(result), "\n", result.name, "\n")
  if kind == "pending" then -- busted has put a position before the reason
    io.write(result.message and describe(result):gsub("^%S-:%d+: ", "") .. "\n" or "")
  else
    io.write(describe(result), "\n")
  end
  if trace and kind ~= "pending" then
    io.write((trace:gsub("^\n", "")), "\n")
  end
end

-- The file of specs that an element is of: where it was defined may be a helper.
local function file_of(element)
  while element and element.descriptor ~= "file" do
    element = require "busted".parent(element)
  end
  return element and element.name
end

-- What is left in the file tells where a run was that did not come to its end.
local function noter(name)
  local file = name and io.open(name, "w")
  return function(element)
    if file then
      file:seek "set"
      file:write(("%s (%s)\n"):format(element.name, file_of(element) or "?"))
      file:flush()
    end
    return nil, true
  end
end

return function()
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local started, passed, failed

  local function totals()
    return handler.successesCount, handler.failuresCount + handler.errorsCount
  end

  local function file_start()
    started = busted.monotime()
    passed, failed = totals()
    return nil, true
  end

  local function file_end(file)
    local passed_now, failed_now = totals()
    io.write(("%-42s %4d passed, %d failed  %6.2f s\n"):format(
      file.name, passed_now - passed, failed_now - failed, busted.monotime() - started))
    io.flush()
    return nil, true
  end

  local function suite_end()
    for _, result in ipairs(handler.pendings) do
      print_result("pending", result)
    end
    for _, result in ipairs(handler.failures) do
      print_result("failure", result)
    end
    for _, result in ipairs(handler.errors) do
      print_result("error", result)
    end
    if handler.pendingsCount > 0 then
      io.write("\n", handler.pendingsCount, " pending\n")
    end
    io.write(("\n%d passed, %d failed\n"):format(totals()))
    io.flush()
    return nil, true
  end

  busted.subscribe({ "file", "start" }, file_start)
  busted.subscribe({ "file", "end" }, file_end)
  busted.subscribe({ "test", "start" }, noter(os.getenv "ASYNCIO_TEST_NOW"))
  busted.subscribe({ "suite", "end" }, suite_end)
  return handler
end
