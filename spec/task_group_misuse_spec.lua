-- Task groups where they should not be, or left as they should not be; and the
-- ends of tasks, loops and Lua states that they live in.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("a task group", function()
  it("needs a task", function()
    helper.raises(asyncio.RuntimeError, asyncio.TaskGroup)
    local loop = asyncio.new_event_loop()
    local called
    loop:call_soon(function()
      called = helper.raises(asyncio.RuntimeError, asyncio.TaskGroup)
      loop:stop()
    end)
    loop:run_forever()
    loop:close()
    assert.matches("in a task", called.message)
  end)

  ait("that is finished takes no children", function()
    local group = asyncio.TaskGroup()
    do
      local _ <close> = group
    end
    local coro = asyncio.async(asyncio.sleep)(0)
    local err = helper.raises(asyncio.RuntimeError, group.create_task, group, coro)
    assert.equal("create_task: the task group is finished", err.message)
    assert.matches("closed", tostring(coro))
    helper.raises(asyncio.RuntimeError, group.create_task, group, asyncio.sleep, 0)
    group:cancel()
    assert.same({}, group:tasks())
  end)

  ait("does not close a coroutine that belongs to another task", function()
    local group = asyncio.TaskGroup()
    do
      local _ <close> = group
    end
    local coro = asyncio.async(asyncio.sleep)(0, "value")
    local task = asyncio.create_task(coro)
    helper.raises(asyncio.RuntimeError, group.create_task, group, coro)
    assert.equal("value", task:await())
  end)

  ait("refuses what a task factory should not return", function()
    local loop, other = asyncio.get_running_loop(), asyncio.new_event_loop()
    local kept = asyncio.TaskGroup()
    local child = kept:create_task(asyncio.sleep, 0)
    local results = {
      ["a task of a different event loop"] = other:create_task(asyncio.sleep, 0),
      ["the task that made the task group"] = asyncio.current_task(),
      ["a task that is in a task group already"] = child,
    }
    for text, task in pairs(results) do
      local group <close> = asyncio.TaskGroup()
      loop:set_task_factory(function(_, coro)
        coro:close()
        return task
      end)
      local err = helper.raises(asyncio.RuntimeError, group.create_task, group, asyncio.sleep, 0)
      loop:set_task_factory(nil)
      assert.equal("create_task: the task factory returned " .. text, err.message)
      assert.same({}, group:tasks())
    end
    do
      local _ <close> = kept
    end
    other:close()
  end)

  ait("that the last child leaves is finished", function()
    local group
    local late
    do
      group = asyncio.TaskGroup()
      local _ <close> = group
      group:create_task(asyncio.sleep, 0):add_done_callback(function()
        late = helper.catch(group.create_task, group, asyncio.sleep, 0)
      end)
    end
    asyncio.sleep(0)
    assert.is_true(asyncio.isinstance(late, asyncio.RuntimeError))
  end)

  ait("can be closed twice", function()
    do
      local group <close> = asyncio.TaskGroup()
      local _ <close> = group
      group:create_task(asyncio.sleep, 0)
    end
    local group, err
    err = helper.raises(asyncio.ExceptionGroup, function()
      group = asyncio.TaskGroup()
      local _ <close> = group
      local _ <close> = group
      group:create_task(error, "once", 0)
    end)
    assert.same({ "once" }, err.exceptions)
  end)

  ait("is left by the task that made it, and no other", function()
    local group <close> = asyncio.TaskGroup()
    local child = group:create_task(asyncio.sleep, 0, "value")
    local other = asyncio.create_task(function()
      local _ <close> = group
      error "not the group's concern"
    end)
    local err = helper.raises(asyncio.RuntimeError, other.await, other)
    assert.equal("a task group must be left by the task that made it", err.message)
    assert.equal("value", child:await())
    group:create_task(asyncio.sleep, 0)
  end)

  ait("cannot wait inside a foreign coroutine", function()
    local child
    local task = asyncio.create_task(function()
      local co = coroutine.wrap(function()
        local group <close> = asyncio.TaskGroup()
        child = group:create_task(asyncio.sleep, 1000)
      end)
      local err = helper.raises(asyncio.RuntimeError, co)
      assert.matches("TaskGroup.__close", err.message)
      asyncio.sleep(0)
      assert.is_false(child:done())
    end)
    task:await()
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.is_true(child:cancelled()) -- at the latest then
    coroutine.wrap(function()
      local _ <close> = asyncio.TaskGroup() -- has nothing to wait for
    end)()
  end)

  ait("that is never left ends with its task", function()
    local reports = helper.trace()
    asyncio.get_running_loop():set_exception_handler(function(_, context)
      reports(context.message, context.exception)
    end)
    local child, late
    asyncio.create_task(function()
      local group = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      group:create_task(error, "failed before", 0)
      asyncio.sleep(0)
      late = group:create_task(error, "would fail", 0)
    end):await()
    asyncio.sleep(0)
    assert.is_true(child:cancelled() and late:cancelled())
    helper.collect()
    asyncio.sleep(0)
    assert.same({ "Task exception was never retrieved failed before" }, reports:list())
  end)

  it("that is never left is reported in debug mode", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      local function main()
        asyncio.create_task(function()
          local group = asyncio.TaskGroup()
          group:create_task(asyncio.sleep, 1000)
        end):await()
      end
      asyncio.run(asyncio.async(main)(), { debug = true })
    ]]
    assert.equal(0, result.code)
    assert.equal("asyncio: a task group was never left, and cancels its tasks now: make it a "
      .. "'local group <close>' (created at script:4)\n", result.stderr)
  end)
