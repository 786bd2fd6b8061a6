local asyncio = require "asyncio"
local helper = require "spec.helper"

-- Starts one of everything; of a script, after 'asyncio' is there.
local everything <const> = [[
local asyncio = require "asyncio"
local function closing(name)
  return setmetatable({}, { __close = function() io.write(name, " closed\n") end })
end
local kept = {}
local function start()
  local loop = asyncio.get_event_loop()
  local future = asyncio.Future()
  kept.future = future
  loop:create_task(function()
    local _ <close> = closing "sleeper"
    asyncio.sleep(3600)
  end)
  loop:create_task(function()
    local _ <close> = closing "waiter"
    future:await()
  end)
  kept.timed = loop:create_task(asyncio.wait_for, asyncio.Future(), 3600)
  kept.scoped = loop:create_task(function()
    local _ <close> = asyncio.timeout(3600)
    asyncio.sleep(7200)
  end)
  kept.gather = loop:create_task(function()
    local shield = asyncio.shield(asyncio.sleep, 3600)
    local task = asyncio.create_task(asyncio.sleep, 3600)
    asyncio.gather(shield, task):await()
  end)
  kept.wait = loop:create_task(function()
    asyncio.wait({ asyncio.create_task(asyncio.sleep, 3600) }, { timeout = 3600 })
  end)
  kept.completed = loop:create_task(function()
    for _ in asyncio.as_completed { asyncio.create_task(asyncio.sleep, 3600) } do end
  end)
  kept.context = loop:create_task(function()
    local var = asyncio.ContextVar "var"
    var:set(kept)
    asyncio.copy_context():run(asyncio.sleep, 3600)
  end)
  future:add_done_callback(function() end)
  loop:call_later(3600, print)
  kept.busy = loop:create_task(function()
    while true do asyncio.sleep(0) end
  end)
end
]]

local function ends_well(source)
  return helper.check_script(everything .. source)
end

