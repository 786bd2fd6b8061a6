local asyncio = require "asyncio"
local helper = require "spec.helper"

-- A test in a loop whose tasks are eager.
local function eit(name, fn)
  helper.ait(name, function()
    asyncio.get_running_loop():set_task_factory(asyncio.eager_task_factory)
    fn()
  end)
end

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

describe("the eager task factory", function()
  eit("makes tasks", function()
    local loop = asyncio.get_running_loop()
    assert.equal(asyncio.eager_task_factory, loop:get_task_factory())
    local task = loop:create_task(asyncio.async(print)())
    assert.is_true(asyncio.isinstance(task, asyncio.Task))
    task:await()
  end)

  eit("runs a task to its end at once", function()
    local task = asyncio.create_task(function(...)
      return ...
    end, 1, nil, 3)
    assert.is_true(task:done())
    assert.same({ n = 3, 1, nil, 3 }, table.pack(task:await()))
    local future = asyncio.Future()
    asyncio.create_task(future.set_result, future, "message")
    assert.equal("message", future:await())
  end)

  eit("runs a task to its first await", function()
    local t = helper.trace()
    local task = asyncio.create_task(function()
      t "first"
      asyncio.sleep(0)
      t "second"
      return "done"
    end)
    t "made"
    assert.is_false(task:done())
    assert.equal("done", task:await())
    assert.same({ "first", "made", "second" }, t:list())
  end)

  eit("gives a task that failed at once", function()
    local task = asyncio.create_task(error, "boom", 0)
    assert.is_true(task:done())
    assert.equal("boom", task:exception())
    assert.equal("boom", helper.catch(task.await, task))
    assert.is_true(asyncio.create_task(error, asyncio.CancelledError()):cancelled())
  end)

  eit("cannot cancel what is done, and can what waits", function()
    local task = asyncio.create_task(function()
      return "done"
    end)
    assert.is_false(task:cancel())
    assert.equal("done", task:await())
    task = asyncio.create_task(asyncio.sleep, 1000)
    task:cancel "message"
    assert.equal(1, task:cancelling())
    assert.equal("message", helper.raises(asyncio.CancelledError, task.await, task).message)
  end)

  eit("keeps the current task", function()
    local outer, inner = asyncio.current_task(), nil
    local task = asyncio.create_task(function()
      inner = asyncio.current_task()
      asyncio.sleep(0)
      assert.equal(inner, asyncio.current_task())
    end)
    assert.equal(task, inner)
    assert.equal(outer, asyncio.current_task())
    task:await()
  end)

  eit("has a task among all tasks while it is unfinished", function()
    local during
    local future = asyncio.Future()
    local done = asyncio.create_task(function()
      during = asyncio.all_tasks()
    end)
    assert.is_true(contains(during, done))
    assert.is_false(contains(asyncio.all_tasks(), done))
    local task = asyncio.create_task(future.await, future)
    assert.is_true(contains(asyncio.all_tasks(), task))
    future:set_result()
    task:await()
    assert.is_false(contains(asyncio.all_tasks(), task))
  end)

  eit("gives each task a context of its own", function()
    local var = asyncio.ContextVar("var", 0)
    var:set(1)
    local task = asyncio.create_task(function()
      assert.equal(1, var:get())
      var:set(2)
      asyncio.sleep(0)
      assert.equal(2, var:get())
      var:set(3)
    end)
    assert.equal(1, var:get())
    task:await()
    assert.equal(1, var:get())
  end)

  eit("lets options decide", function()
    local async = asyncio.async(function()
      return asyncio.current_task():get_name()
    end)
    assert.equal("yolo", asyncio.create_task(async(), { name = "yolo" }):result())
    assert.is_false(asyncio.create_task(async(), { eager_start = false }):done())
  end)

  eit("works with gather, wait_for and ensure_future", function()
    local function value(x)
      return x
    end
    local gathered = asyncio.gather { asyncio.create_task(value, 1), asyncio.async(value)(2) }
    assert.same({ n = 2, 1, 2 }, gathered:await())
    assert.equal(3, asyncio.wait_for(asyncio.ensure_future(value, 3), 10))
    assert.equal(4, asyncio.shield(value, 4):await())
  end)

  it("waits for its turn where the loop does not run", function()
    local loop = asyncio.new_event_loop()
    loop:set_task_factory(asyncio.eager_task_factory)
    local task = loop:create_task(function()
      return "done"
    end)
    assert.is_false(task:done())
    assert.equal("done", loop:run_until_complete(task))
    loop:close()
  end)
end)

