-- What the library calls may close what it is called for.

local asyncio = require "asyncio"
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

describe("a finalizer", function()
  local names <const> = {
    "may close the loop in call_soon",
    "may close the loop in call_later",
    "may close the loop in call_at",
    "may close the loop in add_signal_handler",
    "may close the loop in create_task",
    "may close the loop in run_in_executor",
    "may close the loop in submit",
    "may submit jobs where one is submitted",
    "may remove what watches a descriptor where another one is added",
    "may add a done callback where a future fails",
    "may close the server whose sockets are asked for",
    "may close what receives datagrams",
  }
  for _, name in ipairs(names) do
    it(name, function()
      helper.check_script(('require "spec.each_allocation"[%q]()'):format(name))
    end)
  end

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
