-- What all synchronisation primitives have in common: where they can be waited
-- for, how that looks from outside, and that nothing is left of it.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

-- Of each class: one that has to be waited for, when the argument is true, else
-- one that need not; the name of the method that waits; what ends the wait.
local kinds <const> = {
  Lock = {
    make = function(busy)
      return busy and asyncio.Lock():acquire() or asyncio.Lock()
    end,
    method = "acquire",
    free = asyncio.Lock.release,
    text = "<Lock [locked, waiters:1]>",
  },
  Event = {
    make = function(busy)
      local event = asyncio.Event()
      if not busy then
        event:set()
      end
      return event
    end,
    method = "wait",
    free = asyncio.Event.set,
    text = "<Event [unset, waiters:1]>",
  },
  Condition = {
    make = function(busy)
      return busy and asyncio.Condition():acquire() or asyncio.Condition()
    end,
    method = "acquire",
    free = asyncio.Condition.release,
    text = "<Lock [locked, waiters:1]>",
  },
  Semaphore = {
    make = function(busy)
      return asyncio.Semaphore(busy and 0 or 1)
    end,
    method = "acquire",
    free = asyncio.Semaphore.release,
    text = "<Semaphore [locked, waiters:1]>",
  },
  BoundedSemaphore = {
    make = function(busy)
      local semaphore = asyncio.BoundedSemaphore()
      return busy and semaphore:acquire() or semaphore
    end,
    method = "acquire",
    free = asyncio.BoundedSemaphore.release,
    text = "<BoundedSemaphore [locked, waiters:1]>",
  },
  Barrier = {
    make = function(busy)
      return asyncio.Barrier(busy and 2 or 1)
    end,
    method = "wait",
    free = asyncio.Barrier.wait,
    text = "<Barrier [filling, waiters:1/2]>",
  },
}

local function each(fn)
  for name, kind in pairs(kinds) do
    fn(name, kind)
  end
end

-- A task that waits for the primitive.
local function waiter(kind, object)
  local task = asyncio.create_task(object[kind.method], object)
  turns(1)
  return task
end

describe("outside a task", function()
  each(function(name, kind)
    it(("a %s cannot be waited for, even where nobody would wait"):format(name), function()
      local object = kind.make(false)
      local pattern = "^RuntimeError: '%s' suspends and must be called in a task"
      helper.raises(pattern:format(kind.method), object[kind.method], object)
      helper.run(function()
        helper.raises("^RuntimeError: '" .. kind.method .. "' cannot suspend", function()
          coroutine.wrap(object[kind.method])(object)
        end)
        object[kind.method](object)
      end)
    end)
  end)
end)

describe("a loop", function()
  each(function(name, kind)
    it(("is that of a %s once somebody has waited"):format(name), function()
      local object, idle
      helper.run(function()
        object, idle = kind.make(true), kind.make(false)
        idle[kind.method](idle)
        local task = waiter(kind, object)
        kind.free(object)
        task:await()
      end)
      helper.collect()
      helper.run(function()
        if name ~= "Barrier" and name ~= "Event" then
          assert.is_true(idle:locked()) -- a wait that was none binds nobody
          local task = waiter(kind, idle)
          kind.free(idle)
          task:await()
        end
        if name == "Event" then
          object:clear()
        end
        local err = helper.raises(asyncio.RuntimeError, object[kind.method], object)
        assert.matches("^<%a+ %[[^%]]*%]> is bound to a different event loop$", err.message)
      end)
    end)
  end)

  it("that runs no more does not keep a free primitive from use", function()
    local lock = asyncio.Lock()
    for _ = 1, 2 do
      helper.run(function()
        local task
        do
          local _ <close> = lock:acquire()
          task = asyncio.create_task(function()
            lock:locked()
          end)
        end
        task:await()
      end)
    end
  end)

  it("is that of a condition as soon as somebody waits for it", function()
    local condition, other = asyncio.Condition(), asyncio.Condition()
    helper.run(function()
      local function wait()
        local _ <close> = condition:acquire()
        condition:wait()
      end
      local task = asyncio.create_task(wait)
      turns(1)
      task:cancel()
      asyncio.wait { task }
    end)
    helper.run(function()
      local _ <close> = condition:acquire()
      helper.raises("is bound to a different event loop", condition.wait, condition)
      assert.is_true(condition:locked()) -- as before the call
      local _ <close> = other:acquire()
      helper.raises(asyncio.TimeoutError, asyncio.wait_for, other.wait, 0.001, other)
    end)
  end)
end)

