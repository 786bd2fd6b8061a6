local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local MyError <const> = asyncio.exception "MyError"

local function fail_soon(err)
  asyncio.sleep(0)
  error(err, 0)
end

-- The ExceptionGroup that fn(...) raises, and its errors as text.
local function group_of(fn, ...)
  local group = helper.raises(asyncio.ExceptionGroup, fn, ...)
  local texts = {}
  for i, err in ipairs(group.exceptions) do
    texts[i] = tostring(err)
  end
  return group, texts
end

describe("a task group", function()
  ait("ends when its children have ended", function()
    local t = helper.trace()
    local first, second
    do
      local group <close> = asyncio.TaskGroup()
      first = group:create_task(function()
        asyncio.sleep(0)
        t "first"
        return 42
      end)
      second = group:create_task(function(...)
        asyncio.sleep(0.001)
        t "second"
        return ...
      end, 1, nil, 3)
      t "body"
    end
    t "after"
    assert.same({ "body", "first", "second", "after" }, t:list())
    assert.equal(42, first:result())
    assert.same({ n = 3, 1, nil, 3 }, table.pack(second:result()))
  end)

  ait("takes children while the body goes on", function()
    local group <close> = asyncio.TaskGroup()
    local first = group:create_task(asyncio.sleep, 0, 1)
    assert.equal(1, first:await())
    local second = group:create_task(asyncio.sleep, 0, 2)
    asyncio.sleep(0.001)
    assert.is_true(second:done())
    group:create_task(asyncio.sleep, 0)
  end)

  ait("without children does not suspend", function()
    local other = asyncio.create_task(asyncio.sleep, 0)
    do
      local _ <close> = asyncio.TaskGroup()
    end
    do
      local group <close> = asyncio.TaskGroup()
      local done = asyncio.create_task(asyncio.sleep, 0)
      group:create_task(done.await, done):await()
      assert.is_true(other:done())
      other = asyncio.create_task(asyncio.sleep, 0)
    end
    assert.is_false(other:done())
  end)

  ait("goes on when a child is cancelled", function()
    local cancelled, other
    do
      local group <close> = asyncio.TaskGroup()
      cancelled = group:create_task(asyncio.sleep, 1000)
      other = group:create_task(asyncio.sleep, 0.001, "other")
      group:create_task(error, asyncio.CancelledError())
      asyncio.sleep(0)
      cancelled:cancel()
    end
    assert.is_true(cancelled:cancelled())
    assert.equal("other", other:result())
  end)

  ait("waits for the children of its children", function()
    local t = helper.trace()
    do
      local group <close> = asyncio.TaskGroup()
      local function child(depth)
        asyncio.sleep(0)
        t(depth)
        if depth > 0 then
          group:create_task(child, depth - 1)
          group:create_task(child, depth - 1)
        end
      end
      group:create_task(child, 2)
    end
    assert.same({ 2, 1, 1, 0, 0, 0, 0 }, t:list())
  end)

  ait("lists its unfinished tasks and prints its state", function()
    local group = asyncio.TaskGroup()
    assert.is_true(asyncio.isinstance(group, asyncio.TaskGroup))
    assert.equal("<TaskGroup open tasks=0 errors=0>", tostring(group))
    do
      local _ <close> = group
      local first = group:create_task(asyncio.sleep, 0)
      local second = group:create_task(function()
        asyncio.sleep(0.001)
        assert.equal("<TaskGroup exiting tasks=1 errors=0>", tostring(group))
      end)
      assert.same({ first, second }, group:tasks())
      asyncio.sleep(0)
      asyncio.sleep(0)
      assert.same({ second }, group:tasks())
      assert.equal("<TaskGroup open tasks=1 errors=0>", tostring(group))
    end
    assert.same({}, group:tasks())
    assert.equal("<TaskGroup finished tasks=0 errors=0>", tostring(group))
  end)

  ait("takes whatever can be awaited but futures", function()
    local group <close> = asyncio.TaskGroup()
    local async = asyncio.async(function(...)
      asyncio.sleep(0)
      return ...
    end)
    local list = {
      group:create_task(async, 1, 2),
      group:create_task(async(3)),
      group:create_task(coroutine.create(function()
        return 4
      end)),
      group:create_task(setmetatable({}, {
        __await = function()
          return asyncio.sleep(0, 5)
        end,
      })),
    }
    assert.same({ n = 4, 1, 3, 4, 5 }, asyncio.gather(list):await())
    local values = { asyncio.Future(), list[1], 1, "x", {} }
    for i = 1, #values do
      local why = i <= 2 and "a future is no body" or "function or awaitable expected"
      helper.raises("bad argument #1 to 'create_task' %(" .. why, function()
        group:create_task(values[i])
      end)
    end
    helper.raises("bad argument #1", function()
      group:create_task()
    end)
    helper.raises("TaskGroup expected", group.create_task, 1, asyncio.sleep)
  end)

  ait("passes options on", function()
    local group <close> = asyncio.TaskGroup()
    local async = asyncio.async(function()
      asyncio.sleep(0)
      return asyncio.current_task():get_name()
    end)
    assert.equal("yolo", group:create_task(async(), { name = "yolo" }):await())
    local var = asyncio.ContextVar "var"
    local context = asyncio.copy_context()
    local set = asyncio.async(var.set)
    group:create_task(set(var, 1), { context = context }):await()
    assert.equal(1, context:get(var))
    group:create_task(set(var, 2), { context = context }):await()
    assert.equal(2, context:get(var))
    assert.is_true(group:create_task(asyncio.async(os.time)(), { eager_start = true }):done())
    helper.raises("table expected, got number", function()
      group:create_task(async(), 5)
    end)
  end)

  ait("is in the task's description and in the call graph", function()
    local task = asyncio.create_task(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(asyncio.sleep, 1000):set_name "child"
    end)
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.matches("waits in a task group for <Task 'child'>", tostring(task))
    local child
    for _, other in ipairs(asyncio.all_tasks()) do
      child = other:get_name() == "child" and other or child
    end
    assert.equal(task, asyncio.capture_call_graph(child).awaited_by[1].future)
    task:cancel()
    asyncio.wait { task }
  end)
end)

