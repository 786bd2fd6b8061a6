-- Starting children: arguments, what they are connected with, and their
-- surroundings. What one does with them then is in process_spec.lua.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local processes = require "spec.processes"
local streams = require "spec.streams"

local ait <const> = helper.ait

local has_proc <const> = streams.descriptors() ~= nil

-- What a program writes to its stdout.
local function output(program, args, opts)
  opts = opts or {}
  opts.stdout = "pipe"
  local process <const> = asyncio.create_subprocess_exec(program, args, opts)
  return (process:communicate())
end

local function shell_output(cmd, opts)
  return output("/bin/sh", { "-c", cmd }, opts)
end

describe("create_subprocess_exec", function()
  ait("gives the program its arguments as they are", function()
    local args <const> = { "%s|", "", "two words", "$HOME", "'", "a\nb", 7, "\xff" }
    assert.equal("|two words|$HOME|'|a\nb|7|\xff|", output("printf", args))
    assert.equal("", output "true")
    assert.equal("", output("true", {}))
  end)

  ait("makes a process of a class of its own", function()
    local process <const> = asyncio.create_subprocess_exec("true", nil, { stdout = "pipe" })
    assert.is_true(asyncio.isinstance(process, asyncio.Process))
    assert.is_true(asyncio.isinstance(process, asyncio.subprocess.Process))
    assert.equal("integer", math.type(process.pid))
    assert.equal(("<Process %d>"):format(process.pid), tostring(process))
    assert.is_nil(process.returncode)
    assert.is_nil(process.stdin)
    assert.is_true(asyncio.isinstance(process.stdout, asyncio.StreamReader))
    assert.is_nil(process.stderr)
    assert.is_nil(process.name)
    assert.is_nil(process[1])
    assert.equal(0, process:wait())
    assert.equal(("<Process %d returncode=0>"):format(process.pid), tostring(process))
    assert.equal(0, process.returncode)
    assert.equal(asyncio.create_subprocess_exec, asyncio.subprocess.create_subprocess_exec)
    assert.equal(asyncio.subprocess, require "asyncio.subprocess")
    helper.raises("Process objects are made by the library only", asyncio.Process)
  end)

  ait("says what could not be started", function()
    local exec <const> = asyncio.create_subprocess_exec
    output "true" -- makes what the loop needs for children and streams
    local before <const> = streams.descriptors()
    local pipes <const> = { stdin = "pipe", stdout = "pipe", stderr = "pipe" }
    local err = helper.raises(asyncio.OSError, exec, "/nonexistent/program", {}, pipes)
    local text <const> = "spawn /nonexistent/program: no such file or directory (ENOENT)"
    assert.same({ text, "ENOENT", "spawn", "/nonexistent/program" },
      { err.message, err.code, err.syscall, err.path })
    err = helper.raises(asyncio.OSError, exec, "/", nil, pipes)
    assert.equal("spawn /: permission denied (EACCES)", err.message)
    pipes.cwd = "/nonexistent"
    err = helper.raises(asyncio.OSError, exec, "true", nil, pipes)
    assert.equal("chdir /nonexistent: no such file or directory (ENOENT)", err.message)
    pipes.cwd = "/dev/null"
    err = helper.raises(asyncio.OSError, exec, "true", nil, pipes)
    assert.equal("chdir /dev/null: not a directory (ENOTDIR)", err.message)
    pipes.cwd = "/"
    err = helper.raises(asyncio.OSError, exec, "/nonexistent", nil, pipes)
    assert.equal("/nonexistent", err.path)
    err = helper.raises(asyncio.OSError, exec, "true", nil, { stdout = 999999 })
    assert.equal("spawn true: bad file descriptor (EBADF)", err.message)
    asyncio.sleep(0.001)
    assert.equal(before, streams.descriptors())
  end)

  it("fails without descriptors, and leaves none", function()
    local source <const> = [[
      local asyncio = require "asyncio"
      local list = {}
      local function open_all()
        local file = io.open "/dev/null"
        while file do
          list[#list + 1] = file
          file = io.open "/dev/null"
        end
        return #list
      end
      asyncio.run(function()
        asyncio.subprocess.run { "true" } -- makes what the loop needs
        local most = open_all()
        for free = 0, 12 do
          for _ = 1, free do
            table.remove(list):close()
          end
          local ok, err = pcall(asyncio.subprocess.run, { "true" }, { input = "x" })
          assert(ok and free > 0 or not ok and free < 12 and err.code == "EMFILE", free)
          asyncio.sleep(0.001)
          assert(open_all() == most, free)
        end
      end)
    ]]
    helper.check_script(source, { shell = "ulimit -n 40; %s" })
  end)

  ait("looks the program up in PATH, that of the child if it gets one", function()
    assert.equal("x", output("printf", { "x" }, { env = { PATH = os.getenv "PATH" } }))
    local exec <const> = asyncio.create_subprocess_exec
    local env <const> = { PATH = "/nonexistent" }
    local err <const> = helper.raises(asyncio.OSError, exec, "printf", { "x" }, { env = env })
    assert.equal("ENOENT", err.code)
  end)

  ait("gives the child an environment of its own", function()
    local env <const> = { ONE = "a b=c", TWO = 2, EMPTY = "" }
    assert.equal("a b=c,2,,", shell_output('printf %s "$ONE,$TWO,$EMPTY,$HOME"', { env = env }))
    local home <const> = os.getenv "HOME" or ""
    assert.equal(home, shell_output 'printf %s "$HOME"')
    assert.equal("", shell_output('printf %s "$HOME"', { env = {} }))
  end)

  ait("starts it in another directory", function()
    assert.equal("/\n", shell_output("pwd", { cwd = "/" }))
  end)

  ait("starts it in a session of its own", function()
    local pid, session = shell_output("cat /proc/$$/stat", { start_new_session = true })
      :match "^(%d+) %b() %a %d+ %d+ (%d+)"
    assert.is_true(not has_proc or pid ~= nil and pid == session)
  end)

  ait("may become another user, if it is allowed to", function()
    local opts <const> = { user = 65534, group = 65534 }
    local ok <const>, result <const> = pcall(output, "id", { "-u" }, opts)
    if ok then
      assert.equal("65534\n", result)
    else
      assert.equal("EPERM", result.code)
    end
  end)

  ait("resets signals that are ignored or caught here", function()
    asyncio.get_running_loop():add_signal_handler("USR1", print)
    for _, signum in ipairs { 13, 10 } do
      local code <const> = ("kill -%d $$; exec cat"):format(signum)
      local process <const> = asyncio.create_subprocess_shell(code, { stdin = "null" })
      assert.equal(-signum, process:wait())
    end
  end)
end)

describe("the standard streams of a child", function()
  ait("are pipes, which it can open by their names", function()
    local opts <const> = { stdin = "pipe", stdout = "pipe", stderr = "pipe" }
    local code <const> = "cat /dev/stdin >/dev/stdout; echo error >/dev/stderr"
    local process <const> = asyncio.create_subprocess_shell(code, opts)
    local out <const>, err <const> = process:communicate "input"
    assert.same({ "input", "error\n" }, { out, err })
  end)

  ait("are known by constants, too", function()
    local names <const> = asyncio.subprocess
    local code <const> = "cat; echo out; echo error >&2"
    local opts <const> = { stdin = names.DEVNULL, stdout = names.PIPE, stderr = names.STDOUT }
    local process <const> = asyncio.create_subprocess_shell(code, opts)
    local out <const>, err <const> = process:communicate()
    assert.equal("out\nerror\n", out)
    assert.is_nil(err)
    assert.is_nil(process.stderr)
  end)

  ait("may lead to nowhere", function()
    local opts <const> = { stdin = "null", stdout = "null", stderr = "stdout" }
    local process <const> = asyncio.create_subprocess_shell("cat; echo x >&2; exit 3", opts)
    assert.equal(3, process:wait())
    assert.same({ n = 2 }, table.pack(process:communicate()))
  end)

  it("are those of this program if nothing else is said", function()
    local source <const> = [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local code = "read line; echo \"$line\"; echo error >&2"
        local process = asyncio.create_subprocess_shell(code)
        assert(process:wait() == 0)
        process = asyncio.create_subprocess_shell("cat", { stdin = "inherit", stderr = "stdout" })
        assert(process:wait() == 0)
      end)
    ]]
    local result <const> = helper.run_script(source, { shell = "printf 'one\ntwo\n' | %s" })
    assert.same({ "one\ntwo\n", "error\n", 0 }, { result.stdout, result.stderr, result.code })
  end)

  ait("may be files", function()
    local path <const>, _ <close> = streams.path()
    do
      local file <close> = assert(io.open(path, "w"))
      file:write "before,"
      local opts <const> = { stdout = file }
      assert.equal(0, asyncio.create_subprocess_exec("printf", { "one," }, opts):wait())
    end
    do
      local file <close> = asyncio.fs.open(path, "a")
      local opts <const> = { stdout = file, stderr = "stdout" }
      assert.equal(0, asyncio.create_subprocess_shell("printf two, >&2", opts):wait())
    end
    local file <close> = assert(io.open(path))
    assert.equal("before,one,two,", output("cat", nil, { stdin = file }))
  end)

  ait("may be streams, or descriptors by their number", function()
    local reader <close>, writer = asyncio.pipe()
    local first <const> = asyncio.create_subprocess_exec("printf", { "one," }, { stdout = writer })
    local opts <const> = { stdout = writer:get_extra_info "fd" }
    assert.equal(0, first:wait())
    assert.equal(0, asyncio.create_subprocess_exec("printf", { "two" }, opts):wait())
    writer:close()
    assert.equal("one,two", reader:read "a")

    local from <close>, to = asyncio.pipe()
    local process <const> = asyncio.create_subprocess_exec("cat", nil, {
      stdin = from,
      stdout = "pipe",
    })
    to:write "text"
    to:close()
    assert.equal("text", (process:communicate()))
  end)

  ait("may connect children with each other", function()
    local reader, writer = asyncio.pipe()
    local args <const>, opts <const> = { "b\\na\\n" }, { stdout = writer }
    local first <const> = asyncio.create_subprocess_exec("printf", args, opts)
    writer:close()
    assert.equal("a\nb\n", output("sort", nil, { stdin = reader }))
    assert.equal(0, first:wait())
  end)

  ait("may be the pipes of another child", function()
    local first <close> = processes.idle()
    local second <const> = asyncio.create_subprocess_exec("sort", nil, {
      stdin = first.stdout,
      stdout = "pipe",
    })
    first.stdin:write "b\na\n"
    first.stdin:close()
    assert.equal(0, first:wait()) -- leaves it all to the second
    first.stdout:close()
    assert.equal("a\nb\n", (second:communicate()))

    local third <close> = processes.idle()
    local opts <const> = { stdout = third.stdin }
    assert.equal(0, asyncio.create_subprocess_exec("printf", { "text" }, opts):wait())
    third.stdin:close()
    assert.equal("text", third.stdout:read "a")
  end)

  ait("cannot be what is closed", function()
    local _, writer = asyncio.pipe()
    writer:close()
    local exec <const> = asyncio.create_subprocess_exec
    local err <const> = helper.raises(asyncio.OSError, exec, "true", nil, { stdout = writer })
    assert.equal("spawn true: bad file descriptor (EBADF)", err.message)
    local path <const>, _ <close> = streams.path()
    local file <const> = asyncio.fs.open(path, "w")
    file:close()
    helper.raises(asyncio.OSError, exec, "true", nil, { stdout = file })
    local other <const> = assert(io.open(path))
    other:close()
    helper.raises("bad argument #3.*'stdin'.*closed file", exec, "true", nil, { stdin = other })
  end)

  ait("have the limit that is asked for", function()
    local opts <const> = { stdout = "pipe", limit = 3 }
    local process <const> = asyncio.create_subprocess_exec("printf", { "12345\\n" }, opts)
    helper.raises(asyncio.LimitOverrunError, process.stdout.readline, process.stdout)
    process:wait()
  end)

  ait("are all that it has of our descriptors", function()
    local list <const> = "ls /proc/self/fd"
    local before <const> = has_proc and shell_output(list)
    local path <const>, _ <close> = streams.path()
    local file <close> = asyncio.fs.open(path, "w")
    local here <const>, there <const> = streams.pair()
    local reader <const>, writer <const> = asyncio.pipe()
    local endpoint <close> = asyncio.open_datagram()
    local other <close> = processes.idle()
    assert.equal(before, has_proc and shell_output(list))
    assert.is_truthy(file and here and there and reader and writer and endpoint and other)
  end)
