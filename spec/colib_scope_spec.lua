-- Cancellation, timeouts, contexts and the end of a loop, across coroutines of
-- asyncio.coroutine; and what a task that waits in one looks like.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local co <const> = asyncio.coroutine
local here <const> = debug.getinfo(1, "S").short_src

local function line()
  return debug.getinfo(2, "l").currentline
end

local function closing(fn)
  return setmetatable({}, {
    __close = function(_, err)
      return fn(err)
    end,
  })
end

local function pause(n)
  for _ = 1, n or 1 do
    asyncio.sleep(0)
  end
end

describe("a cancellation", function()
  -- Runs fn in a task, cancels it after two turns, and waits for it.
  local function cancelled(fn)
    local task = asyncio.create_task(fn)
    pause(2)
    task:cancel "enough"
    asyncio.wait { task }
    return task
  end

  for _, case in ipairs {
    { "resume", function(fn) return co.resume(co.create(fn)) end },
    { "wrap", function(fn) return co.wrap(fn)() end },
  } do
    local name, call = case[1], case[2]

    ait("passes through " .. name, function()
      local t = helper.trace()
      local task = cancelled(function()
        local _ <close> = closing(function(err)
          t("outer", err)
        end)
        call(function()
          local _ <close> = closing(function(err)
            t("inner", err)
          end)
          asyncio.sleep(10)
        end)
        t "went on"
      end)
      assert.is_true(task:cancelled())
      assert.same({ "inner CancelledError: enough", "outer CancelledError: enough" }, t:list())
    end)

    ait("can be caught inside " .. name, function()
      local task = cancelled(function()
        return call(function()
          local err = helper.raises(asyncio.CancelledError, asyncio.sleep, 10)
          asyncio.current_task():uncancel()
          return asyncio.sleep(0, err.message)
        end)
      end)
      assert.is_false(task:cancelled())
      assert.equal("enough", select(-1, task:result()))
    end)

    ait("comes to the next await after " .. name .. ", if it comes between", function()
      local t = helper.trace()
      local task
      task = asyncio.create_task(function()
        local c = co.wrap(function()
          call(function()
            task:cancel()
          end)
          t "between"
          asyncio.sleep(0)
          t "went on"
        end)
        c()
      end)
      asyncio.wait { task }
      assert.is_true(task:cancelled())
      assert.same({ "between" }, t:list())
    end)
  end

  ait("lets <close> variables of a wrapped coroutine suspend", function()
    local t = helper.trace()
    local task = cancelled(function()
      co.wrap(function()
        local _ <close> = closing(function()
          t(asyncio.sleep(0.001, "slept"))
        end)
        asyncio.sleep(10)
      end)()
    end)
    assert.is_true(task:cancelled())
    assert.same({ "slept" }, t:list())
  end)

  ait("of an awaited future passes, too", function()
    local future = asyncio.Future()
    asyncio.get_running_loop():call_soon(future.cancel, future)
    helper.raises(asyncio.CancelledError, co.resume, co.create(future.await), future)
  end)

  ait("that a <close> variable replaces is the error that passes", function()
    local task = cancelled(function()
      co.resume(co.create(function()
        local _ <close> = closing(function()
          error("instead", 0)
        end)
        asyncio.sleep(10)
      end))
    end)
    assert.equal("instead", task:exception())
  end)

  it("is an error as any other outside of a run", function()
    local err = asyncio.CancelledError()
    assert.same({ false, err }, { co.resume(co.create(error), err) })
  end)

  it("that a plain pcall in a coroutine swallows is reported in debug mode", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      local co = asyncio.coroutine
      local function victim(swallow)
        local task = asyncio.create_task(swallow)
        asyncio.sleep(0)
        task:cancel()
        asyncio.wait({ task }, { timeout = 0.05 })
        task:cancel()
        asyncio.wait { task }
      end
      asyncio.run(asyncio.async(function()
        victim(co.wrap(function()
          pcall(asyncio.sleep, 10)
          asyncio.sleep(0.001)
        end))
        victim(function()
          pcall(co.wrap(function()
            asyncio.sleep(10)
          end))
          asyncio.sleep(0.001)
        end)
        victim(co.wrap(function()
          local ok, err = pcall(co.wrap(asyncio.sleep), 10)
          co.wrap(asyncio.sleep)(0)
          error(err, 0)
        end))
      end)(), { debug = true })
    ]]
    assert.equal(0, result.code, result.stderr)
    local places = {}
    for place in result.stderr:gmatch "pcall at script:(%d+) swallowed" do
      places[#places + 1] = place
    end
    assert.same({ "13", "17" }, places)
  end)
