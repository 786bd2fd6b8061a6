-- Back to the loop: calls that workers post to the loop that they were given.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local Channel <const>, sleep <const>, to_thread <const> =
  asyncio.Channel, asyncio.sleep, asyncio.to_thread

-- Runs fn(loop, ...) in a worker.
local function in_worker(fn, ...)
  return to_thread(fn, asyncio.get_running_loop(), ...)
end

-- What the loop's exception handler is told of while fn runs.
local function contexts(fn)
  local list = {}
  local loop = asyncio.get_running_loop()
  loop:set_exception_handler(function(_, context)
    list[#list + 1] = context
  end)
  fn()
  loop:set_exception_handler(nil)
  return list
end

-- Submits a job from a loop of its own and calls fn, which calls its argument to
-- let the job end.
local function with_job(fn, ...)
  local loop <const> = asyncio.new_event_loop()
  local pool <close> = asyncio.ThreadPoolExecutor(1)
  local arguments <const> = table.pack(...)
  local job
  loop:run_until_complete(asyncio.async(function()
    job = pool:submit(table.unpack(arguments, 1, arguments.n))
  end)())
  fn(function()
    loop:run_until_complete(job)
  end)
  loop:close()
end

describe("a loop in another state", function()
  ait("is a reference, and the loop itself when it comes back", function()
    local loop = asyncio.get_running_loop()
    local text, same, is, closed, back = in_worker(function(given, again)
      local fits = asyncio.isinstance(given, asyncio.LoopReference)
      return tostring(given), given == again, fits, given:is_closed(), given
    end, loop)
    assert.are.equal("<LoopReference closed=false>", text)
    assert(same and is and not closed and back == loop)
  end)

  ait("keeps nothing from being misused", function()
    local list = in_worker(function(loop)
      local function message(fn, ...)
        return tostring(select(2, pcall(fn, ...)))
      end
      return {
        message(loop.call_soon_threadsafe, {}, print),
        message(loop.call_soon_threadsafe, loop, 1),
        message(loop.call_soon_threadsafe, loop, print, coroutine.create(print)),
        message(asyncio.run_coroutine_threadsafe, print, 1),
        message(asyncio.run_coroutine_threadsafe, 1, loop),
        message(asyncio.run_coroutine_threadsafe, print, loop, io.stdout),
        message(asyncio.ConcurrentFuture.result, {}),
      }
    end)
    assert.matches("bad argument #%d .*LoopReference expected, got table", list[1])
    assert.matches("bad argument #%d .*function expected, got number", list[2])
    assert.matches("argument 2: thread cannot cross", list[3])
    assert.matches("bad argument #2 to 'run_coroutine_threadsafe' %(event loop expected", list[4])
    assert.matches("bad argument #1 to 'run_coroutine_threadsafe' %(function expected", list[5])
    assert.matches("argument 3: userdata %(FILE%*%) cannot cross", list[6])
    assert.matches("bad argument #1 to 'result' %(asyncio.ConcurrentFuture expected", list[7])
  end)

  ait("is not in a deadlock while others have it", function()
    local ch <const> = Channel()
    local worker = asyncio.create_task(to_thread, function(out)
      return asyncio.run(function()
        local future = asyncio.Future()
        _G.wake = function(value)
          future:set_result(value)
        end
        out:send(asyncio.get_running_loop())
        return future:await()
      end)
    end, ch)
    local reference = ch:recv()
    sleep(0.001)
    reference:call_soon_threadsafe(function()
      _G.wake "woken"
    end)
    assert.are.equal("woken", worker:await())
  end)

  ait("is in a deadlock when they have it no more", function()
    local ch <const> = Channel()
    local worker = asyncio.create_task(to_thread, function(out)
      return asyncio.run(function()
        out:send(asyncio.get_running_loop())
        asyncio.Future():await()
      end)
    end, ch)
    local reference = ch:recv()
    sleep(0.001)
    assert(not worker:done() and asyncio.isinstance(reference, asyncio.LoopReference))
    reference = nil -- luacheck: ignore 311
    helper.collect()
    helper.raises(asyncio.DeadlockError, worker.await, worker)
  end)

  it("is in a deadlock when a job is over that had it", function()
    local ok, err = pcall(asyncio.run, function()
      local pool <close> = asyncio.ThreadPoolExecutor(1)
      pool:submit(type, asyncio.get_running_loop()):await()
      asyncio.Channel():send(asyncio.get_running_loop())
      asyncio.Future():await()
    end)
    assert(not ok and asyncio.isinstance(err, asyncio.DeadlockError), err)
  end)

  it("is stopped once by a finalizer that runs as others are looked for", function()
    local loop <const> = asyncio.new_event_loop()
    collectgarbage "stop"
    Channel():send_nowait(loop)
    setmetatable({}, {
      __gc = function()
        loop:stop()
      end,
    })
    local ok = pcall(loop.run_until_complete, loop, loop:create_future())
    collectgarbage "restart"
    assert.is_false(ok)
    local called = false
    loop:call_later(0.001, function()
      called = true
      loop:stop()
    end)
    loop:run_forever()
    loop:close()
    assert.is_true(called)
  end)

  it("refuses calls when it is closed", function()
    local loop, ch, back <const> = asyncio.new_event_loop(), Channel(), Channel()
    with_job(function(finish)
      back:recv()
      loop:close()
      ch:send "closed"
      local ok, err, ok2, err2, closed, text = back:recv()
      finish()
      assert(not ok and asyncio.isinstance(err, asyncio.RuntimeError))
      assert(not ok2 and asyncio.isinstance(err2, asyncio.RuntimeError))
      assert.matches("the event loop is closed", err.message)
      assert(closed and text == "<LoopReference closed=true>")
    end, function(given, input, output)
      output:send "ready"
      input:recv()
      local ok, err = pcall(given.call_soon_threadsafe, given, print)
      local ok2, err2 = pcall(asyncio.run_coroutine_threadsafe, print, given)
      output:send(ok, err, ok2, err2, given:is_closed(), tostring(given))
    end, loop, ch, back)
  end)
end)

describe("call_soon_threadsafe", function()
  ait("calls in the order of posting", function()
    local log <const> = helper.trace()
    _G.crossing_log = log
    in_worker(function(loop)
      for i = 1, 100 do
        loop:call_soon_threadsafe(function(n)
          crossing_log(n) -- luacheck: ignore
        end, i)
      end
    end)
    while #log < 100 do
      sleep(0)
    end
    _G.crossing_log = nil
    for i = 1, 100 do
      assert.are.equal(i, log[i])
    end
  end)

  it("runs or reports each call, whenever the loop closes", function()
    for turns = 0, 8 do
      local loop, seen, ch <const> = asyncio.new_event_loop(), { ran = 0, lost = 0 }, Channel()
      _G.crossing_seen = seen
      loop:set_exception_handler(function()
        seen.lost = seen.lost + 1
      end)
      with_job(function(finish)
        ch:recv()
        loop:run_until_complete(asyncio.async(function()
          for _ = 1, turns do
            sleep(0.0001)
          end
        end)())
        loop:close()
        local posted = ch:recv()
        finish()
        assert.are.equal(posted, seen.ran + seen.lost)
      end, function(given, out)
        local posted = 0
        out:send "begun"
        for _ = 1, 50 do
          posted = posted + (pcall(given.call_soon_threadsafe, given, function()
            crossing_seen.ran = crossing_seen.ran + 1 -- luacheck: ignore
          end) and 1 or 0)
        end
        out:send(posted)
      end, loop, ch)
      _G.crossing_seen = nil
    end
  end)

  ait("reports errors to the loop's handler", function()
    local list = contexts(function()
      in_worker(function(loop)
        loop:call_soon_threadsafe(error, "posted")
      end)
      for _ = 1, 10 do
        sleep(0)
      end
    end)
    assert.are.equal(1, #list)
    assert.matches("posted", list[1].exception)
  end)

  ait("reports what cannot be unpacked", function()
    local list = contexts(function()
      in_worker(function(loop)
        package.loaded.only_there = { 1 }
        loop:call_soon_threadsafe(print, package.loaded.only_there)
      end)
      for _ = 1, 10 do
        sleep(0)
      end
    end)
    assert.are.equal(1, #list)
    assert.matches("module 'only_there' not found", list[1].exception)
    assert.matches("another thread posted", list[1].message)
  end)

  it("reports what the loop had no time for", function()
    local loop, seen, ch <const> = asyncio.new_event_loop(), {}, Channel()
    loop:set_exception_handler(function(_, context)
      seen[#seen + 1] = context.message
    end)
    with_job(function(finish)
      ch:recv()
      loop:close()
      finish()
      assert.are.same({ "a call that another thread posted was lost" }, seen)
    end, function(given, out)
      given:call_soon_threadsafe(print)
      out:send "posted"
    end, loop, ch)
  end)
end)

describe("run_coroutine_threadsafe", function()
  ait("makes a task in the loop, whose result comes back", function()
    local values = table.pack(in_worker(function(loop)
      local future = asyncio.run_coroutine_threadsafe(function(a, b)
        asyncio.sleep(0)
        return a + b, nil, asyncio.current_task() ~= nil
      end, loop, 1, 2)
      local results = table.pack(future:result())
      return future:done(), tostring(future), future:exception(), table.unpack(results, 1, 3)
    end))
    local expected = table.pack(true, "<ConcurrentFuture finished>", nil, 3, nil, true)
    assert.are.same(expected, values)
  end)

  ait("brings errors back as they are", function()
    local err, state, same = in_worker(function(loop)
      local future = asyncio.run_coroutine_threadsafe(function()
        error(asyncio.OSError("bad", { code = "EBAD" }))
      end, loop)
      local _, caught = pcall(future.result, future)
      return caught, tostring(future), future:exception() == caught
    end)
    assert(asyncio.isinstance(err, asyncio.OSError) and err.code == "EBAD")
    assert.matches("threadsafe_spec.lua", err.traceback)
    assert(state == "<ConcurrentFuture failed>" and same)
  end)

  ait("says when the result cannot cross", function()
    local err = in_worker(function(loop)
      local future = asyncio.run_coroutine_threadsafe(asyncio.current_task, loop)
      return future:exception()
    end)
    assert.matches("userdata %(asyncio.Task%) cannot cross", tostring(err))
  end)

  ait("waits for so long at most", function()
    local class, value = in_worker(function(loop)
      local gate = asyncio.Channel()
      local future = asyncio.run_coroutine_threadsafe(function(given)
        return given:recv()
      end, loop, gate)
      local _, err = pcall(future.result, future, 0.001)
      gate:send "value"
      return asyncio.isinstance(err, asyncio.TimeoutError), future:result(30)
    end)
    assert(class and value == "value")
  end)

  ait("takes coroutine functions", function()
    local double
    double = asyncio.async(function(n)
      sleep(0)
      return n > 100 and n or double(2 * n):await()
    end)
    local here, there = in_worker(function(loop)
      return asyncio.run(double, 50), asyncio.run_coroutine_threadsafe(double, loop, 7):result()
    end)
    assert(here == 200 and there == 112)
  end)

  ait("checks its arguments", function()
    local messages = in_worker(function(loop)
      local list = {}
      local function try(fn, ...)
        list[#list + 1] = tostring(select(2, pcall(fn, ...)))
      end
      try(function()
        local _ = asyncio.run_coroutine_threadsafe("name", loop)
      end)
      try(function()
        local _ = asyncio.run_coroutine_threadsafe(asyncio.sleep, loop, io.stdout)
      end)
      local future = asyncio.run_coroutine_threadsafe(asyncio.sleep, loop, 0)
      try(function()
        local _ = future:result "soon"
      end)
      try(function()
        local _ = future:exception(0 / 0)
      end)
      return list
    end)
    for i, message in ipairs {
      "bad argument #1 to 'run_coroutine_threadsafe' %(function expected, got string%)",
      "argument 3: userdata %(FILE%*%) cannot cross",
      "bad argument #1 to 'result' %(number expected, got string%)",
      "bad argument #1 to 'exception' %(number expected, got nan%)",
    } do
      assert.matches("^[^:]*threadsafe_spec.lua:%d+: " .. message, messages[i])
    end
  end)

  ait("cancels the task", function()
    local cancelled, first, again, err, state = in_worker(function(loop)
      local gate = asyncio.Channel()
      local future = asyncio.run_coroutine_threadsafe(function()
        gate:send "begun"
        asyncio.Future():await()
      end, loop)
      gate:recv()
      local first = future:cancel()
      local _, caught = pcall(future.result, future)
      return future:cancelled(), first, future:cancel(), caught, tostring(future)
    end)
    assert(cancelled and first and not again and state == "<ConcurrentFuture cancelled>")
    assert(asyncio.isinstance(err, asyncio.CancelledError))
  end)

  ait("can be awaited in the loop of a worker", function()
    local value, late = in_worker(function(outer)
      return asyncio.run(function()
        local future = asyncio.run_coroutine_threadsafe(asyncio.sleep, outer, 0.001, "value")
        local never = asyncio.run_coroutine_threadsafe(asyncio.sleep, outer, 1000)
        local ok, err = pcall(never.result, never, 0.001)
        never:cancel()
        return asyncio.await(future), not ok and asyncio.isinstance(err, asyncio.TimeoutError)
      end)
    end)
    assert(value == "value" and late)
  end)

  ait("is create_task in the loop's own state", function()
    local task = asyncio.run_coroutine_threadsafe(sleep, asyncio.get_running_loop(), 0, 5)
    assert(asyncio.isinstance(task, asyncio.Task) and task:await() == 5)
  end)

  it("ends with an error when the loop closes", function()
    local loop, ch <const> = asyncio.new_event_loop(), Channel()
    with_job(function(finish)
      loop:run_until_complete(asyncio.async(function()
        assert.are.equal("begun", ch:recv())
      end)())
      loop:close()
      local err = ch:recv()
      finish()
      assert(asyncio.isinstance(err, asyncio.RuntimeError), err)
      assert.matches("the event loop was closed", err.message)
    end, function(given, out)
      local future = asyncio.run_coroutine_threadsafe(function(begun)
        begun:send "begun"
        asyncio.Future():await()
      end, given, out)
      out:send(future:exception())
    end, loop, ch)
  end)
end)
