local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("timers", function()
  ait("fire in the order of their times, however far apart", function()
    local loop = asyncio.get_running_loop()
    local base, fired, expected = loop:time(), {}, {}
    for i = 1, 2000 do
      local offset = (i * 7919 % 2003) * 1e-5 -- a fixed shuffle of up to 20 ms
      expected[i] = offset
      loop:call_at(base + offset, function()
        fired[#fired + 1] = offset
      end)
    end
    table.sort(expected)
    asyncio.sleep(0.025)
    while #fired < #expected do
      asyncio.sleep(0.001)
    end
    assert.same(expected, fired)
  end)

  ait("of equal times fire in the order they were set", function()
    local loop = asyncio.get_running_loop()
    local t = helper.trace()
    local when = loop:time() + 0.002
    for i = 1, 50 do
      loop:call_at(when, t, i)
    end
    asyncio.sleep(0.004)
    local list = t:list()
    assert.equal(50, #list)
    for i = 1, 50 do
      assert.equal(i, list[i])
    end
  end)

  ait("are never early", function()
    local loop = asyncio.get_running_loop()
    local early = 0
    for i = 1, 100 do
      local when = loop:time() + i * 1e-4
      loop:call_at(when, function()
        if loop:time() < when then
          early = early + 1
        end
      end)
    end
    asyncio.sleep(0.012)
    assert.equal(0, early)
  end)

  -- The machine may stall once, but not each time.
  ait("are not late by the time that code before them has taken", function()
    local loop = asyncio.get_running_loop()
    local late
    for _ = 1, 5 do
      local hogged = loop:time() + 0.2
      while loop:time() < hogged do end
      asyncio.sleep(0.01)
      late = loop:time() - (hogged + 0.01)
      if late < 0.03 then
        return
      end
    end
    error("late by " .. late)
  end)

  ait("can be cancelled, from within each other too", function()
    local loop = asyncio.get_running_loop()
    local t = helper.trace()
    local now = loop:time()
    local second = loop:call_at(now + 0.002, t, "second")
    loop:call_at(now + 0.001, function()
      t "first"
      second:cancel()
    end)
    local away = loop:call_at(now + 0.001, t, "away")
    away:cancel()
    away:cancel()
    assert.is_true(away:cancelled())
    asyncio.sleep(0.005)
    assert.same({ "first" }, t:list())
  end)

  ait("of the past or of now run in the next turn", function()
    local loop = asyncio.get_running_loop()
    local t = helper.trace()
    loop:call_later(0, t, "zero")
    loop:call_later(-5, t, "minus")
    loop:call_at(0, t, "long ago")
    loop:call_later(-math.huge, t, "ever")
    loop:call_soon(t, "soon")
    assert.same({}, t:list())
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.same({ "soon", "long ago", "zero", "minus", "ever" }, t:list())
  end)

  ait("of the far future wait", function()
    local loop = asyncio.get_running_loop()
    for _, delay in ipairs { 1e3, 1e9, 1e18, 1e300, math.huge, math.maxinteger } do
      local handle = loop:call_later(delay, error, "too early")
      assert.is_true(handle:when() > loop:time())
      asyncio.sleep(0)
      handle:cancel()
    end
  end)

  ait("know their time", function()
    local loop = asyncio.get_running_loop()
    local handle = loop:call_at(loop:time() + 100, print)
    assert.is_true(math.abs(handle:when() - loop:time() - 100) < 1)
    assert.is_true(asyncio.isinstance(handle, asyncio.TimerHandle))
    assert.is_true(asyncio.isinstance(handle, asyncio.Handle))
    handle:cancel()
  end)

  ait("may be many, set and cancelled at random", function()
    local loop = asyncio.get_running_loop()
    local handles, fired = {}, 0
    for i = 1, 5000 do
      handles[i] = loop:call_later((i * 31 % 97) * 1e-4 + (i % 3) * 50, function()
        fired = fired + 1
      end)
    end
    local expected = 0
    for i = 1, 5000 do
      if i % 3 ~= 0 or i % 2 == 0 then
        handles[i]:cancel()
      else
        expected = expected + 1
      end
    end
    while fired < expected do
      asyncio.sleep(0.001)
    end
    asyncio.sleep(0.012)
    assert.equal(expected, fired)
  end)

  ait("set by a timer's callback run in a later turn", function()
    local loop = asyncio.get_running_loop()
    local t = helper.trace()
    local done = loop:create_future()
    loop:call_later(0.001, function()
      t "timer"
      loop:call_soon(t, "soon")
      loop:call_later(0, function()
        t "later"
        done:set_result()
      end)
    end)
    done:await()
    assert.same({ "timer", "soon", "later" }, t:list())
  end)

  it("refuse bad times", function()
    local loop = asyncio.new_event_loop()
    helper.raises("bad argument #1 to 'call_later'", function()
      loop:call_later("x", print)
    end)
    helper.raises("bad argument #1 to 'call_later' .*nan", function()
      loop:call_later(0 / 0, print)
    end)
    helper.raises("bad argument #2 to 'call_at'", function()
      loop:call_at(1, "print")
    end)
    loop:close()
    helper.raises(asyncio.RuntimeError, loop.call_later, loop, 1, print)
  end)
end)
