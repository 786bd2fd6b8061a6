local asyncio = require "asyncio"
local helper = require "spec.helper"

local NAN <const>, INF <const> = 0 / 0, math.huge

local function noop() end

-- One of each type, wrong for whatever expects none of them.
local samples <const> = {
  { "nil", nil },
  { "boolean", true },
  { "integer", 3 },
  { "nan", NAN },
  { "infinity", INF },
  { "string", "text" },
  { "table", {} },
  { "function", noop },
  { "file", io.stdout },
  { "object", asyncio.Error "object" },
}

-- A function that calls the method or the field as a program does, so that Lua
-- knows the name.
local function caller(object, name, operator)
  return load(("local object = ... return function(...) local _ = object%s%s(...) end")
    :format(operator, name))(object)
end

-- The call raises an argument error that names the argument and the function.
local function refuses_call(call, arg, name, ...)
  local err = helper.catch(call, ...)
  assert.equal("string", type(err), name)
  local number, fname = err:match "bad argument #(%d+) to '([^']+)'"
  assert.equal(arg, tonumber(number), err)
  assert.equal(name, fname:match "[%w_]+$", err)
end

-- The same for the method of an object.
local function refuses(object, name, arg, ...)
  refuses_call(caller(object, name, ":"), arg, name, ...)
end

local function refuses_self(err, name)
  assert.equal("string", type(err), name)
  assert.matches("expected", err)
  assert.is_truthy(err:find("bad argument #1 to", 1, true) or err:find("bad self", 1, true)
    or err:find("calling '", 1, true), name .. ": " .. err)
end

-- Function, the argument in question (with the good ones before it in 'with'),
-- and the types of samples that it takes.
local functions <const> = {
  { "run", 1, takes = { "function" } },
  { "Runner", 1, takes = { "nil", "table", "object" } },
  { "set_event_loop", 1, takes = { "nil" } },
  { "await", 1, takes = { "function" } },
  { "async", 1, takes = { "function" } },
  { "create_task", 1, takes = { "function" } },
  { "ensure_future", 1, takes = { "function" } },
  { "current_task", 1, takes = { "nil" } },
  { "all_tasks", 1, takes = { "nil" } },
  { "sleep", 1, takes = { "integer", "infinity" } },
  { "wait_for", 1, takes = { "function" } },
  { "wait_for", 2, with = { noop }, takes = { "nil", "integer", "infinity" } },
  { "timeout", 1, takes = { "nil", "integer", "infinity" } },
  { "timeout_at", 1, takes = { "nil", "integer", "infinity" } },
  { "shield", 1, takes = { "function" } },
  { "gather", 1, takes = { "function", "table", "object" } },
  { "wait", 1, takes = {} },
  { "as_completed", 1, takes = { "table", "object" } },
  { "xpcall", 2, with = { noop }, takes = { "function" } },
  { "catch", 1, takes = {} },
  { "timed", 1, takes = { "function" } },
  { "generator", 1, takes = { "function" } },
  { "from_callback", 1, takes = { "function" } },
  { "ContextVar", 1, takes = { "string" } },
  { "exception", 1, takes = { "string" } },
  { "exception", 2, with = { "Name" }, takes = { "nil" } },
  { "wait_readable", 1, takes = { "integer", "file" } },
  { "wait_writable", 1, takes = { "integer", "file" } },
  { "notify_closing", 1, takes = { "integer", "file" } },
  { "isinstance", 2, with = { 1 }, takes = {} },
}

local loop_methods <const> = {
  { "run_until_complete", 1, takes = { "function" } },
  { "call_soon", 1, takes = { "function" } },
  { "call_soon_threadsafe", 1, takes = { "function" } },
  { "call_later", 1, takes = { "integer", "infinity" } },
  { "call_later", 2, with = { 1 }, takes = { "function" } },
  { "call_at", 1, takes = { "integer", "infinity" } },
  { "call_at", 2, with = { 1 }, takes = { "function" } },
  { "create_task", 1, takes = { "function" } },
  { "set_task_factory", 1, takes = { "nil", "function" } },
  { "set_exception_handler", 1, takes = { "nil", "function" } },
  { "default_exception_handler", 1, takes = { "object" } },
  { "call_exception_handler", 1, takes = { "object" } },
}

local function takes(case, kind)
  for _, taken in ipairs(case.takes) do
    if taken == kind then
      return true
    end
  end
  return false
end

-- Calls with each wrong sample as the argument of the case.
local function check_case(case, call)
  local name, arg = case[1], case[2]
  local arguments = table.move(case.with or {}, 1, arg - 1, 1, {})
  for _, sample in ipairs(samples) do
    if not takes(case, sample[1]) then
      arguments[arg] = sample[2]
      local ok, err = pcall(refuses_call, call, arg, name, table.unpack(arguments, 1, arg))
      if not ok then
        error(("%s, argument %d, %s: %s"):format(name, arg, sample[1], tostring(err)), 0)
      end
    end
  end
