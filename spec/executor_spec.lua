-- ThreadPoolExecutor: submitting, map, shutting down, and the default executor of
-- a loop.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local jobs = require "spec.jobs"

local ait <const>, raises <const>, trace <const> = helper.ait, helper.raises, helper.trace
local square <const>, spin <const>, until_running <const> =
  jobs.square, jobs.spin, jobs.until_running

-- see thread_spec
local assert, describe, it = assert, describe, it
local _ENV <const> = _G -- luacheck: ignore 211

-- All results of the iterator, the first of each.
local function collect(...)
  local list = {}
  for value in ... do
    list[#list + 1] = value
  end
  return list
end

describe("a ThreadPoolExecutor", function()
  -- threads wait awake for a moment before they go to sleep
  ait("runs jobs that come just as its threads are going to sleep", function()
    local pool <close> = asyncio.ThreadPoolExecutor(2)
    local loop = asyncio.get_running_loop()
    for i = 1, 300 do
      local first = pool:submit(square, i)
      local start = loop:time()
      local second
      while second == nil do
        second = loop:time() - start >= i * 2e-7 and pool:submit(square, -i) or nil
      end
      assert.are.equal(i * i, first:await())
      assert.are.equal(i * i, second:await())
    end
  end)

  ait("runs what is submitted", function()
    local pool <close> = asyncio.ThreadPoolExecutor(2)
    local futures = {}
    for i = 1, 50 do
      futures[i] = pool:submit(square, i)
    end
    assert.is_true(asyncio.isinstance(futures[1], asyncio.Future))
    local results = asyncio.gather(futures):await()
    for i = 1, 50 do
      assert.are.equal(i * i, results[i])
    end
  end)

  ait("runs as many jobs at once as it has workers", function()
    local pool <close> = asyncio.ThreadPoolExecutor(3)
    local futures = {}
    for i = 1, 4 do
      futures[i] = pool:submit(spin)
    end
    until_running(pool, 3)
    local stats = pool:statistics()
    assert.are.same({ max_workers = 3, workers = 3, running = 3, queued = 1 }, stats)
    for i = 1, 4 do
      futures[i]:cancel()
    end
  end)

  ait("takes options", function()
    local pool <close> = asyncio.ThreadPoolExecutor {
      max_workers = 1,
      name = "a name that is far too long",
      initializer = function()
        _G.initialized = (_G.initialized or 0) + 1
      end,
    }
    pool:submit(os.time):await()
    assert.are.equal(1, pool:submit(function()
      return _G.initialized
    end):await())
    assert.are.equal("<ThreadPoolExecutor 'a name that is ' workers:1/1>", tostring(pool))
    assert.are.equal(asyncio.cpu_count(), asyncio.ThreadPoolExecutor():statistics().max_workers)
  end)

  ait("starts no more threads than it needs", function()
    local pool <close> = asyncio.ThreadPoolExecutor(8)
    assert.are.equal(0, pool:statistics().workers)
    pool:submit(square, 1):await()
    assert.are.equal(1, pool:statistics().workers)
  end)

  it("refuses what is no number of workers", function()
    raises("bad argument #1", asyncio.ThreadPoolExecutor, "many")
    raises("max_workers must be from 1", asyncio.ThreadPoolExecutor, 0)
    raises("max_workers must be from 1", asyncio.ThreadPoolExecutor, { max_workers = -1 })
    raises("field 'max_workers'", asyncio.ThreadPoolExecutor, { max_workers = "x" })
    raises("field 'name'", asyncio.ThreadPoolExecutor, { name = {} })
    raises("field 'initializer'", asyncio.ThreadPoolExecutor, { initializer = 1 })
    raises("initializer 1: ", asyncio.ThreadPoolExecutor, {
      initializer = coroutine.wrap(print),
    })
  end)

  it("refuses what is no function, and a wrong self", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    raises("bad argument #1 to 'submit'", function()
      pool:submit(1)
    end)
    raises("asyncio.Executor expected", pool.submit, {}, print)
    raises("asyncio.Executor expected", pool.map, 1, print, {})
    raises("asyncio.Executor expected", pool.shutdown, 1)
    raises("asyncio.Executor expected", pool.statistics, 1)
    raises("table expected", pool.shutdown, pool, 1)
  end)

  it("serves several loops", function()
    local pool <close> = asyncio.ThreadPoolExecutor(2)
    for i = 1, 3 do
      assert.are.equal(i * i, asyncio.run(function()
        return pool:submit(square, i):await()
      end))
    end
    local loop <close> = asyncio.new_event_loop()
    local future = loop:run_in_executor(pool, square, 9)
    assert.are.equal(loop, future:get_loop())
    assert.are.equal(81, loop:run_until_complete(future))
  end)

  it("ends its jobs when a loop is closed, and lives on", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local loop = asyncio.new_event_loop()
    local running, queued = loop:run_in_executor(pool, spin), loop:run_in_executor(pool, square, 1)
    loop:close()
    assert.is_true(running:cancelled() and queued:cancelled())
    assert.are.equal(4, asyncio.run(function()
      return pool:submit(square, 2):await()
    end))
  end)

  ait("whose initializer fails is broken", function()
    local pool <close> = asyncio.ThreadPoolExecutor { max_workers = 1, initializer = error }
    local first = pool:submit(square, 1)
    -- one that comes soon enough is queued, a later one is refused
    local queued, second = pcall(pool.submit, pool, square, 2)
    raises(asyncio.BrokenExecutor, first.await, first)
    if queued then
      raises(asyncio.BrokenExecutor, second.await, second)
    end
    raises(asyncio.BrokenExecutor, pool.submit, pool, square, 3)
    assert.is_true(asyncio.isinstance(asyncio.BrokenExecutor "", asyncio.RuntimeError))
  end)

  ait("that nobody has any more ends its jobs and its threads", function()
    local future = asyncio.ThreadPoolExecutor(1):submit(square, 5)
    helper.collect()
    assert.are.equal(25, future:await())
  end)
end)

describe("shutdown", function()
  ait("waits for what is running and queued", function()
    local pool = asyncio.ThreadPoolExecutor(1)
    local first, second = pool:submit(square, 2), pool:submit(square, 3)
    pool:shutdown()
    assert.are.equal(4, first:await())
    assert.are.equal(9, second:await())
    assert.are.equal(0, pool:statistics().workers)
    assert.matches("shut down>$", tostring(pool))
    raises(asyncio.RuntimeError, pool.submit, pool, square, 1)
    pool:shutdown() -- again is harmless
  end)

  ait("does not stop the loop", function()
    local pool = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(spin)
    local t = trace()
    asyncio.create_task(function()
      until_running(pool, 1)
      t "cancelled"
      future:cancel()
    end)
    pool:shutdown()
    t "shut down"
    assert.are.same({ "cancelled", "shut down" }, t:list())
  end)

  ait("need not wait", function()
    local pool = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(square, 2)
    pool:shutdown { wait = false }
    raises(asyncio.RuntimeError, pool.submit, pool, square, 1)
    assert.are.equal(4, future:await())
  end)

  ait("may cancel what is queued", function()
    local pool = asyncio.ThreadPoolExecutor(1)
    local running, queued = pool:submit(spin), pool:submit(square, 1)
    until_running(pool, 1)
    pool:shutdown { wait = false, cancel_futures = true }
    assert.is_true(queued:cancelled())
    assert.is_false(running:done())
    running:cancel()
    pool:shutdown()
  end)

  ait("can be cancelled, and asked for again", function()
    local pool = asyncio.ThreadPoolExecutor(1)
    local future = pool:submit(spin)
    raises(asyncio.TimeoutError, asyncio.wait_for, pool.shutdown, 0.001, pool)
    future:cancel()
    pool:shutdown()
    assert.are.equal(0, pool:statistics().workers)
  end)

  it("outside of a loop waits, too", function()
    local pool = asyncio.ThreadPoolExecutor(1)
    local loop <close> = asyncio.new_event_loop()
    local future = loop:run_in_executor(pool, square, 4)
    pool:shutdown()
    assert.is_false(future:done())
    assert.are.equal(16, loop:run_until_complete(future))
  end)

  ait("comes with the end of a scope", function()
    local outer
    do
      local pool <close> = asyncio.ThreadPoolExecutor(1)
      outer = pool
      pool:submit(square, 1)
    end
    raises(asyncio.RuntimeError, outer.submit, outer, square, 1)
    assert.are.equal(0, outer:statistics().workers)
  end)

  it("is not waited for when the loop closes", function()
    local loop = asyncio.new_event_loop()
    loop:create_task(function()
      local pool <close> = asyncio.ThreadPoolExecutor(1)
      pool:submit(spin)
      asyncio.sleep(3600)
    end)
    loop:call_later(0.01, loop.stop, loop)
    loop:run_forever()
    loop:close()
  end)
end)

describe("map", function()
  ait("gives the results in order", function()
    local pool <close> = asyncio.ThreadPoolExecutor(3)
    assert.are.same({ 1, 4, 9, 16, 25 }, collect(pool:map(square, { 1, 2, 3, 4, 5 })))
    assert.are.same({}, collect(pool:map(square, {})))
  end)

  ait("takes several lists, and ends with the shortest", function()
    local pool <close> = asyncio.ThreadPoolExecutor(2)
    assert.are.same({ 2, 3, 4 }, collect(pool:map(math.max, { 1, 3, 4 }, { 2, 2, 2, 9 })))
  end)

  ait("gives all values that a call returns", function()
    local pool <close> = asyncio.ThreadPoolExecutor(2)
    local t = trace()
    for a, b, c in pool:map(function(x)
      return x, nil, x + 1
    end, { 1, 2 }) do
      t(a, b, c)
    end
    assert.are.same({ "1 nil 2", "2 nil 3" }, t:list())
  end)

  for _, chunksize in ipairs { 1, 2, 3, 100 } do
    ait("is the same in chunks of " .. chunksize, function()
      local pool <close> = asyncio.ThreadPoolExecutor(2)
      local options <const> = { chunksize = chunksize, buffersize = 2 }
      local list, expected = {}, {}
      for i = 1, 20 do
        list[i], expected[i] = i, i * i
      end
      assert.are.same(expected, collect(pool:map(square, list, options)))
      assert.are.same({ "a", "b" }, collect(pool:map("string:lower", { "A", "B" }, options)))
    end)

    ait("raises an error in its place, in chunks of " .. chunksize, function()
      local pool <close> = asyncio.ThreadPoolExecutor(2)
      local t = trace()
      local err = helper.catch(function()
        for value in pool:map(function(x)
          return x < 4 and x or error { at = x }
        end, { 1, 2, 3, 4, 5, 6 }, { chunksize = chunksize }) do
          t(value)
        end
      end)
      assert.are.same({ 1, 2, 3 }, t:list())
      assert.are.equal(4, err.at)
    end)

    ait("raises where a result is nil, and goes on, in chunks of " .. chunksize, function()
      local pool <close> = asyncio.ThreadPoolExecutor(2)
      local next_result = pool:map(function(x)
        return x ~= 2 and x or nil
      end, { 1, 2, 3 }, { chunksize = chunksize })
      assert.are.equal(1, next_result())
      local err = raises(asyncio.RuntimeError, next_result)
      assert.matches("result 2 is nil", err.message)
      assert.are.equal(3, next_result())
      assert.is_nil(next_result())
    end)
  end

  ait("is lazy: it takes no more items than it has room for", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local taken = 0
    local function items()
      taken = taken + 1
      return taken
    end
    local next_result, _, _, scope = pool:map(square, items, { buffersize = 3 })
    assert.are.equal(3, taken)
    assert.are.equal(1, next_result())
    assert.are.equal(4, taken)
    assert.are.equal(4, next_result())
    getmetatable(scope).__close(scope)
    assert.is_nil(next_result())
    assert.are.equal(5, taken)
  end)

  ait("cancels what nobody waits for any more", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local n = 0
    for _ in pool:map(function(x)
      while x > 1 do
        x = x + #{ x }
      end
      return x
    end, { 1, 2, 3 }) do
      n = n + 1
      if n == 1 then
        break
      end
    end
    assert.are.equal(1, n)
  end)

  ait("raises what cannot cross in its place", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local next_result = pool:map(tostring, { 1, io.stdout, 3 })
    assert.are.equal("1", next_result())
    raises("argument 2", next_result)
    assert.is_nil(next_result())
  end)

  ait("can be cancelled while it waits for items", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    for _, before in ipairs { 0, 2 } do
      local got, n, waits = {}, 0, asyncio.Event()
      local function items()
        n = n + 1
        if n > before then
          waits:set()
          asyncio.Future():await()
        end
        return n
      end
      local task = asyncio.create_task(function()
        for value in pool:map(square, items, { buffersize = 1 }) do
          got[#got + 1] = value
        end
      end)
      waits:wait()
      task:cancel()
      raises(asyncio.CancelledError, task.await, task)
      assert.are.equal(math.max(before - 1, 0), #got)
    end
  end)

  ait("checks its arguments", function()
    local pool <close> = asyncio.ThreadPoolExecutor(1)
    local function wrong()
      local _ = pool:map(1, {})
    end
    raises("executor_spec.lua:%d+: bad argument #1 to 'map'", wrong)
    raises("bad argument #1 to 'map'", pool.map, pool, 1, {})
    raises("bad argument #2 to 'map' %(table or function", pool.map, pool, square)
    raises("bad argument #3 to 'map' %(table or function", pool.map, pool, square, {}, 1)
    raises("field 'chunksize'", pool.map, pool, square, {}, { chunksize = 0 })
    raises("field 'buffersize'", pool.map, pool, square, {}, { buffersize = "x" })
  end)
end)

describe("the default executor", function()
  ait("runs what is given to none", function()
    local loop = asyncio.get_running_loop()
    assert.are.equal(9, loop:run_in_executor(nil, square, 3):await())
    raises("argument 3", loop.run_in_executor, loop, nil, square, io.stdout)
  end)

  ait("can be set", function()
    local loop = asyncio.get_running_loop()
    local pool = asyncio.ThreadPoolExecutor { max_workers = 1, name = "mine" }
    loop:set_default_executor(pool)
    assert.are.equal(9, asyncio.to_thread(square, 3))
    assert.are.equal(1, pool:statistics().workers)
    raises("executor expected", loop.set_default_executor, loop, {})
    raises("executor expected", loop.set_default_executor, loop, 1)
  end)

  ait("may be of any kind that has submit", function()
    local loop = asyncio.get_running_loop()
    local executor = {}
    function executor.submit(_, fn, ...)
      local future = loop:create_future()
      future:set_result(fn(...))
      return future
    end
    assert.are.equal(16, loop:run_in_executor(executor, square, 4):await())
    loop:set_default_executor(executor)
    assert.are.equal(25, asyncio.to_thread(square, 5))
    raises(asyncio.RuntimeError, loop.run_in_executor, loop, { submit = rawequal }, square, 4)
    raises("executor expected", loop.run_in_executor, loop, 1, square)
    loop:set_default_executor(asyncio.ThreadPoolExecutor(1))
  end)

  ait("is shut down for good", function()
    local loop = asyncio.get_running_loop()
    asyncio.to_thread(square, 3)
    loop:shutdown_default_executor()
    raises(asyncio.RuntimeError, asyncio.to_thread, square, 3)
    raises(asyncio.RuntimeError, loop.run_in_executor, loop, nil, square, 3)
    loop:shutdown_default_executor()
    raises("number expected", loop.shutdown_default_executor, loop, "x")
    raises("EventLoop expected", loop.shutdown_default_executor, 1)
  end)

  ait("that takes too long to shut down is left behind", function()
    local loop = asyncio.get_running_loop()
    local message
    loop:set_exception_handler(function(_, context)
      message = context.message
    end)
    local future = loop:run_in_executor(nil, spin)
    loop:shutdown_default_executor(0.001)
    assert.matches("did not end within 0.001 seconds", message)
    future:cancel()
  end)

  it("is shut down at the end of run", function()
    local pool = asyncio.ThreadPoolExecutor(1)
    asyncio.run(function()
      asyncio.get_running_loop():set_default_executor(pool)
      asyncio.create_task(asyncio.to_thread, spin)
      until_running(pool, 1)
    end)
    assert.are.equal(0, pool:statistics().workers)
  end)
end)
