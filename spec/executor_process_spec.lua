-- ProcessPoolExecutor: what it has of its own. What it shares with that of threads
-- is in executor_spec.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local jobs = require "spec.jobs"
local streams = require "spec.streams"

local ait <const>, raises <const> = helper.ait, helper.raises
local square <const>, spin <const>, until_running <const> =
  jobs.square, jobs.spin, jobs.until_running

-- see thread_spec
local assert, describe, it = assert, describe, it
local _ENV <const> = _G -- luacheck: ignore 211

-- What a job calls: the number of its process.
local function pid()
  local pipe <close> = io.popen "echo $PPID"
  return pipe:read "n"
end

-- Until there is no such process, or only what is left of it until its parent
-- looks.
local function until_gone(process)
  local state
  repeat
    local pipe <close> = io.popen(("ps -o stat= -p %d"):format(process))
    state = pipe:read "l"
  until not state or state:match "^%s*Z"
end

describe("a ProcessPoolExecutor", function()
  ait("runs what is submitted in other processes", function()
    local pool <close> = asyncio.ProcessPoolExecutor(2)
    assert.is_true(asyncio.isinstance(pool, asyncio.Executor))
    assert.is_false(asyncio.isinstance(pool, asyncio.ThreadPoolExecutor))
    assert.are.equal(0, pool:statistics().workers)
    local future = pool:submit(square, 3)
    assert.is_true(asyncio.isinstance(future, asyncio.Future))
    assert.are.equal(9, future:await())
    assert.are.equal("<ProcessPoolExecutor 'asyncio' workers:1/2>", tostring(pool))
    local loop = asyncio.get_running_loop()
    assert.are.equal(16, loop:run_in_executor(pool, square, 4):await())
    local a, b, c = pool:submit(function()
      return 1, nil, {}
    end):await()
    assert.are.same({ 1, nil, {} }, { a, b, c })
    assert.are_not.equal(pid(), pool:submit(pid):await())
    assert.are.equal("abc", pool:submit("string:lower", "ABC"):await())
    local list = {}
    for value in pool:map(square, { 1, 2, 3, 4, 5 }, { chunksize = 2 }) do
      list[#list + 1] = value
    end
    assert.are.same({ 1, 4, 9, 16, 25 }, list)
  end)

  ait("runs jobs at the same time", function()
    local pool <close> = asyncio.ProcessPoolExecutor(2)
    local one, two = pool:submit(pid), pool:submit(pid)
    local futures = { pool:submit(spin), pool:submit(spin), pool:submit(square, 2) }
    assert.is_true(one:await() > 0 and two:await() > 0)
    until_running(pool, 2)
    assert.are.equal(1, pool:statistics().queued)
    futures[3]:cancel()
    assert.are.equal(0, pool:statistics().queued)
    futures[1]:cancel()
    futures[2]:cancel()
  end)

  ait("gives errors as they were", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    local Mine <const> = asyncio.exception("Mine", asyncio.TimeoutError)
    local err = raises(Mine, function()
      pool:submit(function()
        error(Mine "late")
      end):await()
    end)
    assert.are.equal("late", err.message)
    assert.matches("executor_process_spec", err.traceback)
    err = helper.catch(function()
      pool:submit(error, { code = 4 }):await()
    end)
    assert.are.same({ code = 4 }, err)
    raises(asyncio.RuntimeError, function()
      pool:submit(function()
        error(io.stdout)
      end):await()
    end)
    raises("result 2: userdata", function()
      pool:submit(function()
        return 1, io.stdout
      end):await()
    end)
    local task = asyncio.create_task(function()
      pool:submit(function()
        error(asyncio.CancelledError())
      end):await()
    end)
    asyncio.wait { task }
    assert.is_true(task:cancelled())
  end)

  ait("refuses what cannot cross to another process", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    raises("argument 2: field 'conn': userdata %(FILE%*%) cannot cross to another pro", function()
      pool:submit(square, { conn = io.stdout })
    end)
    raises("EventLoop%) cannot cross to another process", function()
      pool:submit(square, asyncio.get_running_loop())
    end)
    raises("argument 2: %[1%]: userdata %(asyncio.Channel%) cannot cross to another p", function()
      pool:submit(square, { asyncio.Channel(1) })
    end)
    raises("bad argument #1 to 'submit'", function()
      pool:submit(1)
    end)
    assert.are.equal(0, pool:statistics().workers)
  end)

  ait("has warm workers, which begin with an initializer and the paths", function()
    package.preload["spec.preloaded"] = function()
      return { answer = 42 }
    end
    local channel <const> = asyncio.Channel()
    package.preload["spec.shared"] = function() -- which cannot cross: it stays here
      return channel
    end
    local pool <close> = asyncio.ProcessPoolExecutor {
      max_workers = 1,
      name = "it's \\ a name",
      initializer = function()
        _G.count = (_G.count or 0) + 10
      end,
    }
    package.preload["spec.preloaded"], package.preload["spec.shared"] = nil, nil
    local function count()
      _G.count = _G.count + 1
      return _G.count, package.path, package.cpath, require("spec.preloaded").answer
    end
    assert.are.equal(11, (pool:submit(count):await()))
    local n, path, cpath, answer = pool:submit(count):await()
    assert.are.same({ 12, package.path, package.cpath, 42 }, { n, path, cpath, answer })
  end)

  ait("copies large values both ways", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    local text <const> = ("0123456789abcdef"):rep(200000)
    local list <const> = {}
    for i = 1, 5000 do
      list[i] = { i, tostring(i) }
    end
    local back, reversed = pool:submit(function(s, t)
      return s, s:reverse(), t
    end, text, list):await()
    assert.is_true(back == text and reversed == text:reverse())
  end)

  ait("runs loops in its jobs, where Ctrl-C does nothing", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    assert.are.equal("done", pool:submit(function()
      local asyncio = require "asyncio" -- luacheck: ignore 431
      os.execute "kill -INT $PPID"
      return asyncio.run(function()
        os.execute "kill -INT $PPID"
        asyncio.sleep(0.001)
        return "done"
      end)
    end):await())
  end)

  it("checks its options", function()
    local make <const> = asyncio.ProcessPoolExecutor
    raises("max_workers must be from 1", make, 0)
    raises("field 'executable'", make, { executable = {} })
    raises("field 'initializer'", make, { initializer = 1 })
    raises("initializer 1: ", make, { initializer = coroutine.wrap(print) })
    raises("asyncio.Executor objects are made by the library only", asyncio.Executor)
  end)

  it("serves several loops, and is shut down without one", function()
    local descriptors <const> = streams.descriptors()
    local pool = asyncio.ProcessPoolExecutor(1)
    local process
    for i = 1, 2 do
      local n, worker = asyncio.run(function()
        return pool:submit(square, i):await(), pool:submit(pid):await()
      end)
      assert.are.equal(i * i, n)
      assert.are.equal(process or worker, worker)
      process = worker
    end
    pool:shutdown()
    until_gone(process)
    assert.are.equal(descriptors, streams.descriptors())
    assert.are.equal("<ProcessPoolExecutor 'asyncio' workers:0/1 shut down>", tostring(pool))
    asyncio.run(function()
      raises(asyncio.RuntimeError, pool.submit, pool, square, 1)
    end)
  end)

  it("does not hide that nothing can go on", function()
    raises(asyncio.DeadlockError, asyncio.run, function()
      local pool <close> = asyncio.ProcessPoolExecutor(1)
      pool:submit(square, 1):await()
      asyncio.Future():await()
    end)
  end)
end)

describe("a worker process that ends", function()
  ait("fails its job only, and is replaced", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    local lost = pool:submit(os.exit, 3)
    local killed = pool:submit(os.execute, "kill -KILL $PPID")
    local kept = pool:submit(square, 4)
    local err = raises(asyncio.BrokenExecutor, lost.await, lost)
    assert.matches("ended with exit status 3", err.message)
    err = raises(asyncio.BrokenExecutor, killed.await, killed)
    assert.matches("was killed by SIGKILL", err.message)
    assert.are.equal(16, kept:await())
  end)

  ait("while it has no job harms nobody", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    local process = pool:submit(pid):await()
    os.execute(("kill -KILL %d"):format(process))
    until_gone(process)
    assert.are_not.equal(process, pool:submit(pid):await())
  end)

  ait("before it is ready breaks the pool", function()
    local pool <close> = asyncio.ProcessPoolExecutor { max_workers = 1, initializer = os.exit }
    local one, two = pool:submit(square, 1), pool:submit(square, 2)
    local err = raises(asyncio.BrokenExecutor, one.await, one)
    assert.matches("ended with exit status 0 before it was ready", err.message)
    err = raises(asyncio.BrokenExecutor, two.await, two)
    assert.matches("worker processes end before they are ready", err.message)
    raises(asyncio.BrokenExecutor, pool.submit, pool, square, 3)
  end)

  ait("by an error of its initializer, too", function()
    local pool <close> = asyncio.ProcessPoolExecutor { max_workers = 1, initializer = error }
    local future = pool:submit(square, 1)
    local err = raises(asyncio.BrokenExecutor, future.await, future)
    assert.matches("initializer of a worker has failed", err.message)
  end)

  ait("as it cannot be started fails the job", function()
    local pool <close> = asyncio.ProcessPoolExecutor { executable = "/nowhere/lua" }
    local future = pool:submit(square, 1)
    if os.getenv "ASYNCIO_TEST_VALGRIND" then
      -- There a child does not share its parent's memory to tell it what failed.
      local err = raises(asyncio.BrokenExecutor, future.await, future)
      assert.matches("exit status 127 before it was ready", err.message)
    else
      local err = raises(asyncio.OSError, future.await, future)
      assert.are.same({ "ENOENT", "/nowhere/lua" }, { err.code, err.path })
    end
    local other <close> = asyncio.ProcessPoolExecutor { executable = "false" }
    future = other:submit(square, 1)
    local err = raises(asyncio.BrokenExecutor, future.await, future)
    assert.matches("exit status 1 before it was ready", err.message)
  end)
end)

describe("a job of a process", function()
  ait("that is cancelled loses its process", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    local process = pool:submit(pid):await()
    local running, queued = pool:submit(spin), pool:submit(spin)
    until_running(pool, 1)
    raises(asyncio.TimeoutError, asyncio.wait_for, running, 0.001)
    queued:cancel()
    assert.are_not.equal(process, pool:submit(pid):await())
    until_gone(process)
  end)

  ait("may be cancelled while that is started", function()
    local pool <close> = asyncio.ProcessPoolExecutor(1)
    for turns = 0, 2 do
      local future = pool:submit(spin)
      for _ = 1, turns do
        asyncio.sleep(0)
      end
      future:cancel()
    end
    assert.are.equal(4, pool:submit(square, 2):await())
  end)

  ait("goes on if it is not to be interrupted", function()
    local pool <close> = asyncio.ProcessPoolExecutor { max_workers = 1, interrupt = false }
    local process = pool:submit(pid):await()
    local name <const> = os.tmpname()
    local future = pool:submit(function()
      repeat
        local file <close> = assert(io.open(name))
      until file:read "n"
      _G.done = true
    end)
    until_running(pool, 1)
    future:cancel()
    assert(io.open(name, "w")):write("1"):close()
    local done, same = pool:submit(function()
      return _G.done
    end):await(), pool:submit(pid):await()
    os.remove(name)
    assert.are.same({ true, process }, { done, same })
  end)

  ait("is dropped or waited for when the pool shuts down", function()
    local pool = asyncio.ProcessPoolExecutor(1)
    local one, two = pool:submit(spin), pool:submit(square, 3)
    until_running(pool, 1)
    pool:shutdown { cancel_futures = true, wait = false }
    assert.is_true(two:cancelled())
    assert.is_false(one:done())
    one:cancel()
    pool:shutdown()
    assert.are.equal(0, pool:statistics().workers)
    pool = asyncio.ProcessPoolExecutor(1)
    one, two = pool:submit(square, 2), pool:submit(square, 3)
    pool:shutdown()
    assert.are.equal(13, one:await() + two:await())
  end)

  it("prints to where the program does, in its turn", function()
    local out = helper.check_script([[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local pool <close> = asyncio.ProcessPoolExecutor(1)
        pool:submit(print, "from a job"):await()
        assert(pool:submit(io.read, "a"):await() == "")
        print(io.read "a")
      end)
    ]], { stdin = "input" })
    assert.are.equal("from a job\ninput\n", out)
  end)

  it("is killed when the Lua state closes", function()
    local out = helper.check_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        pool = asyncio.ProcessPoolExecutor(1)
        io.write(pool:submit(function()
          local pipe <close> = io.popen "echo $PPID"
          return pipe:read "n"
        end):await())
        pool:submit(function() while true do end end)
      end)
      pool:submit(function() while true do end end)
    ]]
    until_gone(tonumber(out))
  end)

  it("is killed when it does not end then, although it has no job", function()
    local out = helper.check_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        pool = asyncio.ProcessPoolExecutor(1)
        io.write(pool:submit(function()
          last = setmetatable({}, { __gc = function() while true do end end })
          local pipe <close> = io.popen "echo $PPID"
          return pipe:read "n"
        end):await())
      end)
    ]]
    until_gone(tonumber(out))
  end)

  it("ends when its parent is killed", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local pool <close> = asyncio.ProcessPoolExecutor(2)
        local function pid()
          local pipe <close> = io.popen "echo $PPID"
          return pipe:read "n"
        end
        local busy = pool:submit(function()
          io.write(pid(), "\n"):flush()
          while true do end
        end)
        io.write(pool:submit(pid):await(), "\n"):flush()
        while pool:statistics().workers < 2 or pool:statistics().running > 1 do
          asyncio.sleep(0.001)
        end
        os.execute "kill -KILL $PPID"
      end)
    ]]
    assert.are.equal(9, result.signal)
    for process in result.stdout:gmatch "%d+" do
      until_gone(tonumber(process))
    end
  end)
end)
