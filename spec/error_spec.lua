local asyncio = require "asyncio"
local helper = require "spec.helper"

local names <const> = {
  "CancelledError", "TimeoutError", "InvalidStateError", "RuntimeError", "KeyboardInterrupt",
  "LookupError", "QueueEmpty", "QueueFull", "QueueShutDown", "IncompleteReadError",
  "LimitOverrunError", "BrokenBarrierError", "ExceptionGroup", "DeadlockError", "OSError",
}

describe("the classes of errors", function()
  it("all stand directly below Error", function()
    for _, name in ipairs(names) do
      local class <const> = asyncio[name]
      local err = class("why", name == "ExceptionGroup" and { "an error" } or nil)
      assert.is_true(asyncio.isinstance(err, class))
      assert.is_true(asyncio.isinstance(err, asyncio.Error))
      for _, other in ipairs(names) do
        assert.equal(other == name, asyncio.isinstance(err, asyncio[other]))
      end
      assert.equal("asyncio." .. name, tostring(class))
      assert.equal(name, err.name)
    end
  end)

  it("of groups take the errors, one at least", function()
    helper.raises("bad argument #2 to '?.-'? %(table expected", asyncio.ExceptionGroup, "m")
    helper.raises("#2 .*a group needs an error", asyncio.ExceptionGroup, "m", {})
    helper.raises("bad argument #2", asyncio.TimeoutError, "m", 5)
    local group = asyncio.ExceptionGroup("m", { "x" })
    group.exceptions = nil
    assert.matches("^ExceptionGroup: m", tostring(group))
  end)

  it("make instances with a message, or without", function()
    local err = asyncio.TimeoutError "late"
    assert.equal("late", err.message)
    assert.equal("TimeoutError: late", tostring(err))
    assert.is_nil(asyncio.TimeoutError().message)
    assert.equal("TimeoutError", tostring(asyncio.TimeoutError()))
    assert.equal(12, asyncio.TimeoutError(12).message)
    assert.equal("TimeoutError: 12", tostring(asyncio.TimeoutError(12)))
  end)

  it("make instances that can be put together with strings", function()
    local err = asyncio.TimeoutError "late"
    assert.equal("why: TimeoutError: late.", "why: " .. err .. ".")
    assert.equal("12TimeoutErrorTimeoutError: late", 12 .. (asyncio.TimeoutError() .. err))
    local Gone <const> = asyncio.exception "Gone"
    function Gone.__tostring()
      return "is gone"
    end
    assert.equal("it is gone", "it " .. asyncio.exception("Below", Gone)())
    for name, value in pairs { table = {}, boolean = true } do
      local text = "error_spec.lua:%d+: attempt to concatenate a " .. name .. " value"
      helper.raises(text, function() return err .. value end)
      helper.raises(text, function() return value .. err end)
    end
    helper.raises("attempt to concatenate a nil value", function() return err .. nil end)
  end)

  it("give their instances more fields", function()
    local err = asyncio.OSError("refused", { code = "ECONNREFUSED", errno = 111 })
    assert.same({ "refused", "ECONNREFUSED", 111 }, { err.message, err.code, err.errno })
  end)

  it("are raised and caught like any value", function()
    local err = asyncio.LookupError "nothing"
    assert.equal(err, helper.catch(error, err))
  end)

  it("do not mix their instances up", function()
    assert.not_equal(asyncio.Error "a", asyncio.Error "a")
    assert.is_false(asyncio.isinstance(asyncio.Error "a", asyncio.TimeoutError))
  end)
end)

