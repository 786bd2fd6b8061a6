local asyncio = require "asyncio"
local helper = require "spec.helper"

describe("Runner", function()
  it("runs several times on one loop", function()
    local runner <close> = asyncio.Runner()
    local first = runner:run(asyncio.get_running_loop)
    local second = runner:run(asyncio.get_running_loop)
    assert.equal(first, second)
    assert.equal(first, runner:get_loop())
    assert.is_false(first:is_closed())
  end)

  it("keeps one context over its runs", function()
    local var = asyncio.ContextVar("var", "none")
    local runner <close> = asyncio.Runner()
    runner:run(function()
      var:set "set"
    end)
    assert.equal("set", runner:run(function()
      return var:get()
    end))
    assert.equal("none", var:get())
  end)

  it("lets tasks go on in the next run", function()
    local t = helper.trace()
    local runner <close> = asyncio.Runner()
    local task = runner:run(function()
      return asyncio.create_task(function()
        t "started"
        asyncio.sleep(0.001)
        t "ended"
        return 7
      end)
    end)
    assert.is_false(task:done())
    assert.equal(7, runner:run(task))
    assert.same({ "started", "ended" }, t:list())
  end)

  it("makes its loop when it is needed, with its own factory", function()
    local made
    local runner <close> = asyncio.Runner {
      loop_factory = function()
        made = asyncio.new_event_loop()
        return made
      end,
    }
    assert.is_nil(made)
    local loop = runner:get_loop()
    assert.equal(made, loop)
    assert.equal(made, runner:run(asyncio.get_running_loop))
  end)

  it("refuses a factory that makes no loop", function()
    local runner <close> = asyncio.Runner { loop_factory = function() return {} end }
    helper.raises(asyncio.RuntimeError, runner.get_loop, runner)
  end)

  it("sets debug mode when told to", function()
    local on <close> = asyncio.Runner { debug = true }
    local off <close> = asyncio.Runner { debug = false }
    assert.is_true(on:get_loop():get_debug())
    assert.is_false(off:get_loop():get_debug())
  end)

  it("cancels what is left and closes the loop when it is closed", function()
    local task, loop
    do
      local runner <close> = asyncio.Runner()
      loop = runner:get_loop()
      task = runner:run(function()
        return asyncio.create_task(asyncio.sleep, 3600)
      end)
      assert.is_false(task:done())
    end
    assert.is_true(task:cancelled())
    assert.is_true(loop:is_closed())
  end)

  it("can be closed twice, and used no more", function()
    local runner = asyncio.Runner()
    runner:run(asyncio.sleep, 0)
    runner:close()
    runner:close()
    helper.raises(asyncio.RuntimeError, runner.run, runner, function() end)
    helper.raises(asyncio.RuntimeError, runner.get_loop, runner)
  end)

  it("can be closed before it has run", function()
    local runner = asyncio.Runner()
    runner:close()
    helper.raises(asyncio.RuntimeError, runner.run, runner, function() end)
  end)

  it("runs again after an error", function()
    local runner <close> = asyncio.Runner()
    assert.equal("first", helper.catch(runner.run, runner, error, "first", 0))
    assert.equal("second", runner:run(function() return "second" end))
  end)

  it("does not run inside a run", function()
    asyncio.run(function()
      local runner <close> = asyncio.Runner()
      helper.raises(asyncio.RuntimeError, runner.run, runner, function() end)
      local mine = asyncio.current_task()
      assert.is_false(mine:done())
    end)
  end)
end)
