local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

-- A task that is cancelled in body's sleep, and what it raised or returned.
local function cancelled_in(body)
  local task = asyncio.create_task(body)
  asyncio.sleep(0)
  task:cancel()
  return pcall(task.await, task)
end

describe("asyncio.pcall", function()
  ait("returns what Lua's does", function()
    assert.same({ n = 4, true, 1, nil, 3 }, table.pack(asyncio.pcall(function(...)
      asyncio.sleep(0)
      return ...
    end, 1, nil, 3)))
    assert.same({ n = 1, true }, table.pack(asyncio.pcall(function() end)))
    local err = {}
    assert.same({ n = 2, false, err }, table.pack(asyncio.pcall(error, err)))
    local ok, message = asyncio.pcall(nil)
    assert.is_false(ok)
    assert.matches("attempt to call", message)
    helper.raises("bad argument #1", asyncio.pcall)
  end)

  ait("does not catch a cancellation", function()
    local went_on = false
    local ok, err = cancelled_in(function()
      asyncio.pcall(asyncio.sleep, 1000)
      went_on = true
    end)
    assert.is_false(ok)
    assert.is_true(asyncio.isinstance(err, asyncio.CancelledError))
    assert.is_false(went_on)
  end)

  ait("does not catch a KeyboardInterrupt", function()
    helper.raises(asyncio.KeyboardInterrupt, asyncio.pcall, error, asyncio.KeyboardInterrupt())
  end)

  ait("catches a timeout", function()
    local ok, err = asyncio.pcall(asyncio.wait_for, asyncio.sleep, 0.001, 1000)
    assert.is_false(ok)
    assert.is_true(asyncio.isinstance(err, asyncio.TimeoutError))
  end)

  it("works outside of tasks", function()
    assert.same({ true, 1 }, { asyncio.pcall(math.abs, -1) })
    assert.same({ false, "x" }, { asyncio.pcall(error, "x", 0) })
  end)
end)

describe("asyncio.xpcall", function()
  ait("returns what Lua's does", function()
    local function handler(err)
      return "handled " .. err, "second"
    end
    assert.same({ n = 3, true, 1, 2 }, table.pack(asyncio.xpcall(function(...)
      asyncio.sleep(0)
      return ...
    end, handler, 1, 2)))
    assert.same({ n = 2, false, "handled x" }, table.pack(asyncio.xpcall(error, handler, "x", 0)))
    helper.raises("bad argument #2", asyncio.xpcall, error, 5)
  end)

  ait("calls the handler where the error is", function()
    local _, traceback = asyncio.xpcall(function()
      asyncio.sleep(0)
      local function culprit()
        error "here"
      end
      culprit()
    end, debug.traceback)
    assert.matches("culprit", traceback)
  end)

  ait("does not show a cancellation to the handler", function()
    local handled = false
    local ok = cancelled_in(function()
      asyncio.xpcall(asyncio.sleep, function()
        handled = true
      end, 1000)
    end)
    assert.is_false(ok)
    assert.is_false(handled)
  end)

  ait("gives an error of the handler", function()
    local ok = asyncio.xpcall(error, function()
      error "again"
    end, "x")
    assert.is_false(ok)
  end)
end)

describe("catch", function()
  ait("catches only what it was told", function()
    local err = asyncio.TimeoutError "late"
    assert.same({ n = 2, false, err }, table.pack(asyncio.catch(asyncio.TimeoutError, error, err)))
    assert.same({ n = 2, false, err }, table.pack(asyncio.catch(asyncio.Error, error, err)))
    local list = { asyncio.OSError, asyncio.TimeoutError }
    assert.same({ n = 2, false, err }, table.pack(asyncio.catch(list, error, err)))
    assert.equal(err, helper.catch(asyncio.catch, asyncio.OSError, error, err))
    assert.equal("text", helper.catch(asyncio.catch, asyncio.Error, error, "text"))
  end)

  ait("returns the values of a call that succeeds", function()
    assert.same({ n = 3, true, nil, 2 }, table.pack(asyncio.catch(asyncio.Error, function()
      asyncio.sleep(0)
      return nil, 2
    end)))
  end)

  ait("catches a cancellation when told so", function()
    local caught
    local ok = cancelled_in(function()
      caught = not asyncio.catch(asyncio.CancelledError, asyncio.sleep, 1000)
    end)
    assert.is_true(ok)
    assert.is_true(caught)
  end)

  ait("knows classes of one's own", function()
    local ParseError = asyncio.exception("ParseError", asyncio.LookupError)
    assert.is_false((asyncio.catch(ParseError, error, ParseError "x")))
    assert.is_false((asyncio.catch(asyncio.LookupError, error, ParseError "x")))
    helper.raises(asyncio.LookupError, asyncio.catch, ParseError, error, asyncio.LookupError())
  end)

  it("refuses what is no class", function()
    helper.raises("bad argument #1", asyncio.catch, nil, error)
    helper.raises("bad argument #1", asyncio.catch, {}, error)
    helper.raises("bad argument #1", asyncio.catch, { 5 }, error)
    helper.raises("bad argument #1", asyncio.catch, "TimeoutError", error)
    helper.raises("bad argument #2", asyncio.catch, asyncio.Error)
  end)
end)
