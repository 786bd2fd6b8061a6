-- Awaits and errors in coroutines of asyncio.coroutine.

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

-- A future that is done in the turn after the next.
local function soon(value)
  local future = asyncio.Future()
  asyncio.get_running_loop():call_soon(future.set_result, future, value)
  return future
end

local function pause(n)
  for _ = 1, n or 1 do
    asyncio.sleep(0)
  end
end

describe("an await in a coroutine", function()
  ait("suspends the task, and the coroutine goes on", function()
    local t = helper.trace()
    local c = co.create(function(a)
      t("start", a)
      t("slept", asyncio.sleep(0, "x"))
      t("resumed with", co.yield "first")
      t("future", soon(1):await())
      return "last"
    end)
    asyncio.create_task(function()
      t "another task"
    end)
    assert.same({ true, "first" }, { co.resume(c, "a") })
    t(co.status(c))
    assert.same({ true, "last" }, { co.resume(c, "b") })
    t(co.status(c))
    local expected = {
      "start a", "another task", "slept x", "suspended", "resumed with b", "future 1", "dead",
    }
    assert.same(expected, t:list())
  end)

  ait("gives a wrapped coroutine's values to its loop alone", function()
    local values = {}
    local function numbers(n)
      return co.wrap(function()
        for i = 1, n do
          pause(2)
          co.yield(i)
        end
      end)
    end
    for i in numbers(5) do
      values[#values + 1] = i
    end
    assert.same({ 1, 2, 3, 4, 5 }, values)
  end)

  ait("passes through any number of coroutines", function()
    local function nest(n)
      if n == 0 then
        return asyncio.sleep(0, "deep")
      end
      local c = co.create(function()
        local value = nest(n - 1)
        co.yield(n)
        return value
      end)
      local _, m = co.resume(c)
      assert(m == n)
      return select(2, co.resume(c))
    end
    assert.equal("deep", nest(30))
  end)

  ait("can be a function of the library itself", function()
    assert.equal("x", co.wrap(asyncio.sleep)(0, "x"))
    assert.same({ true, 5 }, { co.resume(co.create(asyncio.await), soon(5)) })
    local task = asyncio.create_task(co.wrap(function()
      return soon(6):await()
    end))
    assert.equal(6, task:await())
  end)

  ait("may stand in pcall, metamethods and <close> variables of it", function()
    local t = helper.trace()
    local object = setmetatable({}, { __index = function(_, key)
      return asyncio.sleep(0, key .. "!")
    end })
    local c = co.wrap(function()
      local _ <close> = closing(function()
        t(asyncio.sleep(0, "closed"))
      end)
      t(select(2, pcall(asyncio.sleep, 0, "in pcall")))
      t(object.key)
      t(select(2, asyncio.pcall(function()
        co.yield "yielded"
        return asyncio.sleep(0, "in asyncio.pcall")
      end)))
    end)
    t(c())
    c()
    assert.same({ "in pcall", "key!", "yielded", "in asyncio.pcall", "closed" }, t:list())
  end)

  ait("leaves every task to itself", function()
    local list = {}
    for i = 1, 20 do
      list[i] = asyncio.create_task(function()
        local sum = 0
        local each = co.wrap(function()
          for n = 1, 5 do
            pause(i % 3)
            co.yield(n)
          end
        end)
        for n in each do
          pause(i % 2)
          sum = sum + n * i
        end
        return sum
      end)
    end
    for i, sum in ipairs(asyncio.gather(list):await()) do
      assert.equal(15 * i, sum)
    end
  end)

  ait("may follow in another task than the last", function()
    local c = co.wrap(function()
      while true do
        pause()
        co.yield(asyncio.current_task():get_name())
      end
    end)
    for _, name in ipairs { "one", "two" } do
      assert.equal(name, asyncio.create_task(c):set_name(name):await())
    end
    assert.equal(asyncio.current_task():get_name(), c())
  end)

  ait("is an error where the coroutine was resumed below a C function", function()
    local err
    table.sort({ 2, 1 }, function(a, b)
      co.wrap(function()
        err = helper.catch(asyncio.sleep, 0)
      end)()
      return a < b
    end)
    assert.matches("'sleep' cannot suspend the task below 'table.sort'", err.message, 1, true)
    assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
  end)

  ait("is an error where a coroutine of Lua's library is between", function()
    local err
    local theirs = coroutine.wrap(function()
      co.wrap(function()
        err = helper.catch(asyncio.sleep, 0)
      end)()
    end)
    theirs()
    assert.matches("use asyncio.coroutine", err.message, 1, true)
    assert.matches("asyncio.coroutine.install()", err.message, 1, true)
    assert.equal("fine", co.wrap(asyncio.sleep)(0, "fine"))
  end)

  it("is an error outside of a task", function()
    local ok, err = co.resume(co.create(asyncio.sleep), 0)
    assert.is_false(ok)
    assert.matches("must be called in a task", err.message, 1, true)
  end)

  ait("is an error while the coroutine is closed", function()
    local err
    local c = co.create(function()
      local _ <close> = closing(function()
        err = helper.catch(asyncio.sleep, 0)
      end)
      co.yield()
    end)
    co.resume(c)
    assert.is_true(co.close(c))
    assert.matches("<close> variable of a coroutine that is being closed", err.message, 1, true)
  end)

  ait("is what yields a task, not the library's yield", function()
    local task = asyncio.create_task(function()
      co.wrap(asyncio.sleep)(0)
      co.yield(1)
    end)
    local err = helper.raises(asyncio.RuntimeError, task.await, task)
    assert.matches("a task yielded with coroutine.yield", err.message, 1, true)
  end)
end)

describe("a coroutine that waits in an await", function()
  -- A coroutine and the task in which it waits for the future.
  local function waiting()
    local future = asyncio.Future()
    local c = co.create(function()
      return future:await()
    end)
    local task = asyncio.create_task(function()
      return co.resume(c)
    end)
    asyncio.sleep(0)
    return c, task, future
  end

  -- Each way to wait.
  local waits <const> = {
    function() asyncio.Future():await() end,
    function() asyncio.wait_for(asyncio.Future(), 10) end,
    function() asyncio.wait_for(asyncio.sleep, 10, 10) end,
    function() asyncio.wait({ asyncio.Future() }, { timeout = 10 }) end,
    function()
      local lock = asyncio.Lock():acquire()
      lock:acquire()
    end,
    function()
      local condition <close> = asyncio.Condition():acquire()
      condition:wait()
    end,
    function() asyncio.Semaphore(0):acquire() end,
    function() asyncio.Barrier(2):wait() end,
    function() asyncio.Event():wait() end,
    function() asyncio.Queue():get() end,
    function() asyncio.Queue():join(asyncio.sleep(10)) end,
    function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(asyncio.sleep, 10)
    end,
    function() co.wrap(asyncio.sleep)(10) end,
    function() co.resume(co.create(asyncio.sleep), 10) end,
    function() for _ in asyncio.as_completed { asyncio.Future() } do end end,
    function() for _ in asyncio.generator(function() asyncio.sleep(10) end) do end end,
  }

  ait("is normal, and nobody else can resume or close it", function()
    local c, task, future = waiting()
    assert.equal("normal", co.status(c))
    local ok, err = co.resume(c, 1)
    assert.is_false(ok)
    assert.equal("cannot resume non-suspended coroutine", err)
    helper.raises("cannot close a normal coroutine", co.close, c)
    future:set_result "done"
    assert.same({ true, "done" }, { task:await() })
    assert.equal("dead", co.status(c))
  end)

  ait("is so for a wrapped one, too", function()
    local future = asyncio.Future()
    local f = co.wrap(function()
      return future:await()
    end)
    local task = asyncio.create_task(f)
    asyncio.sleep(0)
    helper.raises("cannot resume non%-suspended coroutine", f)
    future:set_result "done"
    assert.equal("done", task:await())
  end)

  ait("is so for each of several, one inside the other", function()
    local future, inner = asyncio.Future(), nil
    local outer = co.create(function()
      inner = co.create(function()
        return future:await()
      end)
      return co.resume(inner)
    end)
    local task = asyncio.create_task(co.resume, outer)
    asyncio.sleep(0)
    for _, c in ipairs { outer, inner } do
      assert.equal("normal", co.status(c))
      assert.is_false((co.resume(c)))
    end
    assert.is_false((co.resume(task:get_coro())))
    future:set_result "done"
    assert.same({ true, true, "done" }, { task:await() })
  end)

  ait("is so for the coroutine of a task, however that waits", function()
    for i, fn in ipairs(waits) do
      local task = asyncio.create_task(fn)
      asyncio.sleep(0)
      local c = task:get_coro()
      for _, resume in ipairs { co.resume, co.wrap(co.resume) } do
        local ok, err = resume(c, 1)
        assert.is_false(ok, i)
        assert.equal("cannot resume non-suspended coroutine", err)
        assert.is_false((co.resume(c)))
      end
      assert.equal("normal", co.status(c))
      task:cancel()
      helper.raises(asyncio.CancelledError, task.await, task)
    end
  end)

  ait("meets an error when Lua's own library resumes it", function()
    local c, task = waiting()
    local ok, err = coroutine.resume(c)
    assert.is_false(ok)
    assert.matches("resumed by other code", err.message, 1, true)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:done())
  end)

  ait("may be closed by Lua's own library, and then fails its task", function()
    for _, cancel in ipairs { true, false } do
      local c, future = nil, asyncio.Future()
      local task = asyncio.create_task(function()
        c = co.create(function()
          asyncio.wait({ future }, { timeout = 10 })
        end)
        local ok, err = co.resume(c)
        return ok, err
      end)
      asyncio.sleep(0)
      coroutine.close(c)
      helper.collect()
      if cancel then
        task:cancel()
      end
      asyncio.sleep(0)
      future:set_result()
      asyncio.wait({ task }, { timeout = 0.01 })
      task:cancel()
      local ok, err = task:await()
      assert.is_false(ok)
      assert.equal("cannot resume dead coroutine", err)
    end
  end)

  it("meets it outside of a task, and in a task's own thread, too", function()
    local loop = asyncio.new_event_loop()
    loop:set_exception_handler(function() end)
    for i, fn in ipairs(waits) do
      local task = loop:create_task(fn)
      loop:run_until_complete(asyncio.sleep, 0)
      local _, err = coroutine.resume(task:get_coro())
      assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError), i .. ": " .. tostring(err))
    end
    loop:close()
  end)

  ait("is collected with its task when that has ended", function()
    local weak = setmetatable({}, { __mode = "k" })
    for i = 1, 10 do
      local c = co.create(function()
        co.yield(asyncio.sleep(0))
      end)
      weak[c] = i
      asyncio.create_task(co.resume, c)
    end
    pause(3)
    helper.collect()
    assert.is_nil(next(weak))
  end)
