-- Ctrl-C. Every test is a script in a process of its own that gets SIGINT, from
-- itself (then it has arrived when the next line runs) or from another process,
-- a little later.

local helper = require "spec.helper"

-- What the scripts start with. 'sh' is a child of the script, and unlike
-- os.execute, io.popen does not ignore SIGINT meanwhile.
local prelude <const> = [[
local asyncio = require "asyncio"

local function sh(command)
  local out <close> = io.popen(command)
  out:read "a"
end

local function ctrl_c()
  sh "kill -INT $PPID"
end

local function ctrl_c_later()
  sh "p=$PPID; (sleep 0.03; kill -INT $p) >/dev/null 2>&1 &"
end

local function name(err)
  for _, class in ipairs { "KeyboardInterrupt", "CancelledError", "DeadlockError" } do
    if asyncio.isinstance(err, asyncio[class]) then
      return class
    end
  end
  return tostring(err)
end

-- Calls, and prints what came of it.
local function show(fn, ...)
  local ok, result = pcall(fn, ...)
  print(ok and "returned" or "raised", ok and result or name(result))
end

local function closing(what)
  return setmetatable({}, { __close = function(_, err) print("closing", what, name(err)) end })
end
]]

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    lines[#lines + 1] = line:gsub("\t", " ")
  end
  return lines
end

-- Runs the script, which must succeed, and compares what it prints.
local function prints(expected, source)
  assert.same(expected, lines_of(helper.check_script(prelude .. source)))
end

describe("the first Ctrl-C", function()
  it("cancels the main task, and run raises KeyboardInterrupt", function()
    prints({ "closing main CancelledError", "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        local _ <close> = closing "main"
        ctrl_c()
        print(asyncio.sleep(3600, "slept"))
      end)
    ]])
  end)

  it("ends the wait for input and output", function()
    prints({ "closing main CancelledError", "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        local _ <close> = closing "main"
        ctrl_c_later()
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("lets the main task clean up, and cancels the others after it", function()
    prints({
      "closing main CancelledError",
      "cleaned up",
      "closing other CancelledError",
      "raised KeyboardInterrupt",
    }, [[
      show(asyncio.run, function()
        asyncio.create_task(function()
          local _ <close> = closing "other"
          asyncio.sleep(3600)
        end)
        asyncio.sleep(0)
        local cleanup <close> = setmetatable({}, { __close = function()
          asyncio.sleep(0.01)
          print "cleaned up"
        end })
        local _ <close> = closing "main"
        ctrl_c()
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("is seen while other tasks keep the loop busy", function()
    prints({ "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        for _ = 1, 3 do
          asyncio.create_task(function()
            while true do
              asyncio.sleep(0)
            end
          end)
        end
        ctrl_c_later()
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("is stronger than a deadlock", function()
    prints({ "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        ctrl_c()
        asyncio.Future():await()
      end)
    ]])
  end)

  it("can be caught: run returns what the main task does", function()
    prints({ "caught CancelledError", "returned done" }, [[
      show(asyncio.run, function()
        ctrl_c()
        local _, err = pcall(asyncio.sleep, 3600)
        print("caught", name(err))
        return "done"
      end)
    ]])
  end)

  it("that comes too late to cancel anything raises KeyboardInterrupt", function()
    prints({ "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        ctrl_c()
        return "done"
      end)
    ]])
  end)

  it("leaves the main task's own error alone", function()
    prints({ "raised own" }, [[
      show(asyncio.run, function()
        ctrl_c()
        error("own", 0)
      end)
    ]])
  end)

  it("does not make a KeyboardInterrupt of another cancellation", function()
    prints({ "raised CancelledError" }, [[
      show(asyncio.run, function()
        local main = asyncio.current_task()
        asyncio.create_task(main.cancel, main)
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("ends a script that does not catch it", function()
    local result = helper.run_script(prelude .. [[
      asyncio.run(function()
        ctrl_c()
        asyncio.sleep(3600)
      end)
    ]])
    assert.not_equal(0, result.code)
    assert.matches("KeyboardInterrupt", result.stderr)
  end)
end)

describe("the second Ctrl-C", function()
  it("ends a run whose main task swallowed the first", function()
    prints({ "swallowed", "closing main CancelledError", "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        local _ <close> = closing "main"
        ctrl_c()
        pcall(asyncio.sleep, 3600)
        print "swallowed"
        ctrl_c_later()
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("is raised where the main task runs", function()
    prints({
      "first",
      "closing main KeyboardInterrupt",
      "raised KeyboardInterrupt",
    }, [[
      show(asyncio.run, function()
        local _ <close> = closing "main"
        ctrl_c()
        print "first"
        ctrl_c()
        print "second"
      end)
    ]])
  end)

  it("interrupts code that hogs the processor", function()
    prints({ "closing main KeyboardInterrupt", "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        local _ <close> = closing "main"
        ctrl_c()
        ctrl_c_later()
        while true do end
      end)
    ]])
  end)

  it("interrupts a task other than the main one", function()
    prints({
      "closing hog KeyboardInterrupt",
      "closing main CancelledError",
      "raised KeyboardInterrupt",
    }, [[
      show(asyncio.run, function()
        local _ <close> = closing "main"
        asyncio.create_task(function()
          local _ <close> = closing "hog"
          ctrl_c()
          ctrl_c_later()
          while true do end
        end)
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("interrupts a callback", function()
    prints({ "closing callback KeyboardInterrupt", "raised KeyboardInterrupt" }, [[
      show(asyncio.run, function()
        asyncio.get_running_loop():call_soon(function()
          local _ <close> = closing "callback"
          ctrl_c()
          ctrl_c_later()
          while true do end
        end)
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("interrupts a coroutine that the task resumed", function()
    prints({
      "closing inner KeyboardInterrupt",
      "closing outer KeyboardInterrupt",
      "raised KeyboardInterrupt",
    }, [[
      show(asyncio.run, function()
        local _ <close> = closing "outer"
        for _ in coroutine.wrap(function()
          local co = coroutine.create(function()
            local _ <close> = closing "inner"
            coroutine.yield()
            ctrl_c()
            ctrl_c_later()
            while true do end
          end)
          coroutine.resume(co)
          local ok, err = coroutine.resume(co)
          coroutine.close(co)
          coroutine.yield(assert(ok, err))
        end) do
          print "not reached"
        end
      end)
    ]])
  end)

  it("interrupts coroutines that come and go", function()
    prints({ "1 KeyboardInterrupt", "2 KeyboardInterrupt", "3 KeyboardInterrupt" }, [[
      local function nest(level)
        while level > 0 do
          if level == 1 then
            asyncio.coroutine.wrap(nest)(level - 1)
          else
            coroutine.wrap(nest)(level - 1)
          end
        end
      end
      for i = 1, 3 do
        local _, err = pcall(asyncio.run, function()
          ctrl_c()
          ctrl_c_later()
          nest(i)
        end)
        print(i, name(err))
      end
    ]])
  end)

  it("can be caught, and then the first one takes effect", function()
    prints({
      "caught KeyboardInterrupt",
      "closing main CancelledError",
      "raised KeyboardInterrupt",
    }, [[
      show(asyncio.run, function()
        local _ <close> = closing "main"
        local _, err = pcall(function()
          ctrl_c()
          ctrl_c()
        end)
        print("caught", name(err))
        asyncio.sleep(3600)
      end)
    ]])
  end)

  it("leaves the debug hook that was there in its place", function()
    prints({ "true true" }, [[
      asyncio.run(function()
        local hook = function() end
        debug.sethook(hook, "", 1000000)
        pcall(function()
          ctrl_c()
          ctrl_c()
        end)
        local now, _, count = debug.gethook()
        print(now == hook, count == 1000000)
        debug.sethook()
        pcall(asyncio.sleep, 3600)
      end)
    ]])
  end)
end)

describe("Ctrl-C", function()
  it("does what it did before, once the run is over", function()
    local result = helper.run_script(prelude .. [[
      asyncio.run(function() end)
      show(asyncio.run, function()
        ctrl_c()
        asyncio.sleep(3600)
      end)
      io.stdout:flush()
      ctrl_c()
      print "survived"
    ]])
    assert.equal("raised\tKeyboardInterrupt\n", result.stdout)
    assert.is_true(result.signal == 2 or result.stderr:find "interrupted!" ~= nil, result.stderr)
  end)

  it("does what it did before, once the Lua state is closed inside a run", function()
    local result = helper.run_script([[
      -- older than asyncio, and so finalized after it
      last = setmetatable({}, { __gc = function()
        io.popen("kill -INT $PPID"):close() -- for the interpreter, which takes the first
        io.popen("kill -INT $PPID"):close()
        io.stderr:write "not reached"
      end })
    ]] .. prelude .. [[
      asyncio.run(function()
        os.exit(0, true)
      end)
    ]])
    assert.same({ signal = 2, stdout = "", stderr = "" }, result)
  end)

  it("ends the process when C code never comes back to Lua", function()
    local result = helper.run_script(prelude .. [[
      asyncio.run(function()
        sh "p=$PPID; (while kill -INT $p; do sleep 0.01; done) >/dev/null 2>&1 &"
        print(("a"):rep(60):find(("a*"):rep(40) .. "b"))
      end)
    ]])
    assert.equal(2, result.signal)
  end)

  it("interrupts each run of a Runner anew", function()
    prints({
      "raised KeyboardInterrupt",
      "returned slept",
      "raised KeyboardInterrupt",
      "returned slept",
    }, [[
      local runner <close> = asyncio.Runner()
      local function main(interrupt)
        if interrupt then
          ctrl_c()
        end
        return asyncio.sleep(0.001, "slept")
      end
      for _ = 1, 2 do
        show(runner.run, runner, main, true)
        show(runner.run, runner, main, false)
      end
    ]])
  end)

  it("interrupts one loop after the other", function()
    prints({ "1 KeyboardInterrupt", "2 KeyboardInterrupt", "3 KeyboardInterrupt" }, [[
      for i = 1, 3 do
        local _, err = pcall(asyncio.run, function()
          ctrl_c()
          pcall(asyncio.sleep, 0)
          ctrl_c()
        end)
        print(i, name(err))
      end
    ]])
  end)

  it("is given back by a run that could not return all its values", function()
    prints({ "raised KeyboardInterrupt" }, [[
      -- some of these numbers leave no room on the stack for the end of the run
      for n = 999900, 999996, 4 do
        pcall(asyncio.run, function()
          return ("x"):rep(n):byte(1, n)
        end)
      end
      show(asyncio.run, function()
        ctrl_c()
        asyncio.sleep(1)
      end)
    ]])
  end)
end)
