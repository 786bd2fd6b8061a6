-- to_thread and the worker threads: what runs there, errors, interruption, loops
-- in workers.

local asyncio = require "asyncio"
local core = require "asyncio.core"
local helper = require "spec.helper"
local jobs = require "spec.jobs"

local ait, raises = helper.ait, helper.raises
local spin <const> = jobs.spin

-- The functions that cross see the globals of the other state instead of these,
-- and not an environment of busted's, which would have to cross.
local assert, describe, it = assert, describe, it
local _ENV <const> = _G -- luacheck: ignore 211

-- Waits until the condition holds.
local function until_true(condition)
  while not condition() do
    asyncio.sleep(0.001)
  end
end

describe("to_thread", function()
  ait("returns what the function returns, in a state of its own", function()
    assert.are.same(
      { 1, nil, 3, n = 3 },
      table.pack(asyncio.to_thread(function(...)
        _G.seen = true
        return ...
      end, 1, nil, 3))
    )
    assert.is_nil(rawget(_G, "seen"))
    assert.are.equal(
      0,
      select("#", asyncio.to_thread(function() end))
    )
  end)

  ait("runs while the loop goes on", function()
    local ticks = 0
    local task = asyncio.create_task(function()
      while true do
        asyncio.sleep(0)
        ticks = ticks + 1
      end
    end)
    asyncio.to_thread(function()
      local stop = os.clock() + 0.01
      while os.clock() < stop do
      end
    end)
    task:cancel()
    assert.is_true(ticks > 0)
  end)

  ait("takes the upvalues of a function along", function()
    local factor <const>, names <const> = 3, { "a", "b" }
    local n, name = asyncio.to_thread(function(x)
      return x * factor, names[2]
    end, 14)
    assert.are.equal(42, n)
    assert.are.equal("b", name)
  end)

  ait("calls a function by the name of its module and its own", function()
    assert.are.equal("ababab", asyncio.to_thread("string:rep", "ab", 3))
    raises("has no such function", asyncio.to_thread, "string:none")
    raises("module 'no.such.module' not found", asyncio.to_thread, "no.such.module:f")
  end)

  ait("sees the package.path, cpath and preloads of who submits", function()
    local path <close> = setmetatable({ package.path }, {
      __close = function(self)
        package.path = self[1]
        package.preload["thread_spec.preloaded"] = nil
      end,
    })
    package.path = package.path .. ";thread_spec/?.lua"
    package.preload["thread_spec.preloaded"] = function(name)
      return { name = name }
    end
    local seen, cpath, name = asyncio.to_thread(function()
      return package.path, package.cpath, require("thread_spec.preloaded").name
    end)
    assert.are.equal(package.path, seen)
    assert.are.equal(package.cpath, cpath)
    assert.are.equal("thread_spec.preloaded", name)
    assert.are.equal(1, #path)
  end)

  ait("keeps its states warm", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local function count()
      _G.count = (_G.count or 0) + 1
      return _G.count
    end
    assert.are.equal(1, pool:submit(count):await())
    assert.are.equal(2, pool:submit(count):await())
  end)

  ait("refuses what cannot cross before the job starts", function()
    raises("argument 2", asyncio.to_thread, print, io.stdout)
    raises("argument 3: .*conn", asyncio.to_thread, print, 1, { conn = io.stdout })
    raises("#1 to '.*to_thread' %(function expected, got number%)", asyncio.to_thread, 1)
    raises("bad argument #1 to '.*to_thread'", asyncio.to_thread, "no colon")
    raises("bad argument #1 to '.*to_thread'", asyncio.to_thread)
  end)

  ait("fails with a result that cannot cross", function()
    raises("result 1", asyncio.to_thread, function()
      return io.stdout
    end)
    raises("result 2", asyncio.to_thread, function()
      return 1, coroutine.create(print)
    end)
    assert.are.equal(1, asyncio.to_thread(function()
      return 1
    end))
  end)

  it("cannot be called outside of a task", function()
    raises(asyncio.RuntimeError, asyncio.to_thread, print)
  end)

  it("counts as something that can wake the loop", function()
    assert.are.equal("done", asyncio.run(function()
      local future = asyncio.Future()
      local job = asyncio.get_running_loop():run_in_executor(nil, os.getenv, "HOME")
      job:add_done_callback(function()
        future:set_result "done"
      end)
      return future:await()
    end))
  end)
end)

describe("an error in a worker", function()
  ait("comes back as it was", function()
    local err = helper.catch(asyncio.to_thread, function()
      error "with a place"
    end)
    assert.matches("thread_spec.lua:%d+: with a place$", err)
    assert.are.equal("bare", helper.catch(asyncio.to_thread, error, "bare", 0))
    assert.are.same({ code = 3 }, helper.catch(asyncio.to_thread, error, { code = 3 }))
    assert.are.equal("<no error object>", helper.catch(asyncio.to_thread, error, nil))
  end)

  ait("that is an exception object keeps its class and has a traceback", function()
    local function fail()
      local asyncio = require "asyncio" -- luacheck: ignore 431
      error(asyncio.TimeoutError "too late")
    end
    local err = raises(asyncio.TimeoutError, asyncio.to_thread, fail)
    assert.are.equal("too late", err.message)
    assert.matches("thread_spec.lua:%d+", err.traceback)
  end)

  ait("that cannot cross is described", function()
    local err = raises(asyncio.RuntimeError, asyncio.to_thread, function()
      error(io.stdout)
    end)
    assert.matches("file %(.*userdata", tostring(err))
  end)

  ait("that is a CancelledError cancels the future", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(function()
      error(require("asyncio").CancelledError "enough")
    end)
    asyncio.wait { future }
    assert.is_true(future:cancelled())
  end)

  ait("has the worker's traceback in that of who awaited", function()
    local task = asyncio.create_task(asyncio.to_thread, function()
      error "deep inside"
    end)
    asyncio.wait { task }
    assert.matches("thread_spec.lua:%d+: in function.*awaited by Task", task:traceback())
    assert.matches("deep inside", task:exception())
  end)

  it("in a loop there has the traceback of its task, and is reported once", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      local function main()
        local function inner()
          error(asyncio.TimeoutError "late")
        end
        inner()
      end
      asyncio.run(function()
        local job = asyncio.create_task(asyncio.to_thread, asyncio.run, main)
        asyncio.wait { job }
        print(job:exception())
        local traceback = job:exception().traceback
        print(traceback:match "'inner'.*\nrun by the job:\n" ~= nil)
        job = asyncio.create_task(asyncio.to_thread, function()
          pcall(asyncio.run, main)
          error(asyncio.TimeoutError "later")
        end)
        asyncio.wait { job }
        print(job:exception(), job:exception().traceback:match "run by")
      end)
    ]]
    assert.are.equal("", result.stderr)
    assert.are.equal("TimeoutError: late\ntrue\nTimeoutError: later\tnil\n", result.stdout)
  end)

  it("that nobody takes is reported with the worker's traceback", function()
    local context
    asyncio.run(function()
      asyncio.get_running_loop():set_exception_handler(function(_, c)
        context = c
      end)
      local future = asyncio.get_running_loop():run_in_executor(nil, function()
        error "lost"
      end)
      until_true(function()
        return future:done()
      end)
    end)
    assert.matches("lost$", context.exception)
  end)