end)

describe("create_subprocess_shell", function()
  ait("runs a line of the shell", function()
    local opts <const> = { stdout = "pipe", env = { WORD = "hello" } }
    local process <const> = asyncio.create_subprocess_shell('echo "$WORD" | tr a-z A-Z', opts)
    assert.equal("HELLO\n", (process:communicate()))
    assert.equal(7, asyncio.create_subprocess_shell("exit 7"):wait())
    assert.equal(127, asyncio.create_subprocess_shell("/nonexistent 2>/dev/null"):wait())
    assert.equal(0, asyncio.create_subprocess_shell(""):wait())
  end)
end)

describe("starting a child is refused with", function()
  local exec <const>, shell <const> =
    asyncio.create_subprocess_exec, asyncio.create_subprocess_shell

  ait("wrong arguments", function()
    helper.raises("#1 to 'create_subprocess_exec' %(string expected, got nil%)", exec)
    helper.raises("#1 to 'create_subprocess_exec' %(empty program%)", exec, "")
    helper.raises("#1 .*zero byte", exec, "a\0b")
    helper.raises("#2 .*list of arguments expected, got string", exec, "true", "x")
    helper.raises("#2 .*element 2: string expected, got boolean", exec, "true", { "x", true })
    local field <const> = "#2 .*list expected, got a table with the field 'stdin'"
    helper.raises(field, exec, "cat", { stdin = "pipe" })
    helper.raises("#2 .*zero byte", exec, "true", { "a\0b" })
    helper.raises("#3 .*table expected, got string", exec, "true", {}, "x")
    helper.raises("#1 to 'create_subprocess_shell' %(string expected, got table%)", shell, {})
    helper.raises("#1 .*zero byte", shell, "a\0b")
    helper.raises("#2 .*table expected, got number", shell, "true", 5)
  end)

  ait("wrong options", function()
    for pattern, opts in pairs {
      ["'stdin': .* got 'stdout'"] = { stdin = "stdout" },
      ["'stdout': .* got 'stdout'"] = { stdout = "stdout" },
      ["'stdout': 'pipe', .* a stream or .* expected, got 'pipes'"] = { stdout = "pipes" },
      ["'stderr': .* got number"] = { stderr = -1 },
      ["'stderr': .* got table"] = { stderr = {} },
      ["'stdin': .* got userdata"] = { stdin = asyncio.get_running_loop() },
      ["'env': table expected, got string"] = { env = "A=1" },
      ["'env': 'A=B' is no name"] = { env = { ["A=B"] = "1" } },
      ["'env': '' is no name"] = { env = { [""] = "1" } },
      ["'env': '1' is no name"] = { env = { "A=1" } },
      ["'env': A: string expected, got boolean"] = { env = { A = true } },
      ["'env': value with a zero byte"] = { env = { A = "\0" } },
      ["'cwd': string expected, got boolean"] = { cwd = true },
      ["'cwd': path with a zero byte"] = { cwd = "/\0" },
      ["'limit' must be an integer from 1 "] = { limit = 0 },
      ["'user' must be an integer from 0 "] = { user = "root" },
      ["'group' must be an integer from 0 "] = { group = 1.5 },
      ["'grace' must be a number of seconds"] = { grace = 0 / 0 },
      ["'grace' must be a number  ?of seconds"] = { grace = -1 },
    } do
      helper.raises("bad argument #3 to 'create_subprocess_exec' %(field " .. pattern, exec,
        "true", nil, opts)
      helper.raises("bad argument #2 to 'create_subprocess_shell' %(field " .. pattern, shell,
        "true", opts)
    end
  end)

  it("no event loop that runs", function()
    for name, fn in pairs { create_subprocess_exec = exec, create_subprocess_shell = shell } do
      local err <const> = helper.raises(asyncio.RuntimeError, fn, "true")
      assert.matches(("'%s' must be called while an event loop runs"):format(name), err.message)
    end
  end)
end)
