local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("create_task", function()
  ait("takes options after any awaitable but a function", function()
    local thread = coroutine.create(function()
      return "thread"
    end)
    local value = setmetatable({}, { __await = function() return "value" end })
    for text, awaitable in pairs { thread = thread, value = value } do
      local task = asyncio.create_task(awaitable, { name = "n" })
      assert.equal("n", task:get_name())
      assert.equal(text, task:await())
    end
  end)

  ait("refuses wrong options, by their name and place", function()
    local function with(options)
      return function()
        local coro = asyncio.async(print)()
        asyncio.create_task(coro, options)
      end
    end
    helper.raises("#2 to 'create_task' %(unknown option 'nam'", with { nam = "x" })
    helper.raises("#2 to 'create_task' %(table expected, got number", with(5))
    helper.raises("#2 to 'create_task' %(field 'context' must be a Context", with { context = 5 })
    helper.raises("#1 to 'create_task' %(a future is no body", function()
      asyncio.create_task(asyncio.Future())
    end)
    helper.raises("#2 to 'create_task' %(unknown option 1%)", function()
      local loop = asyncio.get_running_loop()
      loop:create_task(asyncio.async(print)(), { [1] = 2 })
    end)
  end)

  ait("starts the task in the next turn, with its arguments", function()
    local t = helper.trace()
    local task = asyncio.create_task(function(...)
      t("started", select("#", ...), ...)
      return ...
    end, 1, nil, nil)
    t "created"
    assert.is_false(task:done())
    local results = table.pack(task:await())
    assert.same({ "created", "started 3 1 nil nil" }, t:list())
    assert.same({ n = 3, 1 }, results)
  end)

  ait("takes every kind of awaitable but futures", function()
    local function five(value)
      asyncio.sleep(0)
      return value or 5
    end
    local coro = asyncio.async(five)
    assert.equal(6, asyncio.create_task(five, 6):await())
    assert.equal(6, asyncio.create_task(coro, 6):await())
    assert.equal(6, asyncio.create_task(coro(6)):await())
    assert.equal(5, asyncio.create_task(coroutine.create(five)):await())
    local awaitable = setmetatable({}, { __await = function() return 7 end })
    assert.equal(7, asyncio.create_task(awaitable):await())
    helper.raises("bad argument #1 to '[%w.]*create_task'", asyncio.create_task, asyncio.Future())
  end)

  ait("runs tasks in turns, in order", function()
    local t = helper.trace()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = asyncio.create_task(function()
        for round = 1, 2 do
          t(i, round)
          asyncio.sleep(0)
        end
      end)
    end
    asyncio.wait(tasks)
    assert.same({ "1 1", "2 1", "3 1", "1 2", "2 2", "3 2" }, t:list())
  end)

  it("needs a running loop, unless it is the loop's own", function()
    helper.raises(asyncio.RuntimeError, asyncio.create_task, function() end)
    local loop = asyncio.new_event_loop()
    local task = loop:create_task(function() return 3 end)
    assert.equal(3, loop:run_until_complete(task))
    loop:close()
  end)

  ait("takes options after a Coroutine object", function()
    local t = helper.trace()
    local coro = asyncio.async(function(name)
      t(name, asyncio.current_task():get_name())
    end)
    local context = asyncio.copy_context()
    local named = asyncio.create_task(coro "named", { name = "worker", context = context })
    local eager = asyncio.create_task(coro "eager", { name = 17, eager_start = true })
    assert.same({ "eager 17" }, t:list())
    assert.is_true(eager:done())
    named:await()
    assert.same({ "eager 17", "named worker" }, t:list())
    assert.equal(context, named:get_context())
  end)
end)

describe("an eager task", function()
  ait("runs inside its creator until it waits", function()
    local t = helper.trace()
    local outer = asyncio.current_task()
    local task = asyncio.create_task(asyncio.async(function()
      t("inside", asyncio.current_task() ~= outer)
      asyncio.sleep(0)
      t "later"
      return 1
    end)(), { eager_start = true })
    t("outside", asyncio.current_task() == outer)
    assert.equal(1, task:await())
    assert.same({ "inside true", "outside true", "later" }, t:list())
  end)

  ait("keeps its error until somebody asks", function()
    local task = asyncio.create_task(asyncio.async(error)("early", 0), { eager_start = true })
    assert.is_true(task:done())
    assert.equal("early", task:exception())
  end)
end)

