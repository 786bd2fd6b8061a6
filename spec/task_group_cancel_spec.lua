-- Task groups and cancellation: of their parent, of the group, and timeouts.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

-- A task that runs fn(...), and that has come to its first waits.
local function started(fn, ...)
  local task = asyncio.create_task(fn, ...)
  turns(3)
  return task
end

-- The error of the awaited task.
local function error_of(task)
  return helper.catch(task.await, task)
end

-- A child that notes its cancellation and its end, so many turns later.
local function stubborn(t, n)
  local ok, err = pcall(asyncio.sleep, 1000)
  t("cancelled", ok, err)
  turns(n)
  t "ended"
end

describe("cancelling the parent of a task group", function()
  ait("in the exit cancels the children and goes on", function()
    local t = helper.trace()
    local task = started(function()
      local group <close> = asyncio.TaskGroup()
      for _ = 1, 3 do
        group:create_task(stubborn, t, 1)
      end
    end)
    task:cancel "test"
    assert.equal("test", error_of(task).message)
    assert.is_true(task:cancelled())
    assert.equal(1, task:cancelling())
    assert.same({
      "cancelled false CancelledError",
      "cancelled false CancelledError",
      "cancelled false CancelledError",
      "ended",
      "ended",
      "ended",
    }, t:list())
  end)

  ait("in the body cancels the children and goes on", function()
    local t = helper.trace()
    local task = started(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(stubborn, t, 1)
      local _, err = pcall(asyncio.sleep, 1000)
      t "body"
      error(err, 0)
    end)
    task:cancel "test"
    assert.equal("test", error_of(task).message)
    assert.is_true(task:cancelled())
    assert.same({ "body", "cancelled false CancelledError", "ended" }, t:list())
  end)

  ait("without children", function()
    local task = started(function()
      local _ <close> = asyncio.TaskGroup()
      asyncio.sleep(1000)
    end)
    task:cancel "test"
    assert.equal("test", error_of(task).message)
  end)

  ait("before it starts", function()
    local task = asyncio.create_task(function()
      error "never runs"
    end)
    task:cancel()
    error_of(task)
    assert.is_true(task:cancelled())
  end)

  ait("before its first await reaches the exit", function()
    local child
    local task = asyncio.create_task(function()
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      asyncio.current_task():cancel "early"
    end)
    assert.equal("early", error_of(task).message)
    assert.is_true(child:cancelled())
  end)

  ait("twice in the exit changes nothing", function()
    local t = helper.trace()
    local task = started(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(stubborn, t, 3)
    end)
    task:cancel "first"
    asyncio.sleep(0)
    task:cancel "second"
    asyncio.sleep(0)
    assert.is_false(task:done())
    assert.is_true(asyncio.isinstance(error_of(task), asyncio.CancelledError))
    assert.equal(2, task:cancelling())
    assert.same({ "cancelled false CancelledError", "ended" }, t:list())
  end)

  ait("in the body and again in the exit", function()
    local t = helper.trace()
    local task = started(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(stubborn, t, 3)
      asyncio.sleep(1000)
    end)
    task:cancel "first"
    turns(2)
    task:cancel "second"
    assert.equal("first", error_of(task).message)
    assert.same({ "cancelled false CancelledError", "ended" }, t:list())
  end)

  ait("that the body swallows lets it go on", function()
    local task = started(function()
      do
        local group <close> = asyncio.TaskGroup()
        group:create_task(asyncio.sleep, 0.001)
        pcall(asyncio.sleep, 1000)
      end
      asyncio.sleep(0)
      return "done"
    end)
    task:cancel()
    assert.equal("done", task:await())
    assert.equal(1, task:cancelling())
  end)

  ait("that becomes an error of the body", function()
    local child
    local task = started(function()
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      pcall(asyncio.sleep, 1000)
      error("cleanup", 0)
    end)
    task:cancel()
    assert.same({ "cleanup" }, error_of(task).exceptions)
    assert.is_true(child:cancelled())
    assert.equal(1, task:cancelling())
  end)

  ait("with a child that fails meanwhile raises that, then goes on", function()
    local t = helper.trace()
    local task = started(function()
      local ok, err = pcall(function()
        local group <close> = asyncio.TaskGroup()
        group:create_task(function()
          pcall(asyncio.sleep, 1000)
          error("child", 0)
        end)
        asyncio.sleep(1000)
      end)
      t(ok, err.name, asyncio.current_task():cancelling())
      asyncio.sleep(1000)
    end)
    task:cancel()
    assert.is_true(asyncio.isinstance(error_of(task), asyncio.CancelledError))
    assert.same({ "false ExceptionGroup 1" }, t:list())
    assert.is_true(task:cancelled())
  end)

  ait("at the time when a child fails", function()
    local t = helper.trace()
    local fail = asyncio.Future()
    local task = started(function()
      local ok, err = pcall(function()
        local group <close> = asyncio.TaskGroup()
        group:create_task(function()
          fail:await()
        end)
        asyncio.sleep(1000)
      end)
      t(ok, err.name, asyncio.current_task():cancelling())
      t(pcall(asyncio.sleep, 1000))
      t(asyncio.current_task():uncancel())
    end)
    fail:set_exception "boom"
    asyncio.sleep(0) -- the child has failed, and the group does not know yet
    task:cancel()
    task:await()
    assert.same({ "false ExceptionGroup 1", "false CancelledError", 0 }, t:list())
  end)

  it("that a child awaits never leaves the scope before the child", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local task
        task = asyncio.create_task(function()
          pcall(function()
            local group <close> = asyncio.TaskGroup()
            group:create_task(task.await, task)
          end)
          print "left"
        end)
        asyncio.sleep(0.001)
        task:cancel()
        task:await()
      end)
    ]]
    assert.equal("", result.stdout)
    assert.equal(1, result.code)
    assert.matches("DeadlockError", result.stderr)
  end)

  ait("of a group in a group", function()
    local t = helper.trace()
    local task = started(function()
      local outer <close> = asyncio.TaskGroup()
      outer:create_task(stubborn, t, 0)
      local inner <close> = asyncio.TaskGroup()
      inner:create_task(stubborn, t, 1)
    end)
    task:cancel "test"
    assert.equal("test", error_of(task).message)
    -- the inner one's children have ended before the outer one's are cancelled
    assert.same({
      "cancelled false CancelledError",
      "ended",
      "cancelled false CancelledError",
      "ended",
    }, t:list())
  end)

  ait("of a group in a child", function()
    local t = helper.trace()
    local task = started(function()
      local outer <close> = asyncio.TaskGroup()
      outer:create_task(function()
        local inner <close> = asyncio.TaskGroup()
        inner:create_task(stubborn, t, 1)
      end)
    end)
    task:cancel "test"
    assert.equal("test", error_of(task).message)
    assert.same({ "cancelled false CancelledError", "ended" }, t:list())
  end)

  ait("through a task that awaits it", function()
    local t = helper.trace()
    local task = started(function()
      asyncio.create_task(function()
        local group <close> = asyncio.TaskGroup()
        group:create_task(stubborn, t, 1)
      end):await()
    end)
    turns(2)
    task:cancel "test"
    assert.equal("test", error_of(task).message)
    assert.same({ "cancelled false CancelledError", "ended" }, t:list())
  end)