describe("a task that waits for a primitive", function()
  each(function(name, kind)
    ait(("says so (%s)"):format(name), function()
      local object = kind.make(true)
      local task = waiter(kind, object)
      assert.matches(" waits for " .. kind.text, tostring(task), 1, true)
      kind.free(object)
      task:await()
    end)

    it(("that nobody can free is in a deadlock (%s)"):format(name), function()
      local ok, err = pcall(asyncio.run, function()
        local object = kind.make(true)
        object[kind.method](object)
      end)
      assert.is_false(ok)
      assert.is_true(asyncio.isinstance(err, asyncio.DeadlockError))
      assert.matches("Task%-%d+ waits for " .. kind.text:gsub("%p", "%%%0"), err.message)
    end)
  end)

  ait("and its condition says so", function()
    local condition = asyncio.Condition()
    local task = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      condition:wait_for(function()
        return false
      end, 1, 2)
    end)
    turns(1)
    assert.matches("waits for <Condition [unlocked, waiters:1]>", tostring(task), 1, true)
    condition:acquire()
    condition:notify()
    turns(1)
    assert.matches("waits for <Lock [locked, waiters:1]>", tostring(task), 1, true)
    condition:release()
    task:cancel()
  end)

  ait("stands in the call graph", function()
    local lock = asyncio.Lock():acquire()
    local task = asyncio.create_task(function()
      local _ <close> = lock:acquire()
    end)
    turns(1)
    local graph = asyncio.capture_call_graph(task)
    assert.equal("acquire", graph.frames[1].name)
    lock:release()
    task:await()
  end)
end)

describe("a thread that waits and is resumed by others", function()
  local function resume(thread)
    local _, err = coroutine.resume(thread)
    assert.matches("^RuntimeError: .*the thread of a task was resumed by other code", tostring(err))
  end

  -- From another task, then from a callback.
  local function each_resume(body, before, after)
    for _, from in ipairs { "task", "callback" } do
      local thread
      local task = asyncio.create_task(function()
        thread = coroutine.running()
        body()
      end)
      turns(1)
      if before then
        before()
      end
      if from == "task" then
        resume(thread)
      else
        asyncio.get_running_loop():call_soon(resume, thread)
        turns(1)
      end
      if after then
        after()
      end
      asyncio.wait { task }
      task:exception()
    end
  end

  each(function(name, kind)
    ait(("gets an error, and its place is free (%s)"):format(name), function()
      local object = kind.make(true)
      each_resume(function()
        object[kind.method](object)
      end)
      assert.equal(0, object:statistics().tasks_waiting)
    end)
  end)

  ait("gets one from a condition, too, and where it comes back to the lock", function()
    local condition = asyncio.Condition()
    local function wait()
      condition:acquire()
      condition:wait()
    end
    each_resume(wait)
    each_resume(wait, function()
      condition:acquire()
      condition:notify()
      turns(1)
    end, function()
      condition:release()
    end)
    assert.is_false(condition:locked())
    assert.equal(0, condition:statistics().tasks_waiting)
  end)

  ait("gets one outside of a barrier that drains", function()
    local barrier, thread = asyncio.Barrier(2), nil
    local inside = asyncio.create_task(barrier.wait, barrier)
    turns(1)
    barrier:wait()
    local outside = asyncio.create_task(
      asyncio.async(function()
        thread = coroutine.running()
        barrier:wait()
      end)(),
      { eager_start = true }
    )
    assert.equal("<Barrier [draining, waiters:0/2]>", tostring(barrier))
    resume(thread)
    asyncio.wait { inside, outside }
    outside:exception()
    assert.equal("<Barrier [filling, waiters:0/2]>", tostring(barrier))
  end)
end)

