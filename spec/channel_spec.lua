-- Channels: between tasks of one loop here; between Lua states with workers.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const>, raises <const>, catch <const> = helper.ait, helper.raises, helper.catch
local Channel <const>, create_task <const>, sleep <const>, to_thread <const> =
  asyncio.Channel, asyncio.create_task, asyncio.sleep, asyncio.to_thread

-- All that is still to come, in one line.
local function drain(ch)
  local list = {}
  for value in ch do
    list[#list + 1] = value
  end
  return table.concat(list, " ")
end

describe("a channel", function()
  it("says what it is", function()
    local ch = Channel(3)
    assert.are.equal("<Channel maxsize=3 items=0>", tostring(ch))
    ch:send(1)
    ch:close()
    assert.are.equal("<Channel maxsize=3 items=1 closed>", tostring(ch))
    assert(ch.maxsize == 3 and Channel().maxsize == 0 and ch.other == nil)
    assert(#ch == 1 and ch:qsize() == 1 and ch:is_closed())
    assert(asyncio.isinstance(ch, Channel) and not Channel():is_closed())
  end)

  it("is refused other values", function()
    raises("bad argument #1 .*the size is negative", Channel, -1)
    raises("bad argument #1 .*number expected", Channel, "x")
    local ch = Channel()
    for _, name in ipairs { "send", "recv", "send_nowait", "recv_nowait", "close", "qsize" } do
      raises("asyncio.Channel expected, got table", ch[name], {})
    end
    raises("bad argument #%d .*value expected", ch.send, ch)
    raises("argument 2: userdata %(FILE%*%) cannot cross", ch.send, ch, 1, io.stdout)
    raises("argument 1: thread cannot cross", ch.send_nowait, ch, coroutine.create(print))
    assert.are.equal(0, #ch)
  end)

  it("works without a loop as long as nobody must wait", function()
    local ch = Channel(2)
    ch:send("a", nil, 3)
    ch:send_nowait { 1 }
    raises(asyncio.QueueFull, ch.send_nowait, ch, 1)
    assert.are.same(table.pack("a", nil, 3), table.pack(ch:recv()))
    assert.are.same({ 1 }, ch:recv_nowait())
    raises(asyncio.QueueEmpty, ch.recv_nowait, ch)
  end)

  it("does not block a thread that nobody could wake", function()
    local ch = Channel(1)
    raises(asyncio.DeadlockError, ch.recv, ch)
    ch:send(1)
    raises(asyncio.DeadlockError, ch.send, ch, 2)
    assert.are.equal(1, ch:recv())
  end)

  it("copies what is sent when it is sent", function()
    local ch, t = Channel(), { 1 }
    ch:send(t)
    t[1] = 2
    local got = ch:recv()
    assert(got ~= t and got[1] == 1)
  end)

  it("crosses itself, as itself", function()
    local ch = Channel()
    local a, b = Channel(), Channel()
    ch:send({ a, b, a }, ch)
    local t, same = ch:recv()
    assert(t[1] == a and t[2] == b and t[3] == a and same == ch)
  end)

  it("ends loops when it is closed and empty", function()
    local ch = Channel()
    ch:send(1, "x")
    ch:send(2, "y")
    ch:close()
    ch:close()
    local words = {}
    for n, word in ch do
      words[#words + 1] = n .. word
    end
    assert.are.same({ "1x", "2y" }, words)
    raises(asyncio.QueueShutDown, ch.recv, ch)
    raises(asyncio.QueueShutDown, ch.recv_nowait, ch)
    raises(asyncio.QueueShutDown, ch.send, ch, 1)
    raises(asyncio.QueueShutDown, ch.send_nowait, ch, 1)
  end)

  it("does not end a loop for nil, which stays", function()
    local ch = Channel()
    ch:send(nil, 1)
    raises("the next value is nil", drain, ch)
    assert.are.same(table.pack(nil, 1), table.pack(ch:recv()))
  end)

  it("frees what was never received", function()
    local ch = Channel()
    for _ = 1, 10 do
      ch:send(("x"):rep(1000), Channel(), ch)
    end
    ch = nil -- luacheck: ignore
    helper.collect()
  end)
end)

describe("a channel between tasks", function()
  ait("serves in the order of arrival", function()
    local ch, t = Channel(), helper.trace()
    for i = 1, 3 do
      create_task(function()
        t(i, ch:recv())
      end)
    end
    sleep(0)
    for i = 1, 3 do
      ch:send("v" .. i)
    end
    for _ = 1, 3 do
      sleep(0)
    end
    assert.are.same({ "1 v1", "2 v2", "3 v3" }, t:list())
  end)

  ait("makes senders wait for room, in order", function()
    local ch, t = Channel(1), helper.trace()
    for i = 1, 4 do
      create_task(function()
        ch:send(i)
        t("sent " .. i)
      end)
    end
    for _ = 1, 4 do
      sleep(0)
    end
    assert(#ch == 1 and #t == 1)
    for i = 1, 4 do
      assert.are.equal(i, ch:recv())
    end
    for _ = 1, 4 do
      sleep(0)
    end
    assert.are.same({ "sent 1", "sent 2", "sent 3", "sent 4" }, t:list())
  end)

  ait("wakes all when it closes", function()
    local ch, full = Channel(), Channel(1)
    full:send(0)
    local list = {}
    for i = 1, 3 do
      list[i] = create_task(catch, ch.recv, ch)
      list[i + 3] = create_task(catch, full.send, full, i)
    end
    list[7] = create_task(drain, ch)
    sleep(0)
    ch:close()
    full:close()
    for i = 1, 6 do
      assert(asyncio.isinstance(list[i]:await(), asyncio.QueueShutDown))
    end
    assert(list[7]:await() == "" and drain(full) == "0")
  end)

  ait("loses nothing to those who are cancelled", function()
    local ch = Channel()
    local a, b = create_task(ch.recv, ch), create_task(ch.recv, ch)
    sleep(0)
    ch:send(1) -- is a's
    a:cancel()
    assert.are.equal(1, b:await())
    raises(asyncio.CancelledError, a.await, a)
    local c = create_task(ch.recv, ch)
    sleep(0)
    c:cancel()
    sleep(0)
    ch:send(2)
    assert.are.equal(2, ch:recv())
  end)

  ait("does not send what was cancelled", function()
    local ch = Channel(1)
    ch:send(0)
    local a, b = create_task(ch.send, ch, "a"), create_task(ch.send, ch, "b")
    sleep(0)
    assert.are.equal(0, ch:recv()) -- the room is a's
    a:cancel()
    assert.are.equal("b", ch:recv())
    b:await()
    raises(asyncio.CancelledError, a.await, a)
    assert.are.equal(0, #ch)
    ch:send(1)
    raises(asyncio.TimeoutError, asyncio.wait_for, ch.send, 0.001, ch, 2)
    assert(ch:recv() == 1 and #ch == 0)
  end)

  ait("refuses to wait in a callback", function()
    local ch, full, done = Channel(), Channel(1), asyncio.Future()
    full:send(1)
    asyncio.get_running_loop():call_soon(function()
      done:set_result { catch(ch.recv, ch), catch(full.send, full, 1) }
    end)
    for _, err in ipairs(done:await()) do
      assert.matches("suspends and must be called in a task", tostring(err))
    end
  end)

  it("is a deadlock when nobody else has it", function()
    local ch = Channel()
    local err = raises(asyncio.DeadlockError, asyncio.run, ch.recv, ch)
    assert.matches("waits for a value of a channel", tostring(err))
  end)

  it("may lie in one that lies in one, however deep", function()
    local script <const> = [[
collectgarbage "stop"
local asyncio = require "asyncio"
local outer = asyncio.Channel()
for _ = 1, 20000 do
  local ch = asyncio.Channel()
  ch:send_nowait(outer)
  outer = ch
end
collectgarbage()
collectgarbage()
outer = nil
collectgarbage()
collectgarbage()
print "freed"
]]
    local small_stack <const> = { shell = "ulimit -s 512; %s" }
    assert.equal("freed\n", helper.check_script(script, small_stack))
  end)

  it("may be waited for by a task of a loop that nobody closes", function()
    for _, wait in ipairs { "ch:recv()", "for _ in ch do end", "ch:send(1) ch:send(2)" } do
      local script <const> = [[
local asyncio = require "asyncio"
local loop = asyncio.new_event_loop()
loop:create_task(function()
  local ch <const> = asyncio.Channel(1)
  local _ <close> = setmetatable({}, { __close = function() print "closed" end })
  %s
end)
loop:run_until_complete(asyncio.async(asyncio.sleep)(0))
]]
      assert.equal("closed\n", helper.check_script(script:format(wait)))
    end
  end)

  it("may be left behind by a loop that closes", function()
    local ch, loop = Channel(1), asyncio.new_event_loop()
    ch:send(1)
    loop:create_task(ch.send, ch, 2)
    loop:run_until_complete(asyncio.async(sleep)(0))
    loop:close()
    assert(ch:recv() == 1 and #ch == 0)
    ch:send(3)
    assert.are.equal(3, ch:recv())
  end)
end)

describe("a channel between threads", function()
  -- These run in workers.
  local function double(input, output)
    local n = 0
    for value in input do
      output:send(value * 2)
      n = n + 1
    end
    output:close()
    return n
  end

  local function produce(ch, from, to)
    for i = from, to do
      ch:send(i)
    end
  end

  local function sum(ch)
    local total = 0
    for value in ch do
      total = total + value
    end
    return total
  end

  ait("carries values there and back", function()
    for _, size in ipairs { 0, 1, 7 } do
      local a, b = Channel(size), Channel(size)
      local worker = create_task(to_thread, double, a, b)
      local feeder = create_task(function()
        produce(a, 1, 200)
        a:close()
      end)
      assert.are.equal(200 * 201, sum(b))
      assert.are.equal(200, worker:await())
      feeder:await()
    end
  end)

  ait("serves many on both ends", function()
    local ch, results <const> = Channel(3), {}
    local pool <close> = asyncio.ThreadPoolExecutor(4)
    local producers = { create_task(produce, ch, 1, 100) }
    for i = 1, 2 do
      producers[i + 1] = pool:submit(produce, ch, i * 100 + 1, i * 100 + 100)
      results[i] = pool:submit(sum, ch)
    end
    results[3] = create_task(sum, ch)
    for _, producer in ipairs(producers) do
      producer:await()
    end
    ch:close()
    local total = 0
    for _, result in ipairs(results) do
      total = total + result:await()
    end
    assert.are.equal(300 * 301 // 2, total)
  end)

  ait("loses nothing to cancellations", function()
    local ch, got = Channel(2), {}
    local first = create_task(ch.recv, ch)
    sleep(0)
    first:cancel()
    helper.raises(asyncio.CancelledError, first.await, first)
    local worker = create_task(to_thread, function(out)
      for i = 1, 300 do
        out:send(i)
      end
      out:close()
    end, ch)
    repeat
      local task = create_task(ch.recv, ch)
      sleep(0)
      if #got % 3 == 0 then
        task:cancel()
      end
      local ok, value = pcall(task.await, task)
      if ok then
        got[#got + 1] = value
      elseif asyncio.isinstance(value, asyncio.CancelledError) then
        got[#got + 1] = ch:recv()
      end
    until #got == 300
    worker:await()
    for i = 1, 300 do
      assert.are.equal(i, got[i])
    end
  end)

  ait("wakes a worker when it closes", function()
    local ch, ready = Channel(), Channel()
    local worker = create_task(to_thread, function(input, out)
      out:send "ready"
      return input:recv()
    end, ch, ready)
    ready:recv()
    ch:close()
    raises(asyncio.QueueShutDown, worker.await, worker)
  end)

  ait("lets a worker be cancelled that waits", function()
    local ch, ready, full = Channel(), Channel(), Channel(1)
    full:send(0)
    for _, fn in ipairs {
      function(input, _, out)
        out:send "ready"
        return input:recv()
      end,
      function(_, output, out)
        out:send "ready"
        return output:send(1)
      end,
    } do
      local worker = create_task(to_thread, fn, ch, full, ready)
      ready:recv()
      worker:cancel()
      raises(asyncio.CancelledError, worker.await, worker)
    end
    assert(#ch == 0 and full:recv() == 0 and #full == 0)
  end)

  ait("works in the loop of a worker", function()
    local a, b = Channel(1), Channel(1)
    local worker = create_task(to_thread, function(input, output)
      return asyncio.run(function()
        local task <const> = asyncio.create_task(function()
          for value in input do
            output:send(value + 1)
          end
          output:close()
          return "done"
        end)
        return task:await()
      end)
    end, a, b)
    for i = 1, 50 do
      a:send(i)
      assert.are.equal(i + 1, b:recv())
    end
    a:close()
    assert(drain(b) == "" and worker:await() == "done")
  end)

  ait("may be given away while a task waits for it", function()
    local requests <const> = Channel()
    local worker = create_task(to_thread, function(output)
      return asyncio.run(function()
        local reply <const> = asyncio.Channel()
        local task <const> = asyncio.create_task(reply.recv, reply)
        asyncio.sleep(0) -- the task waits, and nobody else could wake it
        output:send(reply)
        return task:await()
      end)
    end, requests)
    local reply <const> = requests:recv()
    sleep(0.02)
    reply:send "answer"
    assert.equal("answer", worker:await())
  end)

  ait("tells a worker that nobody else has it", function()
    local worker = create_task(to_thread, function()
      local ch = asyncio.Channel()
      return ch:recv()
    end)
    raises(asyncio.DeadlockError, worker.await, worker)
  end)

  ait("tells a worker so that was given it by who has it no more", function()
    local started <const> = asyncio.Channel()
    local worker = (function()
      return create_task(to_thread, function(ch, given)
        given:send(true)
        return ch:recv()
      end, asyncio.Channel(), started)
    end)()
    started:recv()
    collectgarbage()
    collectgarbage()
    raises(asyncio.DeadlockError, worker.await, worker)
  end)
end)
