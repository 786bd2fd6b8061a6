local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function recorder()
  local events = {}
  return events, function(name, event, seconds)
    events[#events + 1] = { name, event, seconds }
  end
end

describe("timed", function()
  ait("reports a call's start and end", function()
    local events, report = recorder()
    local nap = asyncio.timed(function(...)
      asyncio.sleep(0.002)
      return ...
    end, "nap", report)
    assert.same({ n = 3, 1, nil, 3 }, table.pack(nap(1, nil, 3)))
    assert.equal(2, #events)
    assert.same({ "nap", "start", 0.0 }, events[1])
    assert.equal("nap", events[2][1])
    assert.equal("end", events[2][2])
    assert.is_true(events[2][3] >= 0.002)
  end)

  ait("makes a coroutine function of a coroutine function", function()
    local events, report = recorder()
    local nap = asyncio.timed(
      asyncio.async(function(x)
        asyncio.sleep(0)
        return x
      end),
      "nap",
      report
    )
    assert.is_true(asyncio.iscoroutinefunction(nap))
    local coroutine = nap "x"
    assert.equal(0, #events)
    assert.equal("x", coroutine:await())
    assert.equal(2, #events)
  end)

  ait("reports the end of a call that fails or is cancelled", function()
    local events, report = recorder()
    local fail = asyncio.timed(error, "fail", report)
    assert.equal("no", helper.catch(fail, "no", 0))
    assert.equal("end", events[2][2])
    local nap = asyncio.timed(asyncio.sleep, "nap", report)
    local task = asyncio.create_task(nap, 1000)
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("end", events[4][2])
  end)

  it("works outside of tasks", function()
    local events, report = recorder()
    assert.equal(3, asyncio.timed(math.max, "max", report)(1, 3, 2))
    assert.equal(2, #events)
  end)

  it("writes to stderr and names the function by its place", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      asyncio.timed(function() end)()
      asyncio.timed(function() end, "named")()
    ]]
    assert.equal("", result.stdout)
    local lines = {}
    for line in result.stderr:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    assert.equal(4, #lines)
    assert.matches("script:2 started$", lines[1])
    assert.matches("script:2 ended after %d+%.%d+ s$", lines[2])
    assert.matches("named started$", lines[3])
  end)

  it("refuses bad arguments", function()
    helper.raises("bad argument #1 to 'timed'", asyncio.timed)
    helper.raises("bad argument #2 to 'timed'", asyncio.timed, print, {})
    helper.raises("bad argument #3 to 'timed'", asyncio.timed, print, "x", "y")
  end)
end)
