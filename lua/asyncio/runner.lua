-- run and Runner: from the making of a loop to its orderly end. What CPython's
-- asyncio.Runner does, step by step.

local core <const> = require "asyncio.core"
local executor <const> = require "asyncio.executor"

local Runner <const> = { name = "Runner", __name = "asyncio.Runner" }
Runner.__index = Runner

local function check_runner(self, method)
  if not core.isinstance(self, Runner) then
    local got = type(self)
    error(("bad argument #1 to '%s' (asyncio.Runner expected, got %s)"):format(method, got), 3)
  end
  if self._closed then
    core.misuse("the runner is closed", 3)
  end
end

local function is_callable(value)
  local meta = debug.getmetatable(value)
  return type(value) == "function" or type(meta) == "table" and meta.__call ~= nil
end

-- What a Runner has, what its main tasks have, and run both.
local RUNNER_OPTIONS <const> = { "debug", "loop_factory" }
local TASK_OPTIONS <const> = { "name", "context", "eager_start" }
local RUN_OPTIONS <const> = { "debug", "loop_factory", table.unpack(TASK_OPTIONS) }

local function wrong_option(options, names)
  local wrong <const> = core.unknown_option(options, names)
  local context <const> = options.context
  if wrong then
    return wrong
  elseif options.loop_factory ~= nil and not is_callable(options.loop_factory) then
    return "field 'loop_factory' must be a function"
  elseif context ~= nil and not core.isinstance(context, core.Context) then
    return ("field 'context' must be a Context, not %s"):format(type(context))
  end
end

-- Checks the options, which have these names and are that argument of the function
-- that the user called, and returns the table.
local function check_options(options, names, arg, fname)
  if options == nil then
    return {}
  end
  local wrong = type(options) ~= "table" and "table expected, got " .. type(options)
    or wrong_option(options, names)
  if wrong then
    error(("bad argument #%d to '%s' (%s)"):format(arg, fname, wrong), 3)
  end
  return options
end

local function new_runner(options)
  return setmetatable({ _debug = options.debug, _loop_factory = options.loop_factory }, Runner)
end

-- Makes the loop when it is first needed.
local function open(self)
  if self._loop then
    return self._loop
  end
  local loop
  if self._loop_factory then
    loop = self._loop_factory()
  else
    loop = core.new_event_loop()
  end
  if not core.isinstance(loop, core.EventLoop) then
    core.misuse("loop_factory did not return an event loop", 0)
  end
  if self._debug ~= nil then
    loop:set_debug(self._debug)
  end
  self._loop = loop
  self._context = core.copy_context()
  return loop
end

-- A Coroutine object of what is to be run; arguments follow a function.
local function coroutine_of(main, ...)
  if core.iscoroutine(main) then
    return main
  elseif core.iscoroutinefunction(main) then
    return main(...)
  elseif type(main) == "function" then
    return core.async(main)(...)
  end
  return core.async(core.await)(main)
end

-- A task of the main function; after an awaitable come options.
local function main_task(self, loop, main, ...)
  local options = { context = self._context }
  if type(main) ~= "function" and ... then
    for _, name in ipairs(TASK_OPTIONS) do
      local value = (...)[name]
      if value ~= nil then
        options[name] = value
      end
    end
  end
  return loop:create_task(coroutine_of(main, ...), options)
end

-- Whether the function, which stands at that level of the stack, catches the
-- error. 'catch' has its classes behind its message handler.
local function catches(fn, level, err)
  if fn == core.catch then
    local _, classes = debug.getlocal(level + 1, 2)
    return core.isinstance(err, classes)
  elseif fn == core.pcall or fn == core.xpcall then
    return not core.isinstance(err, core.CancelledError)
  end
  return fn == pcall or fn == xpcall
end

-- Whether an error would end the program: then the interpreter shows its text,
-- but not where in a task it was raised.
local function is_uncaught(err)
  local _, is_main = coroutine.running()
  local level = 1
  local info = is_main and debug.getinfo(1, "f")
  while info do
    if catches(info.func, level, err) then
      return false
    end
    level = level + 1
    info = debug.getinfo(level, "f")
  end
  return is_main
end