describe("a task", function()
  ait("is a Future and an awaitable", function()
    local task = asyncio.current_task()
    assert.is_true(asyncio.isinstance(task, asyncio.Task))
    assert.is_true(asyncio.isinstance(task, asyncio.Future))
    assert.is_true(asyncio.isfuture(task))
    assert.is_true(asyncio.isawaitable(task))
  end)

  ait("has its results or its error when it is done", function()
    local fine = asyncio.create_task(function() return 1, nil end)
    local bad = asyncio.create_task(error, "bad", 0)
    helper.raises(asyncio.InvalidStateError, fine.result, fine)
    helper.raises(asyncio.InvalidStateError, fine.exception, fine)
    asyncio.wait { fine, bad }
    assert.same({ n = 2, 1, nil }, table.pack(fine:result()))
    assert.is_nil(fine:exception())
    assert.equal("bad", bad:exception())
    assert.equal("bad", helper.catch(bad.result, bad))
    assert.equal("bad", helper.catch(bad.await, bad))
    assert.is_false(bad:cancelled())
  end)

  ait("gives its error unchanged to all who await it", function()
    local err = setmetatable({}, { __tostring = function() return "mine" end })
    local bad = asyncio.create_task(error, err)
    assert.equal(err, helper.catch(bad.await, bad))
    assert.equal(err, helper.catch(asyncio.await, bad))
  end)

  ait("turns error(nil) into a text", function()
    local task = asyncio.create_task(error, nil)
    assert.equal("<no error object>", helper.catch(task.await, task))
  end)

  ait("cannot be set from outside", function()
    local task = asyncio.create_task(asyncio.sleep, 0)
    helper.raises(asyncio.RuntimeError, task.set_result, task, 1)
    helper.raises(asyncio.RuntimeError, task.set_exception, task, "no")
    task:await()
  end)

  ait("has a name, Task-N unless set", function()
    local task = asyncio.create_task(asyncio.sleep, 0)
    local number = tonumber(task:get_name():match "^Task%-(%d+)$")
    local after = asyncio.create_task(asyncio.sleep, 0)
    assert.equal(number + 1, tonumber(after:get_name():match "^Task%-(%d+)$"))
    assert.equal(task, task:set_name "worker")
    assert.equal("worker", task:get_name())
    task:set_name(setmetatable({}, { __tostring = function() return "made" end }))
    assert.equal("made", task:get_name())
    task:set_name(42)
    assert.equal("42", task:get_name())
    task:set_name(nil)
    assert.equal("nil", task:get_name())
  end)

  ait("knows what it was made of", function()
    local coro = asyncio.async(function() asyncio.sleep(0) end)()
    local task = asyncio.create_task(coro)
    assert.equal(coro, task:get_coro())
    task:await()
    assert.equal(coro, task:get_coro())
    local plain = asyncio.create_task(asyncio.sleep, 0)
    asyncio.sleep(0)
    assert.equal("thread", type(plain:get_coro()))
  end)

  ait("cannot await itself", function()
    local task
    task = asyncio.create_task(function()
      return task:await()
    end)
    local err = helper.raises(asyncio.RuntimeError, task.await, task)
    assert.matches("itself", err.message)
  end)

  ait("calls its done callbacks", function()
    local seen
    local task = asyncio.create_task(asyncio.sleep, 0, "slept")
    task:add_done_callback(function(t) seen = t:result() end)
    task:await()
    asyncio.sleep(0)
    assert.equal("slept", seen)
  end)

  ait("shows its state and its name as a string", function()
    local task = asyncio.create_task(asyncio.sleep, 3600):set_name "sleeper"
    assert.matches("^<Task pending name='sleeper'", tostring(task))
    task:cancel()
    assert.matches("^<Task cancelling name='sleeper'", tostring(task))
    pcall(task.await, task)
    assert.matches("^<Task cancelled name='sleeper'", tostring(task))
    local fine = asyncio.create_task(function() end)
    fine:await()
    assert.matches("^<Task finished", tostring(fine))
    local bad = asyncio.create_task(error, "why", 0)
    pcall(bad.await, bad)
    assert.matches("^<Task failed .*exception=why", tostring(bad))
  end)

  ait("fails when it yields by hand, where it did so", function()
    local reached = false
    local task = asyncio.create_task(function()
      local ok, err = pcall(function()
        coroutine.yield(1, 2)
      end)
      assert(not ok)
      reached = true
      error(err, 0)
    end)
    local err = helper.raises(asyncio.RuntimeError, task.await, task)
    assert.matches("coroutine.yield", err.message, 1, true)
    assert.is_true(reached)
  end)

  ait("may have up to 200 arguments", function()
    local arguments = {}
    for i = 1, 200 do
      arguments[i] = i
    end
    local task = asyncio.create_task(select, "#", table.unpack(arguments, 1, 199))
    assert.equal(199, task:await())
    helper.raises("too many arguments", function()
      asyncio.create_task(select, "#", table.unpack(arguments, 1, 200))
    end)
  end)

  ait("may return very many values", function()
    local task = asyncio.create_task(function()
      return table.unpack({}, 1, 5000)
    end)
    assert.equal(5000, select("#", task:await()))
  end)
end)

