-- asyncio.subprocess.run: a command from its start to its end.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local processes = require "spec.processes"
local streams = require "spec.streams"

local ait <const> = helper.ait
local run <const>, CalledProcessError <const> =
  asyncio.subprocess.run, asyncio.subprocess.CalledProcessError

-- A command that ignores SIGTERM, says so, and who it is.
local STUBBORN <const> = "trap '' TERM; echo $$; while :; do read x; done"

describe("subprocess.run", function()
  ait("returns what the command did, and wrote", function()
    local result <const> = run "echo out; echo error >&2; exit 3"
    assert.same({
      args = "echo out; echo error >&2; exit 3",
      returncode = 3,
      stdout = "out\n",
      stderr = "error\n",
    }, result)
    local cmd <const> = { "printf", "%s|", "a b", 5 }
    assert.same({ args = cmd, returncode = 0, stdout = "a b|5|", stderr = "" }, run(cmd))
  end)

  ait("gives the command its input", function()
    assert.equal("text", run({ "cat" }, { input = "text" }).stdout)
    assert.equal("", run({ "cat" }, { input = "" }).stdout)
    assert.equal(0, run({ "true" }, { input = ("x"):rep(1000000) }).returncode)
    assert.equal("", run({ "cat" }, { stdin = "null" }).stdout)
  end)

  ait("has the options of a child", function()
    local result <const> = run("pwd; echo $A >&2; exit 1", {
      cwd = "/",
      env = { A = "b" },
      stderr = "stdout",
      stdin = "null",
      limit = 1,
      start_new_session = true,
    })
    assert.equal("/\nb\n", result.stdout)
    assert.is_nil(result.stderr)
  end)

  it("leaves the output alone if it is told so", function()
    local source <const> = [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local result = asyncio.subprocess.run("echo out; echo error >&2", { capture = false })
        assert(result.stdout == nil and result.stderr == nil)
        result = asyncio.subprocess.run("echo captured; echo not >&2", { stderr = "inherit" })
        assert(result.stdout == "captured\n" and result.stderr == nil)
      end)
    ]]
    local result <const> = helper.run_script(source)
    assert.same({ "out\n", "error\nnot\n", 0 }, { result.stdout, result.stderr, result.code })
  end)

  ait("runs many at the same time", function()
    local tasks <const> = {}
    for i = 1, 10 do
      tasks[i] = asyncio.create_task(run, { "echo", i })
    end
    for i, result in ipairs(asyncio.gather(tasks):await()) do
      assert.equal(i .. "\n", result.stdout)
    end
  end)

  ait("raises what keeps a command from starting", function()
    local err = helper.raises(asyncio.OSError, run, { "/nonexistent" })
    assert.equal("spawn /nonexistent: no such file or directory (ENOENT)", err.message)
    err = helper.raises(asyncio.OSError, run, { "true" }, { cwd = "/nonexistent" })
    assert.equal("chdir /nonexistent: no such file or directory (ENOENT)", err.message)
  end)
end)

describe("subprocess.run with check", function()
  ait("raises an error if the command fails", function()
    local cmd <const> = "echo out; echo error >&2; exit 3"
    local err <const> = helper.raises(CalledProcessError, run, cmd, { check = true })
    assert.same({ cmd, 3, "out\n", "error\n" }, { err.cmd, err.returncode, err.stdout, err.stderr })
    assert.is_true(asyncio.isinstance(err, asyncio.Error))
    assert.equal("CalledProcessError: Command '" .. cmd .. "' returned non-zero exit status 3.",
      tostring(err))
    assert.equal(0, run("exit 0", { check = true }).returncode)
    assert.equal(CalledProcessError, asyncio.CalledProcessError)
  end)

  ait("names the signal that ended it, and the words of the command", function()
    local cmd = { "sh", "-c", "kill -TERM $$", "it's" }
    local err = helper.raises(CalledProcessError, run, cmd, { check = true })
    assert.equal([[Command 'sh -c 'kill -TERM $$' 'it'\''s'' died with SIGTERM.]], err.message)
    assert.equal(-15, err.returncode)
    cmd = { "test", "", "-a", "x" }
    err = helper.raises(CalledProcessError, run, cmd, { check = true })
    assert.equal("Command 'test '' -a x' returned non-zero exit status 1.", err.message)
  end)
end)