end)

describe("a job that is cancelled", function()
  ait("is interrupted", function()
    raises(asyncio.TimeoutError, asyncio.wait_for, asyncio.to_thread, 0.01, spin)
    assert.are.equal(1, asyncio.to_thread(function()
      return 1
    end))
  end)

  ait("frees its worker", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(spin)
    until_true(function()
      return pool:statistics().running == 1
    end)
    assert.is_true(future:cancel())
    assert.is_true(future:cancelled())
    assert.are.equal("next", pool:submit(function()
      return "next"
    end):await())
  end)

  ait("is interrupted inside coroutines", function()
    raises(asyncio.TimeoutError, asyncio.wait_for, asyncio.to_thread, 0.01, function()
      coroutine.wrap(function()
        coroutine.wrap(function()
          local list
          while true do
            list = { list and #list }
          end
        end)()
      end)()
    end)
    assert.are.equal(2, asyncio.to_thread(math.max, 1, 2))
  end)

  ait("may clean up", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(function()
      local _ <close> = setmetatable({}, {
        __close = function(_, err)
          _G.closed_with = tostring(err)
        end,
      })
      local list
      while true do
        list = { list and #list }
      end
    end)
    until_true(function()
      return pool:statistics().running == 1
    end)
    future:cancel()
    local seen = pool:submit(function()
      return _G.closed_with
    end):await()
    -- one that was interrupted before its function began closes nothing
    assert.is_true(seen == "CancelledError" or seen == nil)
  end)

  ait("and has not started is dropped", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local running, dropped = pool:submit(spin), pool:submit(function()
      _G.ran = true
    end)
    until_true(function()
      return pool:statistics().running == 1
    end)
    dropped:cancel()
    assert.are.equal(0, pool:statistics().queued)
    running:cancel()
    assert.is_nil(pool:submit(function()
      return _G.ran
    end):await())
  end)

  ait("ends a loop that it runs through its main task", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(function()
      local asyncio = require "asyncio" -- luacheck: ignore 431
      asyncio.run(function()
        local _ <close> = setmetatable({}, {
          __close = function(_, err)
            asyncio.sleep(0)
            _G.ended_by = asyncio.isinstance(err, asyncio.CancelledError)
          end,
        })
        _G.entered = true
        asyncio.sleep(3600)
      end)
    end)
    until_true(function()
      return pool:statistics().running == 1
    end)
    future:cancel()
    local entered, ended_by = pool:submit(function()
      return _G.entered, _G.ended_by
    end):await()
    assert.are.equal(entered, ended_by)
  end)

  ait("goes on where the executor does not interrupt", function()
    local pool <close> = asyncio.ThreadPoolExecutor { max_workers = 1, interrupt = false }
    local future = pool:submit(function()
      local stop = os.clock() + 0.02
      while os.clock() < stop do
      end
      _G.ran_on = true
    end)
    until_true(function()
      return pool:statistics().running == 1
    end)
    future:cancel()
    assert.is_true(pool:submit(function()
      return _G.ran_on
    end):await())
  end)

  ait("with a future that somebody else has ended changes nothing", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(function()
      return "late"
    end)
    future:set_result "early"
    pool:submit(function() end):await()
    assert.are.equal("early", future:result())
  end)
end)

describe("a worker", function()
  ait("can run a loop, and threads of its own", function()
    local function inner()
      local asyncio = require "asyncio" -- luacheck: ignore 431
      return asyncio.run(function()
        asyncio.sleep(0.001)
        return asyncio.to_thread(function()
          return "from a worker's worker"
        end)
      end)
    end
    assert.are.equal("from a worker's worker", asyncio.to_thread(inner))
  end)

  ait("has no loop of its own unless it runs one", function()
    raises(asyncio.RuntimeError, asyncio.to_thread, function()
      require("asyncio").sleep(0)
    end)
  end)

  ait("may start programs, which are not shielded from signals", function()
    local text, ok, how, code = asyncio.to_thread(function()
      local pipe <close> = io.popen "echo here"
      return pipe:read "a", os.execute "exit 3"
    end)
    assert.are.equal("here\n", text)
    assert.is_nil(ok)
    assert.are.equal("exit", how)
    assert.are.equal(3, code)
    local _, ended, signal = asyncio.to_thread(os.execute, "kill -TERM $$; sleep 5")
    assert.are.equal("signal", ended)
    assert.are.equal(15, signal)
  end)
end)

describe("cpu_count", function()
  it("is the number of cores that can be used", function()
    assert.are.equal("integer", math.type(asyncio.cpu_count()))
    assert.is_true(asyncio.cpu_count() >= 1)
  end)

  -- What is allowed where these are the files of the system; contents by name.
  local function quota(files)
    local root <const> = os.tmpname()
    os.remove(root)
    for name, content in pairs(files) do
      local path <const> = root .. name
      os.execute("mkdir -p " .. path:match "^(.*)/")
      local file <close> = io.open(path, "w")
      file:write(content)
    end
    local result <const> = core.cpu_quota(root)
    os.execute("rm -rf " .. root)
    return result
  end

  it("knows what a control group allows", function()
    local own <const>, top <const> = "/proc/self/cgroup", "/sys/fs/cgroup"
    assert.is_nil(quota { [own] = "" })
    assert.is_nil(quota { [own] = "0::/\n", [top .. "/cpu.max"] = "max 100000\n" })
    assert.equal(2.5, quota { [own] = "0::/\n", [top .. "/cpu.max"] = "250000 100000\n" })
    assert.equal(1.5, quota {
      [own] = "1:name=systemd:/x\n0::/a/b/c\n",
      [top .. "/a/b/c/cpu.max"] = "max 100000\n",
      [top .. "/a/b/cpu.max"] = "150000 100000\n",
      [top .. "/a/cpu.max"] = "400000 100000\n",
    })
    assert.equal(0.5, quota { -- a path that is there only outside of the container
      [own] = "5:cpuset:/x\n4:cpu,cpuacct:/docker/123\n",
      [top .. "/cpu/cpu.cfs_quota_us"] = "50000\n",
      [top .. "/cpu/cpu.cfs_period_us"] = "100000\n",
    })
    assert.is_nil(quota {
      [own] = "4:cpuacct,cpu:/\n3:cpuset:/\nnonsense\n:\n",
      [top .. "/cpu/cpu.cfs_quota_us"] = "-1\n",
      [top .. "/cpu/cpu.cfs_period_us"] = "100000\n",
    })
  end)

  it("counts no core that the process may not use", function()
    local status <close> = io.open "/proc/self/status"
    local list, allowed = status:read("a"):match "Cpus_allowed_list:%s*(%S+)", 0
    for first, last in list:gmatch "(%d+)%-?(%d*)" do
      allowed = allowed + (last == "" and first or last) - first + 1
    end
    assert.is_true(asyncio.cpu_count() <= allowed)
  end)
end)