end)

describe("group:cancel()", function()
  ait("from the body cancels the children, and the body goes on", function()
    local child
    do
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      group:create_task(error, "never runs")
      asyncio.sleep(0, group:cancel "enough")
      assert.equal("<TaskGroup open cancelling tasks=0 errors=0>", tostring(group))
      helper.raises(asyncio.RuntimeError, group.create_task, group, asyncio.sleep)
      group:cancel "again"
    end
    assert.equal("enough", error_of(child).message)
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0)
  end)

  ait("from a child ends a scope that waits", function()
    local t = helper.trace()
    do
      local group <close> = asyncio.TaskGroup()
      group:create_task(stubborn, t, 1)
      group:create_task(function()
        asyncio.sleep(0)
        group:cancel()
        group:cancel()
        asyncio.sleep(1000) -- it is cancelled, too
        t "never comes here"
      end)
    end
    assert.same({ "cancelled false CancelledError", "ended" }, t:list())
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0)
  end)

  ait("from outside ends a scope that waits", function()
    local group, child
    local task = started(function()
      do
        group = asyncio.TaskGroup()
        local _ <close> = group
        child = group:create_task(asyncio.sleep, 1000)
      end
      asyncio.sleep(0)
      return asyncio.current_task():cancelling()
    end)
    group:cancel "enough"
    assert.equal(0, task:await())
    assert.equal("enough", error_of(child).message)
  end)

  -- a scope of Lua can replace an error, and cannot clear it
  ait("while the body waits cancels that; its error leaves the scope", function()
    local t = helper.trace()
    local group
    local task = started(function()
      local err = helper.raises(asyncio.CancelledError, function()
        group = asyncio.TaskGroup()
        local _ <close> = group
        group:create_task(stubborn, t, 1)
        asyncio.sleep(1000)
      end)
      t(err.message, asyncio.current_task():cancelling())
      asyncio.sleep(0) -- the task is not cancelled
      asyncio.current_task():cancel()
      t(pcall(asyncio.sleep, 0))
      return "done"
    end)
    group:cancel "enough"
    assert.equal("done", task:await())
    assert.same({
      "cancelled false CancelledError: enough",
      "ended",
      "enough 0",
      "false CancelledError",
    }, t:list())
  end)

  ait("while the body waits ends a task that does nothing about it", function()
    local group
    local task = started(function()
      group = asyncio.TaskGroup()
      local _ <close> = group
      asyncio.sleep(1000)
    end)
    group:cancel()
    assert.is_true(asyncio.isinstance(error_of(task), asyncio.CancelledError))
    assert.is_true(task:cancelled())
    assert.equal(0, task:cancelling())
  end)

  ait("is no error when the body catches its cancellation", function()
    local group
    local task = started(function()
      do
        group = asyncio.TaskGroup()
        local _ <close> = group
        pcall(asyncio.sleep, 1000)
      end
      asyncio.sleep(0)
      return asyncio.current_task():cancelling()
    end)
    group:cancel()
    assert.equal(0, task:await())
  end)

  ait("with a child that fails raises its error", function()
    local group
    local task = started(function()
      group = asyncio.TaskGroup()
      local _ <close> = group
      group:create_task(function()
        pcall(asyncio.sleep, 1000)
        error("boom", 0)
      end)
      asyncio.sleep(1000)
    end)
    group:cancel()
    assert.same({ "boom" }, error_of(task).exceptions)
    assert.equal(0, task:cancelling())
  end)

  ait("does not hide that the parent is cancelled, too", function()
    for _, waits_in in ipairs { "exit", "body" } do
      for _, first in ipairs { "group", "task" } do
        local t = helper.trace()
        local group
        local task = started(function()
          group = asyncio.TaskGroup()
          local _ <close> = group
          group:create_task(stubborn, t, 2)
          if waits_in == "body" then
            asyncio.sleep(1000)
          end
        end)
        if first == "group" then
          group:cancel()
          turns(1)
          task:cancel "stop"
        else
          task:cancel "stop"
          turns(1)
          group:cancel()
        end
        assert.is_true(asyncio.isinstance(error_of(task), asyncio.CancelledError))
        assert.equal(1, task:cancelling(), waits_in .. " " .. first)
      end
    end
  end)

  ait("of the body and then of the parent goes on", function()
    local group
    local task = started(function()
      group = asyncio.TaskGroup()
      local _ <close> = group
      group:create_task(stubborn, helper.trace(), 3)
      pcall(asyncio.sleep, 1000)
    end)
    group:cancel()
    turns(2)
    task:cancel "stop"
    assert.equal("stop", error_of(task).message)
  end)

  ait("from a callback", function()
    do
      local group <close> = asyncio.TaskGroup()
      group:create_task(asyncio.sleep, 1000)
      asyncio.get_running_loop():call_soon(group.cancel, group)
    end
    assert.equal(0, asyncio.current_task():cancelling())
    helper.raises("TaskGroup expected", asyncio.TaskGroup.cancel, 1)
    helper.raises("TaskGroup expected", asyncio.TaskGroup.tasks, {})
  end)

  ait("cancels what the children await", function()
    local future, shielded = asyncio.Future(), asyncio.Future()
    do
      local group <close> = asyncio.TaskGroup()
      group:create_task(future.await, future)
      group:create_task(asyncio.gather { future }.await, asyncio.gather { future })
      group:create_task(function()
        asyncio.shield(shielded):await()
      end)
      asyncio.sleep(0)
      group:cancel()
    end
    assert.is_true(future:cancelled())
    assert.is_false(shielded:done())
  end)
