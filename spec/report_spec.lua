local asyncio = require "asyncio"
local child = require "spec.child"

-- Runs main on a loop whose handler collects the contexts, and returns these.
local function collect(main)
  local contexts = {}
  asyncio.run(function()
    local loop = asyncio.get_running_loop()
    loop:set_exception_handler(function(l, context)
      assert(l == loop)
      contexts[#contexts + 1] = context
    end)
    main(loop)
  end)
  return contexts
end

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

local function fail(err)
  error(err, 0)
end

local function collect_garbage()
  collectgarbage()
  collectgarbage()
end

describe("an error that nobody took", function()
  it("is reported in the turn after the task was collected", function()
    local seen
    local contexts = collect(function()
      asyncio.create_task(fail, "lost"):set_name "loser"
      turns(1)
      collect_garbage()
      turns(1)
      seen = true
    end)
    assert.is_true(seen)
    assert.equal(1, #contexts)
    assert.equal("Task exception was never retrieved", contexts[1].message)
    assert.equal("lost", contexts[1].exception)
    assert.equal("loser", contexts[1].task:get_name())
    assert.is_nil(contexts[1].future)
  end)

  it("is reported before the loop closes, by age of the failure", function()
    local kept = {}
    local contexts = collect(function(loop)
      kept[1] = asyncio.create_task(fail, "second")
      kept[2] = loop:create_future()
      kept[2]:set_exception "first"
      kept[3] = asyncio.create_task(fail, "third")
      turns(1)
      collect_garbage()
    end)
    assert.same({ "first", "second", "third" }, {
      contexts[1].exception,
      contexts[2].exception,
      contexts[3].exception,
    })
    assert.equal("Future exception was never retrieved", contexts[1].message)
    assert.equal(kept[2], contexts[1].future)
    assert.equal(kept[1], contexts[2].task)
  end)

  it("is reported while the loop runs, not only at its end", function()
    local during
    local contexts
    contexts = collect(function()
      asyncio.create_task(fail, "lost")
      turns(1)
      collect_garbage()
      turns(1)
      during = asyncio.get_running_loop():is_running()
    end)
    assert.is_true(during)
    assert.equal(1, #contexts)
  end)

  it("is reported once", function()
    local kept
    local contexts = collect(function()
      kept = asyncio.create_task(fail, "lost")
      turns(1)
    end)
    collect_garbage()
    assert.equal(1, #contexts)
    assert.is_true(kept:done())
    kept = nil -- luacheck: ignore
    collect_garbage()
    assert.equal(1, #contexts)
  end)

  it("leaves the future usable by the handler", function()
    local contexts = collect(function()
      asyncio.create_task(fail, "lost")
      turns(1)
      collect_garbage()
      turns(1)
    end)
    assert.equal("lost", contexts[1].task:exception())
    assert.is_true(contexts[1].task:done())
  end)

  it("is not reported when it was taken", function()
    local takers = {
      await = function(task)
        pcall(task.await, task)
      end,
      exception = function(task)
        turns(1)
        task:exception()
      end,
      result = function(task)
        turns(1)
        pcall(task.result, task)
      end,
      gather = function(task)
        asyncio.gather({ task }, { return_exceptions = true }):await()
      end,
      late = function(task)
        turns(5)
        collect_garbage()
        turns(5)
        task:exception()
      end,
    }
    for name, take in pairs(takers) do
      local contexts = collect(function()
        take(asyncio.create_task(fail, name))
        collect_garbage()
        turns(1)
      end)
      assert.same({}, contexts, name)
    end
  end)

  it("is not made of a cancellation or of a result", function()
    local contexts = collect(function()
      asyncio.create_task(asyncio.sleep, 10):cancel()
      asyncio.create_task(fail, asyncio.CancelledError())
      asyncio.create_task(asyncio.sleep, 0)
      turns(2)
      collect_garbage()
      turns(1)
    end)
    assert.same({}, contexts)
  end)

  it("is reported for a shielded task whose outer future was cancelled", function()
    local contexts = collect(function()
      local inner = asyncio.create_task(function()
        asyncio.sleep(0)
        error("inner", 0)
      end)
      asyncio.shield(inner):cancel()
      turns(3)
    end)
    assert.equal(1, #contexts)
    assert.equal("inner", contexts[1].exception)
  end)

  it("has the traceback of where it was raised", function()
    local function deep()
      error "deep"
    end
    local contexts = collect(function()
      asyncio.create_task(function()
        deep()
      end)
      turns(1)
    end)
    assert.matches("^stack traceback:", contexts[1].traceback)
    assert.matches("in upvalue 'deep'", contexts[1].traceback)
  end)

  it("is reported by a loop that was never closed", function()
    local _, err = child.check [[
      local loop = asyncio.new_event_loop()
      local future = loop:create_future()
      future:set_exception "lost"
    ]]
    assert.matches("Future exception was never retrieved", err)
    assert.matches("error: lost", err)
  end)

  it("is reported when the future outlives its loop", function()
    local _, err = child.check [[
      local loop = asyncio.new_event_loop()
      local future = loop:create_future()
      loop:close()
      future:set_exception "late"
      future = nil
      collectgarbage()
      io.stderr:write "collected\n"
    ]]
    assert.matches("asyncio: Future exception was never retrieved\n.*error: late\n.*collected", err)
  end)

  it("is reported when future and loop are collected together", function()
    local _, err = child.check [[
      do
        local loop = asyncio.new_event_loop()
        loop:create_future():set_exception "both"
      end
      collectgarbage()
      collectgarbage()
      io.stderr:write "collected\n"
    ]]
    local _, count = err:gsub("error: both", "")
    assert.equal(1, count)
  end)

  it("is reported when the error came outside a run", function()
    local contexts = {}
    local loop = asyncio.new_event_loop()
    loop:set_exception_handler(function(_, context)
      contexts[#contexts + 1] = context.exception
    end)
    loop:create_future():set_exception "early"
    collect_garbage()
    assert.same({}, contexts) -- not from inside the collector
    loop:run_until_complete(asyncio.sleep, 0)
    assert.same({ "early" }, contexts)
    loop:close()
    assert.same({ "early" }, contexts)
  end)

  it("is reported when the run that awaited the task was stopped before", function()
    local contexts = {}
    local loop = asyncio.new_event_loop()
    loop:set_exception_handler(function(_, context)
      contexts[#contexts + 1] = context.exception
    end)
    assert.is_false(pcall(loop.run_until_complete, loop, function()
      loop:stop()
      asyncio.sleep(0)
      fail "late"
    end))
    loop:run_until_complete(turns, 3) -- the task fails here
    loop:close()
    assert.same({ "late" }, contexts)
  end)

  it("may be followed by a collection while ready tasks are closed", function()
    child.check [[
      local loop = asyncio.new_event_loop()
      local kept = loop:create_future()
      kept:set_exception "lost"
      loop:set_exception_handler(function() collectgarbage() end)
      for i = 1, 10 do
        loop:create_task(asyncio.sleep, i)
      end
      loop:close()
    ]]
  end)

  it("survives many at once", function()
    local n = 0
    asyncio.run(function()
      asyncio.get_running_loop():set_exception_handler(function()
        n = n + 1
      end)
      for i = 1, 1000 do
        asyncio.create_task(fail, i)
      end
      turns(2)
      collect_garbage()
      turns(2)
    end)
    assert.equal(1000, n)
  end)
end)

describe("the exception handler", function()
  it("gets the error of a callback, with its handle", function()
    local handle
    local contexts = collect(function(loop)
      handle = loop:call_soon(fail, "oops")
      turns(1)
    end)
    assert.equal(1, #contexts)
    assert.equal("oops", contexts[1].exception)
    assert.equal(handle, contexts[1].handle)
    assert.is_string(contexts[1].message)
  end)

  it("gets a traceback that ends at the callback", function()
    local function culprit()
      error "oops"
    end
    local contexts = collect(function(loop)
      loop:call_soon(culprit)
      loop:call_soon(function()
        error(asyncio.TimeoutError "late")
      end)
      turns(1)
    end)
    assert.matches("report_spec.lua:%d+: in function", contexts[1].traceback)
    assert.not_matches("run_until_complete", contexts[1].traceback)
    assert.not_matches("runner.lua", contexts[1].traceback)
    assert.equal(contexts[2].exception.traceback, contexts[2].traceback)
  end)

  it("gets the errors of done callbacks and timers, with a Handle", function()
    local contexts = collect(function(loop)
      loop:call_later(0, fail, "timer")
      local future = loop:create_future()
      future:add_done_callback(function()
        fail "done"
      end)
      future:set_result()
      turns(2)
    end)
    local errors = { contexts[1].exception, contexts[2].exception }
    table.sort(errors)
    assert.same({ "done", "timer" }, errors)
    for _, context in ipairs(contexts) do
      assert.is_true(asyncio.isinstance(context.handle, asyncio.Handle)
        or asyncio.isinstance(context.handle, asyncio.TimerHandle))
    end
  end)

  it("does not stop the loop, and other callbacks run", function()
    local ran = false
    local contexts = collect(function(loop)
      loop:call_soon(fail, 1)
      loop:call_soon(function()
        ran = true
      end)
      turns(1)
    end)
    assert.equal(1, #contexts)
    assert.is_true(ran)
  end)

  it("runs in the context of the callback that failed", function()
    local var = asyncio.ContextVar("var", "outside")
    local seen = {}
    asyncio.run(function()
      local loop = asyncio.get_running_loop()
      loop:set_exception_handler(function()
        seen[#seen + 1] = var:get()
      end)
      var:set "callback"
      loop:call_soon(fail, "x")
      var:set "main"
      turns(1)
    end)
    assert.same({ "callback" }, seen)
  end)

  it("runs in the context of the task that failed", function()
    local var = asyncio.ContextVar("var", "outside")
    local seen
    asyncio.run(function()
      asyncio.get_running_loop():set_exception_handler(function()
        seen = var:get()
      end)
      asyncio.create_task(function()
        var:set "task"
        error "x"
      end)
      turns(1)
      collect_garbage()
      turns(1)
    end)
    assert.equal("task", seen)
    assert.equal("outside", var:get())
  end)

  it("cannot suspend", function()
    local _, err = child.check [[
      asyncio.run(function()
        local loop = asyncio.get_running_loop()
        loop:set_exception_handler(function() asyncio.sleep(0) end)
        loop:call_soon(error, "first")
        asyncio.sleep(0)
        print "went on"
      end)
    ]]
    assert.matches("asyncio: the exception handler failed\n", err)
    assert.matches("'sleep'", err)
    assert.matches("error: first", err)
  end)

  it("that fails leaves both errors to the default one", function()
    local out, err = child.check [[
      asyncio.run(function()
        local loop = asyncio.get_running_loop()
        loop:set_exception_handler(function() error("second", 0) end)
        loop:call_soon(error, "first")
        asyncio.sleep(0)
        print "went on"
      end)
    ]]
    assert.equal("went on\n", out)
    assert.matches("the exception handler failed\n  error: second\n.*error: first", err)
  end)

  it("leaves the loop with KeyboardInterrupt", function()
    local ok, err = pcall(asyncio.run, function()
      local loop = asyncio.get_running_loop()
      loop:set_exception_handler(function()
        error(asyncio.KeyboardInterrupt())
      end)
      loop:call_soon(fail, "x")
      asyncio.sleep(5)
    end)
    assert.is_false(ok)
    assert.is_true(asyncio.isinstance(err, asyncio.KeyboardInterrupt))
  end)

  it("may be any callable, and is given back", function()
    local loop = asyncio.new_event_loop()
    local seen
    local handler = setmetatable({}, {
      __call = function(_, _, context)
        seen = context
      end,
    })
    assert.is_nil(loop:get_exception_handler())
    loop:set_exception_handler(handler)
    assert.equal(handler, loop:get_exception_handler())
    local context = { message = "hello" }
    loop:call_exception_handler(context)
    assert.equal(context, seen)
    loop:close()
  end)

  it("is called by call_exception_handler, also outside a run", function()
    local loop = asyncio.new_event_loop()
    local seen
    loop:set_exception_handler(function(l, context)
      seen = { l, context }
    end)
    local context = { message = "mine", extra = 1 }
    loop:call_exception_handler(context)
    assert.equal(loop, seen[1])
    assert.equal(context, seen[2])
    loop:set_exception_handler(function()
      error(asyncio.KeyboardInterrupt())
    end)
    local ok, err = pcall(loop.call_exception_handler, loop, context)
    assert.is_false(ok)
    assert.is_true(asyncio.isinstance(err, asyncio.KeyboardInterrupt))
    loop:close()
  end)

  it("checks its arguments", function()
    local loop = asyncio.new_event_loop()
    for _, name in ipairs { "call_exception_handler", "default_exception_handler" } do
      local method = loop[name]
      assert.error_matches(function() method(loop) end, "table expected")
      assert.error_matches(function() method(loop, {}) end, "field 'message' is missing")
      assert.error_matches(function() method({}, { message = "x" }) end, "EventLoop expected")
    end
    loop:close()
  end)
end)

describe("the default exception handler", function()
  local function written(code)
    local _, err = child.check(code)
    return err
  end

  it("writes the message, the task, the error and the traceback", function()
    local err = written [[
      asyncio.run(function()
        asyncio.create_task(function()
          error "boom"
        end):set_name "fetch"
        asyncio.sleep(0)
      end)
    ]]
    assert.matches("^asyncio: Task exception was never retrieved\n", err)
    assert.matches("\n  task: <Task failed name='fetch'", err)
    assert.matches("\n  error: script:3: boom\n  stack traceback:\n  \t%[C%]: in function", err)
  end)

  it("writes other fields in order of their names", function()
    local err = written [[
      local loop = asyncio.new_event_loop()
      loop:default_exception_handler {
        message = "look", zebra = 1, apple = "red", [1] = "no", middle = true,
      }
    ]]
    assert.equal("asyncio: look\n  apple: red\n  middle: true\n  zebra: 1\n", err)
  end)

  it("prints an ExceptionGroup as a tree", function()
    local err = written [[
      local group = asyncio.ExceptionGroup("many", { asyncio.TimeoutError "a", "b" })
      asyncio.new_event_loop():default_exception_handler { message = "x", exception = group }
    ]]
    assert.equal(table.concat({
      "asyncio: x",
      "  error: ExceptionGroup: many (2 sub-exceptions)",
      "  |- TimeoutError: a",
      "  `- b",
      "",
    }, "\n"), err)
  end)

  it("says who awaited the task that failed", function()
    local err = written [[
      asyncio.run(function()
        local inner = asyncio.create_task(error, "boom")
        asyncio.create_task(function() inner:await() end):set_name "outer"
        asyncio.sleep(0)
        asyncio.sleep(0)
      end)
    ]]
    assert.matches("awaited by outer", err)
    local _, count = err:gsub("never retrieved", "")
    assert.equal(1, count)
  end)

  it("never raises", function()
    local err = written [[
      local bad = setmetatable({}, { __tostring = function() error "no" end })
      local loop = asyncio.new_event_loop()
      loop:default_exception_handler { message = bad }
      loop:default_exception_handler { message = "m", exception = bad }
      loop:default_exception_handler { message = "m", exception = false }
      loop:default_exception_handler { message = "m", exception = asyncio.Error(bad) }
      loop:create_task(error, bad):set_name "culprit"
      loop:run_until_complete(asyncio.sleep, 0)
      loop:close()
    ]]
    local _, lines = err:gsub("asyncio: ", "")
    assert.equal(5, lines)
    assert.matches("error: false", err)
    assert.matches("Error: %(a table that cannot be shown%)", err)
    assert.matches("task: <Task failed name='culprit' exception=%(a table that", err)
  end)
end)
