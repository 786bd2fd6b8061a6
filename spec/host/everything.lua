-- Uses the whole core once, so that each of its allocations can be made to fail:
-- see .ci/oom. It must end, well or by a Lua error, and what it leaves behind
-- must all be freed when the state closes. It keeps no error for itself: what
-- a failed allocation raises goes where it would in any program.

local asyncio = require "asyncio"
local core = require "asyncio.core"

local function quiet() end

-- Waits for a future whose result or error does not matter.
local function settle(future)
  return asyncio.wait { future }
end

local function tasks()
  local function double(x)
    asyncio.sleep(0)
    return 2 * x
  end
  local list = {}
  for i = 1, 4 do
    list[i] = asyncio.create_task(double, i)
    list[i]:set_name("double-" .. i)
  end
  assert(asyncio.gather(list):await()[4] == 8)
  local a, b = asyncio.gather(asyncio.create_task(double, 1), asyncio.async(double)(2)):await()
  assert(a == 2 and b == 4)
  local options = { name = "eager", eager_start = true }
  local eager = asyncio.create_task(asyncio.async(double)(5), options)
  assert(eager:await() == 10)
  assert(#asyncio.all_tasks() >= 1 and tostring(asyncio.current_task()):find "Task")
end

local function futures()
  local loop = asyncio.get_running_loop()
  local future = loop:create_future()
  future:add_done_callback(quiet)
  loop:call_soon(future.set_result, future, 1, nil, 3)
  local a, b, c = future:await()
  assert(a == 1 and b == nil and c == 3)
  local failing = asyncio.Future()
  loop:call_later(0.001, failing.set_exception, failing, asyncio.RuntimeError "wrong")
  local ok, err = asyncio.pcall(failing.await, failing)
  assert(not ok and tostring(err) ~= "")
  local dropped = asyncio.Future()
  dropped:add_done_callback(quiet)
  asyncio.gather { asyncio.shield(dropped), asyncio.Future() }
  local kept = asyncio.Future()
  local shield = asyncio.shield(kept)
  shield:add_done_callback(quiet)
  kept:set_result()
  shield:await()
  local handle = loop:call_at(loop:time() + 10, quiet)
  handle:cancel()
end

local function waiting()
  local list = {}
  for i = 1, 3 do
    list[i] = asyncio.create_task(asyncio.sleep, i / 1000, i)
  end
  local done, pending = asyncio.wait(list, { return_when = asyncio.FIRST_COMPLETED })
  assert(#done + #pending == 3)
  for task in asyncio.as_completed(list) do
    task:result()
  end
  asyncio.wait(list, { timeout = 0 })
  assert(asyncio.wait_for(asyncio.sleep, 5, 0, "value") == "value")
end

local function timeouts()
  local slow = asyncio.create_task(asyncio.sleep, 10)
  local ok = asyncio.pcall(asyncio.wait_for, asyncio.shield(slow), 0.001)
  assert(not ok and not slow:done())
  slow:cancel "no longer wanted"
  settle(slow)
  assert(slow:cancelled())
  asyncio.pcall(function()
    local scope <close> = asyncio.timeout(0.001)
    assert(scope:when())
    asyncio.sleep(10)
  end)
  asyncio.catch(asyncio.TimeoutError, asyncio.wait_for, asyncio.sleep, 0.001, 10)
end

local function cancelling()
  local function guarded()
    local _ <close> = setmetatable({}, {
      __close = function()
        asyncio.sleep(0)
      end,
    })
    asyncio.sleep(10)
  end
  local task = asyncio.create_task(guarded)
  local group = asyncio.gather { task, asyncio.create_task(asyncio.sleep, 10) }
  asyncio.sleep(0)
  asyncio.print_call_graph(task, { file = { write = quiet } })
  assert(task:traceback())
  group:cancel()
  settle(task)
end

local function threads()
  local loop = asyncio.get_running_loop()
  assert(asyncio.to_thread(math.max, 1, 2) == 2)
  local pool <close> = asyncio.ThreadPoolExecutor {
    max_workers = 2,
    name = "everything",
    initializer = quiet,
  }
  local future = loop:run_in_executor(pool, error, { "as it should" })
  assert(not asyncio.pcall(future.await, future))
  for value in pool:map(tostring, { 1, 2, 3 }, { chunksize = 2 }) do
    assert(value)
  end
  settle(pool:submit(quiet, { { "nested" } }))
  pool:submit(quiet):cancel()
  assert(tostring(pool) ~= "" and pool:statistics().max_workers == 2)
end

local function worker_processes()
  local options <const> = { max_workers = 1, name = "everything", initializer = quiet }
  for _, executable in ipairs { "false", "/nowhere" } do
    options.executable = executable
    local pool <close> = asyncio.ProcessPoolExecutor(options)
    local future = pool:submit(quiet, { { "nested" } })
    assert(not asyncio.pcall(future.await, future))
    assert(tostring(pool) ~= "")
  end
  local pool = asyncio.ProcessPoolExecutor(1)
  assert(not asyncio.pcall(pool.submit, pool, quiet, pool))
end

local function groups()
  local function fail()
    asyncio.sleep(0)
    error "as it should"
  end
  local ok, err = asyncio.pcall(function()
    local group <close> = asyncio.TaskGroup()
    assert(group:start(function(ready)
      ready(1)
      asyncio.sleep(10)
    end) == 1)
    group:create_task(fail)
    group:create_task(asyncio.async(fail)(), { eager_start = true })
    assert(tostring(group):find "TaskGroup" and #group:tasks() == 3)
    asyncio.sleep(10)
  end)
  assert(not ok and tostring(err) ~= "" and err:split(asyncio.TimeoutError) == nil)
  do
    local group <close> = asyncio.TaskGroup()
    group:create_task(asyncio.sleep, 10)
    group:cancel "enough"
  end
  local unfinished = asyncio.TaskGroup()
  unfinished:create_task(asyncio.sleep, 10)
end

local function eager()
  local loop = asyncio.get_running_loop()
  loop:set_task_factory(asyncio.eager_task_factory)
  local _ <close> = setmetatable({}, {
    __close = function()
      loop:set_task_factory(nil)
    end,
  })
  asyncio.catch(asyncio.ExceptionGroup, function()
    local group <close> = asyncio.TaskGroup()
    group:create_task(function()
      group:create_task(asyncio.sleep, 0)
      group:create_task(error, "as it should")
    end)
  end)
end

-- Waits, hand-overs, tables that grow and are dropped, comparisons in a heap.
local function queues()
  local order = { __lt = function(a, b) return a[1] < b[1] end }
  for _, class in ipairs { asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue } do
    local q, full = class(), class(1)
    local getter, lost = asyncio.create_task(q.get, q), asyncio.create_task(q.get, q)
    full:put(1)
    local putter = asyncio.create_task(full.put, full, 2)
    asyncio.sleep(0)
    for i = 1, 20 do
      q:put(setmetatable({ -i }, order))
    end
    lost:cancel()
    settle(lost)
    assert(getter:await() and full:get() == 1 and tostring(q):find "items")
    settle(putter)
    asyncio.catch(asyncio.QueueFull, full.put_nowait, full, 3)
    q:shutdown()
    for _ in q:items() do
      q:task_done()
    end
    asyncio.catch(asyncio.QueueShutDown, q.get, q)
    full:shutdown(true)
    assert(q:statistics().shutdown)
  end
end

local function contexts()
  local var = asyncio.ContextVar("request", "none")
  local token = var:set "outer"
  local context = asyncio.copy_context()
  context:run(function()
    var:set "inner"
  end)
  asyncio.create_task(var.get, var):await()
  var:reset(token)
end

local function locks()
  local lock, semaphore = asyncio.Lock(), asyncio.BoundedSemaphore(2)
  local function work()
    local _ <close> = semaphore:acquire()
    local _ <close> = lock:acquire()
    asyncio.sleep(0)
  end
  local list = {}
  for i = 1, 4 do
    list[i] = asyncio.create_task(work)
  end
  asyncio.sleep(0)
  assert(tostring(list[2]):find "Lock" and lock:statistics().tasks_waiting == 1)
  list[2]:cancel()
  asyncio.wait(list)
  assert(not lock:locked() and tostring(semaphore):find "value:2")
end

local function meetings()
  local barrier, event, condition = asyncio.Barrier(2), asyncio.Event(), asyncio.Condition()
  local function meet()
    local index = barrier:wait()
    event:wait()
    local _ <close> = condition:acquire()
    condition:wait_for(function(n)
      return barrier.n_waiting == n
    end, 0)
    return index
  end
  local a, b = asyncio.create_task(meet), asyncio.create_task(meet)
  asyncio.sleep(0)
  event:set()
  assert(a:await() + b:await() == 3)
  local waiter = asyncio.create_task(function()
    local _ <close> = condition:acquire()
    condition:wait()
  end)
  asyncio.sleep(0)
  do
    local _ <close> = condition:acquire()
    condition:notify_all()
  end
  settle(waiter)
  local broken = asyncio.create_task(barrier.wait, barrier)
  asyncio.sleep(0)
  barrier:abort()
  settle(broken)
  assert(barrier.broken and condition:statistics().lock_statistics and event:statistics())
  asyncio.catch(asyncio.RuntimeError, condition.release, condition)
end

-- Whether fn, called by this, has not come back.
local in_protected_call = false

-- Calls fn, which does not suspend; no error goes past the pcall.
local function protected(fn, ...)
  in_protected_call = true
  local ok, err = pcall(fn, ...)
  in_protected_call = false
  if not ok then
    error(err, 0)
  end
end

local function coroutines()
  local co = asyncio.coroutine
  protected(function()
    asyncio.coroutine.wrap(quiet)()
    for _ in asyncio.generator(quiet) do
    end
  end)
  local undo = co.install()
  local function body(yield)
    local _ <close> = setmetatable({}, {
      __close = function()
        asyncio.sleep(0)
      end,
    })
    for i = 1, 3 do
      yield(asyncio.sleep(0, i))
    end
  end
  local sum = 0
  for i in co.wrap(function()
    body(co.yield)
  end) do
    sum = sum + i
  end
  for i in asyncio.generator(body) do
    sum = sum + i
    if i == 2 then
      break
    end
  end
  assert(sum == 9)
  asyncio.generator(body)()
  collectgarbage()
  local inner = co.create(function()
    asyncio.coroutine.wrap(error) "in a coroutine"
  end)
  assert(not co.resume(inner) and co.status(inner) == "dead")
  local task = asyncio.create_task(co.resume, co.create(asyncio.sleep), 10)
  asyncio.sleep(0)
  assert(task:traceback() and tostring(task):find "sleep")
  task:cancel()
  settle(task)
  undo()
end

local function callbacks()
  local loop = asyncio.get_running_loop()
  assert(asyncio.from_callback(function(...)
    return loop:call_soon(select(-1, ...), (...))
  end, 1, 2) == 1)
  local task = asyncio.create_task(asyncio.from_callback, function()
    return loop:call_later(10, quiet)
  end)
  asyncio.sleep(0)
  task:cancel()
  settle(task)
  assert(asyncio.atomic(select, -1, 1, 2) == 2)
end

local function errors()
  local function fail()
    asyncio.sleep(0)
    error(asyncio.exception("Failure") "as it should")
  end
  local task = asyncio.create_task(fail)
  settle(task)
  assert(tostring(task:exception()) ~= "" and task:traceback())
  asyncio.create_task(fail) -- nobody asks: for the exception handler
  asyncio.get_running_loop():call_soon(error, "in a callback")
  asyncio.sleep(0)
  asyncio.sleep(0)
end

local function echo(reader, writer)
  for line in reader:lines() do
    writer:write(line .. "\n")
    writer:drain()
  end
  writer:close()
end

local function streams()
  local server <close> = asyncio.start_server(echo, "127.0.0.1", 0)
  local reader, writer = asyncio.open_connection("127.0.0.1", server:sockets()[1].port)
  writer:write "one\n"
  writer:writelines { "two\n", ("x"):rep(20000), "\n" }
  writer:drain()
  assert(reader:readline() == "one\n")
  assert(reader:readuntil "\n" == "two\n")
  assert(#reader:readexactly(20001) == 20001)
  writer:write_eof()
  assert(reader:read "a" == "")
  writer:close()
  writer:wait_closed()
end

local function transports()
  local loop = asyncio.get_running_loop()
  local transport
  local server <close> = loop:create_server(function()
    return {
      connection_made = function(_, made)
        transport = made
      end,
      data_received = function(_, data)
        transport:write(data)
      end,
    }
  end, "127.0.0.1", 0)
  local received, lost = 0, loop:create_future()
  local client = loop:create_connection(function()
    return {
      data_received = function(_, data)
        received = received + #data
      end,
      connection_lost = function()
        lost:set_result()
      end,
    }
  end, "127.0.0.1", server:sockets()[1].port)
  asyncio.StreamReader():set_transport(client)
  client:writelines { "one", ("x"):rep(20000) }
  client:write_eof()
  asyncio.wait_for(lost, 1)
  assert(received == 20003 and tostring(client))
  loop:create_connection(function()
    return { data_received = error }
  end, "127.0.0.1", server:sockets()[1].port):write "fatal"
  asyncio.sleep(0.01)
end

local function pipe_transports()
  local loop = asyncio.get_running_loop()
  local program <close> = assert(io.popen "echo one")
  local silent <close> = assert(io.popen("cat >/dev/null", "w"))
  local lost = loop:create_future()
  loop:connect_read_pipe(function()
    return {
      connection_lost = function()
        lost:set_result()
      end,
    }
  end, program)
  local transport = loop:connect_write_pipe(function()
    return {}
  end, silent)
  transport:write "text"
  transport:close()
  asyncio.pcall(loop.connect_read_pipe, loop, function()
    return {}
  end, 9999)
  asyncio.wait_for(lost, 1)
end

local function feeding()
  local reader = asyncio.StreamReader { limit = 10 }
  local task = asyncio.create_task(reader.readline, reader)
  asyncio.sleep(0)
  reader:feed_data(("x"):rep(5000))
  reader:feed_data "\n"
  assert(not asyncio.pcall(asyncio.wait_for, task, 1))
  reader:feed_eof()
  reader:set_exception(asyncio.TimeoutError)
  assert(not asyncio.pcall(reader.read, reader) and reader:exception() and tostring(reader))
end

local function taking()
  local server <close> = asyncio.start_server(nil, "127.0.0.1", 0, { keepalive = 10 })
  local task = asyncio.create_task(server:connections())
  asyncio.sleep(0)
  local port = server:sockets()[1].port
  asyncio.open_connection("127.0.0.1", port, { keepalive = true, nodelay = false })
  local reader, writer = asyncio.wait_for(task, 1)
  assert(reader and writer)
  asyncio.open_connection("127.0.0.1", port)
  server:connections()()
end

local function signals()
  local loop = asyncio.get_running_loop()
  loop:add_signal_handler("USR1", quiet, 1)
  loop:add_signal_handler("SIGUSR1", quiet, 2)
  assert(loop:remove_signal_handler "USR1")
  loop:add_signal_handler("HUP", quiet)
  local next, _, _, closing = asyncio.signals("USR1", "USR2")
  local _ <close> = closing
  local task = asyncio.create_task(next)
  asyncio.sleep(0)
  task:cancel()
  settle(task)
end

local function files()
  -- one that may stay behind, and that no other run has at the same time
  local fs, path = asyncio.fs, "build/everything" .. (os.getenv "SWEEP_JOB" or "") .. ".tmp"
  fs.write_file(path, "one\n")
  fs.write_file(path, "one\ntwo\n", { atomic = true })
  for name, kind in fs.scandir("spec/host", { recursive = true }) do
    assert(name and kind == "file")
  end
  assert(fs.stat(path).size == 8)
  assert(not asyncio.pcall(fs.rename, path .. "/no", path))
  assert(not asyncio.pcall(fs.mkdtemp, path .. "/XXXXXX"))
  local file <close> = fs.open(path, "r+")
  local asking = asyncio.create_task(file.stat, file)
  for line in file:lines() do
    assert(#line == 3)
  end
  assert(file:write("x", 1):seek "set" == 0)
  assert(#file:read "a" == 10)
  assert(#fs.read(fs.write(file, "z", 9), "a", 4) == 6)
  local cancelled = asyncio.create_task(file.write, file, "y")
  asyncio.sleep(0)
  cancelled:cancel()
  settle(cancelled)
  settle(asking)
  asyncio.pcall(fs.watch, path .. "/no")
  local watcher <close> = fs.watch(path)
  fs.write_file(path, "three\n")
  assert(watcher().type and tostring(watcher):find(path, 1, true))
  fs.unlink(path)
  local dir = path .. ".d" -- as it was left behind
  asyncio.pcall(fs.mkdir, dir)
  asyncio.pcall(fs.mkdir, dir .. "/old")
  local tree <close> = fs.watch(dir, { recursive = true })
  fs.rmdir(dir .. "/old")
  fs.mkdir(dir .. "/old")
  assert(tree().filename == "old")
end

local function unix()
  local path = os.tmpname()
  os.remove(path)
  assert(not asyncio.pcall(asyncio.open_unix_connection, "\0asyncio nobody"))
  local server <close> = asyncio.start_unix_server(echo, path)
  local reader, writer <close> = asyncio.open_unix_connection(path)
  writer:write "one\n"
  assert(reader:readline() == "one\n" and writer:get_extra_info "peername" == path)
  assert(tostring(server):find(path, 1, true) and tostring(writer):find(path, 1, true))
  assert(not asyncio.pcall(asyncio.open_unix_connection, path .. "/none"))
  assert(not asyncio.pcall(asyncio.open_unix_connection, path .. "/none", { limt = 1 }))
end

local function pipes()
  local reader, writer <close> = asyncio.pipe()
  writer:write "one\n"
  assert(reader:readline() == "one\n" and reader:get_extra_info "fd")
  reader:close()
  local _, writer1, reader2, writer2 = asyncio.socketpair()
  writer1:write(("x"):rep(20000))
  writer1:close()
  assert(#reader2:read "a" == 20000)
  writer2:close()
end

local function children()
  local options = { input = "text", check = true, env = { PATH = os.getenv "PATH" } }
  assert(asyncio.subprocess.run({ "cat" }, options).stdout == "text")
  local process <close> = asyncio.create_subprocess_shell("exec cat", {
    stdin = "pipe",
    stdout = "null",
    stderr = asyncio.stderr(),
    cwd = "/",
  })
  asyncio.pcall(asyncio.wait_for, process.wait, 0.001, process)
  process:send_signal "CONT"
  assert(tostring(process):find(process.pid) and not process.returncode)
  asyncio.pcall(asyncio.create_subprocess_exec, "/nonexistent", nil, { stdout = "pipe" })
  asyncio.pcall(asyncio.subprocess.run, "exit 1", { check = true, timeout = 4 })
  asyncio.pcall(asyncio.subprocess.run, "exit 1", { chekc = true })
  asyncio.pcall(asyncio.subprocess.run, { "sleep", 4 }, { timeout = 0.001 })
end

local function standard()
  local reader = asyncio.stdin()
  assert(reader == asyncio.stdin())
  asyncio.pcall(asyncio.wait_for, reader.read, 0.001, reader, 1)
  local writer = asyncio.stdout()
  writer:write ""
  writer:drain()
  asyncio.stderr():write ""
  asyncio.pcall(reader.set_mode, reader, "raw")
  asyncio.pcall(writer.get_winsize, writer)
end

local function names()
  local list = asyncio.getaddrinfo("localhost", "80", { type = "stream", canonname = true })
  assert(#list > 0 and tostring(list[1]):find ":80$")
  asyncio.get_running_loop():getaddrinfo(nil, 80, { passive = true })
  local task = asyncio.create_task(asyncio.getaddrinfo, "localhost")
  asyncio.sleep(0)
  task:cancel()
  settle(task)
  asyncio.getnameinfo("127.0.0.1", 80)
  asyncio.getnameinfo(list[1], { numerichost = true, numericserv = true })
end

local function descriptors()
  local program <close> = assert(io.popen "echo one")
  asyncio.wait_readable(program)
  local silent <close> = assert(io.popen("cat >/dev/null", "w"))
  local writing = asyncio.create_task(asyncio.wait_writable, silent)
  asyncio.create_task(asyncio.wait_readable, { getfd = function() return 9999 end })
  asyncio.sleep(0)
  asyncio.notify_closing(silent)
  settle(writing)
end

-- Datagrams may be lost, as they are when there is no memory for them.
local function datagrams()
  local endpoint <close> = asyncio.open_datagram { local_addr = { host = "127.0.0.1" } }
  local port = endpoint:get_extra_info("sockname").port
  local peer = asyncio.open_datagram { remote_addr = { host = "localhost", port = port } }
  assert(tostring(peer) ~= "")
  local iteration = asyncio.create_task(function()
    for _ in peer:datagrams() do
    end
  end)
  endpoint:set_ttl(8)
  for _ = 1, 3 do
    peer:send "question"
  end
  asyncio.pcall(asyncio.wait_for, function()
    local data, host, from = endpoint:recv()
    assert(data == "question")
    endpoint:send("answer", "localhost", from)
    endpoint:send(("x"):rep(1000), host, from)
    endpoint:recv()
  end, 0.2)
  asyncio.sleep(0)
  peer:close()
  settle(iteration)
end

local function datagram_transports()
  local loop = asyncio.get_running_loop()
  local received, lost = loop:create_future(), loop:create_future()
  local protocol = {}
  function protocol.datagram_received(_, data, address)
    if not received:done() then
      received:set_result(data .. address.port)
    end
  end
  function protocol.connection_lost()
    lost:set_result()
  end
  local function factory()
    return protocol
  end
  local options = { local_addr = { host = "127.0.0.1" } }
  local transport = loop:create_datagram_endpoint(factory, options)
  local address = transport:get_extra_info "sockname"
  transport:sendto("text", address.host, address.port)
  transport:sendto(("x"):rep(70000), address.host, address.port)
  asyncio.pcall(asyncio.wait_for, received, 0.2)
  assert(tostring(transport) ~= "")
  transport:close()
  asyncio.wait_for(lost, 1)
  options.local_addr = { host = "192.0.2.1" }
  asyncio.pcall(loop.create_datagram_endpoint, loop, factory, options)
end

-- What crosses to another Lua state and back.
local function crossing()
  local mt = asyncio.register_metatable("Everything", {})
  local n, t = 1, { 1, 2.5, "text", ("long"):rep(100), { x = true } }
  t.self = t
  local function count()
    n = n + 1
    return n, asyncio, string.format, count
  end
  local class = asyncio.exception("Everything", asyncio.OSError)
  for _, copy in ipairs { core.crossing_copy, function(...)
    return core.crossing_unpack(core.crossing_pack(...))
  end } do
    local a, b, c, d = copy(t, count, class "error", setmetatable({}, mt))
    assert(a.self == a and b() == 2 and c.message == "error" and getmetatable(d) == mt)
  end
  asyncio.pcall(core.crossing_copy, { { io.stdout } })
end

-- Channels, between tasks and between threads; calls back to the loop.
local function channels()
  local a, b = asyncio.Channel(1), asyncio.Channel()
  do -- one inside the other
    local outer, inner = asyncio.Channel(), asyncio.Channel()
    outer:send { inner, b }
    inner:send { outer, inner }
    assert(rawequal(outer:recv()[1]:recv()[1], outer))
    outer:send(inner)
    inner:send(outer)
  end
  local sender = asyncio.create_task(function()
    for i = 1, 3 do
      a:send(i, { i })
    end
    a:close()
  end)
  local receiver = asyncio.create_task(b.recv, b)
  for i, t in a do
    assert(t[1] == i)
  end
  settle(sender)
  receiver:cancel()
  asyncio.pcall(b.recv_nowait, b)
  asyncio.pcall(b.send, b, io.stdout)
  settle(asyncio.create_task(asyncio.to_thread, function(channel, loop)
    channel:send(1)
    loop:call_soon_threadsafe(print)
    local concurrent = asyncio.run_coroutine_threadsafe(asyncio.sleep, loop, 0, 2)
    concurrent:cancel()
    return pcall(concurrent.result, concurrent, 1)
  end, b, asyncio.get_running_loop()))
  b:send(asyncio.get_running_loop(), b)
end

local parts <const> = {
  tasks,
  futures,
  waiting,
  timeouts,
  cancelling,
  groups,
  eager,
  locks,
  meetings,
  queues,
  crossing,
  channels,
  threads,
  worker_processes,
  contexts,
  coroutines,
  callbacks,
  errors,
  streams,
  transports,
  pipe_transports,
  feeding,
  taking,
  signals,
  files,
  unix,
  pipes,
  children,
  standard,
  names,
  descriptors,
  datagrams,
  datagram_transports,
}

-- A peer whose allocation failed may never answer.
local function main()
  local _ <close> = asyncio.timeout(5)
  asyncio.get_running_loop():set_exception_handler(quiet)
  for _, part in ipairs(parts) do
    part()
  end
end

-- Left behind, for lua_close to clean up: what waits, what is queued, a server
-- and a connection with something to read.
local function leave_behind()
  local loop = asyncio.new_event_loop()
  asyncio.set_event_loop(loop)
  loop:set_exception_handler(quiet)
  loop:create_task(asyncio.sleep, 10)
  loop:call_later(10, quiet)
  local condition, barrier = asyncio.Condition(), asyncio.Barrier(2)
  loop:add_signal_handler("USR2", quiet)
  loop:run_until_complete(function()
    asyncio.fs.open("/dev/null")
    asyncio.create_task(asyncio.fs.read_file, "/dev/null")
    asyncio.create_task(asyncio.signals "USR2")
    local q, full = asyncio.Queue(), asyncio.Queue(1)
    full:put(1)
    for i = 1, 2 do
      asyncio.create_task(q.get, q)
      asyncio.create_task(full.put, full, i)
    end
    asyncio.sleep(0)
    q:put(1)
    full:get()
    local server = asyncio.start_server(echo, "127.0.0.1", 0)
    local _, writer = asyncio.open_connection("127.0.0.1", server:sockets()[1].port)
    writer:write "something\n"
    asyncio.pipe()
    local process = asyncio.create_subprocess_exec("cat", nil, { stdin = "pipe", stdout = "pipe" })
    asyncio.create_task(process.communicate, process)
    asyncio.create_subprocess_exec("cat", nil, { stdin = "pipe" })
    asyncio.create_task(function()
      return asyncio.fs.watch "."()
    end)
    local path = os.tmpname()
    asyncio.pcall(os.remove, path)
    asyncio.start_unix_server(echo, path)
    local endpoint = asyncio.open_datagram()
    asyncio.create_task(endpoint.recv, endpoint)
    asyncio.create_task(asyncio.getaddrinfo, "localhost")
    asyncio.create_task(function()
      local _ <close> = asyncio.timeout(10)
      local group <close> = asyncio.TaskGroup()
      group:create_task(asyncio.sleep, 10)
      asyncio.Future():await()
    end)
    asyncio.create_task(function()
      local _ <close> = condition:acquire()
      condition:wait()
    end)
    asyncio.create_task(barrier.wait, barrier)
    asyncio.create_task(function()
      asyncio.coroutine.wrap(function()
        for _ in asyncio.generator(function()
          asyncio.Future():await()
        end) do
        end
      end)()
    end)
    asyncio.sleep(0)
  end)
end

local ok, err = pcall(asyncio.run, main)
if in_protected_call then
  io.stderr:write("an error went past a pcall: ", tostring(err), "\n")
  os.exit(false)
elseif not ok then
  error(err, 0)
end
asyncio.run(asyncio.async(main)(), { debug = true })
leave_behind()