describe("create_eager_task_factory()", function()
  helper.ait("calls the constructor it is given", function()
    local calls = {}
    local factory = asyncio.create_eager_task_factory(function(coro, options)
      calls[#calls + 1] = options
      return asyncio.Task(coro, options)
    end)
    local loop = asyncio.get_running_loop()
    loop:set_task_factory(factory)
    local task = asyncio.create_task(asyncio.async(asyncio.sleep)(0), { name = "named" })
    assert.same({ { loop = loop, name = "named", eager_start = true } }, calls)
    assert.equal("named", task:get_name())
    task:await()
  end)

  it("checks its argument", function()
    for _, value in ipairs { 1, "x", {}, false } do
      helper.raises("bad argument #1 to 'create_eager_task_factory'",
        asyncio.create_eager_task_factory, value)
    end
    helper.raises("got nil", asyncio.create_eager_task_factory)
  end)
end)

describe("a task group of eager tasks", function()
  eit("has children that are done at once", function()
    local group <close> = asyncio.TaskGroup()
    local task = group:create_task(function()
      return "done"
    end)
    assert.equal("done", task:result())
    assert.same({}, group:tasks())
    assert.is_true(group:create_task(error, asyncio.CancelledError()):cancelled())
  end)

  eit("takes children from a child that is being made", function()
    local t = helper.trace()
    do
      local group <close> = asyncio.TaskGroup()
      local function child(depth)
        if depth > 0 then
          group:create_task(child, depth - 1)
        end
        t("made", depth)
        asyncio.sleep(0)
        t("ended", depth)
      end
      group:create_task(child, 2)
      assert.equal(3, #group:tasks())
    end
    assert.same({ "made 0", "made 1", "made 2", "ended 0", "ended 1", "ended 2" }, t:list())
  end)

  eit("whose child fails at once lets the body go on to its next await", function()
    local t = helper.trace()
    local other
    local err = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(error, "one", 0)
      t "goes on"
      group:create_task(error, "two", 0)
      other = group:create_task(asyncio.sleep, 1000)
      t(pcall(asyncio.sleep, 1000))
    end)
    assert.same({ "one", "two" }, err.exceptions)
    assert.same({ "goes on", "false CancelledError" }, t:list())
    assert.is_true(other:cancelled())
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0)
  end)

  eit("whose child fails at once and which has no other", function()
    local err = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(error, "boom", 0)
    end)
    assert.same({ "boom" }, err.exceptions)
    assert.equal(0, asyncio.current_task():cancelling())
    asyncio.sleep(0)
  end)

  eit("whose child makes one that fails", function()
    local t = helper.trace()
    local err = helper.raises(asyncio.ExceptionGroup, function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(function()
        group:create_task(error, "boom", 0)
        t(pcall(asyncio.sleep, 1000))
      end)
    end)
    assert.same({ "boom" }, err.exceptions)
    assert.same({ "false CancelledError" }, t:list())
  end)

  eit("whose child cancels the group before it is in there", function()
    local task = asyncio.create_task(function()
      local child
      local ok, err = pcall(function()
        local group <close> = asyncio.TaskGroup()
        child = group:create_task(function()
          group:cancel()
          asyncio.sleep(1000)
        end)
      end)
      assert.is_true(child:cancelled())
      assert(ok, err)
      return asyncio.current_task():cancelling()
    end)
    assert.equal(0, task:await())
  end)

  eit("in each other, as a tree", function()
    local made = 0
    local function tree(width, depth)
      made = made + 1
      if depth == 0 then
        return
      end
      local group <close> = asyncio.TaskGroup()
      for _ = 1, width do
        group:create_task(tree, width, depth - 1)
      end
    end
    tree(5, 4)
    assert.equal(781, made)
  end)

  helper.ait("refuses a task twice", function()
    local loop = asyncio.get_running_loop()
    local made
    loop:set_task_factory(function(_, coro, options)
      made = made or asyncio.Task(coro, options)
      return made
    end)
    local group <close> = asyncio.TaskGroup()
    group:create_task(asyncio.sleep, 0)
    local err = helper.raises(asyncio.RuntimeError, group.create_task, group, asyncio.sleep, 0)
    assert.matches("in a task group already", err.message)
    loop:set_task_factory(function()
      error "no task today"
    end)
    for _ = 1, 3 do
      helper.raises("no task today", group.create_task, group, asyncio.sleep, 0)
    end
    loop:set_task_factory(function() end)
    helper.raises("must return a task", group.create_task, group, asyncio.sleep, 0)
  end)
end)