describe("exception", function()
  it("makes a class of one's own below Error", function()
    local Mine <const> = asyncio.exception "Mine"
    local err = Mine "text"
    assert.is_true(asyncio.isinstance(err, Mine))
    assert.is_true(asyncio.isinstance(err, asyncio.Error))
    assert.is_false(asyncio.isinstance(asyncio.Error(), Mine))
    assert.equal("Mine: text", tostring(err))
  end)

  it("makes one below another class", function()
    local Late <const> = asyncio.exception("Late", asyncio.TimeoutError)
    local TooLate <const> = asyncio.exception("TooLate", Late)
    local err = TooLate "much"
    for _, class in ipairs { TooLate, Late, asyncio.TimeoutError, asyncio.Error } do
      assert.is_true(asyncio.isinstance(err, class))
    end
    assert.is_false(asyncio.isinstance(Late(), TooLate))
    assert.is_false(asyncio.isinstance(err, asyncio.RuntimeError))
    assert.equal("TooLate: much", tostring(err))
  end)

  it("lets a class have methods, and its own text", function()
    local HttpError <const> = asyncio.exception "HttpError"
    function HttpError:retryable()
      return self.status >= 500
    end
    local Gone <const> = asyncio.exception("Gone", HttpError)
    function Gone:__tostring()
      return "gone: " .. self.status
    end
    assert.is_true(HttpError("down", { status = 503 }):retryable())
    local gone = Gone(nil, { status = 410 })
    assert.is_false(gone:retryable())
    assert.equal("gone: 410", tostring(gone))
  end)

  it("gives a class the text of the class above", function()
    local Base <const> = asyncio.exception "Base"
    function Base.__tostring()
      return "base text"
    end
    assert.equal("base text", tostring(asyncio.exception("Below", Base)()))
  end)

  it("makes a subclass of CancelledError a cancellation", function()
    local Stop <const> = asyncio.exception("Stop", asyncio.CancelledError)
    helper.run(function()
      local task = asyncio.create_task(error, Stop "now")
      asyncio.wait { task }
      assert.is_true(task:cancelled())
    end)
  end)
end)

describe("isinstance", function()
  it("takes a list of classes", function()
    local err = asyncio.TimeoutError()
    assert.is_true(asyncio.isinstance(err, { asyncio.OSError, asyncio.TimeoutError }))
    assert.is_false(asyncio.isinstance(err, { asyncio.OSError, asyncio.LookupError }))
  end)

  it("is safe on any value", function()
    local hostile = setmetatable({}, {
      __index = function() error "never" end,
      __eq = function() error "never" end,
      __metatable = false,
    })
    local thread = coroutine.create(print)
    for _, value in ipairs { 1, "x", true, print, {}, hostile, io.stdout, thread } do
      assert.is_false(asyncio.isinstance(value, asyncio.Error))
      assert.is_false(asyncio.isinstance(value, asyncio.Task))
    end
    assert.is_false(asyncio.isinstance(nil, asyncio.Error))
    assert.is_false(asyncio.isinstance(asyncio.Error, asyncio.Error))
  end)

  it("knows the library's objects", function()
    helper.run(function()
      local loop = asyncio.get_running_loop()
      assert.is_true(asyncio.isinstance(loop, asyncio.EventLoop))
      assert.is_true(asyncio.isinstance(asyncio.copy_context(), asyncio.Context))
      assert.is_true(asyncio.isinstance(asyncio.ContextVar "v", asyncio.ContextVar))
      assert.is_true(asyncio.isinstance(asyncio.gather {}, asyncio.Future))
      assert.is_true(asyncio.isinstance(asyncio.Runner(), asyncio.Runner))
      assert.is_false(asyncio.isinstance(loop, asyncio.Future))
    end)
  end)

  it("is safe on a table that is its own base", function()
    assert.equal("false\n", helper.check_script([[
      local asyncio = require "asyncio"
      local odd = {}
      odd.__base = odd
      print(asyncio.isinstance(setmetatable({}, odd), asyncio.Error))
    ]]))
  end)

  it("must be given a class", function()
    for _, class in ipairs { 1, "Error", {}, { asyncio.Error, 1 } } do
      helper.raises("bad argument #2 to '[%w.]*isinstance'", asyncio.isinstance, {}, class)
    end
    helper.raises("bad argument #2", asyncio.isinstance, {}, nil)
    helper.raises("bad argument #2", asyncio.isinstance, {})
  end)
end)

describe("an ExceptionGroup", function()
  it("holds errors and prints them as a tree", function()
    local inner = asyncio.ExceptionGroup("inner", { "boom" })
    local late = asyncio.TimeoutError "late"
    local group = asyncio.ExceptionGroup("all", { late, inner })
    assert.same({ late, inner }, group.exceptions)
    assert.equal(table.concat({
      "ExceptionGroup: all (2 sub-exceptions)",
      "|- TimeoutError: late",
      "`- ExceptionGroup: inner (1 sub-exception)",
      "   `- boom",
    }, "\n"), tostring(group))
  end)

  it("indents errors of several lines, and does not follow itself", function()
    local group = asyncio.ExceptionGroup("lines", { "one\ntwo" })
    group.exceptions[2] = group
    assert.equal(table.concat({
      "ExceptionGroup: lines (2 sub-exceptions)",
      "|- one",
      "|  two",
      "`- (the group itself)",
    }, "\n"), tostring(group))
  end)
end)