end)

describe("a loop that closes", function()
  -- Runs until the script's 'stop' is called, then closes the loop.
  local function check(body)
    return helper.check_script([[
      local asyncio = require "asyncio"
      local loop = asyncio.new_event_loop()
      local function stop()
        loop:stop()
        asyncio.sleep(1000)
      end
      local function closing(name)
        return setmetatable({}, { __close = function() print(name) end })
      end
    ]] .. body .. [[
      loop:run_forever()
      loop:close()
      print "closed"
    ]])
  end

  it("ends a group in its body", function()
    assert.equal("parent\nchild\nclosed\n", check [[
      loop:create_task(function()
        local _ <close> = closing "parent"
        local group <close> = asyncio.TaskGroup()
        group:create_task(function()
          local _ <close> = closing "child"
          asyncio.sleep(1000)
        end)
        asyncio.sleep(0)
        stop()
      end)
    ]])
  end)

  it("ends a group that waits for its children", function()
    assert.equal("parent\nchild\nclosed\n", check [[
      loop:create_task(function()
        local _ <close> = closing "parent"
        local group <close> = asyncio.TaskGroup()
        group:create_task(asyncio.sleep, 1000)
        group:create_task(function()
          local _ <close> = closing "child"
          stop()
        end)
        group:create_task(asyncio.sleep, 1000) -- never starts
      end)
    ]])
  end)

  it("ends a group of a younger parent, and one inside another", function()
    assert.equal("inner\nouter\nclosed\n", check [[
      local outer
      local late = loop:create_task(function()
        while not outer do
          asyncio.sleep(0)
        end
        outer:create_task(asyncio.sleep, 1000)
        stop()
      end)
      loop:create_task(function()
        local _ <close> = closing "outer"
        outer = asyncio.TaskGroup()
        local _ <close> = outer
        local _ <close> = closing "inner"
        local inner <close> = asyncio.TaskGroup()
        inner:create_task(late.await, late)
      end)
    ]])
  end)

  it("ends a group with failed children", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      local loop = asyncio.new_event_loop()
      loop:create_task(function()
        local group <close> = asyncio.TaskGroup()
        group:create_task(error, "first", 0)
        group:create_task(function()
          pcall(asyncio.sleep, 1000)
          loop:stop()
          error("second", 0)
        end)
        group:create_task(function()
          pcall(asyncio.sleep, 1000)
          asyncio.sleep(1000)
        end)
      end)
      loop:run_forever()
      loop:close()
    ]]
    assert.equal(0, result.code)
    assert.matches("error: first", result.stderr)
    assert.matches("error: second", result.stderr)
  end)
end)

describe("a Lua state that closes", function()
  it("in a task of a group frees all", function()
    helper.check_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local outer <close> = asyncio.TaskGroup()
        outer:create_task(function()
          local group <close> = asyncio.TaskGroup()
          group:create_task(asyncio.sleep, 1)
          group:create_task(error, "failed")
          group:create_task(function()
            pcall(asyncio.sleep, 1)
            os.exit(0, true)
          end)
        end)
      end)
    ]]
  end)

  it("with groups left behind frees all", function()
    helper.check_script [[
      local asyncio = require "asyncio"
      local loop = asyncio.get_event_loop()
      loop:run_until_complete(function()
        for depth = 1, 3 do
          asyncio.create_task(function()
            kept = asyncio.TaskGroup()
            local _ <close> = kept
            kept:create_task(asyncio.sleep, 1000)
            if depth == 2 then
              asyncio.sleep(1000)
            end
          end)
        end
        asyncio.sleep(0)
        asyncio.sleep(0)
      end)
    ]]
  end)
end)

describe("a thread that waits at the end of a group", function()
  ait("gets an error when others resume it, and the children end", function()
    local thread, child
    local parent = asyncio.create_task(function()
      local group <close> = asyncio.TaskGroup()
      child = group:create_task(asyncio.sleep, 1000)
      thread = coroutine.running()
    end)
    asyncio.sleep(0)
    asyncio.get_running_loop():call_soon(function()
      local _, err = coroutine.resume(thread)
      assert.matches("was resumed by other code", tostring(err))
    end)
    asyncio.wait { parent, child }
    assert.is_true(child:cancelled())
    assert.is_false(parent:cancelled())
    assert.matches("dead coroutine", parent:exception())
  end)
end)

describe("a KeyboardInterrupt", function()
  local function check(body)
    return helper.check_script([[
      local asyncio = require "asyncio"
      local function show(ok, err)
        print(ok, err, asyncio.current_task():cancelling())
        error(err, 0)
      end
      local function swallowed(_, context)
        print(context.exception)
      end
      print(pcall(asyncio.run, function()
        asyncio.get_running_loop():set_exception_handler(swallowed)
        show(pcall(function()
          local group <close> = asyncio.TaskGroup()
    ]] .. body .. [[
        end))
      end))
    ]])
  end

  it("of the body leaves bare", function()
    assert.equal("false\tKeyboardInterrupt\t0\nlost\nfalse\tKeyboardInterrupt\n", check [[
      group:create_task(error, "lost", 0)
      pcall(asyncio.sleep, 1000)
      error(asyncio.KeyboardInterrupt())
    ]])
  end)

  it("of a child leaves bare", function()
    -- the run has cancelled the body, too
    assert.equal("false\tKeyboardInterrupt\t1\nlost\nfalse\tKeyboardInterrupt\n", check [[
      group:create_task(error, "lost", 0)
      group:create_task(error, asyncio.KeyboardInterrupt())
      asyncio.sleep(1000)
    ]])
  end)
end)
