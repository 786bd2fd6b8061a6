-- Generators: what they give, and how their loops are left.
-- luacheck: ignore 512

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local generator <const> = asyncio.generator
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

-- A body that yields from 1 to n, and pauses before each.
local function count(yield, n)
  for i = 1, n do
    asyncio.sleep(0)
    yield(i)
  end
end

describe("a generator", function()
  ait("gives what its body yields, which may suspend", function()
    local t = helper.trace()
    local ticker = asyncio.create_task(function()
      for _ = 1, 3 do
        t "tick"
        asyncio.sleep(0)
      end
    end)
    for i in generator(count, 3) do
      t(i)
    end
    ticker:await()
    assert.same({ "tick", 1, "tick", 2, "tick", 3 }, t:list())
  end)

  ait("gives the body its arguments, and the loop all values", function()
    local function body(yield, ...)
      local n = select("#", ...)
      assert.equal(0, select("#", yield(n, ...)))
      yield(false, nil)
    end
    local got = {}
    for a, b, c in generator(body, nil, "x") do
      got[#got + 1] = table.pack(a, b, c)
    end
    assert.same({ { 2, nil, "x", n = 3 }, { false, nil, nil, n = 3 } }, got)
    local many = table.pack(generator(function(yield)
      yield(table.unpack({}, 2, 200), 1)
      yield(true, table.unpack({}, 1, 199))
    end))
    assert.equal(4, many.n)
    assert.equal(200, select("#", generator(function(yield)
      yield(true, table.unpack({}, 1, 199))
    end)()))
  end)

  it("works outside of tasks, where it cannot suspend", function()
    local sum = 0
    for i in generator(function(yield)
      for i = 1, 3 do
        yield(i)
      end
    end) do
      sum = sum + i
    end
    assert.equal(6, sum)
    local err = helper.raises(asyncio.RuntimeError, generator(count, 1))
    assert.matches("must be called in a task", err.message, 1, true)
  end)

  ait("is empty when its body yields nothing", function()
    for _ in generator(function() return 1 end) do
      error "there is nothing"
    end
    for _ in generator(function() asyncio.sleep(0) end) do
      error "there is nothing"
    end
  end)

  ait("gives nothing more at its end", function()
    local next = generator(count, 1)
    assert.equal(1, next())
    assert.equal(0, select("#", next()))
    assert.equal(0, select("#", next()))
    assert.matches("^<Generator finished", tostring(next))
  end)

  ait("can be made of generators", function()
    local function twice(yield, inner)
      for i in inner do
        yield(i)
        yield(i)
      end
    end
    local got = {}
    for i in generator(twice, (generator(twice, (generator(count, 2))))) do
      got[#got + 1] = i
    end
    assert.same({ 1, 1, 1, 1, 2, 2, 2, 2 }, got)
  end)

  ait("may be called by one task after the other", function()
    local next = generator(function(yield)
      while true do
        asyncio.sleep(0)
        yield(asyncio.current_task():get_name())
      end
    end)
    for _, name in ipairs { "one", "two" } do
      assert.equal(name, asyncio.create_task(function()
        return next()
      end):set_name(name):await())
    end
    next:close()
  end)

  ait("is refused to a second task while the first is in it", function()
    local next = generator(count, 2)
    local first = asyncio.create_task(function()
      return next()
    end)
    asyncio.sleep(0)
    assert.matches("^<Generator running", tostring(next))
    local err = helper.raises(asyncio.RuntimeError, next)
    assert.matches("running already", err.message, 1, true)
    helper.raises("is running", next.close, next)
    assert.equal(1, first:await())
    assert.equal(2, next())
  end)

  it("cannot call or close itself", function()
    local next
    next = generator(function(yield)
      yield((helper.raises(asyncio.RuntimeError, next)))
      yield((helper.raises(asyncio.RuntimeError, next.close, next)))
    end)
    assert.matches("cannot call itself", next().message, 1, true)
    assert.matches("is running", next().message, 1, true)
  end)

  ait("takes a coroutine function, too", function()
    assert.equal(1, generator(asyncio.async(count), 1)())
  end)

  it("is an object of its class", function()
    local next = generator(count, 1)
    assert.is_true(asyncio.isinstance(next, asyncio.Generator))
    assert.matches("^<Generator created", tostring(next))
    helper.raises("asyncio.Generator expected, got number", asyncio.Generator.close, 1)
    helper.raises("made by the library", asyncio.Generator)
    for _, wrong in ipairs { 1, "x", {} } do
      helper.raises("bad argument #1 to '[%w.]*generator'", asyncio.generator, wrong)
    end
    helper.raises("bad argument #1", asyncio.generator)
  end)
end)

describe("yield", function()
  ait("refuses nil as the first value, and loses nothing", function()
    local got = {}
    for value in generator(function(yield)
      for _, value in ipairs { 1, false, 2 } do
        local ok, err = pcall(yield, value or nil)
        if not ok then
          assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
          assert.matches("cannot yield nil first", err.message, 1, true)
          yield "instead"
        end
      end
      helper.raises("cannot yield nil first", yield)
    end) do
      got[#got + 1] = value
    end
    assert.same({ 1, "instead", 2 }, got)
  end)

  ait("is the body's own", function()
    local kept
    local next = generator(function(yield)
      kept = yield
      local inner = asyncio.coroutine.wrap(function()
        return helper.raises("generator's own function", yield, 1)
      end)
      inner()
      local task = asyncio.create_task(yield, 1)
      asyncio.wait { task }
      assert.is_true(asyncio.isinstance(task:exception(), asyncio.RuntimeError))
      yield "fine"
    end)
    assert.equal("fine", next())
    helper.raises("generator's own function", kept, 1)
    assert.is_nil(next())
    helper.raises("is over", kept, 1)
  end)

  ait("is an error below a function that cannot yield", function()
    local next = generator(function(yield)
      table.sort({ 2, 1 }, function()
        helper.raises("cannot yield", yield, 1)
      end)
      yield "fine"
    end)
    assert.equal("fine", next())
  end)

  ait("is not of use to who resumes the body's coroutine", function()
    local thread
    local next = generator(function(yield)
      thread = coroutine.running()
      helper.raises("resumed by something else", yield, 1)
      yield(2)
    end)
    assert.equal(1, next())
    assert.equal("normal", asyncio.coroutine.status(thread))
    helper.raises("cannot close a normal coroutine", asyncio.coroutine.close, thread)
    assert.same({ true, 2 }, { coroutine.resume(thread) })
    local ok, err = coroutine.resume(thread)
    assert.is_false(ok)
    assert.matches("resumed by something else", err.message, 1, true)
    helper.raises("dead coroutine", next)
    assert.is_nil(next())
  end)
end)

describe("an error in a generator's body", function()
  ait("reaches the loop as it is, with its traceback", function()
    for _, value in ipairs { "text", 1, asyncio.TimeoutError "late", {} } do
      local next = generator(function(yield)
        yield(1)
        asyncio.sleep(0)
        error(value, 0)
      end)
      assert.equal(1, next())
      assert.equal(value, helper.catch(next))
      assert.is_nil(next())
    end
    local inner, outer
    local task = asyncio.create_task(function()
      outer = line() + 1
      for _ in generator(function(yield)
        yield(1)
        inner = line() + 1
        error "oops"
      end) do
        asyncio.sleep(0)
      end
    end)
    asyncio.wait { task }
    assert.equal(("%s:%d: oops"):format(here, inner), task:exception())
    local text = task:traceback()
    local at = text:find((":%d: in"):format(inner), 1, true)
    assert.is_not_nil(at, text)
    assert.is_not_nil(text:find((":%d: in"):format(outer), at, true), text)
  end)

  ait("lets its <close> variables suspend", function()
    local t = helper.trace()
    local ok, err = pcall(function()
      for i in generator(function(yield)
        local _ <close> = closing(function(err)
          t(asyncio.sleep(0, err))
        end)
        yield(1)
        error("oops", 0)
      end) do
        t(i)
      end
    end)
    t(ok, err)
    assert.same({ 1, "oops", "false oops" }, t:list())
  end)
end)

describe("leaving a generator's loop", function()
  -- A body that notes its end, which suspends.
  local function body_of(t)
    return function(yield)
      local _ <close> = closing(function(err)
        t("closing", err)
        asyncio.sleep(0)
        t "closed"
      end)
      for i = 1, 3 do
        yield(i)
      end
    end
  end

  ait("by break runs the body's end, which may suspend", function()
    local t = helper.trace()
    for i in generator(body_of(t)) do
      t(i)
      break
    end
    t "after"
    assert.same({ 1, "closing CancelledError: generator closed", "closed", "after" }, t:list())
  end)

  ait("by return, goto and an error does, too", function()
    local t = helper.trace()
    local function returns()
      for i in generator(body_of(t)) do
        return i
      end
    end
    t(returns())
    for _ in generator(body_of(t)) do
      goto out
    end
    ::out::
    t "out"
    local ok, err = pcall(function()
      for _ in generator(body_of(t)) do
        error("oops", 0)
      end
    end)
    t(ok, err)
    local closing_closed = { "closing CancelledError: generator closed", "closed" }
    local expected = {}
    for _, word in ipairs { 1, "out", "false oops" } do
      table.move(closing_closed, 1, 2, #expected + 1, expected)
      expected[#expected + 1] = word
    end
    assert.same(expected, t:list())
  end)

  ait("at its end closes nothing twice", function()
    local t = helper.trace()
    for i in generator(body_of(t)) do
      t(i)
    end
    assert.same({ 1, 2, 3, "closing nil", "closed" }, t:list())
  end)

  ait("when the task is cancelled does, too", function()
    local t = helper.trace()
    local task = asyncio.create_task(function()
      for i in generator(body_of(t)) do
        t(i)
        asyncio.sleep(10)
      end
    end)
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    assert.same({ 1, "closing CancelledError: generator closed", "closed" }, t:list())
  end)

  ait("closes what was never begun without running it", function()
    local next = generator(error)
    next:close()
    assert.is_nil(next())
    do
      local _ <close> = generator(error)
    end
  end)

  it("works outside of tasks, where the end cannot suspend", function()
    local t = helper.trace()
    for i in generator(function(yield)
      local _ <close> = closing(function()
        t "closed"
      end)
      yield(1)
    end) do
      t(i)
      break
    end
    assert.same({ 1, "closed" }, t:list())
    helper.raises("must be called in a task", function()
      for _ in generator(body_of(t)) do
        break
      end
    end)
  end)

  ait("raises the error of the body's end", function()
    local next = generator(function(yield)
      local _ <close> = closing(function()
        error("instead", 0)
      end)
      yield(1)
    end)
    next()
    assert.equal("instead", helper.catch(next.close, next))
    next:close()
  end)

  ait("passes asyncio.pcall in the body, and lets a pcall end it", function()
    local t = helper.trace()
    local next = generator(function(yield)
      local _, err = pcall(function()
        asyncio.pcall(yield, 1)
        t "went on"
      end)
      t(err)
    end)
    next()
    next:close()
    assert.same({ "CancelledError: generator closed" },
      { tostring(t:list()[1]) })
  end)

  ait("is an error where the body yields all the same", function()
    local next = generator(function(yield)
      pcall(yield, 1)
      yield(2)
    end)
    next()
    local err = helper.raises(asyncio.RuntimeError, next.close, next)
    assert.matches("ignored that it was closed", err.message, 1, true)
    assert.is_nil(next())
  end)

  ait("ends even a body that swallows that, too", function()
    local closed = false
    local next = generator(function(yield)
      local _ <close> = closing(function()
        closed = true
      end)
      while true do
        pcall(yield, 1)
      end
    end)
    next()
    helper.raises("ignored that it was closed", next.close, next)
    assert.is_true(closed)
    assert.is_nil(next())
  end)

  ait("can be cancelled itself", function()
    local t = helper.trace()
    local task = asyncio.create_task(function()
      for _ in generator(function(yield)
        local _ <close> = closing(function()
          asyncio.sleep(10)
        end)
        yield(1)
      end) do
        break
      end
      t "went on"
    end)
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    assert.same({}, t:list())
  end)
end)
