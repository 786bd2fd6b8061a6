-- The end of a process, of a Lua state and of loops while threads work; and forks.

local child = require "spec.child"
local helper = require "spec.helper"

local SPIN <const> = [[
  local function spin()
    local list
    while true do
      list = { list and #list }
    end
  end
  local function until_running(pool)
    while pool:statistics().running == 0 do
      asyncio.sleep(0.001)
    end
  end
]]

local function check(code, env)
  local out, err, status = child.run(SPIN .. code, env)
  assert.are.equal("", err)
  assert.are.equal(0, status)
  return out
end

describe("a program with threads ends", function()
  it("while they run and jobs are queued", function()
    check [[
      local pool = asyncio.ThreadPoolExecutor(2)
      asyncio.run(function()
        for _ = 1, 5 do
          pool:submit(spin)
        end
        until_running(pool)
      end)
    ]]
  end)

  it("by os.exit inside a task", function()
    check [[
      asyncio.run(function()
        local pool = asyncio.ThreadPoolExecutor(2)
        for _ = 1, 5 do
          pool:submit(spin)
        end
        pool:submit(string.rep, "x", 10)
        until_running(pool)
        os.exit(0, true)
      end)
    ]]
  end)

  it("whatever catches the interruption", function()
    check [[
      asyncio.run(function()
        local pool = asyncio.ThreadPoolExecutor(1)
        pool:submit(function()
          while true do
            pcall(function()
              local list
              while true do
                list = { list and #list }
              end
            end)
          end
        end)
        until_running(pool)
      end)
    ]]
  end)

  for name, code in pairs {
    ["between coroutines"] = [[
      while true do
        pcall(function()
          while true do
            coroutine.wrap(function()
              pcall(function()
                local list
                while true do
                  list = { list and #list }
                end
              end)
            end)()
          end
        end)
      end
    ]],
    ["in a task that sleeps"] = [[
      asyncio.run(function()
        while true do
          pcall(asyncio.sleep, 10)
        end
      end)
    ]],
    ["in a task that does not"] = [[
      asyncio.run(function()
        while true do
          pcall(function()
            local list
            while true do
              list = { list and #list }
            end
          end)
        end
      end)
    ]],
    ["around a loop"] = [[
      while true do
        pcall(asyncio.run, function()
          local list
          while true do
            list = { list and #list }
          end
        end)
      end
    ]],
  } do
    it("whatever catches the interruption " .. name, function()
      check([[
        asyncio.run(function()
          local channel = asyncio.Channel(1)
          local pool = asyncio.ThreadPoolExecutor(1)
          pool:submit(function(channel)
            local asyncio = require "asyncio"
            channel:send_nowait(true)
      ]] .. code .. [[
          end, channel)
          channel:recv()
        end)
      ]])
    end)
  end

  it("while they run loops", function()
    check [[
      asyncio.run(function()
        local pool = asyncio.ThreadPoolExecutor(2)
        pool:submit(function()
          local asyncio = require "asyncio"
          asyncio.run(asyncio.sleep, 3600)
        end)
        pool:submit(function()
          local asyncio = require "asyncio"
          local loop = asyncio.new_event_loop()
          loop:run_forever()
        end)
        until_running(pool)
      end)
    ]]
  end)

  it("while a worker's workers run", function()
    check [[
      asyncio.run(function()
        local pool = asyncio.ThreadPoolExecutor(1)
        pool:submit(function()
          local asyncio = require "asyncio"
          asyncio.run(asyncio.to_thread, function()
            local list
            while true do
              list = { list and #list }
            end
          end)
        end)
        until_running(pool)
        asyncio.sleep(0.05)
      end)
    ]]
  end)

  it("while a worker waits for its workers", function()
    assert.are.equal("free again\n", check [[
      local function wait_for_ever(channel)
        local asyncio = require "asyncio"
        local pool = asyncio.ThreadPoolExecutor(1)
        pool:submit(function()
          local list
          while true do
            list = { list and #list }
          end
        end)
        channel:send_nowait("waits")
        pool:shutdown()
      end
      local pool = asyncio.ThreadPoolExecutor(1)
      asyncio.run(function()
        local channel = asyncio.Channel(2)
        local job = pool:submit(wait_for_ever, channel)
        channel:recv()
        job:cancel()
        print(pool:submit(string.format, "free again"):await())
        pool:submit(wait_for_ever, channel)
        channel:recv()
      end)
    ]])
  end)

  it("with results that nobody has taken", function()
    check [[
      local pool = asyncio.ThreadPoolExecutor(2)
      local loop = asyncio.new_event_loop()
      for i = 1, 20 do
        loop:run_in_executor(pool, string.rep, "x", i * 1000)
      end
    ]]
  end)

  it("in its finalizers, too", function()
    check [[
      kept = setmetatable({}, { __gc = function()
        local pool = asyncio.ThreadPoolExecutor(1)
        pcall(pool.submit, pool, spin)
      end })
    ]]
  end)
end)

describe("starting programs", function()
  it("is safe while threads work", function()
    assert.are.equal("here\nhere\ndone\n", check [[
      asyncio.run(function()
        local pool = asyncio.ThreadPoolExecutor(2)
        pool:submit(spin)
        until_running(pool)
        local function run()
          local pipe <close> = io.popen "echo here"
          return pipe:read "a"
        end
        io.write(run(), pool:submit(run):await())
        assert(os.execute "exit 0")
      end)
      print "done"
    ]])
  end)
end)

-- Only the interpreter of the special builds can fork: asan and the like.
describe("the child of a fork", function()
  it("has no threads, and ends", function()
    if not (os.getenv "ASYNCIO_TEST_LUA" or ""):find "host" then
      return pending "this interpreter cannot fork"
    end
    local out = check([[
      -- allocates nothing: not every checker's malloc survives a fork meanwhile;
      -- but not every checker lets signals through where no function is called
      local function hog(started)
        started:send(true)
        while true do
          os.time()
        end
      end
      local pool = asyncio.ThreadPoolExecutor(2)
      asyncio.run(function()
        local started = asyncio.Channel()
        for _ = 1, 3 do
          pool:submit(hog, started)
        end
        started:recv()
        started:recv()
        asyncio.sleep(0.01)
        io.stdout:flush()
        local pid = os.fork()
        if pid == 0 then
          local ok, err = pcall(pool.submit, pool, spin)
          print(ok, asyncio.isinstance(err, asyncio.RuntimeError))
          pool:shutdown { cancel_futures = true }
          os.exit(7, true)
        end
        print(os.waitpid(pid))
      end)
    ]], { ASAN_OPTIONS = "detect_leaks=0" })
    assert.are.equal("false\ttrue\n7\n", out)
  end)
end)

describe("the signal that interrupts threads", function()
  it("is handed on once in the child of a fork, too", function()
    local lua <const> = os.getenv "ASYNCIO_TEST_LUA" or ""
    if not lua:find "host" or lua:find "tsan" then
      return pending "this interpreter cannot fork, or not start threads after that"
    end
    local out = check([[
      local pool = asyncio.ThreadPoolExecutor(1)
      asyncio.run(pool.submit, pool, type, 1)
      asyncio.run(asyncio.sleep, 0.01) -- the thread rests
      local pid = os.fork()
      if pid == 0 then
        local own = asyncio.ThreadPoolExecutor(1)
        asyncio.run(own.submit, own, type, 1)
        for _ = 1, 2 do
          io.popen("kill -URG $PPID"):close()
          own:shutdown()
        end
        os.exit(7)
      end
      print(os.waitpid(pid))
      pool:shutdown()
    ]], { ASAN_OPTIONS = "detect_leaks=0" })
    assert.are.equal("7\n", out)
  end)
end)

describe("a loop that closes", function()
  it("lets go of jobs that run, are queued, or have ended", function()
    check [[
      local pool = asyncio.ThreadPoolExecutor(1)
      for i = 1, 10 do
        local loop = asyncio.new_event_loop()
        local quick = loop:run_in_executor(pool, string.rep, "x", 10)
        local slow = loop:run_in_executor(pool, spin)
        local queued = loop:run_in_executor(pool, string.rep, "x", 10)
        if i % 2 == 0 then
          loop:run_until_complete(quick)
        end
        loop:close()
        assert(slow:cancelled() and queued:cancelled())
      end
      pool:shutdown()
    ]]
    helper.collect()
  end)

  it("does so at the very moment when they end", function()
    check [[
      local pool = asyncio.ThreadPoolExecutor(4)
      for i = 1, 200 do
        local loop = asyncio.new_event_loop()
        for _ = 1, 8 do
          loop:run_in_executor(pool, type, 1)
        end
        if i % 2 == 0 then
          loop:run_until_complete(loop:run_in_executor(pool, type, 1))
        end
        loop:close()
      end
      pool:shutdown()
    ]]
  end)

  it("does not mind workers whose states close meanwhile", function()
    check [[
      for i = 1, 30 do
        asyncio.run(function()
          local pool = asyncio.ThreadPoolExecutor(4)
          for _ = 1, 4 do
            pool:submit(type, 1)
          end
          pool:shutdown { wait = false }
          for _ = 1, i do
            asyncio.sleep(0)
          end
        end)
      end
    ]]
  end)
end)
