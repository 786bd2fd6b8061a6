-- What one does with a child: wait, signals, communicate, and its end. How it is
-- started is in subprocess_spec.lua.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local processes = require "spec.processes"
local streams = require "spec.streams"

local ait <const> = helper.ait
local are_gone <const>, idle <const> = processes.are_gone, processes.idle
local shell <const>, stubborn <const> = processes.shell, processes.stubborn

local PIPES <const> = { stdin = "pipe", stdout = "pipe", stderr = "pipe" }

local function exec(program, args, opts)
  return asyncio.create_subprocess_exec(program, args, opts)
end

-- Runs fn in a loop of its own; what that returns, processes, must be gone, and
-- no descriptor left.
local function leaves_none(fn)
  helper.run(function() end) -- makes what the process needs once
  local before <const> = streams.descriptors()
  local list <const> = helper.run(fn)
  assert.is_true(are_gone(list))
  assert.equal(before, streams.descriptors())
end

describe("process:wait", function()
  ait("returns the exit status, also again and to several tasks", function()
    local process <const> = shell "echo ready; read x; exit 5"
    local tasks <const> = {}
    for i = 1, 3 do
      tasks[i] = asyncio.create_task(process.wait, process)
    end
    asyncio.sleep(0)
    process.stdin:close()
    assert.same({ 5, 5, 5, n = 3 }, asyncio.gather(tasks):await())
    assert.equal(5, process:wait())
    assert.equal(5, process.returncode)
    assert.is_true(are_gone(process))
  end)

  ait("returns the negative number of the signal that ended it", function()
    local process <const> = shell "echo ready; kill -9 $$"
    assert.equal(-9, process:wait())
    assert.equal(-9, process.returncode)
  end)

  ait("can be cancelled and timed out, and the child goes on", function()
    local process <const> = idle()
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, process.wait, 0.001, process)
    local task <const> = asyncio.create_task(process.wait, process)
    local other <const> = asyncio.create_task(process.wait, process)
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.is_nil(process.returncode)
    process.stdin:close()
    assert.equal(0, other:await())
  end)

  ait("is over when the child is, whoever else has its pipes", function()
    local process <const> = shell("echo ready; exec 3<&0; cat <&3 & exit 4", PIPES)
    assert.equal(4, process:wait())
    process.stdin:write "still there"
    process.stdin:close()
    assert.equal("still there", process.stdout:read "a")
  end)

  ait("leaves to its readers all that the child has written", function()
    local n <const> = 200000
    local code <const> = ("head -c %d /dev/zero"):format(n)
    local process <const> = asyncio.create_subprocess_shell(code, { stdout = "pipe" })
    assert.equal(0, process:wait())
    assert.is_nil(process.stdout:get_extra_info "fd") -- all of it is here
    assert.equal(n, #process.stdout:read "a")
  end)

  it("waits in the child's loop only", function()
    local loop <close> = asyncio.new_event_loop()
    local process <const> = loop:run_until_complete(idle)
    local err <const> = helper.raises(asyncio.RuntimeError, asyncio.run, process.wait, process)
    assert.matches("wait: the process belongs to another event loop", err.message)
    process.stdin:close()
    assert.equal(0, loop:run_until_complete(process.wait, process))
    assert.equal(0, process:wait()) -- no wait any more
  end)

  it("can end, so that its loop is not dead while it runs", function()
    local trace <const> = helper.trace()
    helper.raises(asyncio.DeadlockError, asyncio.run, function()
      local process <const> = idle()
      asyncio.create_task(function()
        trace(process:wait())
      end)
      process.stdin:close()
      asyncio.Future():await()
    end)
    assert.same({ 0 }, trace:list())
  end)
end)