end)

describe("an error in a coroutine", function()
  ait("is returned by resume as it is", function()
    local object = {}
    for _, value in ipairs { "text", 1, object } do
      local ok, err = co.resume(co.create(function()
        pause()
        error(value, 0)
      end))
      assert.is_false(ok)
      assert.equal(value, err)
    end
  end)

  ait("is raised by wrap, a string with the position", function()
    local f = co.wrap(function()
      pause()
      error("oops", 0)
    end)
    local at = line() + 2
    local _, err = pcall(function()
      f()
    end)
    assert.equal(("%s:%d: oops"):format(here, at), err)
    local object = asyncio.TimeoutError "late"
    assert.equal(object, helper.catch(co.wrap(function()
      pause()
      error(object)
    end)))
  end)

  ait("leaves the stack of the coroutine for debug.traceback", function()
    local c = co.create(function()
      pause()
      local function named()
        error "oops"
      end
      named()
    end)
    assert.is_false((co.resume(c)))
    assert.matches("in local 'named'", debug.traceback(c))
  end)

  ait("lets <close> variables of a wrapped one suspend", function()
    local t = helper.trace()
    local f = co.wrap(function()
      local _ <close> = closing(function(err)
        t(asyncio.sleep(0, err))
      end)
      co.yield()
      error("oops", 0)
    end)
    f()
    asyncio.create_task(function()
      t "another task"
    end)
    local ok = pcall(f)
    t(ok)
    assert.same({ "another task", "oops", false }, t:list())
  end)
end)