describe("current_task", function()
  ait("is the task whose code runs", function()
    local main = asyncio.current_task()
    local other
    other = asyncio.create_task(function()
      return asyncio.current_task() == other
    end)
    assert.is_true(other:await())
    assert.equal(main, asyncio.current_task())
    assert.equal(main, asyncio.current_task(asyncio.get_running_loop()))
  end)

  it("is nil outside of tasks", function()
    assert.is_nil(asyncio.current_task())
    asyncio.run(function()
      local seen = "unset"
      asyncio.get_running_loop():call_soon(function()
        seen = asyncio.current_task()
      end)
      asyncio.sleep(0)
      assert.is_nil(seen)
    end)
    local loop = asyncio.new_event_loop()
    assert.is_nil(asyncio.current_task(loop))
    loop:close()
  end)
end)

describe("all_tasks", function()
  ait("lists the unfinished ones in order of creation", function()
    local main = asyncio.current_task()
    local done = asyncio.create_task(function() end)
    local a = asyncio.create_task(asyncio.sleep, 3600)
    done:await()
    local b = asyncio.create_task(asyncio.sleep, 3600)
    local c = asyncio.create_task(asyncio.sleep, 3600)
    assert.same({ main, a, b, c }, asyncio.all_tasks())
    b:cancel()
    assert.same({ main, a, b, c }, asyncio.all_tasks(asyncio.get_running_loop()))
    asyncio.wait { b }
    assert.same({ main, a, c }, asyncio.all_tasks())
  end)

  it("needs a loop", function()
    helper.raises(asyncio.RuntimeError, asyncio.all_tasks)
    local loop = asyncio.new_event_loop()
    assert.same({}, asyncio.all_tasks(loop))
    local task = loop:create_task(function() end)
    assert.same({ task }, asyncio.all_tasks(loop))
    loop:close()
    assert.same({}, asyncio.all_tasks(loop))
  end)
end)

describe("the thread of a task", function()
  for _, from in ipairs { "callback", "task" } do
    it("fails in its wait when it is resumed by a " .. from, function()
      local stdout = helper.check_script([[
        local asyncio = require "asyncio"
        asyncio.run(function()
          local var = asyncio.ContextVar "var"
          var:set(1)
          local task = asyncio.create_task(function()
            asyncio.wait_for(function()
              asyncio.copy_context():run(asyncio.await, asyncio.Future())
            end, 1000)
          end)
          asyncio.sleep(0)
          local function resume()
            local ok, err = coroutine.resume(task:get_coro(), "not", "these")
            print(ok, err)
            collectgarbage()
          end
          if arg[1] == "task" then
            resume()
          else
            asyncio.get_running_loop():call_soon(resume)
          end
          print(pcall(task.await, task))
          print(var:get())
        end)
      ]], { args = { from } })
      assert.matches("^true\t.*RuntimeError: the thread of a task was resumed", stdout)
      assert.matches("\nfalse\tcannot resume dead coroutine\n1\n$", stdout)
    end)
  end

  it("can be closed by others, whatever it waits for", function()
    local stdout = helper.check_script [[
      local asyncio = require "asyncio"
      local sleep = asyncio.sleep
      local waits = {
        function() asyncio.Future():await() end,
        function() sleep(1000) end,
        function() asyncio.wait_for(asyncio.Future(), 1000) end,
        function() asyncio.wait_for(sleep, 1000, 1000) end,
        function() asyncio.wait { asyncio.create_task(sleep, 0), asyncio.Future() } end,
        function() asyncio.as_completed { asyncio.Future(), asyncio.Future() } () end,
        function() asyncio.gather(asyncio.Future(), asyncio.Future()):await() end,
      }
      local ends = { "cancelled", "awaited", "with its loop" }
      for _, how in ipairs(ends) do
        for _, wait in ipairs(waits) do
          local loop = asyncio.new_event_loop()
          loop:run_until_complete(function()
            local task = asyncio.create_task(wait)
            sleep(0)
            assert(coroutine.close(task:get_coro()))
            collectgarbage()
            if how == "with its loop" then
              return
            elseif how == "awaited" then
              pcall(asyncio.wait_for, task, 0.002)
            else
              task:cancel()
              asyncio.wait { task }
            end
            assert(task:exception():find "dead coroutine")
            asyncio.Future()
          end)
          loop:close()
          collectgarbage()
        end
        print(how)
      end
    ]]
    assert.equal("cancelled\nawaited\nwith its loop\n", stdout)
  end)

  it("can run on its own after a coroutine.yield, but is not the task then", function()
    local stdout = helper.check_script [[
      local asyncio = require "asyncio"
      local loop = asyncio.new_event_loop()
      local thread
      local task = loop:create_task(function()
        thread = coroutine.running()
        loop:stop()
        local ok, err = pcall(asyncio.wait_for, function()
          coroutine.yield()
          return 1
        end, 1000)
        print(ok, asyncio.isinstance(err, asyncio.RuntimeError))
        loop:close()
        return 2
      end)
      loop:run_forever()
      print(coroutine.resume(thread))
      print(task:cancelled())
    ]]
    assert.equal("false\ttrue\ntrue\t2\ntrue\n", stdout)
  end)
end)