describe("a task group whose child fails", function()
  ait("cancels the others and raises an ExceptionGroup", function()
    local t = helper.trace()
    local second
    local group, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail_soon, "boom")
      second = group:create_task(function()
        local _ <close> = setmetatable({}, {
          __close = function(_, err)
            t(tostring(err))
            asyncio.sleep(0) -- the group waits for this
            t "cleaned"
          end,
        })
        asyncio.sleep(1000)
      end)
    end)
    t "after"
    assert.same({ "boom" }, texts)
    assert.equal("unhandled errors in a TaskGroup", group.message)
    assert.same({ "CancelledError", "cleaned", "after" }, t:list())
    assert.is_true(second:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0) -- nothing is left of it
  end)

  ait("cancels its body", function()
    local t = helper.trace()
    local _, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      for i = 1, 3 do
        group:create_task(fail_soon, "boom " .. i)
      end
      local other = group:create_task(asyncio.sleep, 1000)
      local ok, err = pcall(asyncio.sleep, 1000)
      t(ok, asyncio.isinstance(err, asyncio.CancelledError))
      t(asyncio.current_task():cancelling(), other:done())
      error(err, 0)
    end)
    assert.same({ "boom 1", "boom 2", "boom 3" }, texts)
    assert.same({ "false true", "1 true" }, t:list()) -- the children come first
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0)
  end)

  ait("raises when the body swallows its cancellation", function()
    local _, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail_soon, "boom")
      pcall(asyncio.sleep, 1000)
      asyncio.sleep(0) -- it can even go on
      assert.equal(1, asyncio.current_task():cancelling())
    end)
    assert.same({ "boom" }, texts)
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0)
  end)

  ait("raises when the body never awaited", function()
    local task = asyncio.create_task(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(error, "at once", 0)
    end)
    helper.raises(asyncio.ExceptionGroup, task.await, task)
    assert.equal(0, task:cancelling())
  end)

  ait("has what fails during the shutdown, in order of failure", function()
    local _, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(function()
        pcall(asyncio.sleep, 1000)
        asyncio.sleep(0)
        error("third", 0)
      end)
      group:create_task(function()
        pcall(asyncio.sleep, 1000)
        error("second", 0)
      end)
      group:create_task(fail_soon, "first")
    end)
    assert.same({ "first", "second", "third" }, texts)
  end)

  ait("keeps the error values as they are", function()
    local errors = { {}, MyError "mine", 12, false }
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      for _, err in ipairs(errors) do
        group:create_task(fail_soon, err)
      end
    end)
    assert.same(errors, group.exceptions)
    assert.equal(errors[1], group.exceptions[1])
    assert.equal(errors[2], group.exceptions[2])
    assert.matches("task_group_spec.lua:10", errors[2].traceback)
    assert.matches("task_group_spec.lua:10", group.tracebacks[3])
  end)

  ait("takes no more children", function()
    local coro = asyncio.async(asyncio.sleep)(0)
    local t = helper.trace()
    group_of(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail_soon, "boom")
      group:create_task(function()
        pcall(asyncio.sleep, 1000)
        local err = helper.raises(asyncio.RuntimeError, group.create_task, group, coro)
        t(err.message)
      end)
    end)
    assert.same({ "create_task: the task group is shutting down" }, t:list())
    assert.matches("closed", tostring(coro))
  end)

  ait("cancels children that have not started", function()
    local ran = false
    local _, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(function()
        group:create_task(error, "boom", 0)
        asyncio.sleep(0)
        asyncio.sleep(0)
        ran = true
      end)
    end)
    assert.same({ "boom" }, texts)
    assert.is_false(ran)
  end)

  ait("stops a hydra", function()
    local heads = 0
    local _, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      local function hydra()
        heads = heads + 1
        asyncio.sleep(0)
        group:create_task(hydra)
        group:create_task(hydra)
      end
      group:create_task(hydra)
      group:create_task(function()
        while heads < 10 do
          asyncio.sleep(0)
        end
        error("cut", 0)
      end)
    end)
    assert.is_true(heads >= 10)
    assert.equal("cut", texts[1])
  end)

  ait("has the errors to itself: nothing is reported", function()
    local reports = helper.trace()
    asyncio.get_running_loop():set_exception_handler(function(_, context)
      reports(context.message)
    end)
    group_of(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail_soon, "one")
      group:create_task(fail_soon, "two")
    end)
    helper.collect()
    asyncio.sleep(0)
    assert.same({}, reports:list())
  end)
