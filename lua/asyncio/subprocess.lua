-- Subprocesses: what their options say, communicate, and run. Starting a child,
-- its signals and its end are in the C core.

local core <const> = require "asyncio.core"

local Process <const> = core.Process
local CalledProcessError <const> = core.exception "CalledProcessError"

local PIPE <const>, DEVNULL <const>, STDOUT <const> = "pipe", "null", "stdout"

local GRACE <const> = 5 -- seconds
local MOST <const> = 0x7fffffff -- of what C takes as an int

-- {====== Arguments ======

-- What is wrong with an argument; the function that the user called says so.
local Complaint <const> = {}

local function complain(arg, message, ...)
  error(setmetatable({ arg = arg, message = message:format(...) }, Complaint))
end

-- Returns what fn(...) does. What it complains of is an argument error of the
-- function of that name, which calls this one.
local function checked(fname, fn, ...)
  local results <const> = table.pack(pcall(fn, ...))
  if results[1] then
    return table.unpack(results, 2, results.n)
  end
  local err <const> = results[2]
  if getmetatable(err) ~= Complaint then
    error(err, 0)
  end
  error(("bad argument #%d to '%s' (%s)"):format(err.arg, fname, err.message), 3)
end

local function expect(arg, expected, value)
  complain(arg, "%s expected, got %s", expected, type(value))
end

local function check_type(value, expected, arg)
  if type(value) ~= expected then
    expect(arg, expected, value)
  end
end

-- C's strings end at a zero.
local function check_zero(text, arg, what)
  if text:find("\0", 1, true) then
    complain(arg, "%s with a zero byte in it", what)
  end
end

local function check_text(value, arg, what)
  check_type(value, "string", arg)
  if value == "" then
    complain(arg, "empty %s", what)
  end
  check_zero(value, arg, what)
  return value
end

-- The strings of a list, from an index on, after those of another list. One with
-- fields most likely has options among them.
local function add_words(words, list, first, arg)
  for key in pairs(list) do
    if type(key) == "string" and key ~= "n" then
      complain(arg, "list expected, got a table with the field '%s'", key)
    end
  end
  for i = first, #list do
    local word <const> = list[i]
    if type(word) ~= "string" and type(word) ~= "number" then
      complain(arg, "element %d: string expected, got %s", i, type(word))
    end
    words[#words + 1] = tostring(word)
    check_zero(words[#words], arg, "argument")
  end
  return words
end

-- }======

-- {====== Options ======

local function is_integer(value, least)
  return math.type(value) == "integer" and value >= least and value <= MOST
end

local STREAMS <const> = { core.File, core.StreamReader, core.StreamWriter }

-- What a standard stream of the child is connected with, for the core.
local function get_stdio(options, arg, name, fd)
  local value <const> = options[name]
  if value == nil or value == "inherit" then
    return fd
  elseif value == PIPE or value == DEVNULL or value == STDOUT and fd == 2 then
    return value
  elseif is_integer(value, 0) or io.type(value) == "file" or core.isinstance(value, STREAMS) then
    return value
  end
  local shown = type(value) == "string" and ("'%s'"):format(value) or io.type(value) or type(value)
  local ways <const> = "'pipe', 'null', 'inherit', " .. (fd == 2 and "'stdout', " or "")
    .. "a file, a stream or a descriptor"
  complain(arg, "field '%s': %s expected, got %s", name, ways, shown)
end

local function get_env(options, arg)
  if options.env == nil then
    return nil
  elseif type(options.env) ~= "table" then
    complain(arg, "field 'env': table expected, got %s", type(options.env))
  end
  local list <const> = {}
  for name, value in pairs(options.env) do
    if type(name) ~= "string" or name == "" or name:find "[=\0]" then
      complain(arg, "field 'env': '%s' is no name of a variable", tostring(name))
    elseif type(value) ~= "string" and type(value) ~= "number" then
      complain(arg, "field 'env': %s: string expected, got %s", name, type(value))
    end
    local entry <const> = name .. "=" .. value
    check_zero(entry, arg, "field 'env': value")
    list[#list + 1] = entry
  end
  return list
end

local function get_integer(options, arg, name, least)
  local value <const> = options[name]
  if value ~= nil and not is_integer(value, least) then
    complain(arg, "field '%s' must be an integer from %d to %d", name, least, MOST)
  end
  return value
end

local function get_seconds(options, arg, name)
  local value <const> = options[name]
  if value ~= nil and not (type(value) == "number" and value >= 0) then
    complain(arg, "field '%s' must be a number of seconds", name)
  end
  return value
end

-- What a child has, and what run has besides.
local CHILD_OPTIONS <const> = {
  "stdin", "stdout", "stderr", "cwd", "env", "start_new_session", "user", "group", "limit", "grace",
}
local RUN_OPTIONS <const> = { "input", "capture", "check", "timeout", table.unpack(CHILD_OPTIONS) }

local function check_options(options, names, arg)
  if options == nil then
    return {}
  end
  check_type(options, "table", arg)
  local wrong <const> = core.unknown_option(options, names)
  if wrong then
    complain(arg, "%s", wrong)
  end
  return options
end

-- Starts a child, as the options say, that argument.
local function spawn(file, words, options, arg)
  local cwd <const> = options.cwd
  if cwd ~= nil then
    if type(cwd) ~= "string" then
      complain(arg, "field 'cwd': string expected, got %s", type(cwd))
    end
    check_zero(cwd, arg, "field 'cwd': path")
  end
  return core.spawn(
    file,
    words,
    get_env(options, arg),
    cwd,
    get_stdio(options, arg, "stdin", 0),
    get_stdio(options, arg, "stdout", 1),
    get_stdio(options, arg, "stderr", 2),
    get_integer(options, arg, "limit", 1) or 65536,
    get_seconds(options, arg, "grace") or GRACE,
    options.start_new_session,
    get_integer(options, arg, "user", 0),
    get_integer(options, arg, "group", 0)
  )
end

-- }======

-- {====== Creating ======

local function check_loop(fname)
  if not core.is_running() then
    local text <const> = "'%s' must be called while an event loop runs: "
      .. "start one with asyncio.run(main)"
    core.misuse(text:format(fname), 3)
  end
end

local function spawn_program(program, args, options)
  check_text(program, 1, "program")
  local words <const> = { program }
  if args ~= nil then
    if type(args) ~= "table" then
      expect(2, "list of arguments", args)
    end
    add_words(words, args, 1, 2)
  end
  return spawn(program, words, check_options(options, CHILD_OPTIONS, 3), 3)
end

local function spawn_command(cmd, options)
  check_zero(cmd, 1, "command")
  return spawn("/bin/sh", { "/bin/sh", "-c", cmd }, options, 2)
end

local function spawn_shell(cmd, options)
  check_type(cmd, "string", 1)
  return spawn_command(cmd, check_options(options, CHILD_OPTIONS, 2))
end

local function create_subprocess_exec(program, args, options)
  check_loop "create_subprocess_exec"
  local process <const> =
    checked("create_subprocess_exec", spawn_program, program, args, options)
  return process
end

local function create_subprocess_shell(cmd, options)
  check_loop "create_subprocess_shell"
  local process <const> = checked("create_subprocess_shell", spawn_shell, cmd, options)
  return process
end

-- }======

-- {====== communicate ======

-- A child that does not read to the end is no error.
local IGNORED <const> = { EPIPE = true, ECONNRESET = true }

-- Sends all of it; what the pipe does not take now follows by itself.
local function feed(stdin, input)
  if input then
    local ok <const>, err <const> = core.catch(core.OSError, stdin.write, stdin, input)
    if not ok and not IGNORED[err.code] then
      error(err, 0)
    end
  end
  stdin:close()
end

-- While it is open the readers take what comes, whatever their limit: so one can
-- be read after the other.
local Greed <const> = {
  __close = function(readers)
    for _, reader in pairs(readers) do
      core.set_greedy(reader, false)
    end
  end,
}

local function take_all(stdout, stderr)
  local readers <const> = setmetatable({ stdout = stdout, stderr = stderr }, Greed)
  for _, reader in pairs(readers) do
    core.set_greedy(reader, true)
  end
  return readers
end

local function check_communicate(process, input)
  if not core.isinstance(process, Process) then
    expect(1, "asyncio.Process", process)
  elseif input ~= nil then
    check_type(input, "string", 2)
    if not process.stdin then
      complain(2, "the stdin of the process is no pipe")
    end
  end
end

local function communicate(process, input)
  checked("communicate", check_communicate, process, input)
  core.check_await "communicate"
  local stdout <const>, stderr <const> = process.stdout, process.stderr
  local _ <close> = take_all(stdout, stderr)
  if process.stdin then
    feed(process.stdin, input)
  end
  local out <const> = stdout and stdout:read "a"
  local err <const> = stderr and stderr:read "a"
  process:wait()
  return out, err
end

getmetatable(Process).__index.communicate = communicate

-- }======

-- {====== run ======

-- The words of a command as one would type them.
local function show_command(cmd)
  if type(cmd) == "string" then
    return cmd
  end
  local words <const> = {}
  for i, word in ipairs(cmd) do
    word = tostring(word)
    words[i] = word:find "^[%w%%+,./:=@_-]+$" and word
      or "'" .. word:gsub("'", "'\\''") .. "'"
  end
  return table.concat(words, " ")
end

local function show_end(returncode)
  if returncode >= 0 then
    return ("returned non-zero exit status %d"):format(returncode)
  end
  return ("died with %s"):format(core.signal_name(-returncode))
end

-- An error of the command, with what is known of it.
local function failure(class, what, fields)
  local message <const> = ("Command '%s' %s."):format(show_command(fields.cmd), what)
  return class(message, fields)
end

-- The options of run for the child: it gets pipes for its input, and for its
-- output unless the program says otherwise.
local function run_options(options)
  local child <const> = {}
  for name, value in pairs(options) do
    child[name] = value
  end
  if options.input ~= nil then
    if type(options.input) ~= "string" then
      complain(2, "field 'input': string expected, got %s", type(options.input))
    elseif options.stdin ~= nil and options.stdin ~= PIPE then
      complain(2, "fields 'input' and 'stdin' exclude each other")
    end
    child.stdin = PIPE
  end
  if options.capture ~= false then
    child.stdout = child.stdout or PIPE
    child.stderr = child.stderr or PIPE
  end
  return child
end

local function spawn_any(cmd, options)
  options = check_options(options, RUN_OPTIONS, 2)
  get_seconds(options, 2, "timeout")
  local child <const> = run_options(options)
  if type(cmd) == "string" then
    return spawn_command(cmd, child)
  elseif type(cmd) ~= "table" then
    expect(1, "string or list of strings", cmd)
  end
  local words <const> = add_words({}, cmd, 1, 1)
  if not words[1] or words[1] == "" then
    complain(1, "no program")
  end
  return spawn(words[1], words, child, 2)
end

-- What a reader of a child that has ended still has.
local function rest_of(reader)
  local ok <const>, text <const> = pcall(reader.read, reader)
  return ok and text or nil
end

-- The command took too long: it ends before the error is raised.
local function raise_timeout(process, cmd, timeout)
  debug.getmetatable(process).__close(process)
  local what <const> = ("timed out after %g seconds"):format(timeout)
  error(failure(core.TimeoutError, what, {
    cmd = cmd,
    timeout = timeout,
    stdout = process.stdout and rest_of(process.stdout),
    stderr = process.stderr and rest_of(process.stderr),
  }), 0)
end

local function run(cmd, options)
  core.check_await "run"
  local process <close> = checked("run", spawn_any, cmd, options)
  options = options or {}
  local timeout <const> = options.timeout
  local ok <const>, out <const>, err <const> =
    core.catch(core.TimeoutError, core.wait_for, communicate, timeout, process, options.input)
  if not ok then
    raise_timeout(process, cmd, timeout)
  end
  local returncode <const> = process.returncode
  if options.check and returncode ~= 0 then
    error(failure(CalledProcessError, show_end(returncode), {
      cmd = cmd,
      returncode = returncode,
      stdout = out,
      stderr = err,
    }), 0)
  end
  return { args = cmd, returncode = returncode, stdout = out, stderr = err }
end

-- }======

return {
  create_subprocess_exec = create_subprocess_exec,
  create_subprocess_shell = create_subprocess_shell,
  run = run,

  PIPE = PIPE,
  DEVNULL = DEVNULL,
  STDOUT = STDOUT,

  CalledProcessError = CalledProcessError,
  Process = Process,
}
