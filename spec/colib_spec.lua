-- asyncio.coroutine beside Lua's own library, and what it does in a task.

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

-- Programs that know only 'coroutine', 'say' and 'closing'; each must say the
-- same whichever library it has.
local programs <const> = {
  ["yields and results"] = [[
    local c = coroutine.create(function(...)
      say("start", ...)
      say("got", coroutine.yield(1, nil, 3))
      say("got", coroutine.yield())
      return "end", nil
    end)
    say(coroutine.status(c), coroutine.resume(c, "a", nil))
    say(coroutine.status(c), coroutine.resume(c, "b"))
    say(coroutine.status(c), coroutine.resume(c))
    say(coroutine.status(c), coroutine.resume(c))
    say(coroutine.status(c), coroutine.close(c))
  ]],
  ["many values"] = [[
    local list = {}
    for i = 1, 250 do list[i] = i end
    local c = coroutine.create(function(...)
      local n = select("#", coroutine.yield(...))
      return n, table.unpack(list)
    end)
    say(select("#", coroutine.resume(c, table.unpack(list))))
    say(select("#", coroutine.resume(c, table.unpack(list))))
  ]],
  ["too many values"] = [[
    local c = coroutine.create(function() coroutine.yield() return 1 end)
    local ok, err = pcall(function()
      return coroutine.resume(c, table.unpack({}, 1, 999990))
    end)
    say(ok, err)
    say(coroutine.resume(c))
    c = coroutine.create(function() return table.unpack({}, 1, 999000) end)
    say(pcall(function() return select("#", coroutine.resume(c)) end))
  ]],
  ["errors"] = [[
    local object = setmetatable({}, { __tostring = function() return "object" end })
    for _, value in ipairs { "text", 12, true, object } do
      local c = coroutine.create(function() error(value) end)
      say(coroutine.resume(c))
      say(coroutine.status(c), coroutine.resume(c))
      say(debug.traceback(c):gsub("%s+", " "))
      say(coroutine.close(c))
      say(coroutine.status(c), coroutine.close(c))
      say(pcall(coroutine.wrap(function() error(value) end)))
      say(pcall(coroutine.wrap(function() error(value, 0) end)))
    end
    say(coroutine.resume(coroutine.create(error)))
  ]],
  ["a wrapped coroutine that is dead"] = [[
    local f = coroutine.wrap(function() end)
    say(f())
    say(pcall(f))
    local g = coroutine.wrap(function() error("oops") end)
    say(pcall(g))
    say(pcall(g))
  ]],
  ["generators"] = [[
    local function count(n)
      return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, -i) end end)
    end
    for a, b in count(4) do say(a, b) end
    local function walk(tree)
      if tree then
        walk(tree.left)
        coroutine.yield(tree.value)
        walk(tree.right)
      end
    end
    local tree = { value = 2, left = { value = 1 }, right = { value = 3 } }
    for value in coroutine.wrap(function() walk(tree) end) do say(value) end
  ]],
  ["who runs"] = [[
    local outer
    outer = coroutine.create(function()
      local thread, is_main = coroutine.running()
      say(thread == outer, is_main, coroutine.isyieldable())
      local inner = coroutine.create(function()
        say(coroutine.status(outer), coroutine.resume(outer))
        say(pcall(coroutine.close, outer))
        say(coroutine.isyieldable(outer))
      end)
      say(coroutine.resume(inner))
      say(coroutine.status(outer), coroutine.resume(outer))
      say(pcall(coroutine.close, outer))
    end)
    say(coroutine.isyieldable(outer), coroutine.status(outer))
    say(coroutine.resume(outer))
  ]],
  ["closing"] = [[
    local function open(err)
      local c = coroutine.create(function()
        local _ <close> = closing(function(e) say("outer", e) end)
        local _ <close> = closing(function(e) say("inner", e) if err then error(err, 0) end end)
        coroutine.yield(1)
      end)
      coroutine.resume(c)
      return c
    end
    local c = open()
    say(coroutine.close(c), coroutine.status(c))
    c = open "wrong"
    say(coroutine.close(c))
    say(coroutine.status(c), coroutine.close(c))
    say(coroutine.close(coroutine.create(print)))
  ]],
  ["<close> variables after an error"] = [[
    local function body()
      local _ <close> = closing(function(e) say("closed", e) end)
      coroutine.yield()
      error "failed"
    end
    local c = coroutine.create(body)
    coroutine.resume(c)
    say(coroutine.resume(c))
    say(coroutine.status(c))
    say(coroutine.close(c))
    local f = coroutine.wrap(body)
    f()
    say(pcall(f))
    local g = coroutine.wrap(function()
      local _ <close> = closing(function() error("instead", 0) end)
      error "first"
    end)
    say(pcall(g))
  ]],
  ["yields across pcall, metamethods and iterators"] = [[
    local mt = { __index = function(_, k) return coroutine.yield(k) end,
      __lt = function() return coroutine.yield "lt" end }
    local c = coroutine.wrap(function()
      local t = setmetatable({}, mt)
      say(pcall(function() return t.x, t < t end))
      say(xpcall(coroutine.yield, say, "in xpcall"))
      for v in coroutine.yield, nil do say(v) end
      return "done"
    end)
    say(c()) say(c(1)) say(c(true)) say(c(3)) say(c("v")) say(c(nil))
  ]],
  ["no yield across a C function"] = [[
    local c = coroutine.create(function()
      table.sort({ 1, 2 }, function() coroutine.yield() end)
    end)
    say(coroutine.resume(c))
    say(coroutine.resume(coroutine.create(function()
      table.sort({ 2, 1 }, function(a, b)
        local f = coroutine.wrap(function() coroutine.yield(a < b) end)
        return f()
      end)
      return "sorted"
    end)))
  ]],
  ["endless nesting"] = [[
    local depth = 0
    local function nest()
      depth = depth + 1
      local ok, err = coroutine.resume(coroutine.create(nest))
      return err
    end
    say(nest(), depth > 50)
    local function wrapped() return coroutine.wrap(wrapped)() end
    local ok, err = pcall(wrapped)
    say(ok, err:match "C stack overflow")
  ]],
  ["wrong arguments"] = [[
    -- which words there are depends on the version
    local function plain(err)
      return (err:gsub("asyncio%.", ""):gsub("thread expected", "coroutine expected"))
    end
    for _, name in ipairs { "create", "resume", "wrap", "status", "close" } do
      local fn = coroutine[name]
      for _, value in ipairs { 1, "x", true, {} } do
        local ok, err = pcall(fn, value)
        say(name, ok, plain(err))
      end
      say(name, plain(select(2, pcall(fn))))
    end
    say(plain(select(2, pcall(coroutine.isyieldable, 1))))
  ]],
}