end)

describe("a timeout", function()
  ait("inside a coroutine ends its wait", function()
    local c = co.create(function()
      local ok, err = pcall(function()
        local _ <close> = asyncio.timeout(0.001)
        asyncio.sleep(10)
      end)
      co.yield(ok, err)
      return asyncio.wait_for(asyncio.sleep, 0.001, 10)
    end)
    local _, ok, err = co.resume(c)
    assert.is_false(ok)
    assert.is_true(asyncio.isinstance(err, asyncio.TimeoutError))
    ok, err = co.resume(c)
    assert.is_false(ok)
    assert.is_true(asyncio.isinstance(err, asyncio.TimeoutError))
  end)

  ait("around a coroutine ends it", function()
    local closed = 0
    local function body()
      local _ <close> = closing(function()
        closed = closed + 1
      end)
      asyncio.sleep(10)
    end
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, co.wrap(body), 0.001)
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, co.resume, 0.001, co.create(body))
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      co.resume(co.create(body))
    end)
    assert.equal(3, closed)
  end)

  ait("may be left by another way than it was entered", function()
    -- the coroutine yields from inside its scopes
    local function body()
      asyncio.wait_for(function()
        local _ <close> = asyncio.timeout(10)
        co.yield(1)
        pause()
      end, 10)
      co.yield(2)
    end
    local c
    asyncio.wait_for(function()
      c = co.wrap(body)
      assert.equal(1, c())
    end, 10)
    pause()
    assert.equal(2, asyncio.create_task(c):await())
    local abandoned = co.create(body)
    asyncio.create_task(co.resume, abandoned):await()
    pause()
    -- its task has ended, and with it the scopes
    assert.same({ true, 2 }, { co.resume(abandoned) })
    assert.equal(1, asyncio.wait_for(asyncio.sleep, 10, 0, 1))
  end)

  ait("is over when its coroutine is closed", function()
    local function body()
      asyncio.wait_for(co.yield, 0.001, 1)
    end
    for _, n in ipairs { 1, 3 } do
      local list = {}
      for i = 1, n do
        list[i] = co.create(body)
        assert.same({ true, 1 }, { co.resume(list[i]) })
      end
      for i = 1, n do
        assert.is_true(co.close(list[i]))
      end
      assert.equal("not cancelled", asyncio.sleep(0.003, "not cancelled"))
    end
    assert.equal(0, asyncio.current_task():cancelling())
    local c = co.create(body) -- this one is not closed
    co.resume(c)
    helper.raises(asyncio.CancelledError, asyncio.sleep, 10)
    asyncio.current_task():uncancel()
  end)

  it("may be left outside of any task", function()
    local c = co.create(function()
      asyncio.wait_for(co.yield, 10)
      local _ <close> = asyncio.timeout(10)
      co.yield()
    end)
    helper.run(function()
      co.resume(c)
    end)
    local ok, err = co.resume(c)
    assert.is_false(ok)
    assert.matches("must be called in a task", err.message, 1, true)
  end)
end)