describe("the traceback of an error in a coroutine", function()
  local function traceback_of(fn)
    local task = asyncio.create_task(fn)
    asyncio.wait { task }
    assert.is_not_nil(task:exception())
    return task:traceback()
  end

  local function check(text, ...)
    local from = 1
    for _, at in ipairs { ... } do
      local _, last = text:find((":%d: in"):format(at), from, true)
      assert.is_not_nil(last, "line " .. at .. " in " .. text)
      from = last
    end
  end

  ait("shows the inner frames, then those that resumed it", function()
    local inner, middle, outer
    local text = traceback_of(function()
      local f = co.wrap(function()
        local g = co.wrap(function()
          pause()
          inner = line() + 1
          error "oops"
        end)
        middle = line() + 1
        g()
      end)
      outer = line() + 1
      f()
    end)
    check(text, inner, middle, outer)
    local _, links = text:gsub("\nresumed by:\nstack traceback:\n", "")
    assert.equal(2, links)
  end)

  ait("shows them when resume's error is raised again", function()
    local inner, outer
    local text = traceback_of(function()
      local ok, err = co.resume(co.create(function()
        inner = line() + 1
        error(asyncio.RuntimeError "oops")
      end))
      assert(not ok)
      pause()
      outer = line() + 1
      error(err)
    end)
    check(text, inner, outer)
  end)

  ait("goes on across tasks", function()
    local inner, outer
    local text = traceback_of(function()
      local f = co.wrap(function()
        local task = asyncio.create_task(function()
          inner = line() + 1
          error "oops"
        end)
        task:await()
      end)
      outer = line() + 1
      f()
    end)
    assert.matches("\nawaited by Task%-%d+:\n", text)
    check(text, inner, outer)
  end)
end)
