local asyncio = require "asyncio"
local child = require "spec.child"
local helper = require "spec.helper"

describe("run", function()
  it("passes arguments in and all results out", function()
    local results = table.pack(asyncio.run(function(...)
      asyncio.sleep(0)
      return select("#", ...), ...
    end, 1, nil, 3, nil))
    assert.same({ n = 5, 4, 1, nil, 3 }, results)
    assert.equal(0, select("#", asyncio.run(function() end)))
  end)

  it("takes every kind of awaitable", function()
    local function five()
      asyncio.sleep(0)
      return 5
    end
    assert.equal(5, asyncio.run(five))
    assert.equal(5, asyncio.run(asyncio.async(five)))
    assert.equal(5, asyncio.run(asyncio.async(five)()))
    assert.equal(5, asyncio.run(coroutine.create(five)))
    assert.equal(5, asyncio.run(setmetatable({}, { __await = five })))
  end)

  it("calls a coroutine function with the arguments that follow it", function()
    local add = asyncio.async(function(a, b)
      return a + b
    end)
    assert.equal(3, asyncio.run(add, 1, 2))
  end)

  it("takes options after an awaitable", function()
    local look = asyncio.async(function()
      return asyncio.get_running_loop():get_debug(), asyncio.current_task():get_name()
    end)
    assert.same({ true, "main" }, { asyncio.run(look(), { debug = true, name = "main" }) })
    assert.is_false((asyncio.run(look())))
  end)

  it("raises the error of main unchanged", function()
    local err = {}
    assert.equal(err, helper.catch(asyncio.run, error, err))
    assert.equal("text", helper.catch(asyncio.run, error, "text", 0))
    assert.is_false(helper.catch(asyncio.run, error, false))
    assert.equal("<no error object>", helper.catch(asyncio.run, error, nil))
  end)

  it("raises CancelledError when main is cancelled", function()
    local err = helper.raises(asyncio.CancelledError, asyncio.run, function()
      asyncio.current_task():cancel "enough"
      asyncio.sleep(0)
    end)
    assert.equal("enough", err.message)
  end)

  it("refuses to run inside a run", function()
    asyncio.run(function()
      helper.raises(asyncio.RuntimeError, asyncio.run, function() end)
      local loop <const> = asyncio.new_event_loop()
      helper.raises(asyncio.RuntimeError, loop.run_forever, loop)
      helper.raises(asyncio.RuntimeError, loop.run_until_complete, loop, function() end)
      loop:close()
    end)
  end)

  it("gives each run a loop of its own, closed at the end", function()
    local first = asyncio.run(asyncio.get_running_loop)
    local second = asyncio.run(asyncio.get_running_loop)
    assert.not_equal(first, second)
    assert.is_true(first:is_closed())
    assert.is_false(first:is_running())
    helper.raises(asyncio.RuntimeError, asyncio.get_running_loop)
  end)

  it("closes its loop after an error, too", function()
    local loop
    helper.catch(asyncio.run, function()
      loop = asyncio.get_running_loop()
      error "failed"
    end)
    assert.is_true(loop:is_closed())
  end)

  it("takes a step of each task made by then before main goes on", function()
    local t = helper.trace()
    local function note(what)
      t(what)
    end
    asyncio.run(function()
      asyncio.create_task(note, "first")
      asyncio.create_task(note, "second")
      t "main"
      asyncio.sleep(0)
      t "main again"
    end)
    assert.same({ "main", "first", "second", "main again" }, t:list())
  end)
end)