describe("a context", function()
  ait("belongs to the task in which it was entered", function()
    local var = asyncio.ContextVar("var", "default")
    local context = asyncio.copy_context()
    context:run(function()
      var:set "inside"
    end)
    local c = co.create(function()
      context:run(co.yield)
    end)
    local entered = asyncio.create_task(function()
      co.resume(c)
      asyncio.sleep(0.001)
      return var:get()
    end)
    asyncio.sleep(0)
    co.resume(c)
    assert.equal("default", var:get())
    assert.equal("default", entered:await())
  end)

  ait("is left when its coroutine is closed", function()
    local var = asyncio.ContextVar("var", "default")
    local context = asyncio.copy_context()
    local c = co.create(function()
      context:run(function()
        var:set "inside"
        co.yield(1)
      end)
    end)
    co.resume(c)
    assert.is_true(co.close(c))
    assert.equal("default", var:get())
    assert.equal("inside", context:run(var.get, var))
  end)

  it("is left when the loop of its task closes", function()
    local loop, context = asyncio.new_event_loop(), asyncio.copy_context()
    loop:create_task(context.run, context, asyncio.sleep, 10)
    loop:run_until_complete(asyncio.sleep, 0)
    helper.raises("entered already", context.run, context, pause, 0)
    loop:close()
    assert.equal(2, context:run(math.abs, -2))
  end)

  it("may be left outside of any task", function()
    local context = asyncio.copy_context()
    local c = co.create(function()
      context:run(co.yield)
    end)
    helper.run(function()
      co.resume(c)
    end)
    assert.is_true(co.resume(c))
    c = co.create(function()
      context:run(co.yield)
    end)
    co.resume(c)
    helper.run(function()
      assert.is_true(co.resume(c))
    end)
  end)
end)

