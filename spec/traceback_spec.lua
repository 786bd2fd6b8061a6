local asyncio = require "asyncio"

-- The traceback of the error that fn raises in a task.
local function traceback_of(fn, ...)
  local arguments = table.pack(...)
  return asyncio.run(function()
    local task = asyncio.create_task(fn, table.unpack(arguments, 1, arguments.n))
    asyncio.wait { task }
    task:exception()
    return task:traceback()
  end)
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  return lines
end

-- Calls itself, so that there are 'n' frames of it.
local function deep(n)
  if n == 1 then
    error "deep"
  end
  deep(n - 1)
end

describe("a traceback", function()
  it("has a line for each function, the innermost first", function()
    local at
    local function named()
      at = debug.getinfo(1, "l").currentline + 1
      error "boom"
    end
    local lines = lines_of(traceback_of(function()
      named()
    end))
    assert.equal("stack traceback:", lines[1])
    assert.equal("\t[C]: in function 'error'", lines[2])
    assert.matches("^\t.*traceback_spec.lua:" .. at .. ": in upvalue 'named'$", lines[3])
    assert.matches("^\t.*traceback_spec.lua:%d+: in function <.*traceback_spec.lua:%d+>$", lines[4])
    assert.equal(4, #lines)
  end)

  it("notes tail calls, methods and main chunks", function()
    local object = {
      method = function()
        error "boom"
      end,
    }
    local chunk = load("local object = ... object:method()", "=chunk")
    local text = traceback_of(function()
      return chunk(object)
    end)
    assert.matches("in method 'method'\n", text)
    assert.matches("\tchunk:1: in main chunk\n\t%(...tail calls...%)", text)
  end)

  it("shows both ends of a long stack", function()
    local lines = lines_of(traceback_of(deep, 100))
    -- error and 100 frames: 10 of them, 11 of them, and what is left out
    assert.equal(1 + 10 + 1 + 11, #lines)
    assert.equal("\t...\t(skipping 80 levels)", lines[12])
    assert.matches("in function <.*traceback_spec.lua", lines[23])
    for i = 13, 22 do
      assert.matches("in upvalue 'deep'", lines[i])
    end
  end)

  it("shows a stack of 21 frames whole", function()
    local lines = lines_of(traceback_of(deep, 20))
    assert.equal(1 + 21, #lines)
    assert.not_matches("skipping", table.concat(lines))
  end)

  it("is kept with an exception object", function()
    local err = asyncio.run(function()
      local task = asyncio.create_task(function()
        error(asyncio.TimeoutError "late")
      end)
      local _, caught = pcall(task.await, task)
      return caught
    end)
    assert.matches("^stack traceback:\n\t%[C%]: in function 'error'\n", err.traceback)
  end)

  it("of a task that waits begins with what it waits in", function()
    asyncio.run(function()
      local task = asyncio.create_task(function()
        asyncio.sleep(10)
      end)
      assert.matches("has not started", task:traceback())
      asyncio.sleep(0)
      local lines = lines_of(task:traceback())
      assert.equal("\t[C]: in function 'sleep'", lines[2])
      assert.equal(3, #lines)
      task:cancel()
    end)
  end)
end)