end)

describe("timeouts and task groups", function()
  ait("a timeout around a group cancels it", function()
    local t = helper.trace()
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      local group <close> = asyncio.TaskGroup()
      group:create_task(stubborn, t, 1)
    end)
    assert.same({ "cancelled false CancelledError", "ended" }, t:list())
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0)
  end)

  ait("a timeout around a group whose body waits cancels it", function()
    local child
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      asyncio.sleep(1000)
    end)
    assert.is_true(child:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("wait_for of a group cancels it", function()
    local child
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, function()
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
    end, 0.001)
    assert.is_true(child:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("a timeout that has passed at the exit", function()
    local child
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(-1)
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
    end)
    assert.is_true(child:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("an error comes before the timeout that passes meanwhile", function()
    local task = asyncio.current_task()
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local scope <close> = asyncio.timeout(1000)
      local group <close> = asyncio.TaskGroup()
      group:create_task(function()
        scope:reschedule(0)
        pcall(asyncio.sleep, 1000)
        error("boom", 0)
      end)
    end)
    assert.same({ "boom" }, group.exceptions)
    assert.equal(0, task:cancelling())
    asyncio.sleep(0)
  end)

  ait("a timeout in the body is an error of the body", function()
    local child
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      local _ <close> = asyncio.timeout(0.001)
      asyncio.sleep(1000)
    end)
    assert.is_true(asyncio.isinstance(group.exceptions[1], asyncio.TimeoutError))
    assert.is_true(child:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("a timeout in the body does not take the group's cancellation", function()
    local scope
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(error, "boom", 0)
      scope = asyncio.timeout(1000)
      local _ <close> = scope
      local ok, err = pcall(asyncio.sleep, 1000)
      scope = ok or scope
      error(err, 0)
    end)
    assert.same({ "boom" }, group.exceptions)
    assert.is_false(scope:expired())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("both at once: the timeout in the body and a failure", function()
    local task = asyncio.current_task()
    local fail = asyncio.Future()
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail.await, fail)
      local scope <close> = asyncio.timeout(1000)
      asyncio.get_running_loop():call_soon(function()
        fail:set_exception "boom"
        scope:reschedule(0)
      end)
      asyncio.sleep(1000)
    end)
    assert.equal("boom", group.exceptions[1])
    assert.equal(0, task:cancelling())
    asyncio.sleep(0)
  end)
end)