describe("loop:close with everything under way", function()
  it("closes what the tasks hold, in order of creation", function()
    assert.equal("sleeper closed\nwaiter closed\n", ends_well [[
      local loop = asyncio.get_event_loop()
      start()
      loop:run_until_complete(asyncio.sleep, 0.001)
      loop:close()
      for name, value in pairs(kept) do
        if asyncio.isinstance(value, asyncio.Task) then
          assert(value:cancelled(), name)
        end
      end
      assert(#asyncio.all_tasks(loop) == 0)
    ]])
  end)

  it("starts no task that had no turn", function()
    assert.equal("", ends_well [[
      start()
      asyncio.get_event_loop():close()
    ]])
  end)

  it("reports what <close> variables raise, and goes on", function()
    local loop = asyncio.new_event_loop()
    local t = helper.trace()
    loop:set_exception_handler(function(_, context) t(context.exception) end)
    for i = 1, 2 do
      loop:create_task(function()
        local _ <close> = setmetatable({}, { __close = function() error("close " .. i, 0) end })
        asyncio.sleep(3600)
      end)
    end
    loop:run_until_complete(asyncio.sleep, 0)
    loop:close()
    assert.same({ "close 1", "close 2" }, t:list())
  end)

  it("does not let <close> variables suspend", function()
    local loop = asyncio.new_event_loop()
    local err
    loop:create_task(function()
      local _ <close> = setmetatable({}, { __close = function()
        err = helper.catch(asyncio.sleep, 0)
      end })
      asyncio.sleep(3600)
    end)
    loop:run_until_complete(asyncio.sleep, 0)
    loop:close()
    assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
  end)

  it("runs nothing else of a task whose timeout has passed", function()
    local loop = asyncio.new_event_loop()
    local t = helper.trace()
    local inner = loop:create_task(asyncio.sleep, 3600)
    local outer = loop:create_task(function()
      local _ <close> = setmetatable({}, { __close = function() t "closed" end })
      pcall(asyncio.wait_for, inner, 0.001)
      t "went on"
    end)
    -- the loop stops as soon as 'inner' has ended, before 'outer' has its turn
    helper.raises(asyncio.CancelledError, loop.run_until_complete, loop, inner)
    loop:close()
    assert.same({ "closed" }, t:list())
    assert.is_true(outer:cancelled())
  end)

  it("refuses what <close> variables would start", function()
    local loop = asyncio.new_event_loop()
    local errors = {}
    loop:create_task(function()
      local _ <close> = setmetatable({}, { __close = function()
        errors[1] = helper.catch(loop.create_task, loop, print)
        errors[2] = helper.catch(loop.call_soon, loop, print)
        errors[3] = helper.catch(loop.call_later, loop, 1, print)
        errors[4] = helper.catch(loop.run_forever, loop)
        loop:close()
      end })
      asyncio.sleep(3600)
    end)
    loop:run_until_complete(asyncio.sleep, 0)
    loop:close()
    assert.equal(4, #errors)
    for _, err in ipairs(errors) do
      assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError), tostring(err))
    end
  end)

  it("may be called by a callback of another loop", function()
    local outer, inner = asyncio.new_event_loop(), asyncio.new_event_loop()
    local task = inner:create_task(asyncio.sleep, 3600)
    outer:call_soon(inner.close, inner)
    outer:run_until_complete(asyncio.sleep, 0.001)
    outer:close()
    assert.is_true(inner:is_closed())
    assert.is_true(task:cancelled())
  end)

  it("tells of errors that nobody took", function()
    local loop = asyncio.new_event_loop()
    local contexts = {}
    loop:set_exception_handler(function(_, context) contexts[#contexts + 1] = context end)
    local task = loop:create_task(error, "lost", 0)
    local future = loop:create_future()
    future:set_exception "lost, too"
    loop:run_until_complete(asyncio.sleep, 0)
    loop:close()
    assert.same({ "lost", "lost, too" }, { contexts[2].exception, contexts[1].exception })
    assert.equal(task, contexts[2].task)
    assert.equal(future, contexts[1].future)
  end)
end)

describe("the end of the Lua state", function()
  it("with a loop that was not closed closes it", function()
    assert.equal("sleeper closed\nwaiter closed\n", ends_well [[
      start()
      asyncio.get_event_loop():run_until_complete(asyncio.sleep, 0.001)
      os.exit(0, true)
    ]])
  end)

  it("with several loops", function()
    ends_well [[
      for _ = 1, 3 do
        local loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        start()
        loop:run_until_complete(asyncio.sleep, 0.001)
      end
      os.exit(0, true)
    ]]
  end)

  it("inside a task, inside run", function()
    ends_well [[
      asyncio.run(function()
        start()
        asyncio.sleep(0.001)
        os.exit(0, true)
      end)
    ]]
  end)

  it("inside a task, after stop()", function()
    ends_well [[
      asyncio.run(function()
        start()
        asyncio.sleep(0.001)
        asyncio.get_running_loop():stop()
        os.exit(0, true)
      end)
    ]]
  end)

  it("inside a callback", function()
    ends_well [[
      local loop = asyncio.get_event_loop()
      start()
      loop:call_later(0.001, os.exit, 0, true)
      loop:run_forever()
    ]]
  end)

  it("inside a <close> variable of a task that is cancelled", function()
    ends_well [[
      asyncio.run(function()
        start()
        local task = asyncio.create_task(function()
          local _ <close> = setmetatable({}, { __close = function() os.exit(0, true) end })
          asyncio.sleep(3600)
        end)
        asyncio.sleep(0)
        task:cancel()
        asyncio.sleep(1)
      end)
    ]]
  end)

  it("inside a <close> variable while a loop closes", function()
    ends_well [[
      local loop = asyncio.get_event_loop()
      start()
      loop:create_task(function()
        local _ <close> = setmetatable({}, { __close = function() os.exit(0, true) end })
        asyncio.sleep(3600)
      end)
      loop:run_until_complete(asyncio.sleep, 0.001)
      loop:close()
    ]]
  end)

  it("after an error that nobody caught", function()
    local result = helper.run_script(everything .. [[
      asyncio.run(function()
        start()
        asyncio.sleep(0.001)
        error "the end"
      end)
    ]])
    assert.equal(1, result.code)
    assert.matches("the end", result.stderr, 1, true)
    assert.equal("sleeper closed\nwaiter closed\n", result.stdout)
  end)

  it("with finalizers that use what is collected with them", function()
    ends_well [[
      start()
      local loop, future = asyncio.get_event_loop(), kept.future
      local task = loop:create_task(asyncio.sleep, 3600)
      loop:run_until_complete(asyncio.sleep, 0.001)
      setmetatable({}, { __gc = function()
        pcall(future.set_result, future, 1)
        pcall(task.cancel, task)
        pcall(loop.call_soon, loop, print)
        pcall(loop.create_task, loop, print)
        pcall(loop.run_until_complete, loop, asyncio.sleep, 0)
        pcall(loop.close, loop)
        pcall(asyncio.run, asyncio.sleep, 0)
        pcall(asyncio.new_event_loop)
        pcall(tostring, task)
      end })
      os.exit(0, true)
    ]]
  end)

  it("tells an await in a <close> variable why it cannot suspend", function()
    local loop <close> = asyncio.new_event_loop()
    local err, current
    local task = loop:run_until_complete(function()
      local task = asyncio.create_task(function()
        local _ <close> = setmetatable({}, { __close = function()
          current = asyncio.current_task(loop)
          err = helper.catch(asyncio.sleep, 0)
        end })
        asyncio.sleep(1000)
      end)
      asyncio.sleep(0)
      return task
    end)
    loop:close()
    assert.equal(task, current)
    assert.matches("'sleep' cannot suspend the task, whose event loop closes", err.message, 1, true)
  end)
end)
