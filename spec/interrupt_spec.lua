-- Jobs in threads that are interrupted wherever they are, in coroutines above all;
-- and Lua's coroutine library there, which is as elsewhere.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait = helper.ait

-- The functions that cross see the globals of the other state instead of these,
-- and not an environment of busted's, which would have to cross. Nor do they use
-- its assert, which protects calls as it loads: one interruption could end there.
local assert, describe = assert, describe
local _ENV <const> = _G -- luacheck: ignore 211

-- Coroutines come and go, inside each other, and their stacks grow and shrink.
local function churn()
  local function grow(n, ...)
    if n > 0 then
      return (grow(n - 1, ...))
    end
    return select("#", ...)
  end
  local function nest(level)
    while level > 0 do
      if level == 2 then
        coroutine.wrap(nest)(level - 1)
      else
        local co = coroutine.create(nest)
        _G.assert(coroutine.resume(co, level - 1))
        coroutine.close(co)
      end
    end
    local list = {}
    for i = 1, 4 do
      list[i] = { grow(i * 50, table.unpack(list, 1, 100)) }
    end
  end
  nest(3)
end

-- Waits until a worker runs the job, and then some turns of the loop.
local function until_running(pool, turns)
  while pool:statistics().running == 0 do
    asyncio.sleep(0)
  end
  for _ = 1, turns do
    asyncio.sleep(0)
  end
end

-- Interrupts the function 'times' times, at various moments; the worker must be
-- free then.
local function interrupt(times, fn)
  local pool <close> = asyncio.ThreadPoolExecutor(1)
  for i = 1, times do
    local future = pool:submit(fn)
    until_running(pool, i % 7)
    future:cancel()
    assert.are.equal(i, pool:submit(math.max, i):await())
  end
end

describe("a job that is interrupted", function()
  ait("ends at whatever moment in whatever coroutine it is", function()
    interrupt(60, churn)
  end)

  ait("ends in coroutines of asyncio's library", function()
    interrupt(30, function()
      local lib <const> = require("asyncio").coroutine
      local function nest(level)
        while level > 0 do
          lib.wrap(nest)(level - 1)
        end
        return { tostring(level) }
      end
      nest(3)
    end)
  end)

  ait("ends in tasks that run coroutines", function()
    interrupt(10, function()
      local asyncio = require "asyncio" -- luacheck: ignore 431
      asyncio.run(function()
        while true do
          asyncio.sleep(0)
          asyncio.coroutine.wrap(function()
            coroutine.wrap(asyncio.coroutine.wrap(function() end))()
          end)()
        end
      end)
    end)
  end)

  ait("ends in the <close> variables of coroutines", function()
    -- ends when it was interrupted before
    local function hog(_, err)
      local list
      while err == nil or type(err) == "string" do
        list = { list and #list }
      end
    end
    local function closing()
      local _ <close> = setmetatable({}, { __close = hog })
      coroutine.yield()
      error "failed"
    end
    local function in_close()
      local co = coroutine.create(closing)
      _G.assert(coroutine.resume(co))
      _G.assert(coroutine.close(co))
    end
    local function in_wrap()
      local next_value = coroutine.wrap(closing)
      next_value()
      next_value()
    end
    interrupt(3, in_close)
    interrupt(3, in_wrap)
  end)

  ait("is caught as any error is, once", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(function()
      local list
      _G.caught = coroutine.wrap(function()
        return { pcall(function()
          while true do
            list = { list and #list }
          end
        end) }
      end)()[1] == false
      for _ = 1, 10 do
        coroutine.wrap(tostring)(list)
      end
      _G.went_on = true
    end)
    until_running(pool, 0)
    future:cancel()
    local caught, went_on = pool:submit(function()
      return _G.caught, _G.went_on
    end):await()
    -- neither, if it was interrupted before its function began
    assert.are.equal(caught, went_on)
  end)

  ait("leaves no end of its executor to wait for, as the interpreter ends", function()
    helper.check_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local pool = asyncio.ThreadPoolExecutor(2)
        for _ = 1, 2 do
          pool:submit(function()
            local function nest(level)
              while level > 0 do
                pcall(coroutine.wrap(nest), level - 1)
              end
              return { tostring(level) }
            end
            while true do
              nest(3)
            end
          end)
        end
        while pool:statistics().running < 2 do
          asyncio.sleep(0)
        end
        os.exit(0, true)
      end)
    ]]
  end)
end)

-- What the library does in all sorts of cases, as text.
local function behaviour()
  local results = {}
  local function add(...)
    local values = table.pack(...)
    for i = 1, values.n do
      values[i] = tostring(values[i]):gsub("0x%x+", "0x")
    end
    results[#results + 1] = table.concat(values, " ")
  end
  local function closing(err)
    return setmetatable({}, {
      __close = function(_, was)
        add("closing", was)
        if err ~= nil then
          error(err, 0)
        end
      end,
    })
  end
  local function fails(err, closing_err)
    return function(...)
      local _ <close> = closing(closing_err)
      coroutine.yield(...)
      error(err, 0)
    end
  end

  local co = coroutine.create(function(...)
    add("got", ...)
    add("got", coroutine.yield(1, nil, 3))
    return "last", nil
  end)
  add(coroutine.resume(co, "a", nil))
  add(coroutine.resume(co))
  add(coroutine.status(co), coroutine.resume(co))
  add(pcall(coroutine.resume, 1))
  add(pcall(coroutine.resume))
  add(coroutine.resume(coroutine.running()))

  co = coroutine.create(fails("text", nil))
  add(coroutine.resume(co, "b"))
  add(coroutine.resume(co))
  add(coroutine.status(co), coroutine.close(co))

  add(pcall(coroutine.wrap))
  for _, err in ipairs { "text", 7, true } do
    for _, closing_err in ipairs { false, "other" } do
      local f = coroutine.wrap(fails(err, closing_err or nil))
      add(f "c")
      add(pcall(f))
      add(pcall(f))
      co = coroutine.create(fails(err, closing_err or nil))
      coroutine.resume(co)
      add(coroutine.close(co))
      add(coroutine.status(co))
    end
  end
  add(pcall(coroutine.wrap(function()
    error({}, 0)
  end)))
  add(select("#", coroutine.wrap(function()
    return table.unpack({}, 1, 200)
  end)()))

  co = coroutine.create(function()
    add(pcall(coroutine.close, (coroutine.running())))
    add(pcall(coroutine.wrap(function()
      return coroutine.close(co)
    end)))
  end)
  add(coroutine.resume(co))
  add(coroutine.close(co))
  add(coroutine.close(coroutine.create(print)))
  add(pcall(coroutine.close, 1))
  add(debug.traceback(coroutine.create(print)))
  return table.concat(results, "\n")
end

describe("the coroutine library in a worker", function()
  ait("does what it does elsewhere", function()
    assert.are.equal(behaviour(), asyncio.to_thread(behaviour))
  end)

  ait("crosses by its names", function()
    assert.is_true(asyncio.to_thread(function(resume, wrap, close)
      return resume == coroutine.resume and wrap == coroutine.wrap and close == coroutine.close
    end, coroutine.resume, coroutine.wrap, coroutine.close))
    local resume, close = asyncio.to_thread(function()
      return coroutine.resume, coroutine.close
    end)
    assert.are.equal(coroutine.resume, resume)
    assert.are.equal(coroutine.close, close)
  end)
end)