describe("subprocess.run that takes too long", function()
  -- Whether the process of the number that the text begins with is gone.
  local function is_gone(text)
    return processes.are_gone { pid = math.tointeger(tonumber(text:match "%d+")) }
  end

  ait("ends the command and raises an error", function()
    local cmd <const> = "echo out; exec sleep 100"
    local err <const> = helper.raises(asyncio.TimeoutError, run, cmd, { timeout = 0.05 })
    assert.same({ cmd, 0.05 }, { err.cmd, err.timeout })
    assert.equal("Command 'echo out; exec sleep 100' timed out after 0.05 seconds.", err.message)
    assert.equal("string", type(err.stdout))
  end)

  ait("kills one that ignores that", function()
    local opts <const> = { timeout = 0.05, grace = 0.05, stdin = "null" }
    -- it may not have come to ignore it
    local err <const> = helper.raises(asyncio.TimeoutError, run, STUBBORN, opts)
    assert.is_true(err.stdout == "" or is_gone(err.stdout))
  end)

  ait("is nothing special when it is quick enough", function()
    assert.equal("x", run({ "printf", "x" }, { timeout = 60 }).stdout)
    helper.raises(asyncio.TimeoutError, run, { "sleep", 100 }, { timeout = 0 })
  end)

  ait("ends with the scope of a timeout", function()
    helper.raises(asyncio.TimeoutError, function()
      local _ <close> = asyncio.timeout(0.01)
      run({ "sleep", 100 }, { timeout = 60 })
    end)
  end)

  ait("ends when it is cancelled, and the error goes on after that", function()
    local reader <close>, writer = asyncio.pipe()
    local opts <const> = { stdout = writer, stdin = "null", grace = 0.001 }
    local task <const> = asyncio.create_task(run, STUBBORN, opts)
    local pid <const> = reader:readline()
    assert.is_false(task:done())
    task:cancel "no more"
    local err <const> = helper.raises(asyncio.CancelledError, task.await, task)
    assert.equal("no more", err.message)
    assert.is_true(is_gone(pid))
    writer:close()
  end)

  it("leaves nothing behind, at whatever moment it is cancelled", function()
    helper.run(function() end)
    local before <const> = streams.descriptors()
    helper.run(function()
      for turns = 0, 12 do
        local task <const> = asyncio.create_task(run, { "cat" }, { input = "x" })
        for _ = 1, turns do
          asyncio.sleep(0)
        end
        task:cancel()
        asyncio.wait { task }
        assert.is_true(task:cancelled() or task:result().stdout == "x")
      end
    end)
    assert.equal(before, streams.descriptors())
  end)
end)

describe("subprocess.run is refused with", function()
  ait("wrong arguments", function()
    helper.raises("#1 to 'run' %(string or list of strings expected, got nil%)", run)
    helper.raises("#1 to 'run' %(no program%)", run, {})
    helper.raises("#1 to 'run' %(no program%)", run, { "" })
    helper.raises("#1 .*element 2: string expected, got table", run, { "x", {} })
    helper.raises("#2 to 'run' %(table expected, got string%)", run, "true", "x")
    for pattern, opts in pairs {
      ["'input': string expected, got number"] = { input = 5 },
      ["'input' and 'stdin' exclude each other"] = { input = "x", stdin = "null" },
      ["'timeout' must be a number of seconds"] = { timeout = "1" },
      ["'stdout': .* got 'pipes'"] = { stdout = "pipes" },
      ["'cwd': string expected, got number"] = { cwd = 5 },
      ["'grace' must be a number of seconds"] = { grace = {} },
    } do
      helper.raises("bad argument #2 to 'run' .*" .. pattern, run, "true", opts)
    end
  end)

  it("no task to wait in", function()
    local err <const> = helper.raises(asyncio.RuntimeError, run, "true")
    assert.matches("'run' suspends and must be called in a task", err.message)
  end)
end)
