-- Signal handlers and signals(). Every test that sends a signal is a script in a
-- process of its own, which sends it to itself: it has arrived when the next
-- line runs.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local ait = helper.ait

-- What the scripts start with. 'kill' sends a signal to the script.
local prelude <const> = [[
local asyncio = require "asyncio"

local function kill(signal)
  io.popen("kill -" .. signal .. " $PPID"):close()
end

-- Lets the loop see what has arrived.
local function settle()
  asyncio.sleep(0.01)
end

local function add(...)
  asyncio.get_running_loop():add_signal_handler(...)
end

local function remove(...)
  return asyncio.get_running_loop():remove_signal_handler(...)
end
]]

-- Runs the script, which must succeed, and compares what it prints.
local function prints(expected, source)
  local lines = {}
  for line in helper.check_script(prelude .. source):gmatch "[^\n]+" do
    lines[#lines + 1] = line:gsub("\t", " ")
  end
  assert.same(expected, lines)
end

-- The script, killed by the signal after it has printed that.
local function dies_of(signal, stdout, source)
  local result = helper.run_script(prelude .. source)
  assert.same({ signal, stdout }, { result.signal, result.stdout }, result.stderr)
end

describe("add_signal_handler", function()
  it("calls the function with its arguments at each arrival", function()
    prints({ "got 1 nil 3", "got 1 nil 3" }, [[
      asyncio.run(function()
        add("TERM", print, "got", 1, nil, 3)
        for _ = 1, 2 do
          kill "TERM"
          settle()
        end
      end)
    ]])
  end)

  it("takes names with and without SIG, and numbers", function()
    prints({ "SIGUSR1", "USR2", "1" }, [[
      asyncio.run(function()
        add("SIGUSR1", print, "SIGUSR1")
        add("USR2", print, "USR2")
        add(1, print, "1")
        for _, signal in ipairs { "USR1", "USR2", "HUP" } do
          kill(signal)
          settle()
        end
      end)
    ]])
  end)

  it("replaces the function that was there", function()
    prints({ "second" }, [[
      asyncio.run(function()
        add("TERM", print, "first")
        add("SIGTERM", print, "second")
        kill "TERM"
        settle()
      end)
    ]])
  end)

  it("runs it in a copy of the context of the call", function()
    prints({ "here" }, [[
      local var = asyncio.ContextVar("var", "default")
      asyncio.run(function()
        var:set "here"
        add("TERM", function()
          print(var:get())
          var:set "elsewhere"
        end)
        var:set "later"
        kill "TERM"
        settle()
      end)
    ]])
  end)

  it("gives its errors to the exception handler, and stays", function()
    prints({ "wrong", "wrong" }, [[
      asyncio.run(function()
        asyncio.get_running_loop():set_exception_handler(function(_, context)
          print(context.exception)
        end)
        add("TERM", error, "wrong", 0)
        for _ = 1, 2 do
          kill "TERM"
          settle()
        end
      end)
    ]])
  end)

  it("ends a wait for input and output, and is no deadlock", function()
    prints({ "woken" }, [[
      asyncio.run(function()
        local future = asyncio.Future()
        add("TERM", future.set_result, future, "woken")
        io.popen "p=$PPID; (sleep 0.03; kill -TERM $p) >/dev/null 2>&1 &":close()
        print(future:await())
      end)
    ]])
  end)

  it("is seen while tasks keep the loop busy", function()
    prints({ "seen" }, [[
      asyncio.run(function()
        local seen
        add("TERM", function() seen = true end)
        kill "TERM"
        repeat
          asyncio.sleep(0)
        until seen
        print "seen"
      end)
    ]])
  end)

  it("has the loop's handlers apart from those of another loop", function()
    prints({ "b", "a", "a" }, [[
      local a, b = asyncio.new_event_loop(), asyncio.new_event_loop()
      a:add_signal_handler("TERM", print, "a")
      b:add_signal_handler("TERM", print, "b")
      kill "TERM"
      b:run_until_complete(settle)
      a:run_until_complete(settle)
      b:close()
      kill "TERM"
      a:run_until_complete(settle)
      a:close()
    ]])
  end)

  ait("refuses what cannot be caught, and what is no signal", function()
    local loop = asyncio.get_running_loop()
    local function try(message, ...)
      helper.raises(message, loop.add_signal_handler, loop, ...)
    end
    try("bad argument #2 .*SIGKILL cannot be caught", "KILL", print)
    try("bad argument #2 .*SIGSTOP cannot be caught", "SIGSTOP", print)
    try("bad argument #2 .*SIGKILL cannot be caught", 9, print)
    try("bad argument #2 .*unknown signal 'FOO'", "FOO", print)
    try("bad argument #2 .*unknown signal ''", "", print)
    try("bad argument #2 .*unknown signal 'term'", "term", print)
    try("bad argument #2 .*unknown signal 0", 0, print)
    try("bad argument #2 .*unknown signal %-1", -1, print)
    try("bad argument #2 .*unknown signal 4096", 4096, print)
    try("no integer representation", 0 / 0, print)
    try("no integer representation", 1.5, print)
    try("name or number of a signal expected, got nil", nil, print)
    try("name or number of a signal expected, got table", {}, print)
  end)

  ait("refuses what is no function", function()
    local loop = asyncio.get_running_loop()
    helper.raises("bad argument #3", loop.add_signal_handler, loop, "TERM")
    helper.raises("bad argument #3", loop.add_signal_handler, loop, "TERM", 1)
    helper.raises("coroutine function cannot be a callback", loop.add_signal_handler, loop, "TERM",
      asyncio.async(print))
    assert.is_false(loop:remove_signal_handler "TERM")
  end)

  it("refuses a closed loop, and what is no loop", function()
    local loop = asyncio.new_event_loop()
    loop:close()
    helper.raises(asyncio.RuntimeError, loop.add_signal_handler, loop, "TERM", print)
    helper.raises(asyncio.RuntimeError, loop.remove_signal_handler, loop, "TERM")
    helper.raises("EventLoop expected", loop.add_signal_handler, nil, "TERM", print)
  end)
end)

describe("remove_signal_handler", function()
  ait("says whether there was one", function()
    local loop = asyncio.get_running_loop()
    assert.is_false(loop:remove_signal_handler "USR1")
    loop:add_signal_handler("USR1", print)
    assert.is_true(loop:remove_signal_handler "SIGUSR1")
    assert.is_false(loop:remove_signal_handler "USR1")
    assert.is_false(loop:remove_signal_handler "KILL")
    helper.raises("unknown signal", loop.remove_signal_handler, loop, "FOO")
  end)

  it("calls the function no more, even if its signal has arrived", function()
    prints({ "true" }, [[
      asyncio.run(function()
        add("USR1", print, "not reached")
        add("USR2", print, "not reached")
        kill "USR1"
        print(remove "USR1")
        settle()
      end)
    ]])
  end)

  it("lets the function go", function()
    local kept = setmetatable({}, { __mode = "k" })
    helper.run(function()
      local loop = asyncio.get_running_loop()
      local fn = function() end
      kept[fn] = true
      loop:add_signal_handler("USR1", fn)
      loop:remove_signal_handler "USR1"
    end)
    helper.collect()
    assert.is_nil(next(kept))
  end)
end)

describe("a signal", function()
  it("does what it did before, once its handler is removed", function()
    dies_of(15, "got\n", [[
      asyncio.run(function()
        add("TERM", function() print "got" io.stdout:flush() end)
        kill "TERM"
        settle()
        remove "TERM"
        kill "TERM"
        print "survived"
      end)
    ]])
  end)

  it("does what it did before, once the loop is closed", function()
    dies_of(15, "", [[
      asyncio.run(add, "TERM", print)
      kill "TERM"
      print "survived"
    ]])
  end)

  it("that was ignored is ignored again", function()
    local script = helper.script(prelude .. [[
      asyncio.run(function()
        add("HUP", print, "got")
        kill "HUP"
        settle()
      end)
      kill "HUP"
      print "survived"
    ]])
    local source = ([=[
      local name = os.tmpname()
      local file <close> = io.open(name, "w")
      file:write(%q)
      file:close()
      local lua = os.getenv "ASYNCIO_TEST_LUA" or "lua5.4"
      io.write(io.popen("trap '' HUP; exec " .. lua .. " " .. name):read "a")
      os.remove(name)
    ]=]):format(script)
    assert.equal("got\nsurvived\n", helper.check_script(source))
  end)

  it("is watched until the last of its watchers has gone", function()
    dies_of(15, "SIGTERM\ngot\n", [[
      io.stdout:setvbuf "no"
      asyncio.run(function()
        local other = asyncio.new_event_loop()
        other:add_signal_handler("TERM", print, "not reached")
        asyncio.get_running_loop():call_soon(kill, "TERM")
        for name in asyncio.signals "TERM" do
          print(name)
          break
        end
        add("TERM", print, "got")
        kill "TERM"
        settle()
        remove "TERM"
        kill "TERM"
        other:close()
        kill "TERM"
        print "survived"
      end)
    ]])
  end)

  it("keeps what others have set meanwhile", function()
    -- SIGINT in a run is the library's own, set while another loop watches it
    prints({ "KeyboardInterrupt" }, [[
      local other = asyncio.new_event_loop()
      other:add_signal_handler("INT", print, "not reached")
      local _, err = pcall(asyncio.run, function()
        other:close()
        kill "INT"
        asyncio.sleep(3600)
      end)
      print(err)
    ]])
  end)
end)

describe("a handler of SIGINT", function()
  it("takes the place of run's own", function()
    prints({ "got", "got", "slept" }, [[
      print(asyncio.run(function()
        add("INT", print, "got")
        for _ = 1, 2 do
          kill "INT"
          settle()
        end
        return asyncio.sleep(0.001, "slept")
      end))
    ]])
  end)

  it("gives it back when it is removed", function()
    prints({ "got", "KeyboardInterrupt" }, [[
      local _, err = pcall(asyncio.run, function()
        add("INT", print, "got")
        kill "INT"
        settle()
        remove "INT"
        kill "INT"
        asyncio.sleep(3600)
      end)
      print(err)
    ]])
  end)

  it("outlives a run, and rules over the next", function()
    local result = helper.run_script(prelude .. [[
      io.stdout:setvbuf "no"
      do
        local runner <close> = asyncio.Runner()
        runner:get_loop():add_signal_handler("INT", print, "got")
        for _ = 1, 2 do
          runner:run(function()
            kill "INT"
            settle()
          end)
        end
      end
      kill "INT"
      print "survived"
    ]])
    assert.equal("got\ngot\n", result.stdout)
    assert.is_true(result.signal == 2 or result.stderr:find "interrupted!" ~= nil, result.stderr)
  end)

  it("leaves nothing behind", function()
    local result = helper.run_script(prelude .. [[
      asyncio.run(add, "INT", print)
      kill "INT"
      print "survived"
    ]])
    assert.is_true(result.signal == 2 or result.stderr:find "interrupted!" ~= nil, result.stderr)
  end)
end)

describe("signals", function()
  it("gives the names in the order of arrival", function()
    prints({ "SIGUSR2", "SIGTERM", "SIGUSR1" }, [[
      asyncio.run(function()
        asyncio.get_running_loop():call_soon(function()
          kill "USR2"
          kill "TERM"
          kill "USR1"
        end)
        local n = 0
        for name in asyncio.signals("USR1", 15, "SIGUSR2") do
          print(name)
          n = n + 1
          if n == 3 then
            break
          end
        end
      end)
    ]])
  end)

  it("listens from the call", function()
    prints({ "SIGTERM" }, [[
      asyncio.run(function()
        local next, _, _, closing = asyncio.signals "TERM"
        local _ <close> = closing
        kill "TERM"
        settle()
        print(next())
      end)
    ]])
  end)

  it("stops listening when the loop is left", function()
    dies_of(15, "SIGTERM\n", [[
      io.stdout:setvbuf "no"
      asyncio.run(function()
        asyncio.get_running_loop():call_soon(kill, "TERM")
        for name in asyncio.signals("TERM", "TERM") do
          print(name)
          break
        end
        kill "TERM"
        print "survived"
      end)
    ]])
  end)

  it("ends for those who wait when it is closed", function()
    prints({ "true true" }, [[
      asyncio.run(function()
        local next, _, _, closing = asyncio.signals "TERM"
        local task = asyncio.create_task(next)
        asyncio.sleep(0)
        do
          local _ <close> = closing
        end
        print(task:await() == nil, next() == nil)
      end)
    ]])
  end)

  it("is cancelled like any wait", function()
    prints({ "true", "SIGTERM" }, [[
      asyncio.run(function()
        local next, _, _, closing = asyncio.signals "TERM"
        local _ <close> = closing
        local ok, err = pcall(asyncio.wait_for, next, 0.001)
        print(asyncio.isinstance(err, asyncio.TimeoutError))
        kill "TERM"
        print(next())
      end)
    ]])
  end)

  it("gives what a cancelled task was woken for to the next", function()
    prints({ "second SIGTERM" }, [[
      asyncio.run(function()
        local next, _, _, closing = asyncio.signals "TERM"
        local _ <close> = closing
        local first = asyncio.create_task(function() print("first", next()) end)
        local second = asyncio.create_task(function() print("second", next()) end)
        asyncio.sleep(0)
        add("USR1", first.cancel, first)
        kill "USR1"
        kill "TERM"
        second:await()
      end)
    ]])
  end)

  it("gives a signal to each iterator and each handler", function()
    prints({ "handler", "a", "b" }, [[
      asyncio.run(function()
        local function listen(name)
          for _ in asyncio.signals "USR1" do
            return name
          end
        end
        add("USR1", print, "handler")
        local a, b = asyncio.create_task(listen, "a"), asyncio.create_task(listen, "b")
        asyncio.sleep(0)
        kill "USR1"
        print(a:await())
        print(b:await())
      end)
    ]])
  end)

  it("ends with its loop, and leaves nothing behind", function()
    dies_of(15, "", [[
      local kept = { asyncio.run(function() return asyncio.signals "TERM" end) }
      kill "TERM"
      print "survived"
    ]])
  end)

  ait("refuses what is no signal, or none that can be caught", function()
    helper.raises("bad argument #1 .*got no value", asyncio.signals)
    helper.raises("bad argument #2 .*unknown signal 'FOO'", asyncio.signals, "TERM", "FOO")
    helper.raises("bad argument #1 .*SIGKILL cannot be caught", asyncio.signals, "KILL")
  end)

  it("needs a loop that runs, and its own", function()
    helper.raises("must be called while an event loop runs", asyncio.signals, "TERM")
    local next
    helper.run(function()
      next = asyncio.signals "USR1"
    end)
    assert.is_nil(next())
    local loop <close> = asyncio.new_event_loop()
    local closing
    loop:run_until_complete(function()
      local _
      next, _, _, closing = asyncio.signals "USR1"
    end)
    helper.raises("must be called in a task", next)
    helper.run(function()
      helper.raises("belongs to a different event loop", next)
    end)
    assert.is_not_nil(closing)
  end)
end)
