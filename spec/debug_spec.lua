local asyncio = require "asyncio"
local child = require "spec.child"

-- On one line, so that the code's own lines count from 1.
local prelude <const> = "local function busy(seconds) "
  .. "local loop = asyncio.get_event_loop() local till = loop:time() + seconds "
  .. "while loop:time() < till do end end "

-- What the code writes to stderr; 'busy(seconds)' keeps the processor there.
local function written(code, env)
  local _, err = child.check(prelude .. code, env)
  return err
end

describe("debug mode", function()
  it("is off at first, and set by set_debug, run and Runner", function()
    local loop = asyncio.new_event_loop()
    assert.is_false(loop:get_debug())
    loop:set_debug(true)
    assert.is_true(loop:get_debug())
    loop:close()
    local function is_debug()
      return asyncio.get_running_loop():get_debug()
    end
    assert.is_false(asyncio.run(is_debug))
    assert.is_true(asyncio.run(asyncio.async(is_debug)(), { debug = true }))
    local runner <close> = asyncio.Runner { debug = true }
    assert.is_true(runner:run(is_debug))
  end)

  it("is set by ASYNCIO_DEBUG, unless that is empty or 0", function()
    local code = "print(asyncio.new_event_loop():get_debug())"
    local results = { ["1"] = "true", yes = "true", ["0"] = "false", [""] = "false" }
    for value, expected in pairs(results) do
      assert.equal(expected .. "\n", (child.check(code, { ASYNCIO_DEBUG = value })))
    end
    local off = 'print(asyncio.Runner{debug = false}:get_loop():get_debug())'
    assert.equal("false\n", (child.check(off, { ASYNCIO_DEBUG = "1" })))
  end)
end)

describe("creation sites", function()
  -- The tostring of what make(loop) returns.
  local function made(make, is_debug)
    return asyncio.run(asyncio.async(function()
      return tostring(make(asyncio.get_running_loop()))
    end)(), { debug = is_debug })
  end

  local makers = {
    task = function()
      return (asyncio.create_task(asyncio.sleep, 0))
    end,
    ["task of a loop"] = function(loop)
      return (loop:create_task(asyncio.sleep, 0))
    end,
    ["task of ensure_future"] = function()
      return (asyncio.ensure_future(function() end))
    end,
    future = function()
      return (asyncio.Future())
    end,
    ["future of a loop"] = function(loop)
      return (loop:create_future())
    end,
    gather = function()
      return (asyncio.gather(asyncio.Future()))
    end,
    shield = function()
      return (asyncio.shield(asyncio.Future()))
    end,
    handle = function(loop)
      local handle = loop:call_soon(print)
      handle:cancel()
      return handle
    end,
    timer = function(loop)
      local timer = loop:call_later(0, print)
      timer:cancel()
      return timer
    end,
  }
  for name, make in pairs(makers) do
    it("are in the tostring of a " .. name, function()
      local at = debug.getinfo(make, "S").linedefined + 1
      local site = "created at .-debug_spec.lua:" .. at .. ">$"
      assert.matches(site, (made(make, true)))
      assert.not_matches("created", (made(make, false)))
    end)
  end

  it("are those of the user's code, not of the library's", function()
    local main = asyncio.async(function()
      return tostring(asyncio.current_task())
    end)
    local at = debug.getinfo(1, "l").currentline + 1
    local text = asyncio.run(main(), { debug = true })
    assert.matches("created at .-debug_spec.lua:" .. at .. ">$", text)
  end)

  it("are in reports", function()
    local err = written [[
      asyncio.run(asyncio.async(function()
        asyncio.create_task(error, "boom")
        asyncio.sleep(0)
      end)(), { debug = true })
    ]]
    assert.matches("task: <Task failed .- created at script:2>", err)
  end)
end)

describe("a slow step", function()
  it("is reported with its task, its duration and where that was made", function()
    local err = written [[
      asyncio.run(asyncio.async(function()
        local task = asyncio.create_task(busy, 0.11)
        task:set_name "hog"
        task:await()
      end)(), { debug = true })
    ]]
    assert.matches("^asyncio: executing <Task pending name='hog'", err)
    assert.matches("created at script:2> took 0%.%d+ seconds\n$", err)
    assert.is_true(tonumber(err:match "took (%S+)") >= 0.11)
  end)

  it("is measured against slow_callback_duration", function()
    local err = written [[
      asyncio.run(asyncio.async(function()
        local loop = asyncio.get_running_loop()
        print(loop.slow_callback_duration)
        loop.slow_callback_duration = 3600
        asyncio.create_task(busy, 0.11):set_name("long"):await()
        loop.slow_callback_duration = 0.001
        asyncio.create_task(busy, 0.002):set_name("short"):await()
        loop.slow_callback_duration = 3600
      end)(), { debug = true })
    ]]
    assert.matches("executing <Task pending name='short'", err)
    assert.is_nil(err:find("name='long'", 1, true))
  end)

  it("is not counted while the task waits, nor without debug mode", function()
    assert.equal("", (written [[
      asyncio.run(function()
        busy(0.11)
      end)
      local function main()
        asyncio.get_running_loop().slow_callback_duration = 0.05
        asyncio.sleep(0.06)
      end
      asyncio.run(asyncio.async(main)(), { debug = true })
    ]]))
  end)

  it("of a callback is reported with its handle", function()
    local err = written [[
      asyncio.run(asyncio.async(function()
        local loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 0.001
        loop:call_later(0, busy, 0.002)
        asyncio.sleep(0.005)
        loop.slow_callback_duration = 3600
      end)(), { debug = true })
    ]]
    assert.matches("executing <TimerHandle function script:1 created at script:4> took 0%.%d+", err)
  end)

  it("that ends with an error is reported too", function()
    local err = written [[
      asyncio.run(asyncio.async(function()
        asyncio.get_running_loop().slow_callback_duration = 0.001
        local task = asyncio.create_task(function()
          busy(0.002)
          error "boom"
        end)
        pcall(task.await, task)
        asyncio.get_running_loop().slow_callback_duration = 3600
      end)(), { debug = true })
    ]]
    assert.matches("executing <Task", err)
  end)
end)

