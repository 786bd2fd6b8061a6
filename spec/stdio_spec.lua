local asyncio = require "asyncio"
local helper = require "spec.helper"

-- A child whose body is a main task; it has asyncio, the three streams' names
-- and 'blocks', whether a descriptor does, as far as the system tells.
local function source(body)
  return ([[
    local asyncio = require "asyncio"
    local function blocks(fd)
      local file <close> = io.open("/proc/self/fdinfo/" .. fd)
      local flags = file and file:read "a":match "flags:%%s*(%%d+)"
      return not flags or tonumber(flags, 8) & 2048 == 0
    end
    local function main()
      %s
    end
    asyncio.run(main)
    for fd = 0, 2 do
      assert(blocks(fd), fd)
    end
  ]]):format(body)
end

local function check(body, opts)
  return helper.check_script(source(body), opts)
end

-- The kinds of standard input: a file, a pipe, and a terminal, which echoes what
-- is typed and writes "\r\n".
local PIPE <const> = "cat | %s | cat"

local function has(program)
  return os.execute("command -v " .. program .. " >/dev/null") == true
end

describe("stdin", function()
  local lines <const> = [[
    local reader = asyncio.stdin()
    assert(reader == asyncio.stdin())
    assert(asyncio.isinstance(reader, asyncio.StreamReader))
    print(reader:readline() == "one\n", reader:readexactly(2), reader:get_extra_info "fd")
    print(#reader:read "a", reader:at_eof(), reader:read(1))
    assert(reader == asyncio.stdin())
  ]]

  for name, shell in pairs { ["a file"] = "exec %s", ["a pipe"] = PIPE } do
    it("reads " .. name, function()
      local opts <const> = { stdin = "one\ntwo" .. ("x"):rep(300000), shell = shell }
      assert.equal("true\ttw\t0\n300001\ttrue\tnil\n", check(lines, opts))
    end)
  end

  it("reads a descriptor that has nothing", function()
    assert.equal("true\n", check("print(asyncio.stdin():read(1) == nil)"))
    local opts <const> = { shell = "%s </dev/null" }
    assert.equal("true\n", check('print(asyncio.stdin():read "a" == "")', opts))
  end)

  it("takes no more than is asked for before it is asked", function()
    local opts <const> = { shell = "{ %s; cat; } | cat", stdin = "left" }
    assert.equal("left", check("asyncio.stdin() asyncio.sleep(0.01)", opts))
  end)

  it("can be waited for in vain, and read after that", function()
    local body <const> = [[
      local reader = asyncio.stdin()
      local ok, err = pcall(asyncio.wait_for, reader.readline, 0.01, reader)
      print(ok, asyncio.isinstance(err, asyncio.TimeoutError))
      local task = asyncio.create_task(reader.readline, reader)
      asyncio.sleep(0)
      os.execute "echo typed >&3"
      print(task:await() == "typed\n")
      asyncio.create_task(reader.readline, reader)
      asyncio.sleep(0.01)
    ]]
    local fifo <const> = os.tmpname()
    os.remove(fifo)
    local shell <const> = ("mkfifo %s; exec 3<>%s; rm %s; "):format(fifo, fifo, fifo)
    local out <const> = check(body, { shell = shell .. "%s <&3" })
    assert.equal("false\ttrue\ntrue\n", out)
  end)

  it("reads exactly as much as its buffer holds, and does not block", function()
    local body <const> = [[
      local reader = asyncio.stdin()
      local n = 0
      while n < 65536 do
        n = n + #reader:read(4096)
      end
      local ok = pcall(asyncio.wait_for, reader.read, 0.01, reader, 1)
      print(n, ok)
    ]]
    local fifo <const> = os.tmpname()
    os.remove(fifo)
    local shell <const> = ("mkfifo %s; exec 3<>%s; rm %s; "):format(fifo, fifo, fifo)
    local fill <const> = "head -c 65536 /dev/zero >&3; "
    assert.equal("65536\tfalse\n", check(body, { shell = shell .. fill .. "%s <&3" }))
  end)

  it("shows what print asked before it waits for the answer", function()
    local body <const> = [[
      io.stdout:setvbuf "full"
      io.write "name? "
      local reader = asyncio.stdin()
      local task = asyncio.create_task(reader.readline, reader)
      asyncio.sleep(0)
      os.execute "printf asked-"
      print(task:await())
    ]]
    assert.equal("name? asked-me\n", check(body, { stdin = "me", shell = PIPE }))
  end)

  it("is empty where it is closed, and no descriptor of libuv takes its place", function()
    local body <const> = [[
      local reader = asyncio.stdin()
      io.stderr:write(tostring(reader:read(1)))
      asyncio.stdout():write "x"
    ]]
    local result <const> = helper.run_script(source(body), { shell = "%s <&- >&-" })
    assert.same({ code = 0, stdout = "", stderr = "nil" }, result)
  end)

  it("is an error where it is no stream", function()
    local body <const> = [[
      local ok, err = pcall(function()
        return asyncio.stdin():read(1)
      end)
      print(ok, asyncio.isinstance(err, asyncio.OSError), err.code, err.syscall)
    ]]
    local out <const> = check(body, { shell = "%s </" })
    assert.matches("^false\ttrue\tE%u+\t%l+\n$", out)
  end)
end)

describe("stdout", function()
  local big <const> = [[
    local writer = asyncio.stdout()
    assert(writer == asyncio.stdout())
    assert(asyncio.isinstance(writer, asyncio.StreamWriter))
    assert(writer:get_extra_info "fd" == 1)
    print "first"
    io.write "second\n"
    writer:write "third\n"
    print "fourth"
    writer:write(("x"):rep(1000000))
  ]]

  for name, shell in pairs {
    ["a file"] = "exec %s",
    ["a pipe"] = "%s | cat",
    ["a pipe that is read late"] = "%s | { sleep 0.1; cat; }",
    ["a file at its end"] = "%s >>/dev/stdout",
  } do
    it("is out before run returns, after what print wrote: " .. name, function()
      local out <const> = check(big, { shell = shell })
      assert.equal("first\nsecond\nthird\nfourth\n", out:sub(1, 26))
      assert.equal(26 + 1000000, #out)
    end)
  end

  it("is out also when the main task fails, and with a loop of one's own", function()
    local result <const> = helper.run_script(
      source [[
        asyncio.stdout():write(("x"):rep(300000))
        error "as it should"
      ]],
      { shell = "%s | { sleep 0.1; cat; }" }
    )
    assert.equal(300000, #result.stdout)
    local out <const> = helper.check_script(
      [[
        local asyncio = require "asyncio"
        local loop = asyncio.new_event_loop()
        loop:run_until_complete(function()
          asyncio.stdout():write(("x"):rep(300000))
        end)
      ]],
      { shell = "%s | { sleep 0.1; cat; }" }
    )
    assert.equal(300000, #out)
  end)

  it("lets drain wait for a slow reader, others run, and print wait", function()
    local body <const> = [[
      local writer = asyncio.stdout()
      local turns = 0
      local ticker = asyncio.create_task(function()
        while true do
          asyncio.sleep(0.001)
          turns = turns + 1
        end
      end)
      writer:write(("x"):rep(300000))
      local ok, err = pcall(asyncio.wait_for, writer.drain, 0.01, writer)
      assert(not ok and asyncio.isinstance(err, asyncio.TimeoutError))
      os.execute "echo >&3" -- now the reader may begin
      writer:drain()
      ticker:cancel()
      assert(turns > 0)
      print(("y"):rep(200000))
    ]]
    local fifo <const> = os.tmpname()
    os.remove(fifo)
    local shell <const> = ("mkfifo %s; exec 3<>%s; rm %s; "):format(fifo, fifo, fifo)
    local out <const> = check(body, { shell = shell .. "%s | { read go <&3; cat; }" })
    assert.equal(300000, select(2, out:gsub("x", "")))
    assert.equal(200000, select(2, out:gsub("y", "")))
  end)

  it("raises EPIPE when nobody reads", function()
    local body <const> = [[
      local writer = asyncio.stdout()
      local ok, err = pcall(function()
        while true do
          writer:write(("x"):rep(10000))
          writer:drain()
        end
      end)
      asyncio.stderr():write(err.code .. " " .. tostring(writer))
    ]]
    local result <const> = helper.run_script(source(body), { shell = "%s | true" })
    assert.equal("EPIPE <StreamWriter closed to stdout>", result.stderr)
  end)

  it("raises what a file raises", function()
    local body <const> = [[
      local ok, err = pcall(asyncio.stdout().write, asyncio.stdout(), "x")
      asyncio.stderr():write(err.code)
    ]]
    if io.open "/dev/full" then
      local result <const> = helper.run_script(source(body), { shell = "%s >/dev/full" })
      assert.equal("ENOSPC", result.stderr)
    end
  end)

  it("stays open when its writer is closed", function()
    local body <const> = [[
      local writer = asyncio.stdout()
      writer:write "a\n"
      writer:write_eof()
      writer:wait_closed()
      assert(writer == asyncio.stdout() and writer:is_closing())
      print "b"
      print(pcall(writer.write, writer, "c"))
    ]]
    for _, shell in ipairs { "exec %s", PIPE } do
      assert.matches("^a\nb\nfalse\tRuntimeError", check(body, { shell = shell }))
    end
  end)

  it("is another one for another loop, and leaves no descriptor", function()
    local out <const> = helper.check_script(
      [[
        local asyncio = require "asyncio"
        local function count()
          local n = 0
          for fd = 0, 1023 do
            local file <close> = io.open("/proc/self/fdinfo/" .. fd)
            n = n + (file and 1 or 0)
          end
          return n
        end
        local before, last -- libuv has some of its own from the first loop on
        for _ = 1, 5 do
          asyncio.run(function()
            local writer = asyncio.stdout()
            assert(writer ~= last)
            last = writer
            writer:write "x"
            pcall(asyncio.wait_for, asyncio.stdin().read, 0, asyncio.stdin(), 1)
            asyncio.stderr()
          end)
          before = before or count()
          assert(count() == before)
        end
      ]],
      { shell = PIPE, stdin = "input" }
    )
    assert.equal("xxxxx", out)
  end)

  it("needs a loop that runs", function()
    for _, name in ipairs { "stdin", "stdout", "stderr" } do
      local err <const> = helper.raises(asyncio.RuntimeError, asyncio[name])
      assert.matches("'" .. name .. "' must be called while an event loop runs", err.message)
    end
  end)
end)

describe("stderr", function()
  it("is where errors go", function()
    local body <const> = [[
      local writer = asyncio.stderr()
      io.stderr:write "one\n"
      writer:write "two\n"
      io.stderr:write "three\n"
      assert(writer == asyncio.stderr() and writer:get_extra_info "fd" == 2)
      assert(tostring(writer) == "<StreamWriter open to stderr>")
    ]]
    for _, shell in ipairs { "exec %s", "%s 2>&1 | cat >&2" } do
      local result <const> = helper.run_script(source(body), { shell = shell })
      assert.equal("one\ntwo\nthree\n", result.stderr)
    end
  end)
end)

describe("standard streams that are sockets", function()
  if not has "perl" then
    return
  end

  -- Runs the command with one end of a socket pair for stdin and stdout, writes
  -- its stdin to the other end and copies what comes from there to stdout.
  local perl <const> = [[
    perl -MSocket -e '
      socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
      my $pid = fork();
      if (!$pid) {
        close $b;
        open(STDIN, "<&", $a); open(STDOUT, ">&", $a); close $a;
        exec "sh", "-c", $ARGV[0];
      }
      close $a;
      local $/;
      my $in = <STDIN>;
      syswrite $b, $in;
      shutdown($b, 1);
      select(undef, undef, undef, 0.1);
      print <$b>;
      waitpid $pid, 0;
      exit($? >> 8);
    ' "%s"
  ]]

  it("are read and written", function()
    local body <const> = [[
      print(asyncio.stdin():readline() == "one\n", #asyncio.stdin():read "a")
      asyncio.stdout():write(("x"):rep(2000000))
      local ok = pcall(asyncio.wait_for, asyncio.stdout().drain, 0.001, asyncio.stdout())
      asyncio.stdout():drain()
    ]]
    local out <const> = check(body, { shell = perl, stdin = "one\ntwo" })
    assert.equal("true\t3\n", out:sub(1, 7))
    assert.equal(2000007, #out)
  end)
end)

describe("standard streams that are a terminal", function()
  -- The shell that it starts becomes the child, also one that would rather have
  -- children of its own: those were in the background, and stopped as they read.
  local script <const> = "SHELL=/bin/sh script -qec '%s' /dev/null"
  if not has "script" or not os.execute(script:format "true" .. " >/dev/null 2>&1 </dev/null") then
    return
  end

  -- Types what is in stdin, and nothing else before the child has ended.
  local fifo <const> = os.tmpname()
  os.remove(fifo)
  local terminal <const> = ("mkfifo %s; exec 3<>%s; rm %s; "):format(fifo, fifo, fifo)
    .. "{ cat; read end <&3; } | { "
    .. script:format "exec %s"
    .. "; echo >&3; } | tr -d '\\r'"

  it("are read and written", function()
    local body <const> = [[
      local reader, writer = asyncio.stdin(), asyncio.stdout()
      io.write "first "
      writer:write "second "
      local line = reader:readline()
      print("third " .. line:upper())
      assert(reader:readline() == nil)
      writer:write(("x"):rep(100000) .. "\n")
      asyncio.stderr():write "error\n"
    ]]
    local out <const> = check(body, { shell = terminal, stdin = "typed\n\4" })
    assert.matches("first .*second .*third TYPED\n", out)
    assert.equal(100000, select(2, out:gsub("x", "")))
    assert.matches("error", out)
  end)

  it("can be waited for in vain", function()
    local body <const> = [[
      local ok, err = pcall(asyncio.wait_for, asyncio.stdin().read, 0.01, asyncio.stdin(), 1)
      print(ok, asyncio.isinstance(err, asyncio.TimeoutError))
    ]]
    assert.matches("false\ttrue\n", check(body, { shell = terminal }))
  end)
end)
