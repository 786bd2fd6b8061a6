-- The call graph for people: format_call_graph, print_call_graph, and
-- task:print_stack. What they show is captured in the core.
--
--   * Task 'fetch'
--     + call stack:
--     |   [C]: in function 'sleep'
--     |   app.lua:4: in function 'fetch'
--     + awaited by:
--       * Task 'main'
--         + call stack:
--         |   ...

local core <const> = require "asyncio.core"

-- Raises an argument error in the name of the function that the user called,
-- which called the one that calls this.
local function argument_error(arg, fname, message)
  error(("bad argument #%d to '%s' (%s)"):format(arg, fname, message), 4)
end

local function is_writable(file)
  local ok, write = pcall(function()
    return file.write
  end)
  return ok and write ~= nil
end

-- Checks the options, which have those of the names depth, limit and file, and
-- returns the table.
local function check_options(options, names, arg, fname)
  if options == nil then
    return {}
  end
  local wrong = type(options) ~= "table" and "table expected, got " .. type(options)
    or core.unknown_option(options, names)
  if wrong then
    argument_error(arg, fname, wrong)
  end
  for _, name in ipairs { "depth", "limit" } do
    if options[name] ~= nil and math.type(options[name]) ~= "integer" then
      argument_error(arg, fname, ("field '%s' must be an integer"):format(name))
    end
  end
  if options.file ~= nil and not is_writable(options.file) then
    argument_error(arg, fname, "field 'file' must have a method 'write'")
  end
  return options
end

local function check_future(future, fname)
  if future ~= nil and not core.isfuture(future) then
    argument_error(1, fname, "asyncio.Future expected, got " .. type(future))
  end
end

local function check_task(task, fname)
  if not core.isinstance(task, core.Task) then
    argument_error(1, fname, "asyncio.Task expected, got " .. type(task))
  end
end

local function format_frame(frame)
  local place = frame.line and ("%s:%d"):format(frame.source, frame.line) or frame.source
  if frame.name then
    return ("%s: in function '%s'"):format(place, frame.name)
  elseif frame.linedefined then
    return ("%s: in function <%s:%d>"):format(place, frame.source, frame.linedefined)
  end
  return place .. ": in main chunk"
end

local function heading(node)
  if node.task then
    return ("* Task '%s'"):format(node.task:get_name())
  end
  return "* " .. tostring(node.future)
end

-- Adds the lines of a node, which may be reached on several ways and is shown
-- in full on the first.
local function add_node(lines, node, indent, shown)
  if shown[node] then
    lines[#lines + 1] = indent .. heading(node) .. " (shown above)"
    return
  end
  shown[node] = true
  lines[#lines + 1] = indent .. heading(node)
  if #node.frames > 0 then
    lines[#lines + 1] = indent .. "  + call stack:"
    for _, frame in ipairs(node.frames) do
      lines[#lines + 1] = indent .. "  |   " .. format_frame(frame)
    end
  end
  if #node.awaited_by > 0 then
    lines[#lines + 1] = indent .. "  + awaited by:"
    for _, awaiter in ipairs(node.awaited_by) do
      add_node(lines, awaiter, indent .. "    ", shown)
    end
  end
end

-- The text of the graph, for a function that the user called.
local function format_graph(future, options)
  local depth = (options.depth or 1) + 2
  local graph = core.capture_call_graph(future, { limit = options.limit, depth = depth })
  local lines = {}
  if graph then
    add_node(lines, graph, "", {})
  end
  return table.concat(lines, "\n")
end

local function format_call_graph(future, options)
  check_future(future, "format_call_graph")
  options = check_options(options, { "depth", "limit" }, 2, "format_call_graph")
  local text = format_graph(future, options)
  return text
end

local function print_call_graph(future, options)
  check_future(future, "print_call_graph")
  options = check_options(options, { "depth", "limit", "file" }, 2, "print_call_graph")
  local text = format_graph(future, options)
  local file = options.file or io.stdout
  file:write(text, "\n")
end

-- The frames of a traceback, without the first 'skip', 'limit' of them.
local function select_frames(text, skip, limit)
  local lines = {}
  for line in text:gsub("^stack traceback:\n", "", 1):gmatch "[^\n]+" do
    if skip > 0 then
      skip = skip - 1
    elseif limit and #lines >= limit then
      break
    else
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

-- task:print_stack{limit=, file=}: where the task is, or where it failed
local function print_stack(task, options)
  check_task(task, "print_stack")
  options = check_options(options, { "limit", "file" }, 1, "print_stack")
  local trace = task:traceback()
  local file = options.file or io.stderr
  if trace then
    local own = task == core.current_task() and 1 or 0 -- this function's frame
    trace = select_frames(trace, own, options.limit)
    file:write("Stack for ", tostring(task), ":\n", trace, "\n")
  else
    file:write("No stack for ", tostring(task), "\n")
  end
end

-- the methods of tasks are where their class looks names up
getmetatable(core.Task).__index.print_stack = print_stack

return {
  format_call_graph = format_call_graph,
  print_call_graph = print_call_graph,
}