describe("a coroutine object that is never awaited", function()
  local make = "do asyncio.async(print)() end collectgarbage() collectgarbage()"

  it("is reported with where it was made", function()
    local code = "asyncio.run(asyncio.async(function()\n%s\nend)(), { debug = true })"
    local err = written(code:format(make))
    assert.matches("^asyncio: coroutine was never awaited %(created at script:2%)\n$", err)
  end)

  it("is not reported without debug mode, or when it was closed", function()
    assert.equal("", (written("asyncio.run(function() " .. make .. " end)")))
    assert.equal("", (written [[
      asyncio.run(asyncio.async(function()
        asyncio.async(print)():close()
        asyncio.async(tostring)(1):await()
        collectgarbage()
      end)(), { debug = true })
    ]]))
  end)
end)

describe("a swallowed cancellation", function()
  -- Runs the code as the body of a task 'victim' that is cancelled while it
  -- waits for the first time, and returns what was written. 'wait' waits.
  local function victim(body, debug)
    return (written(([[
      local pause, wait = asyncio.sleep, function() asyncio.sleep(0.001) end
      local function closing(fn)
        return setmetatable({}, { __close = function() fn() end })
      end
      local function body()
        %s
      end
      asyncio.run(asyncio.async(function()
        local task = asyncio.create_task(body)
        task:set_name "victim"
        pause(0)
        task:cancel()
        for _ = 1, 3 do
          asyncio.wait({ task }, { timeout = 0.05 })
          task:cancel()
        end
      end)(), { debug = %s })
    ]]):format(body, tostring(debug ~= false))))
  end

  local function reported(body)
    local err = victim(body)
    local _, count = err:gsub("swallowed its cancellation", "")
    assert.equal(1, count, err)
    assert.matches("name='victim'", err)
    return err
  end

  local function silent(body)
    assert.equal("", victim(body))
  end

  it("is reported when the task goes on to wait", function()
    local err = reported "pcall(pause, 10)\nwait()"
    assert.matches("after the pcall at script:6 swallowed", err)
    reported "xpcall(pause, print, 10)\nwait()"
    reported "pcall(asyncio.await, asyncio.Future())\nwait()"
    reported "local ok = pcall(function() pcall(pause, 10) end)\nwait()"
  end)

  it("is reported when the task calls the same again", function()
    reported "for _ = 1, 3 do local ok, err = pcall(pause, 10) end"
    reported "for _ = 1, 3 do\nlocal ok, err = pcall(function()\npause(10)\nend)\nend"
  end)

  it("is reported when the task returns after it has waited", function()
    reported "local ok, err = pcall(pause, 10)\nwait()"
  end)

  it("is not reported without debug mode", function()
    assert.equal("", victim("pcall(pause, 10)\nwait()", false))
  end)

  it("is none when the task returns at once", function()
    silent "local ok, err = pcall(pause, 10)"
    silent "pcall(pause, 10)\nreturn 1"
  end)

  it("is none when the task cleans up and raises the error again", function()
    silent "local ok, err = pcall(pause, 10)\nwait()\nwait()\nerror(err, 0)"
    silent "local all = table.pack(pcall(pause, 10))\nwait()\nerror(all[2], 0)"
    silent [[
      local function finish(ok, ...)
        wait()
        error((...), 0)
      end
      finish(pcall(pause, 10))
    ]]
    silent "local ok, err = pcall(pause, 10)\nwait()\nerror(asyncio.CancelledError())"
  end)

  it("is none while <close> variables wait below the pcall", function()
    silent [[
      local function work()
        local _ <close> = closing(function() wait() wait() end)
        pause(10)
      end
      local ok, err = pcall(work)
      error(err, 0)
    ]]
  end)

  it("is none when no plain pcall took it", function()
    silent "asyncio.pcall(pause, 10)\nwait()"
    silent "asyncio.catch(asyncio.CancelledError, pause, 10)\nwait()"
    silent "local _ <close> = closing(wait)\npause(10)"
  end)

  it("is none after uncancel", function()
    silent "local ok = pcall(pause, 10)\nasyncio.current_task():uncancel()\nwait()\nwait()"
  end)

  it("is none of a timeout, which takes its own cancellation back", function()
    assert.equal("", (written [[
      asyncio.run(asyncio.async(function()
        for _ = 1, 3 do
          do
            local _ <close> = asyncio.timeout(0.001)
            pcall(asyncio.sleep, 10)
          end
          pcall(asyncio.wait_for, asyncio.sleep, 0.001, 10)
          pcall(asyncio.wait_for, asyncio.Future(), 0.001)
          asyncio.sleep(0)
        end
      end)(), { debug = true })
    ]]))
  end)
end)
