-- What specs share: tests that run as tasks, scripts in processes of their own,
-- records of what happened in which order, and errors as values.

local asyncio = require "asyncio"
local busted = require "busted"

local helper = {}

-- However slow the machine, a test or a child that takes so many seconds hangs.
local WATCHDOG <const> = tonumber(os.getenv "ASYNCIO_TEST_TIMEOUT") or 120

-- Runs fn(...) as the main task; what still runs after the watchdog's time is
-- cancelled, and raises a TimeoutError.
function helper.run(fn, ...)
  local arguments = table.pack(...)
  return asyncio.run(function()
    local _ <close> = asyncio.timeout(WATCHDOG)
    return fn(table.unpack(arguments, 1, arguments.n))
  end)
end

-- Busted's 'it', the body of which is the main task of a loop of its own.
function helper.ait(name, fn)
  busted.it(name, function()
    helper.run(fn)
  end)
end

local Trace <const> = {}
Trace.__index = Trace

-- Notes one value, or several as one line of words.
function Trace:__call(...)
  local words = table.pack(...)
  if words.n == 1 then
    self[#self + 1] = (...)
    return
  end
  for i = 1, words.n do
    words[i] = tostring(words[i])
  end
  self[#self + 1] = table.concat(words, " ")
end

-- What was noted so far.
function Trace:list()
  return table.move(self, 1, #self, 1, {})
end

-- A recorder: t(...) notes, t:list() lists.
function helper.trace()
  return setmetatable({}, Trace)
end

-- What fn(...) raises; it is an error if it raises nothing.
function helper.catch(fn, ...)
  local results = table.pack(pcall(fn, ...))
  if results[1] then
    error("an error was expected, but the call returned", 2)
  end
  return results[2]
end

-- Checks that fn(...) raises an instance of the class, or an error whose text
-- has the pattern; returns the error.
function helper.raises(what, fn, ...)
  local results = table.pack(pcall(fn, ...))
  local err = results[2]
  if results[1] then
    error(("an error was expected (%s), but the call returned"):format(tostring(what)), 2)
  elseif type(what) == "string" then
    if not tostring(err):find(what) then
      error(("the error does not match '%s': %s"):format(what, tostring(err)), 2)
    end
  elseif not asyncio.isinstance(err, what) then
    error(("%s expected, got %s: %s"):format(tostring(what), type(err), tostring(err)), 2)
  end
  return err
end

-- Collects all garbage, also what finalizers let go.
function helper.collect()
  for _ = 1, 4 do
    collectgarbage()
  end
end

-- How many entries of the table are left, which is weak where they may go.
function helper.left(weak)
  helper.collect()
  local n = 0
  for _ in pairs(weak) do
    n = n + 1
  end
  return n
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function write_file(name, text)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(text))
end

local function read_and_remove(name)
  local file <close> = assert(io.open(name, "rb"))
  local text = file:read "a"
  os.remove(name)
  return text
end

-- The command line of a child: its environment, its limit in seconds (the
-- interpreter may be several words, such as a checker and its options).
local function command(script, opts)
  local words = { "env" }
  local env = { LUA_PATH = package.path, LUA_CPATH = package.cpath }
  for name, value in pairs(opts.env or {}) do
    env[name] = value
  end
  for name, value in pairs(env) do
    words[#words + 1] = name .. "=" .. quote(value)
  end
  words[#words + 1] = ("timeout -k 5 %g"):format(opts.timeout or WATCHDOG)
  words[#words + 1] = os.getenv "ASYNCIO_TEST_LUA" or "lua5.4"
  for _, option in ipairs(opts.options or {}) do
    words[#words + 1] = quote(option)
  end
  words[#words + 1] = quote(script)
  for _, argument in ipairs(opts.args or {}) do
    words[#words + 1] = quote(argument)
  end
  return table.concat(words, " ")
end

-- What makes the collector of a child as eager as that of the specs, on the
-- script's first line.
local EAGER <const> = {
  incremental = 'collectgarbage("incremental", 1, 1000, 1) collectgarbage("setpause", 0) ',
  generational = 'collectgarbage("generational", 1, 1) ',
}

-- Lua source for a child, under the collector that is asked for.
function helper.script(source)
  return (EAGER[os.getenv "ASYNCIO_TEST_GC"] or "") .. source
end

-- Runs Lua source in a process of its own. If it hangs it is killed, and that is
-- an error, with what it wrote so far.
-- opts: stdin (text), env, args and options of the interpreter (tables), timeout
-- (seconds, those of the watchdog if missing), shell (a command line, in which %s is a command that
-- runs the script, to connect it with others).
-- Returns a table with stdout, stderr (in which the script is called "script"),
-- and code, the exit status, or signal, the number of the signal that ended it.
function helper.run_script(source, opts)
  opts = opts or {}
  local script, input, out, err = os.tmpname(), os.tmpname(), os.tmpname(), os.tmpname()
  write_file(script, helper.script(source))
  write_file(input, opts.stdin or "")
  local launcher = os.tmpname()
  write_file(launcher, "exec " .. command(script, opts) .. "\n")
  local limit <const>, began <const> = opts.timeout or WATCHDOG, os.time()
  local line = (opts.shell or "exec %s"):gsub("%%s", "sh " .. launcher)
  local _, how, number = os.execute(("{ %s\n} <%s >%s 2>%s"):format(line, input, out, err))
  os.remove(script)
  os.remove(launcher)
  os.remove(input)
  local place = script:gsub("%p", "%%%0")
  local result = { stdout = read_and_remove(out) }
  result.stderr = read_and_remove(err):gsub(place, "script")
  if os.difftime(os.time(), began) >= limit then
    local text <const> = "the script hangs: killed after %g seconds\nstdout:\n%s\nstderr:\n%s"
    error(text:format(limit, result.stdout, result.stderr), 2)
  end
  if how == "signal" then
    result.signal = number
  elseif number > 128 then -- the shell's and timeout's way to say it
    result.signal = number - 128
  else
    result.code = number
  end
  return result
end

-- The same for a script that must succeed and write nothing to stderr; returns
-- what it wrote to stdout.
function helper.check_script(source, opts)
  local result = helper.run_script(source, opts)
  if result.code ~= 0 or result.stderr ~= "" then
    local ended = result.code and "exit status " .. result.code or "signal " .. result.signal
    error(("the script ended with %s:\n%s"):format(ended, result.stderr), 2)
  end
  return result.stdout
end

return helper