describe("looking at a task that waits in a coroutine", function()
  -- A task that waits for the future two coroutines deep, and the lines in
  -- which its three threads are, the innermost first.
  local function deep(future)
    local at = {}
    local task = asyncio.create_task(function()
      local f = co.wrap(function()
        local c = co.create(function()
          at[1] = line() + 1
          future:await()
        end)
        at[2] = line() + 1
        co.resume(c)
      end)
      at[3] = line() + 1
      f()
    end)
    asyncio.sleep(0)
    return task, at
  end

  ait("shows the innermost place", function()
    local future = asyncio.Future()
    local task, at = deep(future)
    local expected = ("waits for <Future pending> at %s:%d>"):format(here, at[1])
    assert.matches(expected, tostring(task), 1, true)
    future:set_result()
  end)

  ait("shows all frames as one stack", function()
    local future = asyncio.Future()
    local task, at = deep(future)
    local places, named = {}, {}
    for place in task:traceback():gmatch ":(%d+): in" do
      places[#places + 1] = math.tointeger(place)
    end
    assert.same(at, places)
    places = {}
    for _, frame in ipairs(asyncio.capture_call_graph(task).frames) do
      places[#places + 1] = frame.line
      named[#named + 1] = not frame.line and frame.name or nil
    end
    assert.same(at, places)
    assert.same({ "await", "resume", "f" }, named)
    future:set_result()
  end)

  ait("finds what it waits for", function()
    local future = asyncio.Future()
    local task = deep(future)
    local graph = asyncio.capture_call_graph(future)
    assert.equal(task, graph.awaited_by[1].task)
    future:set_result()
  end)

  ait("works from inside the coroutine", function()
    local at = {}
    local trace, graph
    co.wrap(function()
      local task = asyncio.current_task()
      at[1] = line() + 1
      trace, graph = task:traceback(), asyncio.capture_call_graph()
    end)()
    assert.matches((":%d: in"):format(at[1]), trace, 1, true)
    local inner, outer = trace:find "\n%s+%[C%]: in [^\n]+\n.*colib_scope_spec"
    assert.is_true(inner ~= nil and outer ~= nil)
    assert.equal(at[1], graph.frames[1].line)
    assert.is_true(#graph.frames > 2)
  end)

  it("names the place in a DeadlockError", function()
    local at
    local err = helper.raises(asyncio.DeadlockError, asyncio.run, function()
      co.wrap(function()
        at = line() + 1
        asyncio.Future():await()
      end)()
    end)
    assert.matches(("waits for <Future pending> at %s:%d"):format(here, at), err.message, 1, true)
  end)
end)

describe("closing the loop", function()
  local function close_with(fn)
    local t = helper.trace()
    local loop = asyncio.new_event_loop()
    loop:set_exception_handler(function(_, context)
      t("reported", context.exception)
    end)
    local task = loop:create_task(fn, t)
    loop:run_until_complete(asyncio.sleep, 0)
    loop:close()
    assert.is_true(task:cancelled())
    return t:list()
  end

  it("closes coroutines that wait, the innermost first", function()
    local inner, outer
    local found = close_with(function(t)
      local _ <close> = closing(function() t "task" end)
      outer = co.create(function()
        local _ <close> = closing(function() t "outer" end)
        inner = co.wrap(function()
          local _ <close> = closing(function() t "inner" end)
          pcall(asyncio.sleep, 10)
          t "went on"
        end)
        pcall(inner)
        t "went on"
      end)
      co.resume(outer)
      t "went on"
    end)
    assert.same({ "inner", "outer", "task" }, found)
    assert.equal("dead", co.status(outer))
    helper.raises("dead coroutine", inner)
  end)

  it("reports what their <close> variables raise", function()
    assert.same({ "reported inner", "reported outer" }, close_with(function()
      local _ <close> = closing(function() error("outer", 0) end)
      co.wrap(function()
        local _ <close> = closing(function() error("inner", 0) end)
        asyncio.sleep(10)
      end)()
    end))
  end)

  it("lets none of these suspend", function()
    local found = close_with(function(t)
      local c = co.create(function()
        local _ <close> = closing(function()
          t(asyncio.isinstance(helper.catch(asyncio.sleep, 0), asyncio.RuntimeError))
        end)
        asyncio.sleep(10)
      end)
      co.resume(c)
    end)
    assert.same({ true }, found)
  end)

  it("bears one that Lua's own library has closed", function()
    local c
    local loop = asyncio.new_event_loop()
    local task = loop:create_task(function()
      c = co.create(function()
        asyncio.wait({ asyncio.Future() }, { timeout = 10 })
      end)
      co.resume(c)
    end)
    loop:run_until_complete(asyncio.sleep, 0)
    coroutine.close(c)
    helper.collect()
    loop:close()
    assert.is_true(task:cancelled())
  end)

  it("leaves coroutines that wait for their next resume", function()
    local c
    local found = close_with(function(t)
      c = co.create(function()
        local _ <close> = closing(function() t "closed" end)
        co.yield(1)
      end)
      co.resume(c)
      asyncio.sleep(10)
    end)
    assert.same({}, found)
    assert.equal("suspended", co.status(c))
    assert.is_true(co.close(c))
  end)
end)

describe("Ctrl-C", function()
  it("interrupts a coroutine that does not end", function()
    local out = helper.check_script [[
      local asyncio = require "asyncio"
      local co = asyncio.coroutine
      local function ctrl_c()
        local out <close> = io.popen "kill -INT $PPID"
        out:read "a"
      end
      for _, call in ipairs {
        function(fn) return co.wrap(fn)() end,
        function(fn) return co.resume(co.create(fn)) end,
        function(fn) for _ in asyncio.generator(fn) do end end,
      } do
        local ok, err = pcall(asyncio.run, function()
          co.wrap(function()
            call(function()
              asyncio.sleep(0)
              ctrl_c()
              ctrl_c()
              while true do end
            end)
          end)()
        end)
        print(ok, asyncio.isinstance(err, asyncio.KeyboardInterrupt))
      end
    ]]
    assert.equal(("false\ttrue\n"):rep(3), out)
  end)
end)

describe("a scope in a coroutine", function()
  local function sleeper(t, name)
    return function()
      local _ <close> = closing(function()
        pause()
        t(name)
      end)
      asyncio.sleep(10)
    end
  end

  ait("waits at its end, also when an error or a cancellation leaves it", function()
    local t = helper.trace()
    local function body(fn)
      return function()
        local group <close> = asyncio.TaskGroup()
        group:create_task(sleeper(t, "child"))
        pause(2)
        fn()
      end
    end
    helper.raises(asyncio.ExceptionGroup, co.wrap(body(error)))
    local task = asyncio.create_task(co.wrap(body(function()
      asyncio.sleep(10)
    end)))
    pause(4)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    assert.same({ "child", "child" }, t:list())
  end)

  ait("waits when it is the scope of a generator that is left", function()
    local t = helper.trace()
    for i in asyncio.generator(function(yield)
      local lock <const> = asyncio.Lock()
      local _ <close> = lock:acquire()
      local group <close> = asyncio.TaskGroup()
      group:create_task(sleeper(t, "child"))
      asyncio.sleep(0)
      for n = 1, 3 do
        yield(n)
      end
    end) do
      t(i)
      if i == 2 then
        break
      end
    end
    t "after"
    assert.same({ 1, 2, "child", "after" }, t:list())
  end)
end)
