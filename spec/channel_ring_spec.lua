-- Channels inside of channels, which keep one another: they go when nobody else
-- has them, and not before.

local asyncio = require "asyncio"
local core = require "asyncio.core"
local helper = require "spec.helper"

local ait <const> = helper.ait
local Channel <const> = asyncio.Channel

-- Whether nobody else has the channel any more, which is empty.
local function is_alone(channel)
  helper.collect()
  return core.channel_wait(channel, 0)
end

-- Makes channels with a reference each to 'witness', which link(list) puts into
-- one another; those with the numbers that it returns are kept.
local function rings(witness, count, link)
  local list <const> = {}
  for i = 1, count do
    list[i] = Channel()
    list[i]:send(witness)
  end
  local kept <const> = {}
  for i, number in ipairs(link(list) or {}) do
    kept[i] = list[number]
  end
  return kept
end

local shapes <const> = {
  ["two in each other"] = { 2, function(c)
    c[1]:send(c[2])
    c[2]:send(c[1])
  end },
  ["one in itself, and in another that is in it"] = { 2, function(c)
    c[1]:send { c[1], c[2], c[2] }
    c[2]:send { c[1], { c[2] }, c[1] }
  end },
  ["a ring of many"] = { 50, function(c)
    for i = 1, 50 do
      c[i]:send(c[i % 50 + 1])
      c[i]:send(i)
    end
  end },
  ["all in all"] = { 10, function(c)
    for i = 1, 10 do
      for k = 1, 10 do
        c[i]:send { c[k] }
      end
    end
  end },
  ["rings that share one"] = { 3, function(c)
    c[1]:send(c[2])
    c[2]:send(c[1])
    c[2]:send(c[3])
    c[3]:send(c[2])
  end },
  ["a ring behind another channel"] = { 3, function(c)
    c[3]:send(c[1])
    c[1]:send(c[2])
    c[2]:send(c[1])
  end },
  ["a ring with a tail"] = { 3, function(c)
    c[1]:send(c[2])
    c[2]:send(c[1])
    c[2]:send(c[3])
  end },
}

describe("channels inside of channels", function()
  for name, shape in pairs(shapes) do
    it("go, " .. name, function()
      local witness <const> = Channel()
      rings(witness, shape[1], shape[2])
      assert.is_true(is_alone(witness))
    end)
  end

  it("go at some time, where there are more than one reference is worth", function()
    local witness <const> = Channel()
    rings(witness, 1000, function(c)
      for i = 1, 1000 do
        c[i]:send(c[i % 1000 + 1])
      end
    end)
    helper.collect()
    for _ = 1, 3000 do -- others come and go
      Channel()
    end
    assert.is_true(is_alone(witness))
  end)

  it("stay as long as somebody has one that leads to them", function()
    local witness <const> = Channel()
    local kept = rings(witness, 3, function(c)
      c[1]:send(c[2])
      c[2]:send(c[3])
      c[3]:send(c[1])
      return { 2 }
    end)
    assert.is_false(is_alone(witness))
    local channel = kept[1]
    kept = nil
    local function go_on()
      assert.is_true(rawequal(channel:recv(), witness))
      local inner <const> = channel:recv()
      channel:send(witness)
      channel:send(inner)
      channel = inner
    end
    for _ = 1, 9 do -- three times around, putting back what was taken
      go_on()
      assert.is_false(is_alone(witness))
    end
    assert.is_nil(kept)
    channel = nil
    assert.is_true(is_alone(witness), channel)
  end)

  it("stay what they were behind those that go", function()
    local witness <const>, tail <const> = Channel(), Channel()
    rings(witness, 2, function(c)
      c[1]:send(c[2])
      c[2]:send { c[1], tail }
      tail:send(c[1]) -- which is taken out again
      assert.is_true(rawequal(tail:recv(), c[1]))
    end)
    assert.is_true(is_alone(witness))
    assert.is_true(is_alone(tail))
    tail:send(1)
    assert.equal(1, tail:recv())
  end)

  it("go with what leads into them", function()
    local witness <const>, outer = Channel(), Channel()
    rings(witness, 2, function(c)
      c[1]:send(c[2])
      c[2]:send(c[1])
      outer:send(c[1])
    end)
    assert.is_false(is_alone(witness))
    outer = nil
    assert.is_true(is_alone(witness), outer)
  end)

  ait("stay while a task is about to send them", function()
    local witness <const>, full = Channel(), Channel(1)
    full:send(0)
    local task
    rings(witness, 1, function(c)
      c[1]:send(full)
      task = asyncio.create_task(full.send, full, c[1])
    end)
    asyncio.sleep(0)
    assert.is_false(is_alone(witness))
    assert.equal(0, full:recv())
    task:await()
    assert.is_false(is_alone(witness))
    task, full = nil, nil
    asyncio.sleep(0)
    assert.is_true(is_alone(witness), task, full)
  end)

  ait("go in whichever thread has the last", function()
    local function tangle(witness, given, n)
      local list <const> = { given, asyncio.Channel(), asyncio.Channel() }
      for i = 1, n do
        local from, to = list[i % 3 + 1], list[i * 7 % 3 + 1]
        from:send { to, witness }
        if i % 4 == 0 and #to > 0 then
          to:recv()
        end
      end
    end
    local witness <const> = Channel()
    for _ = 1, 5 do
      local jobs <const>, given = {}, Channel()
      for i = 1, 8 do
        jobs[i] = asyncio.create_task(asyncio.to_thread, tangle, witness, given, 20 + i)
      end
      given = nil
      asyncio.gather(jobs):await()
      assert.is_nil(given)
    end
    asyncio.to_thread(collectgarbage)
    asyncio.get_running_loop():shutdown_default_executor()
    assert.is_true(is_alone(witness))
  end)
end)
