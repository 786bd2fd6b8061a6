local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

local function start(opts)
  local server <const> = asyncio.start_server(nil, HOST, 0, opts)
  return server, server:sockets()[1].port
end

-- Connects, and tells the other end its number.
local function connect(port, i)
  local reader, writer = asyncio.open_connection(HOST, port)
  writer:write(tostring(i))
  return reader, writer
end

-- The number that a connection tells.
local function number(reader)
  return tonumber(reader:readexactly(1))
end

describe("server:connections", function()
  ait("iterates over the connections in their order", function()
    local server <close>, port = start()
    for i = 1, 3 do
      connect(port, i)
    end
    local got <const> = {}
    for reader, writer in server:connections() do
      assert.is_true(asyncio.isinstance(writer, asyncio.StreamWriter))
      got[#got + 1] = number(reader)
      if #got == 3 then
        break
      end
    end
    assert.same({ 1, 2, 3 }, got)
  end)

  ait("waits for one, and gives both its ways", function()
    local server <close>, port = start()
    local task <const> = asyncio.create_task(server:connections())
    asyncio.sleep(0)
    assert.is_false(task:done())
    local reader, writer <close> = connect(port, 1)
    local there, back = task:await()
    assert.equal(1, number(there))
    back:write "answer"
    back:close()
    assert.equal("answer", reader:read "a")
    assert.equal(port, back:get_extra_info("sockname").port)
    assert.is_false(writer:is_closing())
  end)

  ait("goes on where an earlier iteration has ended", function()
    local server <close>, port = start()
    for i = 1, 4 do
      connect(port, i)
    end
    for i = 1, 4 do
      assert.equal(i, number((server:connections()())))
    end
  end)

  ait("ends when the server closes", function()
    local server = start()
    local task <const> = asyncio.create_task(function()
      for _ in server:connections() do
        error "there is none"
      end
      return "ended"
    end)
    asyncio.sleep(0)
    server:close()
    assert.equal("ended", task:await())
    for _ in server:connections() do
      error "there is none"
    end
  end)

  ait("closes those that nobody has taken with the server", function()
    local server, port = start()
    local reader1 = connect(port, 1)
    local reader2 = connect(port, 2)
    local next <const> = server:connections()
    local _, writer = next()
    server:close()
    assert.is_nil(next())
    helper.catch(reader2.readexactly, reader2, 1) -- the end, or a reset
    writer:write "x"
    assert.equal("x", reader1:readexactly(1))
    writer:close()
    server:wait_closed()
  end)

  ait("serves several tasks, first come, first served", function()
    local server <close>, port = start()
    local t <const> = helper.trace()
    local tasks <const> = {}
    for i = 1, 3 do
      tasks[i] = asyncio.create_task(function()
        t(i .. number((server:connections()())))
      end)
    end
    asyncio.sleep(0)
    for i = 1, 3 do
      connect(port, i)
      tasks[i]:await()
    end
    assert.same({ "11", "22", "33" }, t:list())
  end)

  ait("loses none when a task is cancelled that waits", function()
    local server <close>, port = start()
    local task <const> = asyncio.create_task(server:connections())
    asyncio.sleep(0)
    task:cancel()
    helper.raises(asyncio.CancelledError, task.await, task)
    connect(port, 1)
    assert.equal(1, number((server:connections()())))
    helper.raises(asyncio.TimeoutError, asyncio.wait_for, server:connections(), 0.001)
  end)

  ait("loses none when a task is cancelled that was woken", function()
    for turns = 0, 12 do -- one of these is between its wake-up and its turn
      local server <close>, port = start()
      local tasks <const> = {}
      for i = 1, 2 do
        tasks[i] = asyncio.create_task(server:connections())
      end
      local connecting <const> = asyncio.create_task(connect, port, 1)
      for _ = 1, turns do
        asyncio.sleep(0)
      end
      local taken <const> = not tasks[1]:cancel()
      asyncio.wait { tasks[1] }
      local reader <const> = tasks[taken and 1 or 2]:await()
      assert.equal(1, number(reader))
      connecting:await()
    end
  end)

  ait("needs a server without a handler", function()
    local server <close> = asyncio.start_server(print, HOST, 0)
    local err <const> = helper.raises(asyncio.RuntimeError, server.connections, server)
    assert.matches("has a handler", err.message)
    helper.raises("bad argument #1", server.connections)
    helper.raises("bad argument #1", asyncio.start_server)
    helper.raises("bad argument #1", asyncio.start_server, "handler", HOST, 0)
  end)

  ait("must be in a task", function()
    local server <close> = start()
    local next <const> = server:connections()
    local failed <const> = asyncio.Future()
    asyncio.get_running_loop():call_soon(function()
      failed:set_result(select(2, pcall(next)))
    end)
    local err <const> = failed:await()
    assert.is_true(asyncio.isinstance(err, asyncio.RuntimeError))
    assert.matches("'connections' suspends", err.message)
  end)

  ait("starts to serve", function()
    local server <close> = asyncio.start_server(nil, HOST, 0, { start_serving = false })
    local port <const> = server:sockets()[1].port
    assert.is_false(server:is_serving())
    local next <const> = server:connections()
    assert.is_true(server:is_serving())
    connect(port, 1)
    assert.equal(1, number((next())))
  end)

  ait("is there for Unix sockets", function()
    local path, _ <close> = streams.path()
    local server <close> = asyncio.start_unix_server(nil, path)
    local _, writer <close> = asyncio.open_unix_connection(path)
    writer:write "1"
    assert.equal(1, number((server:connections()())))
  end)
end)

describe("a server without a handler", function()
  ait("accepts no more than its backlog, and the others later", function()
    local server <close>, port = start { backlog = 2 }
    local accepted = streams.descriptors()
    for i = 1, 5 do
      connect(port, i)
    end
    asyncio.sleep(0.01)
    if accepted then -- the clients' sockets, those that wait, one that is about to
      accepted = streams.descriptors() - accepted
      assert.is_true(accepted <= 5 + 2 + 1, accepted)
    end
    local got <const> = {}
    for reader in server:connections() do
      got[#got + 1] = number(reader)
      if #got == 5 then
        break
      end
    end
    assert.same({ 1, 2, 3, 4, 5 }, got)
  end)

  ait("closes what waits at the end of a scope, and leaves nothing", function()
    local reader, writer = asyncio.pipe() -- libuv keeps one from its first stream on
    reader:close()
    writer:close()
    local before <const> = streams.descriptors()
    do
      local scope <close>, port = start()
      local _, client <close> = connect(port, 1)
      asyncio.sleep(0.01)
      assert.is_true(scope:is_serving() and not client:is_closing())
    end
    assert.equal(before, streams.descriptors())
  end)

  ait("goes on after its waiting connections were aborted", function()
    local server <close>, port = start()
    local task <const> = asyncio.create_task(server:connections())
    asyncio.sleep(0)
    local reader = connect(port, 1)
    task:await()
    connect(port, 2)
    asyncio.sleep(0.01)
    server:abort_clients()
    pcall(reader.read, reader, 1)
    connect(port, 3)
    assert.equal(3, number((server:connections()())))
  end)

  it("may be left open when its loop closes", function()
    local server
    asyncio.run(function()
      local port
      server, port = start()
      connect(port, 1)
      asyncio.create_task(server:connections())
      connect(port, 2)
    end)
    assert.equal("<Server closed>", tostring(server))
    helper.collect()
  end)
end)