end

describe("a wrong argument", function()
  for _, case in ipairs(functions) do
    it(("to %s (#%d) is refused"):format(case[1], case[2]), function()
      local call = caller(asyncio, case[1], ".")
      if case[1] == "run" then
        check_case(case, call)
      else
        helper.run(check_case, case, call)
      end
    end)
  end

  for _, case in ipairs(loop_methods) do
    it(("to loop:%s (#%d) is refused"):format(case[1], case[2]), function()
      local loop = asyncio.new_event_loop()
      local ok, err = pcall(check_case, case, caller(loop, case[1], ":"))
      loop:close()
      assert(ok, err)
    end)
  end

  helper.ait("to a method is refused", function()
    local future, var = asyncio.Future(), asyncio.ContextVar "var"
    local context = asyncio.copy_context()
    refuses(future, "add_done_callback", 1, nil)
    refuses(future, "add_done_callback", 1, 1)
    refuses(future, "set_exception", 1, nil)
    refuses(future, "set_exception", 1)
    refuses(future, "remove_done_callback", 1)
    refuses(var, "set", 1)
    refuses(var, "reset", 1, {})
    refuses(var, "reset", 1, nil)
    refuses(context, "run", 1)
    refuses(context, "get", 1, "var")
    refuses_call(caller(asyncio, "iscoroutine", "."), 1, "iscoroutine")
    refuses_call(caller(asyncio, "isfuture", "."), 1, "isfuture")
    refuses_call(caller(asyncio, "isawaitable", "."), 1, "isawaitable")
    refuses_call(caller(asyncio, "iscoroutinefunction", "."), 1, "iscoroutinefunction")
    local task = asyncio.current_task()
    refuses(task, "set_name", 1)
    local scope <close> = asyncio.timeout(10)
    refuses(scope, "reschedule", 1, "soon")
    refuses(scope, "reschedule", 1, NAN)
    future:cancel()
  end)

  helper.ait("in options is refused", function()
    local coro = asyncio.async(noop)
    for _, options in ipairs { 1, "text", true, { context = 1 }, { context = {} } } do
      local object = coro()
      helper.raises("bad argument", asyncio.create_task, object, options)
      object:await() -- is still unused
    end
    local task = asyncio.create_task(noop)
    helper.raises("bad argument", asyncio.wait, { task }, { return_when = "SOMETIME" })
    helper.raises("bad argument", asyncio.wait, { task }, { timeout = "soon" })
    helper.raises("bad argument", asyncio.wait, { task }, { timeout = NAN })
    helper.raises("bad argument", asyncio.wait, { task, 1 })
    helper.raises("bad argument", asyncio.wait, { noop })
    helper.raises("bad argument", asyncio.wait, {})
    helper.raises("bad argument", asyncio.as_completed, { task }, { timeout = NAN })
    helper.raises("bad argument", asyncio.gather, { task, 1 })
    helper.raises("bad argument", asyncio.Runner, 1)
    task:await()
  end)

  it("is refused where a list claims an odd length", function()
    for _, length in ipairs { -1, -5, math.mininteger, math.maxinteger } do
      local list = setmetatable({}, { __len = function() return length end })
      for _, name in ipairs { "gather", "wait", "as_completed" } do
        helper.run(refuses_call, caller(asyncio, name, "."), 1, name, list)
      end
    end
  end)

  it("is refused in the options of run and Runner", function()
    refuses_call(caller(asyncio, "run", "."), 2, "run", asyncio.async(noop)(), 5)
    refuses_call(caller(asyncio, "run", "."), 2, "run", asyncio.async(noop)(), { loop_factory = 5 })
    refuses_call(caller(asyncio, "Runner", "."), 1, "Runner", { loop_factory = 5 })
  end)

  it("to a function that expects none is ignored", function()
    local loop = asyncio.new_event_loop(1, 2)
    assert.is_false(loop:is_running(NAN))
    loop:close(noop)
    assert.is_true(loop:is_closed())
  end)
end)

