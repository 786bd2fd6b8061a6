-- What the library calls may close what it is called for.

local asyncio = require "asyncio"
local fifo = require "spec.fifo"
local helper = require "spec.helper"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

local function port_of(server)
  return server:sockets()[1].port
end

-- Connects and reads to the end, which the server is to bring about.
local function visit(server)
  local reader, writer = asyncio.open_connection(HOST, port_of(server))
  local _, data = pcall(reader.read, reader)
  writer:close()
  return data
end

describe("a factory of protocols", function()
  for _, method in ipairs { "abort_clients", "close_clients" } do
    ait("may end all connections: " .. method, function()
      local t <const> = helper.trace()
      local server
      server = asyncio.get_running_loop():create_server(function()
        t "factory"
        server[method](server)
        return { connection_made = t, connection_lost = t }
      end, HOST, 0)
      visit(server)
      visit(server)
      server:close()
      server:abort_clients()
      server:wait_closed()
      assert.same({ "factory", "factory" }, t:list())
    end)
  end

  ait("may close the server", function()
    local server
    server = asyncio.get_running_loop():create_server(function()
      server:close()
      return {}
    end, HOST, 0)
    local reader, writer = asyncio.open_connection(HOST, port_of(server))
    writer:write_eof()
    assert.equal("", reader:read())
    writer:close()
    server:wait_closed()
  end)

  ait("that fails closes the connection at once", function()
    local server <close> = asyncio.start_server(nil, HOST, 0)
    local loop <const> = asyncio.get_running_loop()
    local function factory()
      error("no protocol", 0)
    end
    collectgarbage "stop"
    local err <const> = helper.catch(loop.create_connection, loop, factory, HOST, port_of(server))
    local reader <const> = server:connections()()
    local data <const> = reader:read()
    collectgarbage "restart"
    assert.equal("no protocol", err)
    assert.equal("", data)
  end)
end)

describe("the handler of a connection", function()
  ait("that starts eagerly may close it at once", function()
    asyncio.get_running_loop():set_task_factory(asyncio.eager_task_factory)
    local server <const> = asyncio.start_server(function(_, writer)
      writer:close()
    end, HOST, 0)
    assert.equal("", visit(server))
    assert.equal("", visit(server))
    server:close()
    server:close_clients()
    server:wait_closed()
  end)

  ait("may come from a task factory that ends all connections", function()
    local server
    local loop <const> = asyncio.get_running_loop()
    server = asyncio.start_server(function(reader, writer)
      assert.equal("", reader:read())
      helper.raises(asyncio.OSError, writer.write, writer, "x")
    end, HOST, 0)
    loop:set_task_factory(function(_, coro, options)
      server:abort_clients()
      return asyncio.Task(coro, options)
    end)
    visit(server)
    visit(server)
    server:close()
    server:abort_clients()
    server:wait_closed()
  end)
end)

describe("the method of an object that has a descriptor", function()
  for _, name in ipairs { "add_reader", "remove_reader", "add_writer", "remove_writer" } do
    it("may close the loop: " .. name, function()
      local loop <const> = asyncio.new_event_loop()
      local object <const> = {
        fileno = function()
          loop:close()
          return 0
        end,
      }
      helper.raises(asyncio.RuntimeError, loop[name], loop, object, print)
    end)
  end
end)

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

describe("a finalizer", function()
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
  for name, call in pairs(calls) do
    it("may close the loop in " .. name, function()
      pool = asyncio.ThreadPoolExecutor(1)
      local function close(loop)
        loop:close()
      end
      assert(at_each_allocation(asyncio.new_event_loop, call, close) > 0)
      asyncio.set_event_loop(nil)
      pool:shutdown()
    end)
  end

  ait("may submit jobs where one is submitted", function()
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
    assert.equal(2 * n + 1, #results)
    for _, future in ipairs(results) do
      assert.is_false(future:await())
    end
  end)

  ait("may remove what watches a descriptor where another one is added", function()
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

  ait("may add a done callback where a future fails", function()
    local called = 0
    local n <const> = at_each_allocation(asyncio.Future, function(future)
      future:set_exception "failed"
      future:add_done_callback(function()
        called = called + 1
      end)
      assert.equal("failed", future:exception())
      assert.equal(asyncio.get_running_loop(), future:get_loop())
    end, function(future)
      future:add_done_callback(function()
        called = called + 1
      end)
    end)
    asyncio.sleep(0)
    assert(n > 0)
    assert.equal(2 * n + 1, called)
  end)

  ait("may close the server whose sockets are asked for", function()
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

  ait("may close what receives datagrams", function()
    local received = 0
    local loop <const> = asyncio.get_running_loop()
    local function before()
      return loop:create_datagram_endpoint(function()
        return {
          datagram_received = function(_, data, address)
            received = received + #data
            assert.equal(HOST, address.host)
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

  it("may make loops where one is made", function()
    for k = 1, 8 do
      helper.check_script(([[
local asyncio = require "asyncio"
local loops, inside, n = {}, false, 0
local function make()
  loops[#loops + 1] = asyncio.new_event_loop()
end
local function litter()
  setmetatable({}, {
    __gc = function()
      n = n + (inside and 1 or 0)
      if inside and n < %d then
        litter()
      elseif inside then
        inside = false
        make()
      end
    end,
  })
end
for _ = 1, 8 do -- then there is room in memory for as many, but no table for them
  make()
end
collectgarbage("incremental", 1, 1000, 30)
collectgarbage("setpause", 0)
collectgarbage()
inside = true
litter()
make()
inside = false
]]):format(k))
    end
  end)
end)
