-- Options: a name that a function does not know is an error that tells it, and
-- nothing has begun by then.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local public = require "spec.public"
local streams = require "spec.streams"

local ait <const> = helper.ait

local HOST <const>, PATH <const> = "127.0.0.1", "/nowhere/at/all"

local function noop() end

local coro <const> = asyncio.async(noop)

local function factory()
  return {}
end

local function loop()
  return asyncio.get_running_loop()
end

-- The options that the stub documents as those of a class, in order.
local function documented(class)
  local _, text <const> = public.stub()
  local bases, body = text:match("\n%-%-%-@class asyncio%." .. class .. "([^\n]*)(.-)\n\n")
  local names <const> = {}
  for base in bases:gmatch "asyncio%.(%w+)" do
    table.move(documented(base), 1, 100, #names + 1, names)
  end
  for name in body:gmatch "%-%-%-@field ([%w_]+)" do
    names[#names + 1] = name
  end
  assert(#names > 0, class)
  return names
end

local TASK <const>, CHILD <const> = documented "TaskOptions", documented "ProcessOptions"
local CONNECT <const>, SERVER <const> = documented "ConnectOptions", documented "ServerOptions"
local UNIX <const>, UNIX_SERVER <const> =
  documented "UnixConnectOptions", documented "UnixServerOptions"
local DATAGRAM <const> = documented "DatagramOptions"
local ADDRESSES <const>, NAMES <const> =
  documented "GetaddrinfoOptions", documented "GetnameinfoOptions"
local GRAPH <const> = documented "CallGraphOptions"

-- The name of a function, which of its arguments the options are, their names, and
-- a call with them, in a task.
local functions <const> = {
  { "create_task", 2, TASK, function(o) asyncio.create_task(coro(), o) end },
  { "create_task", 2, TASK, function(o) loop():create_task(coro(), o) end },
  { "create_task", 2, TASK, function(o)
    local err
    do
      local group <close> = asyncio.TaskGroup()
      err = helper.catch(function()
        group:create_task(coro(), o)
      end)
    end
    error(err, 0)
  end },
  { "ensure_future", 2, TASK, function(o) asyncio.ensure_future(coro(), o) end },
  { "shield", 2, TASK, function(o) asyncio.shield(coro(), o) end },
  { "Task", 2, TASK, function(o) asyncio.Task(coro(), o) end },
  { "gather", 2, { "return_exceptions" }, function(o) asyncio.gather({ noop }, o) end },
  { "wait", 2, { "timeout", "return_when" }, function(o)
    asyncio.wait({ asyncio.current_task() }, o)
  end },
  { "as_completed", 2, { "timeout" }, function(o) asyncio.as_completed({ noop }, o) end },
  { "open_connection", 3, CONNECT, function(o) asyncio.open_connection(HOST, 1, o) end },
  { "open_connection", 3, CONNECT, function(o) asyncio.open_connection("localhost", 1, o) end },
  { "create_connection", 4, CONNECT, function(o)
    loop():create_connection(factory, HOST, 1, o)
  end },
  { "start_server", 4, SERVER, function(o) asyncio.start_server(noop, HOST, 0, o) end },
  { "create_server", 4, SERVER, function(o) loop():create_server(factory, HOST, 0, o) end },
  { "open_unix_connection", 2, UNIX, function(o) asyncio.open_unix_connection(PATH, o) end },
  { "create_unix_connection", 3, UNIX, function(o)
    loop():create_unix_connection(factory, PATH, o)
  end },
  { "start_unix_server", 3, UNIX_SERVER, function(o)
    asyncio.start_unix_server(noop, PATH, o)
  end },
  { "create_unix_server", 3, UNIX_SERVER, function(o)
    loop():create_unix_server(factory, PATH, o)
  end },
  { "pipe", 1, documented "PipeOptions", function(o) asyncio.pipe(o) end },
  { "socketpair", 1, documented "PipeOptions", function(o) asyncio.socketpair(o) end },
  { "StreamReader", 1, documented "ReaderOptions", function(o) asyncio.StreamReader(o) end },
  { "open_datagram", 1, DATAGRAM, function(o) asyncio.open_datagram(o) end },
  { "create_datagram_endpoint", 2, DATAGRAM, function(o)
    loop():create_datagram_endpoint(factory, o)
  end },
  { "getaddrinfo", 3, ADDRESSES, function(o) asyncio.getaddrinfo(HOST, 1, o) end },
  { "getaddrinfo", 3, ADDRESSES, function(o) loop():getaddrinfo(HOST, 1, o) end },
  { "getnameinfo", 3, NAMES, function(o) asyncio.getnameinfo(HOST, 1, o) end },
  { "getnameinfo", 2, NAMES, function(o) asyncio.getnameinfo({ host = HOST, port = 1 }, o) end },
  { "getnameinfo", 3, NAMES, function(o) loop():getnameinfo(HOST, 1, o) end },
  { "watch", 2, documented "WatchOptions", function(o) asyncio.fs.watch(".", o) end },
  { "scandir", 2, { "recursive" }, function(o) asyncio.fs.scandir(".", o) end },
  { "write_file", 3, { "atomic" }, function(o) asyncio.fs.write_file(PATH, "x", o) end },
  { "create_subprocess_exec", 3, CHILD, function(o)
    asyncio.create_subprocess_exec("true", nil, o)
  end },
  { "create_subprocess_shell", 2, CHILD, function(o)
    asyncio.create_subprocess_shell("true", o)
  end },
  { "run", 2, documented "RunOptions", function(o) asyncio.subprocess.run({ "true" }, o) end },
  { "run", 2, documented "RunOptions", function(o) asyncio.subprocess.run("true", o) end },
  { "ThreadPoolExecutor", 1, documented "ThreadPoolOptions", function(o)
    asyncio.ThreadPoolExecutor(o)
  end },
  { "ProcessPoolExecutor", 1, documented "ProcessPoolOptions", function(o)
    asyncio.ProcessPoolExecutor(o)
  end },
  { "shutdown", 1, { "wait", "cancel_futures" }, function(o)
    asyncio.ThreadPoolExecutor(1):shutdown(o)
  end },
  { "capture_call_graph", 2, GRAPH, function(o) asyncio.capture_call_graph(nil, o) end },
  { "format_call_graph", 2, GRAPH, function(o) asyncio.format_call_graph(nil, o) end },
  { "print_call_graph", 2, documented "PrintCallGraphOptions", function(o)
    asyncio.print_call_graph(nil, o)
  end },
  { "print_stack", 1, { "limit", "file" }, function(o)
    asyncio.current_task():print_stack(o)
  end },
}

-- The same for what is called where no loop runs.
local outside <const> = {
  { "run", 2, documented "MainOptions", function(o) asyncio.run(coro(), o) end },
  { "run", 2, TASK, function(o)
    local runner <close> = asyncio.Runner()
    runner:run(coro(), o)
  end },
  { "run_until_complete", 2, TASK, function(o)
    asyncio.get_event_loop():run_until_complete(coro(), o)
  end },
  { "Runner", 1, documented "RunnerOptions", function(o) asyncio.Runner(o) end },
}

-- Checks what the call with the options raises.
local function refuses(case, options, message)
  local err <const> = helper.catch(case[4], options)
  local expected <const> = ("bad argument #%d to '%s' (%s)"):format(case[2], case[1], message)
  assert.equal(expected, tostring(err):gsub("^[^:]+:%d+: ", ""))
end

local function check(case)
  refuses(case, { zqx = 1 }, "unknown option 'zqx'")
  refuses(case, { ssl = false }, "unknown option 'ssl'")
  refuses(case, { [1] = 2 }, "unknown option 1")
  refuses(case, { [2.5] = 2 }, "unknown option 2.5")
  refuses(case, { [false] = 2 }, "unknown option false")
  refuses(case, { [noop] = 2 }, "unknown option, a function")
  for _, name in ipairs(case[3]) do
    local typo <const> = name:sub(1, -2) .. "q" .. name:sub(-1)
    local message <const> = ("unknown option '%s'; did you mean '%s'?"):format(typo, name)
    refuses(case, { [typo] = 1 }, message)
    refuses(case, { [name .. "\0"] = 1 }, message:gsub(typo, name))
  end
end

describe("an unknown option", function()
  for _, case in ipairs(functions) do
    ait("is refused by " .. case[1], function()
      helper.collect() -- what other specs left
      local descriptors <const> = streams.descriptors()
      check(case)
      helper.collect()
      assert.equal(descriptors, streams.descriptors())
      assert.equal(1, #asyncio.all_tasks())
    end)
  end

  for _, case in ipairs(functions) do
    if case[3] == TASK and case[1] ~= "Task" then
      ait("is refused by " .. case[1] .. ", where tasks are eager", function()
        loop():set_task_factory(asyncio.eager_task_factory)
        check(case)
        refuses(case, 5, "table expected, got number")
        refuses(case, { context = 5 }, "field 'context' must be a Context, not number")
      end)
    end
  end

  for _, case in ipairs(outside) do
    it("is refused by " .. case[1] .. " outside of a loop", function()
      asyncio.set_event_loop(nil)
      asyncio.get_event_loop()
      helper.collect() -- what other specs left
      local descriptors <const> = streams.descriptors()
      check(case)
      helper.collect()
      assert.equal(descriptors, streams.descriptors())
      asyncio.get_event_loop():close()
      asyncio.set_event_loop(nil)
    end)
  end

  ait("leaves the coroutine as it was", function()
    local five <const> = asyncio.async(function()
      return 5
    end)
    for _, create in ipairs { asyncio.create_task, asyncio.ensure_future, asyncio.shield } do
      local coroutine <const> = five()
      helper.raises("unknown option 'nam'", create, coroutine, { nam = "x" })
      assert.equal(5, coroutine:await())
    end
  end)

  ait("is refused by map, where it is none of its lists", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local case <const> = { "map", 3, { "chunksize", "buffersize" }, function(o)
      pool:map("math:abs", { 1 }, o)
    end }
    refuses(case, { chunk_size = 2 }, "unknown option 'chunk_size'; did you mean 'chunksize'?")
    refuses(case, { timeout = 5 }, "unknown option 'timeout'")
    refuses(case, { chunksize = 1, [false] = 1 }, "unknown option false")
    for _, list in ipairs { {}, { n = 0 }, setmetatable({ size = 0 }, {}) } do
      for _ in pool:map("math:max", { 1 }, list) do
        error "there is an empty list"
      end
    end
    assert.equal(0, pool:statistics().workers)
  end)

  ait("is refused in the list of a command", function()
    local text <const> = "list expected, got a table with the field '%s'"
    local case <const> = { "run", 1, {}, asyncio.subprocess.run }
    refuses(case, { "true", check = true }, text:format "check")
    refuses(case, { check = true }, text:format "check")
    local exec <const> = { "create_subprocess_exec", 2, {}, function(o)
      asyncio.create_subprocess_exec("true", o)
    end }
    refuses(exec, { "x", cwd = "/" }, text:format "cwd")
    assert.equal(0, asyncio.subprocess.run(table.pack("true", "x")).returncode)
  end)

  ait("after a function is an argument of its", function()
    local options <const> = { nam = "x" }
    local function same(value)
      return value == options
    end
    assert.is_true(asyncio.create_task(same, options):await())
    assert.is_true(asyncio.wait_for(same, nil, options))
  end)

  ait("goes to a task factory, which may have options of its own", function()
    local got
    loop():set_task_factory(function(_, coroutine, options)
      got = options
      return asyncio.Task(coroutine, { loop = options.loop, name = options.name })
    end)
    local task <const> = asyncio.create_task(coro(), { name = "x", colour = "red" })
    loop():set_task_factory(nil)
    assert.equal("red", got.colour)
    assert.equal("x", task:get_name())
    task:await()
  end)
end)

describe("what was meant", function()
  local function meant(name)
    local text <const> = helper.catch(asyncio.subprocess.run, "true", { [name] = 1 })
    return text:match "did you mean '([^']+)'"
  end

  ait("is the closest name, by two letters at most, or the rest of one", function()
    for name, expected in pairs {
      chekc = "check",
      Timeout = "timeout",
      startnewsession = "start_new_session",
      stdot = "stdout",
      stderrr = "stderr",
      cdw = nil,
      cw = "cwd",
      start = "start_new_session",
      capture_output = "capture",
      timeout_seconds = "timeout",
    } do
      assert.equal(expected, meant(name), name)
    end
    for _, name in ipairs { "", "c", "st", "cdw", "shell", "text", "xxxtimeoutxxx", "\0\255" } do
      assert.is_nil(meant(name), name)
    end
  end)

  ait("is found for names of any length", function()
    for _, n in ipairs { 39, 40, 41, 100, 100000 } do
      assert.is_nil(meant(("x"):rep(n)))
      assert.equal("input", meant("input" .. ("x"):rep(n)))
    end
  end)
end)

describe("options", function()
  ait("may come from a metatable", function()
    local defaults <const> = setmetatable({}, { __index = { limit = 7, colour = "red" } })
    local reader, writer = asyncio.pipe(defaults)
    writer:write("x\n")
    assert.equal("x\n", reader:readline())
    writer:write(("x"):rep(8) .. "\n")
    helper.raises(asyncio.LimitOverrunError, reader.readline, reader)
    reader:close()
    writer:close()
  end)

  it("of run are those of its Runner and of its task", function()
    local var <const> = asyncio.ContextVar("options_spec", "outside")
    local context <const> = asyncio.copy_context()
    context:run(var.set, var, "inside")
    local main <const> = asyncio.async(function()
      return asyncio.current_task():get_name(), var:get(), asyncio.get_running_loop():get_debug()
    end)
    local options <const> = { name = "main", context = context, eager_start = true, debug = true }
    assert.same({ "main", "inside", true }, { asyncio.run(main(), options) })
    local runner <close> = asyncio.Runner { debug = false }
    options.debug = nil
    assert.same({ "main", "inside", false }, { runner:run(main(), options) })
    assert.same({ "outside", false }, { select(2, runner:run(main(), {})) })
    helper.raises("#2 to 'run' %(field 'context' must be a Context, not table", asyncio.run, main(),
      { context = {} })
    helper.raises("table expected, got number", runner.run, runner, main(), 5)
  end)
end)