describe("the end of run", function()
  it("cancels what is left, and waits for it", function()
    local t = helper.trace()
    local function worker(name)
      local ok, err = pcall(asyncio.sleep, 3600)
      t(name, ok, asyncio.isinstance(err, asyncio.CancelledError))
      asyncio.sleep(0.01)
      t(name, "cleaned up")
      error(err)
    end
    asyncio.run(function()
      asyncio.create_task(worker, "a")
      asyncio.create_task(worker, "b")
      asyncio.sleep(0)
    end)
    assert.same({ "a false true", "b false true", "a cleaned up", "b cleaned up" }, t:list())
  end)

  it("never starts a task that had no turn", function()
    local started, task = false, nil
    asyncio.run(function()
      task = asyncio.create_task(function()
        started = true
      end)
    end)
    assert.is_false(started)
    assert.is_true(task:cancelled())
  end)

  it("keeps the results of main while others end", function()
    assert.equal("kept", asyncio.run(function()
      asyncio.create_task(function()
        pcall(asyncio.sleep, 3600)
        return "lost"
      end)
      asyncio.sleep(0)
      return "kept"
    end))
  end)

  it("tells the exception handler of tasks that fail when they are cancelled", function()
    local contexts = {}
    local task
    asyncio.run(function()
      asyncio.get_running_loop():set_exception_handler(function(_, context)
        contexts[#contexts + 1] = context
      end)
      task = asyncio.create_task(function()
        pcall(asyncio.sleep, 3600)
        error("clumsy", 0)
      end)
      asyncio.sleep(0)
    end)
    assert.equal(1, #contexts)
    assert.equal("clumsy", contexts[1].exception)
    assert.equal(task, contexts[1].task)
    assert.matches("shutdown", contexts[1].message)
  end)

  it("tells of errors that nobody took", function()
    local contexts = {}
    asyncio.run(function()
      asyncio.get_running_loop():set_exception_handler(function(_, context)
        contexts[#contexts + 1] = context.exception
      end)
      asyncio.create_task(error, "first", 0)
      asyncio.create_task(error, "second", 0)
      asyncio.sleep(0)
    end)
    assert.same({ "first", "second" }, contexts)
  end)

  it("ends though a task swallows its cancellation for a while", function()
    local turns = 0
    asyncio.run(function()
      asyncio.create_task(function()
        for _ = 1, 5 do
          pcall(asyncio.sleep, 0.001)
          turns = turns + 1
        end
      end)
      asyncio.sleep(0)
    end)
    assert.equal(5, turns)
  end)

  it("runs <close> variables of cancelled tasks, which may suspend", function()
    local t = helper.trace()
    asyncio.run(function()
      asyncio.create_task(function()
        local _ <close> = setmetatable({}, { __close = function(_, err)
          t(asyncio.isinstance(err, asyncio.CancelledError))
          asyncio.sleep(0.001)
          t "closed"
        end })
        asyncio.sleep(3600)
      end)
      asyncio.sleep(0)
    end)
    assert.same({ true, "closed" }, t:list())
  end)

  it("says where an error was raised that nothing catches", function()
    local failing = [[
      local asyncio = require "asyncio"
      local function deep() error "boom" end
      local function main() deep() end
    ]]
    local result = helper.run_script(failing .. "asyncio.run(main)")
    local text = "^asyncio: the main task failed, and nothing catches its error\n"
    assert.matches(text, result.stderr)
    assert.matches("script:2: in .-\n.*script:3: in ", result.stderr)
    assert.equal("", helper.check_script(failing .. "pcall(asyncio.run, main)"))
    result = helper.run_script(failing .. "asyncio.catch(asyncio.TimeoutError, asyncio.run, main)")
    assert.matches(text, result.stderr)
    local caught = "asyncio.catch(asyncio.TimeoutError, asyncio.run, error, asyncio.TimeoutError())"
    assert.equal("", helper.check_script(failing .. caught))
  end)

  it("shows where a task failed that the end cancelled", function()
    local _, err = child.check [[
      asyncio.run(function()
        asyncio.create_task(function() pcall(asyncio.sleep, 9) error "late" end)
        asyncio.sleep(0)
      end)
    ]]
    assert.matches("unhandled exception during .*script:2: late.*stack traceback:", err)
  end)
end)