describe("a loop that closes", function()
  local function closed_with(main)
    local loop = asyncio.new_event_loop()
    local reports = {}
    loop:set_exception_handler(function(_, context)
      reports[#reports + 1] = context.message .. ": " .. tostring(context.exception)
    end)
    loop:run_until_complete(function()
      main(loop)
    end)
    loop:close()
    assert.same({}, reports)
  end

  each(function(name, kind)
    it(("ends those who wait for a %s"):format(name), function()
      local object, tasks = nil, {}
      closed_with(function(loop)
        object = kind.make(true)
        for i = 1, 3 do
          tasks[i] = loop:create_task(object[kind.method], object)
        end
        turns(1)
      end)
      for _, task in ipairs(tasks) do
        assert.is_true(task:done())
      end
      assert.equal(0, object:statistics().tasks_waiting)
    end)

    it(("ends those who were woken by a %s"):format(name), function()
      local object, tasks = nil, {}
      closed_with(function(loop)
        object = kind.make(true)
        for i = 1, 3 do
          tasks[i] = loop:create_task(object[kind.method], object)
        end
        turns(1)
        if name ~= "Barrier" then
          kind.free(object)
        end
      end)
      for _, task in ipairs(tasks) do
        assert.is_true(task:done())
      end
      assert.equal(0, object:statistics().tasks_waiting)
      if object.locked and name ~= "Event" then
        assert.is_false(object:locked()) -- handed on from one to the next, then free
      end
    end)
  end)

  it("has scopes release what they hold", function()
    local lock, semaphore = asyncio.Lock(), asyncio.BoundedSemaphore(1)
    closed_with(function(loop)
      for _ = 1, 3 do
        loop:create_task(function()
          local _ <close> = semaphore:acquire()
          local _ <close> = lock:acquire()
          asyncio.sleep(1000)
        end)
      end
      turns(2)
    end)
    assert.is_false(lock:locked())
    assert.is_false(semaphore:locked())
  end)

  it("has tasks that wait for a condition leave their scopes in peace", function()
    local condition, order = asyncio.Condition(), helper.trace()
    closed_with(function(loop)
      for i = 1, 3 do
        loop:create_task(function()
          local _ <close> = condition:acquire()
          local _ <close> = setmetatable({}, {
            __close = function()
              order(i, condition:locked())
            end,
          })
          condition:wait()
        end)
      end
      turns(1)
      loop:create_task(function()
        local _ <close> = condition:acquire()
        condition:notify() -- the first waits for the lock, two for news
        asyncio.sleep(1000)
      end)
      turns(2)
      assert.is_true(condition:locked())
    end)
    assert.same({ "1 true", "2 true", "3 true" }, order:list())
    assert.is_false(condition:locked())
  end)

  it("leaves the next loop an unused barrier", function()
    local barrier = asyncio.Barrier(2)
    closed_with(function(loop)
      for _ = 1, 3 do
        loop:create_task(function()
          while true do
            barrier:wait()
          end
        end)
      end
      turns(2)
    end)
    assert.equal(0, barrier:statistics().tasks_waiting)
  end)
end)

describe("a Lua state that closes", function()
  local source <const> = [[
    local asyncio, how = require "asyncio", ...
    local lock, event, semaphore = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(0)
    local condition, barrier = asyncio.Condition(), asyncio.Barrier(3)
    local loop = asyncio.new_event_loop()
    kept = { lock, event, semaphore, condition, barrier, loop }
    local function both(fn)
      loop:create_task(fn)
      loop:create_task(fn)
    end
    loop:run_until_complete(function()
      lock:acquire()
      both(function() local _ <close> = lock:acquire() end)
      both(function() event:wait() end)
      both(function() local _ <close> = semaphore:acquire() end)
      both(function() local _ <close> = condition:acquire(); condition:wait() end)
      both(function() barrier:wait() end)
      asyncio.sleep(0)
      if how == "woken" then
        lock:release()
        event:set()
        semaphore:release()
        condition:acquire()
        condition:notify_all()
        condition:release()
        barrier:reset()
      elseif how == "exit" then
        print "end"
        os.exit(true, true)
      end
    end)
    if how == "forget" then
      kept = nil
    end
    print "end"
  ]]

  for _, how in ipairs { "waiting", "woken", "forget", "exit" } do
    it(("with tasks that wait ends well (%s)"):format(how), function()
      assert.equal("end\n", helper.check_script(source, { args = { how } }))
    end)
  end
end)

describe("a primitive", function()
  local function count(list)
    local n = 0
    for _ in pairs(list) do
      n = n + 1
    end
    return n
  end

  each(function(name, kind)
    ait(("is kept by those who wait for it, and by nobody else (%s)"):format(name), function()
      local known = setmetatable({}, { __mode = "k" })
      local tasks = {}
      for i = 1, 3 do
        local object = kind.make(true)
        known[object] = true
        tasks[i] = asyncio.create_task(object[kind.method], object)
      end
      turns(1)
      helper.collect()
      assert.equal(3, count(known))
      for _, task in ipairs(tasks) do
        task:cancel()
      end
      asyncio.wait(tasks) -- ended, they keep nothing
      helper.collect()
      assert.equal(0, count(known))
    end)
  end)

  it("does not keep a loop for whoever has not waited, nor after it is gone", function()
    local known = setmetatable({}, { __mode = "k" })
    helper.run(function()
      known[asyncio.get_running_loop()] = true
      for _, kind in pairs(kinds) do
        local object = kind.make(true)
        local task = waiter(kind, object)
        kind.free(object)
        task:await()
      end
    end)
    helper.collect()
    assert.equal(0, count(known))
  end)

  it("has a condition keep its lock", function()
    local condition = asyncio.Condition(asyncio.Lock())
    helper.collect()
    assert.is_false(condition:locked())
    assert.same({ locked = false, tasks_waiting = 0 }, condition:statistics().lock_statistics)
  end)
end)
