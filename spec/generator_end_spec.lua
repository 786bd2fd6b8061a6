-- Generators whose task, whose loop or whose last user goes away.
-- luacheck: ignore 512

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local generator <const> = asyncio.generator

local function closing(fn)
  return setmetatable({}, {
    __close = function(_, err)
      return fn(err)
    end,
  })
end

describe("cancelling a task in a generator", function()
  ait("that awaits ends the body and the loop", function()
    local t = helper.trace()
    local next = generator(function(yield)
      local _ <close> = closing(function(err)
        t(asyncio.sleep(0, err.message))
      end)
      yield(1)
      asyncio.sleep(10)
    end)
    local task = asyncio.create_task(function()
      for i in next do
        t(i)
      end
    end)
    asyncio.sleep(0)
    task:cancel "enough"
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    assert.same({ 1, "enough" }, t:list())
    assert.is_nil(next())
  end)

  ait("by a timeout raises TimeoutError", function()
    local function slow(yield)
      yield(1)
      asyncio.sleep(10)
    end
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.001)
      for _ in generator(slow) do
        asyncio.sleep(0)
      end
    end)
    local next = generator(function(yield)
      yield(1)
      yield(helper.raises(asyncio.TimeoutError, asyncio.wait_for, asyncio.sleep, 0.001, 10))
    end)
    next()
    assert.is_true(asyncio.isinstance(next(), asyncio.TimeoutError))
  end)
end)

describe("an abandoned generator", function()
  -- Takes the first value of a generator, and forgets it.
  local function abandon(fn, ...)
    local next = generator(fn, ...)
    return next()
  end

  ait("is closed by a task of its own when it is collected", function()
    local t = helper.trace()
    abandon(function(yield)
      local _ <close> = closing(function(err)
        t(asyncio.current_task():get_name(), err)
        asyncio.sleep(0)
        t "closed"
      end)
      yield(1)
    end)
    helper.collect()
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.same({ "close of a generator CancelledError: generator closed", "closed" }, t:list())
  end)

  it("is closed to its end when the run ends", function()
    local t = helper.trace()
    helper.run(function()
      abandon(function(yield)
        local _ <close> = closing(function()
          t "closing"
          local ok = pcall(asyncio.sleep, 10)
          t(ok)
        end)
        yield(1)
      end)
      helper.collect()
    end)
    assert.same({ "closing", false }, t:list())
  end)

  it("is closed at once after its run", function()
    local t = helper.trace()
    local function body(yield)
      local _ <close> = closing(function()
        t(asyncio.isinstance(helper.catch(asyncio.sleep, 0), asyncio.RuntimeError))
      end)
      yield(1)
    end
    local keep = helper.run(function()
      local next = generator(body)
      next()
      return next
    end)
    assert.is_userdata(keep)
    keep = nil -- luacheck: ignore
    helper.collect()
    abandon(body)
    helper.run(helper.collect)
    assert.same({ true, true }, t:list())
  end)

  ait("is collected with all it had", function()
    local weak = setmetatable({}, { __mode = "k" })
    for i = 1, 10 do
      local value = {}
      weak[value] = i
      abandon(function(yield, kept)
        yield(kept)
      end, value)
      for _ in generator(function(yield, kept) yield(kept) end, value) do end
      generator(error, value)
    end
    helper.collect()
    asyncio.sleep(0)
    helper.collect()
    assert.is_nil(next(weak))
  end)

  it("says on stderr what its end raised", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      local function body(yield)
        local _ <close> = setmetatable({}, { __close = function() error("oops", 0) end })
        yield(1)
      end
      local function abandon()
        local next = asyncio.generator(body)
        next()
      end
      abandon()
      collectgarbage()
      asyncio.run(function()
        abandon()
        collectgarbage()
        collectgarbage()
      end)
      kept = asyncio.generator(body)
      kept()
    ]]
    assert.equal(0, result.code)
    local _, direct = result.stderr:gsub("an abandoned generator was closed: oops", "")
    assert.equal(2, direct)
    assert.matches("task: <Task failed name='close of a generator'", result.stderr, 1, true)
  end)
end)

describe("closing the loop", function()
  local function close_with(fn)
    local t = helper.trace()
    local loop = asyncio.new_event_loop()
    loop:set_exception_handler(function(_, context)
      t("reported", context.exception)
    end)
    loop:create_task(fn, t)
    loop:run_until_complete(asyncio.sleep, 0)
    loop:close()
    return t:list()
  end

  local function body(yield, t, wait)
    local _ <close> = closing(function()
      t "body"
    end)
    yield(1)
    if wait then
      asyncio.sleep(10)
    end
  end

  for _, wait in ipairs { true, false } do
    it("closes a generator that waits " .. (wait and "in an await" or "for its loop"), function()
      local next
      assert.same({ "body", "task" }, close_with(function(t)
        local _ <close> = closing(function()
          t "task"
        end)
        local values = table.pack(generator(body, t, wait))
        next = values[1]
        for _ in table.unpack(values, 1, 4) do
          if not wait then
            asyncio.sleep(10)
          end
        end
        t "went on"
      end))
      assert.is_nil(next())
    end)
  end

  it("closes one that is closing", function()
    assert.same({ "outer" }, close_with(function(t)
      for _ in generator(function(yield)
        local _ <close> = closing(function()
          t "outer"
        end)
        local _ <close> = closing(function()
          asyncio.sleep(10)
          t "went on"
        end)
        yield(1)
      end) do
        break
      end
      t "went on"
    end))
  end)
end)