end)

describe("a task group whose body fails", function()
  ait("cancels its children and wraps the error", function()
    for _, started in ipairs { true, false } do
      local first, second
      local err = MyError "mine"
      local group = helper.raises(asyncio.ExceptionGroup, function()
        local group <close> = asyncio.TaskGroup()
        first = group:create_task(asyncio.sleep, 1000)
        second = group:create_task(asyncio.sleep, 1000)
        if started then
          asyncio.sleep(0)
        end
        error(err)
      end)
      assert.same({ err }, group.exceptions)
      assert.is_true(first:cancelled() and second:cancelled())
    end
  end)

  ait("wraps it without children, too", function()
    local _, texts = group_of(function()
      local _ <close> = asyncio.TaskGroup()
      error("boom", 0)
    end)
    assert.same({ "boom" }, texts)
  end)

  ait("has the body's error last", function()
    local _, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail_soon, "child")
      pcall(asyncio.sleep, 1000)
      error("body", 0)
    end)
    assert.same({ "child", "body" }, texts)
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("has the error of a scope inside it", function()
    local _, texts = group_of(function()
      local group <close> = asyncio.TaskGroup()
      local _ <close> = setmetatable({}, {
        __close = function()
          error("database", 0)
        end,
      })
      group:create_task(error, "child", 0)
      asyncio.sleep(1000)
    end)
    assert.same({ "child", "database" }, texts)
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("lets the CancelledError of something it awaited pass", function()
    local child
    local other = asyncio.create_task(asyncio.sleep, 1000)
    other:cancel "other"
    local err = helper.raises(asyncio.CancelledError, function()
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      other:await()
    end)
    assert.equal("other", err.message)
    assert.is_true(child:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
  end)
end)

describe("task groups inside each other", function()
  ait("the inner one's error is one of the outer one's", function()
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local outer <close> = asyncio.TaskGroup()
      outer:create_task(asyncio.sleep, 1000)
      local inner <close> = asyncio.TaskGroup()
      inner:create_task(fail_soon, "inner")
    end)
    assert.equal(1, #group.exceptions)
    assert.same({ "inner" }, group.exceptions[1].exceptions)
  end)

  ait("the outer one's error cancels the inner one", function()
    local child
    local _, texts = group_of(function()
      local outer <close> = asyncio.TaskGroup()
      outer:create_task(fail_soon, "outer")
      local inner <close> = asyncio.TaskGroup()
      child = inner:create_task(asyncio.sleep, 1000)
    end)
    assert.same({ "outer" }, texts)
    assert.is_true(child:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("both fail at once", function()
    local task = asyncio.current_task()
    local _, texts = group_of(function()
      local outer <close> = asyncio.TaskGroup()
      local _, inner = group_of(function()
        local inner <close> = asyncio.TaskGroup()
        inner:create_task(fail_soon, "inner")
        outer:create_task(fail_soon, "outer")
      end)
      assert.same({ "inner" }, inner)
      assert.equal(1, task:cancelling())
    end)
    assert.same({ "outer" }, texts)
    assert.equal(0, task:cancelling())
    asyncio.sleep(0)
  end)

  ait("in a child", function()
    local _, texts = group_of(function()
      local outer <close> = asyncio.TaskGroup()
      outer:create_task(function()
        local inner <close> = asyncio.TaskGroup()
        inner:create_task(fail_soon, MyError "deep")
      end)
      asyncio.sleep(1000)
    end)
    assert.equal("ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
      texts[1]:match "^[^\n]*")
    assert.matches("MyError: deep", texts[1])
  end)

  ait("many, one after the other, leave nothing behind", function()
    for _ = 1, 200 do
      local outer <close> = asyncio.TaskGroup()
      outer:create_task(function()
        local inner <close> = asyncio.TaskGroup()
        inner:create_task(asyncio.sleep, 0)
      end)
    end
    assert.equal(1, #asyncio.all_tasks())
  end)
end)