describe("a signal", function()
  ait("is sent by its name or its number", function()
    for signal, code in pairs { SIGTERM = -15, INT = -2, [9] = -9 } do
      local process <const> = idle()
      process:send_signal(signal)
      assert.equal(code, process:wait())
    end
  end)

  ait("ends it: terminate, kill", function()
    local process = idle()
    process:terminate()
    assert.equal(-15, process:wait())
    process = stubborn()
    process:terminate()
    process:kill()
    assert.equal(-9, process:wait())
  end)

  ait("can be handled by it", function()
    local code <const> = "trap 'exit 6' USR1; echo ready; while :; do read x; done"
    local process <close> = shell(code, { stdin = "null" })
    process:send_signal "USR1"
    assert.equal(6, process:wait())
  end)

  ait("may be none, to know whether it has not ended", function()
    local process <close> = idle()
    process:send_signal(0)
    process:send_signal(0.0)
    assert.is_nil(process.returncode)
    process:kill()
    process:wait()
    local err <const> = helper.raises(asyncio.OSError, process.send_signal, process, 0)
    assert.equal("ESRCH", err.code)
  end)

  ait("is an error when it has ended", function()
    local process <const> = exec("true")
    process:wait()
    for _, name in ipairs { "terminate", "kill" } do
      local err <const> = helper.raises(asyncio.OSError, process[name], process)
      local text <const> = ("kill %d: no such process (ESRCH)"):format(process.pid)
      assert.same({ text, process.pid }, { err.message, err.pid })
    end
    helper.raises(asyncio.OSError, process.send_signal, process, "HUP")
  end)

  ait("must be one", function()
    local process <const> = exec("true")
    helper.raises("unknown signal 'NONE'", process.send_signal, process, "NONE")
    helper.raises("unknown signal %-1", process.send_signal, process, -1)
    helper.raises("name or number of a signal expected", process.send_signal, process)
    for _, name in ipairs { "wait", "send_signal", "terminate", "kill" } do
      helper.raises("asyncio.Process expected, got no value", process[name])
    end
    process:wait()
  end)
end)

