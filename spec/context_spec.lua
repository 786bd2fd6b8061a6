local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

describe("a context variable", function()
  ait("has its default until it is set", function()
    local var = asyncio.ContextVar("var", "default")
    assert.equal("var", var.name)
    assert.equal("default", var:get())
    assert.equal("other", var:get "other")
    var:set "value"
    assert.equal("value", var:get())
    assert.equal("value", var:get "other")
  end)

  ait("without default and value raises LookupError", function()
    local var = asyncio.ContextVar "unset"
    local err = helper.raises(asyncio.LookupError, var.get, var)
    assert.matches("unset", err.message, 1, true)
    assert.is_nil(var:get(nil))
  end)

  ait("may be nil or false", function()
    local var = asyncio.ContextVar "var"
    var:set(nil)
    assert.is_nil(var:get())
    assert.is_nil(var:get "other")
    var:set(false)
    assert.is_false(var:get())
    assert.is_nil(asyncio.ContextVar("with nil", nil):get())
  end)

  ait("is reset by the token of a set", function()
    local var = asyncio.ContextVar("var", 0)
    local first = var:set(1)
    local second = var:set(2)
    assert.equal(var, second.var)
    assert.equal(1, second.old_value)
    assert.is_true(asyncio.isinstance(second, asyncio.Token))
    var:reset(second)
    assert.equal(1, var:get())
    var:reset(first)
    assert.equal(0, var:get())
    assert.is_nil(asyncio.copy_context():get(var))
  end)

  ait("refuses a token that was used, or is not its own", function()
    local var, other = asyncio.ContextVar "var", asyncio.ContextVar "other"
    local token = var:set(1)
    helper.raises("bad argument", other.reset, other, token)
    var:reset(token)
    helper.raises(asyncio.RuntimeError, var.reset, var, token)
    local elsewhere = asyncio.copy_context():run(var.set, var, 2)
    helper.raises("another context", var.reset, var, elsewhere)
  end)

  it("keeps its value outside of runs", function()
    local var = asyncio.ContextVar "var"
    var:set "outside"
    assert.equal("outside", var:get())
    assert.equal("outside", asyncio.run(function() return var:get() end))
    asyncio.run(function() var:set "inside" end)
    assert.equal("outside", var:get())
  end)
end)

describe("a task's context", function()
  ait("is a copy of its creator's at its making", function()
    local var = asyncio.ContextVar "var"
    var:set "before"
    local task = asyncio.create_task(function()
      local before = var:get()
      var:set "task"
      asyncio.sleep(0)
      return before, var:get()
    end)
    var:set "after"
    assert.same({ "before", "task" }, { task:await() })
    assert.equal("after", var:get())
  end)

  ait("is its own across suspension", function()
    local var = asyncio.ContextVar "var"
    local tasks = {}
    for i = 1, 10 do
      tasks[i] = asyncio.create_task(function()
        var:set(i)
        for _ = 1, 3 do
          asyncio.sleep(0)
          assert(var:get() == i)
        end
      end)
    end
    asyncio.gather(tasks):await()
  end)

  ait("can be asked for, and given", function()
    local var = asyncio.ContextVar "var"
    local context = asyncio.copy_context()
    context:run(var.set, var, "given")
    local task = asyncio.create_task(asyncio.async(function()
      var:set(var:get() .. "!")
    end)(), { context = context })
    assert.equal(context, task:get_context())
    task:await()
    assert.equal("given!", context:get(var))
    assert.equal("none", var:get "none")
  end)
end)

describe("a callback's context", function()
  ait("is a copy of the context where it was registered", function()
    local var = asyncio.ContextVar "var"
    local loop, seen = asyncio.get_running_loop(), {}
    local function look()
      seen[#seen + 1] = var:get()
      var:set "changed by the callback"
    end
    local future = asyncio.Future()
    var:set "soon"
    loop:call_soon(look)
    var:set "done"
    future:add_done_callback(look)
    var:set "later"
    loop:call_later(0.001, look)
    var:set "now"
    future:set_result()
    asyncio.sleep(0.005)
    assert.same({ "soon", "done", "later" }, seen)
    assert.equal("now", var:get())
  end)
end)

describe("a context", function()
  ait("runs a function in it", function()
    local var = asyncio.ContextVar("var", "none")
    local context = asyncio.copy_context()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(context:run(function(...)
      var:set "inside"
      return ...
    end, 1, nil, 3)))
    assert.equal("none", var:get())
    assert.equal("inside", context:get(var))
    assert.equal("inside", context:run(var.get, var))
    assert.equal("absent", context:get(asyncio.ContextVar "x", "absent"))
  end)

  ait("is left after an error, too", function()
    local var = asyncio.ContextVar("var", "none")
    local context = asyncio.copy_context()
    assert.equal("oops", helper.catch(context.run, context, function()
      var:set "inside"
      asyncio.sleep(0)
      error("oops", 0)
    end))
    assert.equal("none", var:get())
    assert.equal("inside", context:run(var.get, var))
  end)

  ait("is entered once at a time, also across suspension", function()
    local context = asyncio.copy_context()
    context:run(function()
      helper.raises(asyncio.RuntimeError, context.run, context, print)
    end)
    local task = asyncio.create_task(context.run, context, asyncio.sleep, 0.002)
    asyncio.sleep(0)
    helper.raises(asyncio.RuntimeError, context.run, context, print)
    task:await()
    assert.equal("free", context:run(function() return "free" end))
  end)

  ait("is free again when the task in it is cancelled", function()
    local context = asyncio.copy_context()
    local task = asyncio.create_task(context.run, context, asyncio.sleep, 3600)
    asyncio.sleep(0)
    task:cancel()
    asyncio.wait { task }
    assert.equal("free", context:run(function() return "free" end))
  end)

  it("can be left outside of the task that entered it", function()
    assert.equal("main\n", helper.check_script [[
      local asyncio = require "asyncio"
      local var = asyncio.ContextVar("var", "none")
      local context = asyncio.copy_context()
      var:set "main"
      local resume
      asyncio.run(function()
        resume = coroutine.wrap(function()
          context:run(coroutine.yield)
        end)
        resume()
      end)
      resume()
      print(var:get())
    ]])
  end)

  ait("is copied without a tie", function()
    local var = asyncio.ContextVar "var"
    var:set(1)
    local context = asyncio.copy_context()
    var:set(2)
    assert.equal(1, context:get(var))
    local copy = context:copy()
    copy:run(var.set, var, 3)
    assert.same({ 1, 2, 3 }, { context:get(var), var:get(), copy:get(var) })
  end)
end)
