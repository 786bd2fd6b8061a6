local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("group:start()", function()
  ait("returns what the child reports, while that goes on", function()
    local t = helper.trace()
    do
      local group <close> = asyncio.TaskGroup()
      t(group:start(function(ready, ...)
        t("child", ...)
        asyncio.sleep(0)
        ready("port", nil, 8080)
        t "goes on"
        asyncio.sleep(0.001)
        t "ends"
      end, 1, nil, 3))
      t "body"
    end
    assert.same({ "child 1 nil 3", "goes on", "port nil 8080", "body", "ends" }, t:list())
  end)

  ait("may be told without values, and at once", function()
    local group <close> = asyncio.TaskGroup()
    assert.equal(0, select("#", group:start(function(ready)
      ready()
    end)))
    assert.same({}, group:tasks())
  end)

  ait("takes a coroutine function", function()
    local group <close> = asyncio.TaskGroup()
    assert.equal(5, group:start(asyncio.async(function(ready, value)
      asyncio.sleep(0)
      ready(value)
    end), 5))
  end)

  ait("runs eagerly in a loop that does", function()
    asyncio.get_running_loop():set_task_factory(asyncio.eager_task_factory)
    local group <close> = asyncio.TaskGroup()
    assert.equal("at once", group:start(function(ready)
      ready "at once"
      asyncio.sleep(0)
    end))
    helper.raises("too early", group.start, group, function()
      error "too early"
    end)
  end)

  ait("raises what the child raises before, and the group goes on", function()
    local group <close> = asyncio.TaskGroup()
    local other = group:create_task(asyncio.sleep, 0.001, "other")
    local err = asyncio.RuntimeError "address in use"
    assert.equal(err, helper.catch(group.start, group, function()
      asyncio.sleep(0)
      error(err)
    end))
    assert.matches("task_group_start_spec", err.traceback)
    assert.equal(12, helper.catch(group.start, group, function()
      error(12)
    end))
    assert.equal("other", other:await())
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("leaves what the child raises after it to the group", function()
    local err = asyncio.RuntimeError "late"
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      group:start(function(ready)
        ready()
        asyncio.sleep(0)
        error(err)
      end)
      asyncio.sleep(1000)
    end)
    assert.same({ err }, group.exceptions)
    assert.matches("task_group_start_spec", err.traceback)
  end)

  ait("raises when the child ends without a word", function()
    local group <close> = asyncio.TaskGroup()
    local kept
    local err = helper.raises(asyncio.RuntimeError, group.start, group, function(ready)
      kept = ready
      return "something"
    end)
    assert.equal("the child ended without saying that it is ready", err.message)
    helper.raises(asyncio.RuntimeError, kept)
  end)

  ait("is told once", function()
    local group <close> = asyncio.TaskGroup()
    local second
    assert.equal(1, group:start(function(ready)
      ready(1)
      second = helper.raises(asyncio.RuntimeError, ready, 2)
    end))
    assert.matches("said before", second.message)
  end)

  ait("when it is cancelled cancels the child", function()
    local t = helper.trace()
    local group <close> = asyncio.TaskGroup()
    local starter = asyncio.create_task(group.start, group, function(ready)
      t(pcall(asyncio.sleep, 1000))
      ready "too late" -- is no error
      t "ended"
    end)
    asyncio.sleep(0)
    asyncio.sleep(0)
    starter:cancel "no more"
    assert.equal("no more", helper.raises(asyncio.CancelledError, starter.await, starter).message)
    asyncio.sleep(0)
    assert.same({ "false CancelledError: no more", "ended" }, t:list())
  end)

  ait("when it is cancelled leaves the child's error to the group", function()
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      helper.raises(asyncio.TimeoutError, asyncio.wait_for, group.start, 0.001, group, function()
        pcall(asyncio.sleep, 1000)
        error("cleanup", 0)
      end)
      asyncio.sleep(1000)
    end)
    assert.same({ "cleanup" }, group.exceptions)
  end)

  ait("raises CancelledError when the child is cancelled before", function()
    for _, started in ipairs { true, false } do
      local group <close> = asyncio.TaskGroup()
      local starter = asyncio.create_task(function()
        local err = helper.raises(asyncio.CancelledError, group.start, group, function(ready)
          asyncio.sleep(1000)
          ready()
        end)
        assert.equal(0, asyncio.current_task():cancelling())
        return err.message
      end)
      asyncio.sleep(0)
      if started then
        asyncio.sleep(0)
      end
      group:tasks()[1]:cancel "only the child"
      assert.equal("only the child", starter:await())
    end
  end)

  ait("raises CancelledError when the group is cancelled", function()
    local group, starter
    do
      group = asyncio.TaskGroup()
      local _ <close> = group
      starter = asyncio.create_task(group.start, group, asyncio.sleep)
      starter:cancel()
      asyncio.wait { starter }
      starter = asyncio.create_task(group.start, group, function()
        asyncio.sleep(1000)
      end)
      asyncio.sleep(0)
      group:cancel()
    end
    helper.raises(asyncio.CancelledError, starter.await, starter)
    helper.raises(asyncio.RuntimeError, group.start, group, asyncio.sleep)
  end)

  ait("in a body that is cancelled by another child's failure", function()
    local group = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(error, "boom", 0)
      group:start(function()
        asyncio.sleep(1000)
      end)
    end)
    assert.same({ "boom" }, group.exceptions)
    assert.equal(0, asyncio.current_task():cancelling())
  end)

  ait("checks its arguments", function()
    local group <close> = asyncio.TaskGroup()
    helper.raises("bad argument #1 to 'start' %(function expected, got nil", function()
      group:start()
    end)
    helper.raises("bad argument #1 to 'start' %(function expected, got userdata", function()
      group:start(asyncio.async(print)())
    end)
    helper.raises("bad argument #1 to 'start' %(asyncio.TaskGroup expected", group.start, {}, print)
  end)
end)