describe("process:communicate", function()
  ait("feeds and drains at the same time, whatever the limit", function()
    local n <const> = 300000
    local code <const> = ("head -c %d /dev/zero >&2; cat; head -c %d /dev/zero >&2"):format(n, n)
    local process <const> = asyncio.create_subprocess_shell(code, {
      stdin = "pipe",
      stdout = "pipe",
      stderr = "pipe",
      limit = 1,
    })
    local input <const> = ("0123456789"):rep(n / 10)
    local out <const>, err <const> = process:communicate(input)
    assert.is_true(out == input)
    assert.equal(2 * n, #err)
    assert.equal(0, process.returncode)
    assert.is_true(are_gone(process))
  end)

  ait("gives what there is of pipes", function()
    assert.same({ n = 2 }, table.pack(exec("true"):communicate()))
    assert.same({ "x", n = 2 },
      table.pack(exec("printf", { "x" }, { stdout = "pipe" }):communicate()))
    local process = asyncio.create_subprocess_shell("echo x >&2", { stderr = "pipe" })
    assert.same({ nil, "x\n", n = 2 }, table.pack(process:communicate()))
    assert.same({ nil, "", n = 2 }, table.pack(process:communicate()))
    process = exec("cat", nil, { stdin = "pipe" })
    assert.same({ n = 2 }, table.pack(process:communicate()))
  end)

  ait("does not mind a child that does not read", function()
    exec("true", nil, PIPES):communicate() -- makes what the loop needs
    local before <const> = streams.descriptors()
    local process = asyncio.create_subprocess_shell("exec <&-; echo done", PIPES)
    local out <const> = process:communicate(("x"):rep(1000000))
    assert.equal("done\n", out)
    process = exec("true", nil, PIPES)
    process:wait()
    assert.equal("", (process:communicate(("x"):rep(1000000))))
    process = exec("true", nil, PIPES)
    process.stdin:close()
    assert.equal("", (process:communicate "x"))
    asyncio.sleep(0.001)
    assert.equal(before, streams.descriptors())
  end)

  ait("waits for the end of what it reads, who ever has it open", function()
    local process <const> = shell("echo ready; exec 3<&0; cat <&3 & exit 0")
    local reader <const> = asyncio.create_task(process.communicate, process, "text")
    assert.equal(0, process:wait())
    assert.equal("text", (reader:await()))
  end)

  ait("loses nothing when it is cancelled", function()
    local process <const> = shell("echo ready; cat; exec sleep 1000", { limit = 10 })
    local input <const> = ("x"):rep(100000)
    process.stdin:write(input)
    local task <const> = asyncio.create_task(process.communicate, process)
    asyncio.sleep(0.001)
    task:cancel()
    asyncio.wait { task }
    assert.is_true(task:cancelled())
    process:terminate()
    assert.equal(input, (process:communicate()))
    assert.equal("", (process:communicate()))
  end)

  ait("refuses what it cannot send", function()
    local process <close> = exec("true")
    helper.raises("#2 to 'communicate' %(string expected, got table%)",
      process.communicate, process, {})
    helper.raises("#2 .*the stdin of the process is no pipe", process.communicate, process, "x")
    helper.raises("asyncio.Process expected, got nil", process.communicate)
  end)

  ait("cannot read what another task reads", function()
    local process <close> = idle()
    local task <const> = asyncio.create_task(process.stdout.read, process.stdout)
    asyncio.sleep(0)
    helper.raises(asyncio.RuntimeError, process.communicate, process)
    assert.equal("", task:await())
  end)
end)

describe("the end of a scope", function()
  -- Leaves the scope of the process, with the error if there is one.
  local function leave(process, err)
    local _ <close> = process
    if err then
      error(err, 0)
    end
  end

  ait("asks a child that runs to end, and waits for that", function()
    local process <const> = idle()
    leave(process)
    assert.equal(-15, process.returncode)
    assert.is_true(are_gone(process))
    assert.is_true(process.stdin:is_closing())
    assert.is_nil(process.stdout:get_extra_info "fd")
  end)

  ait("gives it the time to clean up", function()
    local code <const> = "trap 'echo bye; exit 3' TERM; echo ready; while :; do read x; done"
    local process <const> = shell(code, { stdin = "null" })
    leave(process)
    assert.equal(3, process.returncode)
    assert.equal("bye\n", process.stdout:read "a")
  end)

  ait("kills one that does not end", function()
    local process <const> = stubborn(0.001)
    leave(process)
    assert.equal(-9, process.returncode)
    assert.is_true(are_gone(process))
  end)

  ait("kills it at once where there is no grace", function()
    local process <const> = shell("trap 'exit 3' TERM; echo ready; read x", { grace = 0 })
    leave(process)
    assert.equal(-9, process.returncode)
  end)

  ait("kills one whose scope is cancelled while it waits", function()
    local process <const> = stubborn(math.huge)
    local task <const> = asyncio.create_task(leave, process)
    asyncio.sleep(0)
    asyncio.sleep(0)
    assert.is_false(task:done())
    task:cancel "enough"
    local err <const> = helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("enough", err.message)
    assert.equal(-9, process.returncode)
    assert.is_true(are_gone(process))
  end)

  ait("lets errors and cancellations pass", function()
    local process = idle()
    assert.equal("wrong", helper.catch(leave, process, "wrong"))
    assert.equal(-15, process.returncode)
    process = stubborn(0.001)
    local task <const> = asyncio.create_task(function()
      local _ <close> = process
      process:wait()
    end)
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal(-9, process.returncode)
    process = stubborn(math.huge)
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.01)
      leave(process)
    end)
    assert.equal(-9, process.returncode)
  end)

  ait("has nothing to do when it has ended", function()
    local process <const> = exec("printf", { "text" }, { stdout = "pipe" })
    process:wait()
    leave(process)
    leave(process)
    assert.equal("text", process.stdout:read "a")
    assert.equal(0, process.returncode)
  end)

  ait("kills it where no wait is possible", function()
    local process = idle()
    helper.catch(asyncio.atomic, leave, process, "x")
    assert.equal(-9, process.returncode)
    process = idle()
    asyncio.get_running_loop():call_soon(leave, process)
    assert.equal(-9, process:wait())
    assert.is_true(are_gone(process))
  end)
end)

