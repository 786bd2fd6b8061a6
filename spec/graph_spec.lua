local asyncio = require "asyncio"

local here <const> = "spec/graph_spec.lua"

-- A line of this file, as it stands in messages: this one's when called.
local function line()
  return debug.getinfo(2, "l").currentline
end

local function named(name, fn, ...)
  return asyncio.create_task(fn, ...):set_name(name)
end

local function turns(n)
  for _ = 1, n do
    asyncio.sleep(0)
  end
end

-- Runs main, which ends in a deadlock, and returns the error's message.
local function deadlock(main)
  local ok, err = pcall(asyncio.run, main)
  assert.is_false(ok)
  assert.is_true(asyncio.isinstance(err, asyncio.DeadlockError), tostring(err))
  return err.message
end

-- A file that keeps what is written.
local function memory()
  return {
    text = "",
    write = function(self, ...)
      self.text = self.text .. table.concat { ... }
    end,
  }
end

describe("a deadlock", function()
  it("is an error that says what the main task waits for, and where", function()
    local at
    local message = deadlock(function()
      at = line() + 1
      asyncio.Future():await()
    end)
    assert.matches("nothing can wake the event loop", message, 1, true)
    local expected = "\n  Task%-%d+ waits for <Future pending> at [^\n]*:" .. at .. "$"
    assert.matches(expected, message)
  end)

  it("lists the tasks in order of creation, by their names", function()
    local message = deadlock(function()
      asyncio.current_task():set_name "main"
      local lock = asyncio.Future()
      local a = named("a", lock.await, lock)
      local b = named("b", a.await, a)
      b:await()
    end)
    local names = {}
    for name, what in message:gmatch "\n  (%S+) waits for (<[^>]*>)" do
      names[#names + 1] = name .. " " .. what
    end
    assert.same({ "main <Task 'b'>", "a <Future pending>", "b <Task 'a'>" }, names)
  end)

  it("shows a ring of tasks", function()
    local message = deadlock(function()
      -- a ring cannot be cancelled either, and the runner says so
      asyncio.get_running_loop():set_exception_handler(function() end)
      local a, b
      a = named("a", function()
        turns(2)
        b:await()
      end)
      b = named("b", asyncio.gather(a).await, asyncio.gather(a))
      asyncio.wait { a, b }
    end)
    assert.matches("a waits for <Task 'b'>", message, 1, true)
    assert.matches("b waits for gather of <Task 'a'>", message, 1, true)
    assert.matches("waits in wait for <Task 'a'>, <Task 'b'>", message, 1, true)
  end)

  it("closes the scopes of the main task after that", function()
    local events = {}
    pcall(asyncio.run, function()
      local _ <close> = setmetatable({}, {
        __close = function(_, err)
          events[1] = asyncio.isinstance(err, asyncio.CancelledError)
        end,
      })
      asyncio.Future():await()
    end)
    assert.same({ true }, events)
  end)

  it("lists a hundred tasks, and says how many more there are", function()
    local message = deadlock(function()
      local never = asyncio.Future()
      for _ = 1, 150 do
        asyncio.create_task(never.await, never)
      end
      never:await()
    end)
    local _, count = message:gsub("waits for", "")
    assert.equal(100, count)
    assert.matches("\n  ... and 51 more tasks$", message)
  end)

  it("does not list the tasks of other loops", function()
    local other = asyncio.new_event_loop()
    local never = other:create_future()
    local stranger = other:create_task(never.await, never)
    stranger:set_name "stranger"
    local message = deadlock(function()
      asyncio.Future():await()
    end)
    assert.not_matches("stranger", message)
    other:close()
  end)
end)

describe("the tostring of a task", function()
  it("says what it does", function()
    asyncio.run(function()
      local at = line() + 2
      local sleeper = named("sleeper", function()
        asyncio.sleep(10)
      end)
      local fresh = named("fresh", asyncio.sleep, 0)
      assert.equal("<Task pending name='fresh' ready>", tostring(fresh))
      turns(1)
      local waiting = "^<Task pending name='sleeper' waits for sleep at .*:" .. at .. ">$"
      assert.matches(waiting, tostring(sleeper))
      local current = asyncio.current_task()
      current:set_name "me"
      assert.equal("<Task pending name='me' running>", tostring(current))
      sleeper:cancel()
    end)
  end)

  it("names what it waits for, however it waits", function()
    asyncio.run(function()
      local target = named("target", asyncio.sleep, 10)
      local waits = {
        ["waits for <Task 'target'>"] = function()
          target:await()
        end,
        ["waits for <Task 'target'> "] = function()
          asyncio.wait_for(target, 10)
        end,
        ["waits for shield of <Task 'target'>"] = function()
          asyncio.shield(target):await()
        end,
        ["waits for gather of <Task 'target'>, shield of <Task 'target'>"] = function()
          asyncio.gather(target, asyncio.shield(target)):await()
        end,
        ["waits in wait for <Task 'target'>"] = function()
          asyncio.wait { target }
        end,
        ["waits in as_completed for <Task 'target'>"] = function()
          for _ in asyncio.as_completed { target } do
            error "not yet"
          end
        end,
      }
      local tasks = {}
      for expected, wait in pairs(waits) do
        tasks[expected] = asyncio.create_task(wait)
      end
      turns(2)
      for expected, task in pairs(tasks) do
        assert.matches(expected, tostring(task), 1, true)
      end
      target:cancel()
      for _, task in pairs(tasks) do
        task:cancel()
      end
    end)
  end)

  it("names four members of a gather, and only those still pending", function()
    asyncio.run(function()
      local list = {}
      for i = 1, 7 do
        list[i] = named("t" .. i, asyncio.sleep, i == 2 and 0 or 10)
      end
      local all = asyncio.gather(list)
      local waiter = asyncio.create_task(all.await, all)
      turns(3)
      assert.matches("gather of <Task 't1'>, <Task 't3'>, <Task 't4'>, <Task 't5'>, ...>",
        tostring(waiter), 1, true)
      all:cancel()
    end)
  end)
end)

describe("capture_call_graph", function()
  it("is nil outside a task", function()
    assert.is_nil(asyncio.capture_call_graph())
    assert.equal("", asyncio.format_call_graph())
  end)

  it("has the stack of the running task", function()
    asyncio.run(function()
      local at
      local function inner()
        at = line() + 1
        local graph = asyncio.capture_call_graph()
        return graph
      end
      local graph = inner()
      assert.equal(asyncio.current_task(), graph.task)
      assert.equal(graph.task, graph.future)
      assert.same({}, graph.awaited_by)
      assert.equal(at, graph.frames[1].line)
      assert.equal("inner", graph.frames[1].name)
      assert.matches(here, graph.frames[1].source, 1, true)
      assert.equal(2, #graph.frames)
    end)
  end)

  it("leaves out frames by depth and limit", function()
    asyncio.run(function()
      local function inner(options)
        local graph = asyncio.capture_call_graph(nil, options)
        return graph.frames
      end
      assert.equal("capture_call_graph", inner({ depth = 0 })[1].name)
      assert.equal(1, #inner { depth = 2 })
      assert.equal("inner", inner({ limit = 1 })[1].name)
      assert.equal(1, #inner { limit = 1 })
      assert.is_nil(inner({ limit = -1 })[1].name)
      assert.equal(1, #inner { limit = -1 })
      assert.same({}, inner { limit = 0 })
      assert.equal(2, #inner { limit = -9 })
    end)
  end)

  it("has the stack of a task that waits, C functions too", function()
    asyncio.run(function()
      local function rest()
        asyncio.sleep(10)
      end
      local task = asyncio.create_task(function()
        rest()
      end)
      turns(1)
      local frames = asyncio.capture_call_graph(task).frames
      assert.equal("[C]", frames[1].source)
      assert.equal("sleep", frames[1].name)
      assert.is_nil(frames[1].line)
      assert.equal("rest", frames[2].name)
      assert.equal(3, #frames)
      task:cancel()
    end)
  end)

  it("knows who awaits a task, over gathers, shields and waits", function()
    asyncio.run(function()
      local target = named("target", asyncio.sleep, 10)
      local awaiters = {
        named("plain", target.await, target),
        named("gather", function()
          asyncio.gather { target, asyncio.sleep }:await()
        end),
        named("shield", function()
          asyncio.gather(asyncio.shield(target)):await()
        end),
        named("wait", asyncio.wait, { target }),
        named("iterator", function()
          asyncio.as_completed { target }()
        end),
      }
      named("stranger", asyncio.sleep, 0)
      turns(1)
      local names = {}
      for i, node in ipairs(asyncio.capture_call_graph(target).awaited_by) do
        names[i] = node.task:get_name()
      end
      assert.same({ "plain", "gather", "shield", "wait", "iterator" }, names)
      target:cancel()
      for _, task in ipairs(awaiters) do
        task:cancel()
      end
    end)
  end)

  it("goes up to the last awaiter, and works for plain futures", function()
    asyncio.run(function()
      local future = asyncio.Future()
      local a = named("a", future.await, future)
      local b = named("b", a.await, a)
      turns(1)
      local graph = asyncio.capture_call_graph(future)
      assert.equal(future, graph.future)
      assert.is_nil(graph.task)
      assert.same({}, graph.frames)
      assert.equal(a, graph.awaited_by[1].task)
      assert.equal(b, graph.awaited_by[1].awaited_by[1].task)
      assert.same({}, graph.awaited_by[1].awaited_by[1].awaited_by)
      future:set_result()
    end)
  end)

  it("meets each task once, in rings and where many await many", function()
    asyncio.run(function()
      local layers = { { named("root", asyncio.sleep, 10) } }
      for i = 2, 12 do
        layers[i] = {}
        for j = 1, 4 do
          layers[i][j] = asyncio.create_task(asyncio.wait, layers[i - 1])
        end
      end
      turns(1)
      local seen, count = {}, 0
      local function visit(node)
        if not seen[node] then
          seen[node], count = true, count + 1
          for _, awaiter in ipairs(node.awaited_by) do
            visit(awaiter)
          end
        end
      end
      visit(asyncio.capture_call_graph(layers[1][1]))
      assert.equal(1 + 11 * 4, count)
      local text = asyncio.format_call_graph(layers[1][1])
      assert.matches("shown above", text)
      for _, task in ipairs(asyncio.all_tasks()) do
        if task ~= asyncio.current_task() then
          task:cancel()
        end
      end
    end)
  end)

  it("does not recurse in C over a long chain", function()
    asyncio.run(function()
      local future = asyncio.Future()
      local last = future
      for _ = 1, 20000 do
        last = asyncio.create_task(last.await, last)
      end
      turns(1)
      local node, length = asyncio.capture_call_graph(future), 0
      while node.awaited_by[1] do
        node, length = node.awaited_by[1], length + 1
      end
      assert.equal(20000, length)
      assert.equal(last, node.task)
      future:set_result()
      last:await()
    end)
  end)

  it("checks its arguments", function()
    for _, name in ipairs { "capture_call_graph", "format_call_graph", "print_call_graph" } do
      local fn = asyncio[name]
      assert.error_matches(function() fn(1) end, "bad argument #1.*Future expected, got number")
      assert.error_matches(function() fn(nil, 1) end, "bad argument #2.*table expected")
      assert.error_matches(function() fn(nil, { limit = "x" }) end, "'limit' must be an integer")
      assert.error_matches(function() fn(nil, { depth = 1.5 }) end, "'depth' must be an integer")
    end
    assert.error_matches(function()
      asyncio.capture_call_graph(nil, { depth = -1 })
    end, "'depth' is out of range")
    local at = line() + 2
    local _, err = pcall(function()
      asyncio.print_call_graph(nil, { file = 1 })
    end)
    local expected = ":" .. at .. ": bad argument #2 to 'print_call_graph' (field 'file'"
    assert.matches(expected, err, 1, true)
  end)
end)

describe("print_call_graph", function()
  it("writes the graph as an indented tree", function()
    local file = memory()
    asyncio.run(function()
      asyncio.current_task():set_name "main"
      local inner = named("inner", function()
        asyncio.sleep(0)
        asyncio.print_call_graph(nil, { file = file })
      end)
      inner:await()
    end)
    local text = file.text:gsub("[^%s<]*graph_spec.lua:%d+", "here")
    assert.equal(table.concat({
      "* Task 'inner'",
      "  + call stack:",
      "  |   here: in function <here>",
      "  + awaited by:",
      "    * Task 'main'",
      "      + call stack:",
      "      |   [C]: in function 'await'",
      "      |   here: in function <here>",
      "",
    }, "\n"), text)
  end)

  it("is what format_call_graph returns", function()
    asyncio.run(function()
      local file = memory()
      local task = asyncio.create_task(asyncio.sleep, 10)
      turns(1)
      asyncio.print_call_graph(task, { file = file, limit = 1 })
      assert.equal(file.text, asyncio.format_call_graph(task, { limit = 1 }) .. "\n")
      task:cancel()
    end)
  end)
end)

describe("task:print_stack", function()
  local function stack_of(task, limit)
    local file = memory()
    task:print_stack { file = file, limit = limit }
    return file.text
  end

  it("shows where a task waits, is, or failed", function()
    asyncio.run(function()
      local sleeper = named("sleeper", function()
        asyncio.sleep(10)
      end)
      local failed = named("failed", function()
        error "boom"
      end)
      turns(1)
      local stack = stack_of(sleeper)
      assert.matches("^Stack for <Task pending name='sleeper'", stack)
      assert.matches(">:\n\t%[C%]: [^\n]*sleep.*graph_spec.lua:%d+", stack)
      stack = stack_of(failed)
      assert.matches("^Stack for <Task failed name='failed'", stack)
      assert.matches(">:\n\t%[C%]: in function 'error'", stack)
      failed:exception() -- is taken
      stack = stack_of(asyncio.current_task())
      assert.matches("^Stack for <Task pending .- running>:\n\t[^\n]*graph_spec.lua", stack)
      sleeper:cancel()
    end)
  end)

  it("shows so many frames as asked for", function()
    asyncio.run(function()
      local sleeper = asyncio.create_task(function()
        asyncio.sleep(10)
      end)
      turns(1)
      local _, lines = stack_of(sleeper, 1):gsub("\n", "")
      assert.equal(2, lines)
      sleeper:cancel()
    end)
  end)

  it("says that there is none of a finished task", function()
    asyncio.run(function()
      local task = named("done", asyncio.sleep, 0)
      task:await()
      assert.equal("No stack for <Task finished name='done'>\n", stack_of(task))
    end)
  end)

  it("checks its arguments", function()
    asyncio.run(function()
      local task = asyncio.current_task()
      assert.error_matches(function() task.print_stack(1) end, "bad argument #1 to 'print_stack'")
      assert.error_matches(function() task:print_stack(1) end, "table expected")
      assert.error_matches(function() task:print_stack { limit = {} } end, "field 'limit'")
      assert.error_matches(function() task:print_stack { file = {} } end, "field 'file'")
    end)
  end)
end)
