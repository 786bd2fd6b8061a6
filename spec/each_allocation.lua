-- Finalizers that run at every allocation of a call, and close what it is for:
-- programs for reentrant_spec. Each step of the collector goes through all of
-- memory, of which a process of their own has little.

local asyncio = require "asyncio"
local fifo = require "spec.fifo"

local HOST <const> = "127.0.0.1"

local function equal(expected, value)
  if expected ~= value then
    error(("expected %s, got %s"):format(expected, value), 2)
  end
end

-- Finalizers run wherever memory is allocated. Calls fn again and again until the
-- k-th allocation in it that may collect garbage has run act(), for every k;
-- before() makes what both get.
local function at_each_allocation(before, fn, act)
  local k, reached = 0, true
  while reached do
    local subject <const> = before()
    local inside, n = false, 0
    k, reached = k + 1, false
    local function litter()
      setmetatable({}, {
        __gc = function()
          if not inside then
            return
          end
          n = n + 1
          if n < k then
            litter()
          else
            inside, reached = false, true
            pcall(act, subject)
          end
        end,
      })
    end
    collectgarbage("incremental", 1, 1000, 30) -- each step is a whole cycle,
    collectgarbage("setpause", 0) -- after which the next begins
    collectgarbage()
    inside = true
    litter()
    pcall(fn, subject)
    inside = false
    collectgarbage("incremental", 200, 100, 13)
  end
  return k - 1
end

local pool
local calls <const> = {
  call_soon = function(loop)
    loop:call_soon(print)
  end,
  call_later = function(loop)
    loop:call_later(3600, print)
  end,
  call_at = function(loop)
    loop:call_at(0, print)
  end,
  add_signal_handler = function(loop)
    loop:add_signal_handler("USR1", print)
  end,
  create_task = function(loop)
    loop:create_task(print)
  end,
  run_in_executor = function(loop)
    loop:run_in_executor(pool, type, {})
  end,
  submit = function(loop)
    asyncio.set_event_loop(loop)
    pool:submit(type, {})
  end,
}

local programs <const> = {}

for name, call in pairs(calls) do
  programs["may close the loop in " .. name] = function()
    pool = asyncio.ThreadPoolExecutor(1)
    local function close(loop)
      loop:close()
    end
    assert(at_each_allocation(asyncio.new_event_loop, call, close) > 0)
    asyncio.set_event_loop(nil)
    pool:shutdown()
  end
end

programs["may submit jobs where one is submitted"] = function()
  asyncio.run(function()
    local executor <close> = asyncio.ThreadPoolExecutor(1)
    local results <const> = {}
    local function submit(name)
      local future <const> = executor:submit("asyncio:isawaitable", name)
      results[#results + 1] = future
    end
    local function before()
      return "inner"
    end
    local n <const> = at_each_allocation(before, function()
      submit "outer"
    end, submit)
    assert(n > 0)
    equal(2 * n + 1, #results)
    for _, future in ipairs(results) do
      equal(false, future:await())
    end
  end)
end

programs["may remove what watches a descriptor where another one is added"] = function()
  asyncio.run(function()
    local loop <const> = asyncio.get_running_loop()
    local fd <const>, writer <const>, both <const> = fifo.pipe()
    at_each_allocation(function()
      loop:add_reader(fd, print)
    end, function()
      loop:add_reader(fd, print)
    end, function()
      loop:remove_reader(fd)
    end)
    loop:remove_reader(fd)
    for _, file in ipairs { fd, writer, both } do
      file:close()
    end
  end)
end

programs["may add a done callback where a future fails"] = function()
  asyncio.run(function()
    local called = 0
    local n <const> = at_each_allocation(asyncio.Future, function(future)
      future:set_exception "failed"
      future:add_done_callback(function()
        called = called + 1
      end)
      equal("failed", future:exception())
      equal(asyncio.get_running_loop(), future:get_loop())
    end, function(future)
      future:add_done_callback(function()
        called = called + 1
      end)
    end)
    asyncio.sleep(0)
    assert(n > 0)
    equal(2 * n + 1, called)
  end)
end

programs["may close the server whose sockets are asked for"] = function()
  asyncio.run(function()
    local function before()
      return asyncio.start_server(print, HOST, 0)
    end
    local n <const> = at_each_allocation(before, function(server)
      server:sockets()
    end, function(server)
      server:close()
    end)
    assert(n > 0)
  end)
end

programs["may close what receives datagrams"] = function()
  asyncio.run(function()
    local received = 0
    local loop <const> = asyncio.get_running_loop()
    local function before()
      return loop:create_datagram_endpoint(function()
        return {
          datagram_received = function(_, data, address)
            received = received + #data
            equal(HOST, address.host)
          end,
        }
      end, { local_addr = { host = HOST, port = 0 } })
    end
    at_each_allocation(before, function(transport)
      transport:sendto("x", HOST, transport:get_extra_info("sockname").port)
      local seen <const> = received
      while received == seen and not transport:is_closing() do
        asyncio.sleep(0)
      end
      asyncio.sleep(0)
      transport:abort()
    end, function(transport)
      transport:abort()
    end)
    assert(received > 0)
  end)
end

return programs