describe("a child that is left running", function()
  it("is killed and reaped when its loop closes", function()
    local process
    leaves_none(function()
      process = stubborn(math.huge)
      asyncio.create_task(process.wait, process)
      local other <const> = exec("cat", nil, PIPES)
      asyncio.create_task(other.communicate, other)
      asyncio.sleep(0)
      return { process, other }
    end)
    assert.equal(-9, process.returncode)
    assert.equal(-9, process:wait())
    helper.raises(asyncio.OSError, process.kill, process)
  end)

  it("is killed when a scope is left with its loop", function()
    local loop <const> = asyncio.new_event_loop()
    local before <const> = streams.descriptors()
    local process
    loop:run_until_complete(function()
      loop:create_task(function()
        local _ <close> = stubborn(math.huge)
        process = _
        asyncio.Future():await()
      end)
      while not process do
        asyncio.sleep(0)
      end
    end)
    loop:close()
    assert.equal(-9, process.returncode)
    assert.is_true(are_gone(process))
    assert.is_true(before > streams.descriptors())
  end)

  it("goes on when it is collected, and is reaped", function()
    leaves_none(function()
      local reader, writer, pid
      do
        local process <const> = idle()
        reader, writer, pid = process.stdout, process.stdin, process.pid
      end
      helper.collect()
      writer:write "still there"
      writer:write_eof()
      assert.equal("still there", reader:read "a")
      while not are_gone { { pid = pid } } do
        asyncio.sleep(0.001)
      end
      local kept <const> = { { pid = stubborn().pid } }
      helper.collect()
      return kept
    end)
  end)

  it("is reported in debug mode when it is collected", function()
    local result <const> = helper.run_script [[
      local asyncio = require "asyncio"
      asyncio.run(asyncio.async(function()
        asyncio.create_subprocess_exec("sleep", { 100 })
        local ended = asyncio.create_subprocess_exec("true", nil, { stdout = "pipe" })
        ended:wait()
        ended = nil
        asyncio.sleep(0)
        collectgarbage() collectgarbage()
      end)(), { debug = true })
    ]]
    assert.equal(0, result.code, result.stderr)
    local warnings <const> = result.stderr:gsub("[^\n]* took [^\n]* seconds\n", "")
    assert.matches("^asyncio: process %d+ was collected while it runs\n$", warnings)
  end)

  it("is killed when the Lua state closes", function()
    for _, last in ipairs { "", "os.exit(0, true)" } do
      local pid <const> = helper.check_script(([[
        local asyncio = require "asyncio"
        local loop = asyncio.new_event_loop()
        loop:run_until_complete(function()
          local process = asyncio.create_subprocess_exec("sleep", { 100 })
          print(process.pid)
          loop:create_task(process.wait, process)
          kept = process
          asyncio.sleep(0)
          %s
        end)
      ]]):format(last))
      assert.is_true(are_gone { pid = math.tointeger(tonumber(pid)) })
    end
  end)
end)

describe("many children", function()
  it("leave nothing behind", function()
    leaves_none(function()
      local list <const> = {}
      for i = 1, 50 do
        list[i] = exec("true", nil, i % 2 == 0 and PIPES or nil)
        if i % 3 == 0 then
          list[i]:communicate()
        elseif i % 3 == 1 then
          list[i]:wait()
        end
      end
      return list
    end)
  end)

  it("run at the same time", function()
    leaves_none(function()
      local list <const>, tasks <const> = {}, {}
      for i = 1, 20 do
        list[i] = exec("cat", nil, PIPES)
        tasks[i] = asyncio.create_task(list[i].communicate, list[i], tostring(i))
      end
      for i, out in ipairs(asyncio.gather(tasks):await()) do
        assert.equal(tostring(i), out)
      end
      return list
    end)
  end)
end)

describe("SIGCHLD", function()
  ait("can be handled besides", function()
    local arrived <const> = asyncio.Event()
    local loop <const> = asyncio.get_running_loop()
    loop:add_signal_handler("CHLD", arrived.set, arrived)
    assert.equal(0, exec("true"):wait())
    arrived:wait()
    loop:remove_signal_handler "CHLD"
    assert.equal(0, exec("true"):wait())
  end)

  it("does afterwards what it did before, and children are waited for", function()
    local source <const> = [[
      local asyncio = require "asyncio"
      local function caught()
        local status <close> = io.open "/proc/self/status"
        if status then
          local pattern = "SigIgn:%s*%x*(%x)%x%x%x%x%s+SigCgt:%s*%x*(%x)%x%x%x%x%s"
          return status:read("a"):match(pattern)
        end
      end
      local ignored, handled = caught()
      asyncio.run(function()
        local first = asyncio.create_subprocess_exec("sleep", { 0.01 })
        for i = 1, 3 do
          local process = asyncio.create_subprocess_exec("sh", { "-c", "exit " .. i })
          assert(process:wait() == i)
        end
        assert(first:wait() == 0)
        asyncio.sleep(0)
        local ignored_now, handled_now = caught()
        assert(ignored == ignored_now and handled == handled_now)
      end)
    ]]
    helper.check_script(source)
    helper.check_script(source, { shell = "trap '' CHLD; %s" })
  end)
end)