-- What the program says, a line per call; the addresses of values are left out.
local function run_program(source, library)
  local t = helper.trace()
  local function say(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i]):gsub("0x%x+", "ADDRESS")
    end
    t(table.concat(words, " "))
  end
  local env = setmetatable({ coroutine = library, say = say, closing = closing }, { __index = _G })
  assert(load(source, "=program", "t", env))()
  return t:list()
end

describe("asyncio.coroutine", function()
  it("has what Lua's library has", function()
    for name, value in pairs(coroutine) do
      assert.equal(type(value), type(co[name]), name)
    end
    for name in pairs(co) do
      assert.is_true(name == "install" or coroutine[name] ~= nil, name)
    end
  end)

  for name, source in pairs(programs) do
    it("does as Lua's does: " .. name, function()
      local expected = run_program(source, coroutine)
      assert.is_true(#expected > 0)
      assert.same(expected, run_program(source, co))
    end)

    ait("does so in a task: " .. name, function()
      assert.same(run_program(source, coroutine), run_program(source, co))
    end)

    ait("does so in a coroutine in a task: " .. name, function()
      local expected = run_program(source, coroutine)
      local found = co.wrap(function()
        pause()
        return run_program(source, co)
      end)()
      assert.same(expected, found)
    end)
  end

  it("works with the coroutines of the other library", function()
    local theirs = coroutine.create(function(a)
      return co.yield(a)
    end)
    assert.same({ true, 1 }, { co.resume(theirs, 1) })
    assert.same({ true, 2 }, { coroutine.resume(theirs, 2) })
    local ours = co.create(function(a)
      return coroutine.yield(a)
    end)
    assert.same({ true, 1 }, { coroutine.resume(ours, 1) })
    assert.same({ true, 2 }, { co.resume(ours, 2) })
  end)
end)

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
    assert.matches("'sleep' cannot suspend the task below 'sort'", err.message, 1, true)
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
    local functions = {
      function() asyncio.Future():await() end,
      function() asyncio.wait_for(asyncio.Future(), 10) end,
      function() asyncio.wait_for(asyncio.sleep, 10, 10) end,
      function() asyncio.wait({ asyncio.Future() }, { timeout = 10 }) end,
      function() co.wrap(asyncio.sleep)(10) end,
      function() co.resume(co.create(asyncio.sleep), 10) end,
      function() for _ in asyncio.generator(function() asyncio.sleep(10) end) do end end,
    }
    for i, fn in ipairs(functions) do
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
    local inner, outer = trace:find "\n%s+%[C%]: in [^\n]+\n.*colib_spec"
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

describe("asyncio.coroutine.install", function()
  it("puts the library in the place of Lua's, and takes it back", function()
    local old, create = coroutine, coroutine.create
    local undo = co.install()
    local globally, loaded, inside = coroutine, package.loaded.coroutine, old.create
    local undo_again = co.install()
    undo()
    undo()
    local still = coroutine
    undo_again()
    assert.equal(co, globally)
    assert.equal(co, loaded)
    assert.equal(co.create, inside)
    assert.equal(co, still)
    assert.equal(old, coroutine)
    assert.equal(old, package.loaded.coroutine)
    assert.equal(create, old.create)
    assert.is_nil(old.install)
  end)

  it("makes code that knows nothing of asyncio suspend", function()
    assert.equal("1 2 3\nfalse oops\ncancelled\nclosed\n", helper.check_script [[
      local captured = coroutine
      package.preload.iterators = function()
        local coroutine = require "coroutine"
        return function(fn)
          return coroutine.wrap(function()
            for i = 1, 3 do captured.yield(fn(i)) end
          end)
        end
      end
      local asyncio = require "asyncio"
      local undo = asyncio.coroutine.install()
      local iterate = require "iterators"
      asyncio.run(function()
        local list = {}
        for i in iterate(function(i) return asyncio.sleep(0.001, i) end) do
          list[#list + 1] = i
        end
        print(table.concat(list, " "))
        local ok, err = pcall(iterate(function() asyncio.sleep(0) error "oops" end))
        print(ok, (err:match ":%d+: (.*)"))
        local task = asyncio.create_task(function()
          local c = captured.create(function() asyncio.sleep(10) end)
          local ok, err = captured.resume(c)
          print("went on", ok, err)
        end)
        asyncio.sleep(0)
        task:cancel()
        asyncio.wait { task }
        print(task:cancelled() and "cancelled")
        local c = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = function() print "closed" end })
          coroutine.yield(asyncio.sleep(0))
        end)
        coroutine.resume(c)
        assert(coroutine.close(c))
      end)
      undo()
      assert(coroutine == captured)
    ]]:gsub("\t", " "))
  end)
end)