local function report_uncaught(loop, task, err)
  local traceback = task:traceback()
  if not traceback or core.isinstance(err, core.KeyboardInterrupt) or not is_uncaught(err) then
    return
  end
  if not core.job_traceback(err, traceback) then
    loop:call_exception_handler {
      message = "the main task failed, and nothing catches its error",
      exception = err,
      traceback = traceback,
    }
  end
end

-- Raises what the main task raised; a cancellation that a Ctrl-C asked for
-- becomes a KeyboardInterrupt, and one that came too late to cancel is one too.
local function finish(loop, task, ok, ...)
  local interrupts, late = core.sigint_end(loop)
  if ok and late then
    error(core.KeyboardInterrupt(), 0)
  elseif ok then
    return ...
  end
  local err = ...
  if interrupts > 0 and core.isinstance(err, core.CancelledError) and task:uncancel() == 0 then
    err = core.KeyboardInterrupt()
  end
  report_uncaught(loop, task, err)
  error(err, 0)
end

local function run(self, main, ...)
  local loop = open(self)
  local task = main_task(self, loop, main, ...)
  core.sigint_begin(loop, task)
  return finish(loop, task, pcall(loop.run_until_complete, loop, task))
end

local function check_main(main, fname, level)
  if not core.isawaitable(main) then
    local text = "bad argument #1 to '%s' (function or awaitable expected, got %s)"
    error(text:format(fname, type(main)), level + 1)
  end
end

local function check_no_loop(fname)
  if core.is_running() then
    core.misuse(("'%s' cannot be called while an event loop is running"):format(fname), 3)
  end
end

-- Cancels what is left, waits for it, and reports what went wrong meanwhile.
local function cancel_all(loop)
  local tasks = core.all_tasks(loop)
  if #tasks == 0 then
    return
  end
  for _, task in ipairs(tasks) do
    task:cancel()
  end
  local all = loop:run_until_complete(core.async(core.wait)(tasks))
  for _, task in ipairs(all) do
    if not task:cancelled() and task:exception() ~= nil then
      loop:call_exception_handler {
        message = "unhandled exception during asyncio.run() shutdown",
        exception = task:exception(),
        task = task,
      }
    end
  end
end

-- How long the jobs of the default executor may go on, in seconds; as CPython.
local JOIN_TIMEOUT <const> = 300

local function shut_down(loop)
  cancel_all(loop)
  local pool = core.drop_default_executor(loop)
  if pool then
    loop:run_until_complete(core.async(executor.finish)(loop, pool, JOIN_TIMEOUT))
  end
end

function Runner:run(main, ...)
  check_runner(self, "run")
  check_main(main, "run", 2)
  if type(main) ~= "function" then
    check_options(..., TASK_OPTIONS, 2, "run")
  end
  check_no_loop "run"
  return run(self, main, ...)
end

function Runner:get_loop()
  check_runner(self, "get_loop")
  return open(self)
end

function Runner:close()
  if core.isinstance(self, Runner) and self._closed then
    return
  end
  check_runner(self, "close")
  local loop = self._loop
  if loop then
    check_no_loop "close"
  end
  self._closed, self._loop, self._context = true, nil, nil
  if loop and not loop:is_closed() then
    local ok, err = pcall(shut_down, loop)
    if not ok and core.isinstance(err, core.DeadlockError) then
      -- they swallowed their cancellation: the loop closes them
      loop:call_exception_handler { message = "tasks did not end when cancelled", exception = err }
      ok = true
    end
    loop:close()
    if not ok then
      error(err, 0)
    end
  end
end

function Runner:__close()
  self:close()
end

function Runner:__tostring()
  return ("<Runner %s>"):format(self._closed and "closed" or self._loop and "open" or "new")
end

setmetatable(Runner, {
  __call = function(_, options)
    return new_runner(check_options(options, RUNNER_OPTIONS, 1, "Runner"))
  end,
  __tostring = function()
    return "asyncio.Runner"
  end,
})

return {
  Runner = Runner,

  run = function(main, ...)
    check_main(main, "run", 2)
    check_no_loop "run"
    local options = {}
    if type(main) ~= "function" then
      options = check_options(..., RUN_OPTIONS, 2, "run")
    end
    local runner <close> = new_runner(options)
    return run(runner, main, ...)
  end,
}