describe("a wrong self", function()
  local function objects()
    local loop = asyncio.get_running_loop()
    return {
      loop = loop,
      handle = loop:call_soon(noop),
      timer = loop:call_later(3600, noop),
      future = asyncio.Future(),
      task = asyncio.current_task(),
      coroutine = asyncio.async(noop)(),
      context = asyncio.copy_context(),
      var = asyncio.ContextVar "var",
      timeout = asyncio.timeout(10),
    }
  end

  local methods <const> = {
    loop = {
      "run_until_complete", "run_forever", "stop", "close", "is_running", "is_closed", "time",
      "call_soon", "call_soon_threadsafe", "call_later", "call_at", "create_future",
      "create_task", "set_task_factory", "get_task_factory", "set_exception_handler",
      "get_exception_handler", "default_exception_handler", "call_exception_handler",
      "set_debug", "get_debug", "add_reader", "remove_reader", "add_writer", "remove_writer",
    },
    handle = { "cancel", "cancelled" },
    timer = { "cancel", "cancelled", "when" },
    future = {
      "done", "cancelled", "result", "exception", "set_result", "set_exception", "cancel",
      "add_done_callback", "remove_done_callback", "get_loop", "await",
    },
    task = {
      "get_name", "set_name", "get_coro", "get_context", "cancel", "cancelling", "uncancel",
      "traceback", "print_stack",
    },
    coroutine = { "await", "close" },
    context = { "run", "get", "copy" },
    var = { "get", "set", "reset" },
    timeout = { "when", "reschedule", "expired" },
  }

  for kind, names in pairs(methods) do
    helper.ait(("is refused by the methods of a %s"):format(kind), function()
      local all = objects()
      for _, name in ipairs(names) do
        local method = all[kind][name]
        assert.is_function(method, name)
        for _, sample in ipairs(samples) do
          -- the method 'await' is the function, and takes more
          if not (name == "await" and sample[1] == "function") then
            refuses_self(helper.catch(method, sample[2], noop), name)
          end
        end
        refuses_self(helper.catch(method), name)
      end
      all.coroutine:close()
      all.timer:cancel()
    end)
  end

  it("is refused by the methods of a Runner", function()
    for _, name in ipairs { "run", "get_loop", "close" } do
      for _, sample in ipairs(samples) do
        refuses_self(helper.catch(asyncio.Runner[name], sample[2], noop), name)
      end
    end
  end)
end)

describe("a wrong state", function()
  helper.ait("is refused", function()
    local done = asyncio.Future()
    done:set_result(1)
    helper.raises(asyncio.InvalidStateError, done.set_result, done, 2)
    helper.raises(asyncio.RuntimeError, asyncio.run, noop)
    local task = asyncio.current_task()
    helper.raises(asyncio.RuntimeError, task.await, task)
    local loop = asyncio.get_running_loop()
    helper.raises(asyncio.RuntimeError, loop.run_forever, loop)
    helper.raises(asyncio.RuntimeError, loop.run_until_complete, loop, task)
    helper.raises(asyncio.RuntimeError, loop.close, loop)
    local timeout = asyncio.timeout(10)
    do
      local _ <close> = timeout
    end
    helper.raises(asyncio.RuntimeError, timeout.reschedule, timeout, 1)
  end)

  it("outside of a task is refused", function()
    for _, name in ipairs { "sleep", "wait_for", "timeout", "timeout_at", "await", "wait" } do
      local arguments = { wait_for = { noop, 1 }, await = { noop } }
      local fn = asyncio[name]
      if name == "wait" then
        local loop = asyncio.new_event_loop()
        helper.raises(asyncio.RuntimeError, fn, { loop:create_future() })
        loop:close()
      else
        helper.raises(asyncio.RuntimeError, fn, table.unpack(arguments[name] or { 1 }))
      end
    end
    helper.raises(asyncio.RuntimeError, asyncio.create_task, noop)
    helper.raises(asyncio.RuntimeError, asyncio.get_running_loop)
  end)

  it("of a loop that is closed is refused", function()
    local loop = asyncio.new_event_loop()
    local future = loop:create_future()
    loop:close()
    helper.raises(asyncio.RuntimeError, future.add_done_callback, future, noop)
    future:set_result(1)
    assert.equal(1, future:result())
    asyncio.set_event_loop(loop)
    assert.is_false(asyncio.Future():done())
    helper.raises(asyncio.RuntimeError, asyncio.ensure_future, noop)
    asyncio.set_event_loop(nil)
  end)

  it("of classes the library makes itself is refused", function()
    for _, name in ipairs {
      "EventLoop", "Handle", "TimerHandle", "Coroutine", "Timeout", "Context", "Token",
    } do
      local err = helper.catch(asyncio[name])
      assert.matches(name, tostring(err), 1, true)
    end
    helper.raises("bad argument #1 to", asyncio.Task, noop)
    helper.raises("bad argument #1 to", asyncio.Task)
  end)
end)

describe("huge and tiny numbers", function()
  helper.ait("are times like others", function()
    local loop = asyncio.get_running_loop()
    for _, delay in ipairs { -INF, -1e308, -1, 0, 1e-320 } do
      asyncio.sleep(delay)
    end
    for _, delay in ipairs { INF, 1e308, math.maxinteger, 2 ^ 63, 1e12 } do
      local task = asyncio.create_task(asyncio.sleep, delay)
      loop:call_later(delay, error, "never")
      asyncio.sleep(0)
      assert.is_false(task:done())
      task:cancel()
    end
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, asyncio.Future(), -INF)
  end)
end)
