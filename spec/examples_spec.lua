-- The small programs in examples/, each in a process of its own. (The large ones
-- have specs of their own.)

local asyncio = require "asyncio"
local helper = require "spec.helper"
local program = require "spec.program"
local web_server = require "spec.web_server"

local ait <const> = helper.ait

local HOST <const> = "127.0.0.1"

local WITH_SPECS_OF_THEIR_OWN <const> = {
  "chat_client.lua",
  "chat_server.lua",
  "password_hashing.lua",
  "port_checker.lua",
  "process_pool.lua",
  "proxy.lua",
  "server_per_core.lua",
  "supermarket.lua",
  "tail_f.lua",
  "web_requests.lua",
  "word_count.lua",
  "workers.lua",
}

-- Lines of fields; tabs separate what one print gets.
local function lines(list)
  return table.concat(list, "\n") .. "\n"
end

-- What each prints, from first to last.
local STDOUT <const> = {
  ["hello.lua"] = lines { "hello ...", "... world" },

  ["two_tasks.lua"] = lines {
    "main: two tasks are made, they start when I wait",
    "first falls asleep",
    "second falls asleep",
    "main: they sleep and I work",
    "first wakes up",
    "second wakes up",
    "main: together they slept\t0.3",
  },

  ["coroutine_object.lua"] = lines {
    "a coroutine object:\ttrue",
    "adding one to\t41",
    "its result:\t42",
    "a second time:\tcannot reuse a coroutine that was awaited or closed",
  },

  ["cancel_task.lua"] = lines {
    "not done yet:\t1",
    "not done yet:\t2",
    "not done yet:\t3",
    "done:\ttrue\tcancelled:\ttrue",
    "false\tCancelledError: this takes too long",
  },

  ["wait_for.lua"] = lines { "slept", "false\tTimeoutError: timed out", "cancelled:\ttrue" },

  ["wait_for_shield.lua"] = lines {
    "this takes longer than I thought",
    "shield cancelled:\ttrue",
    "task cancelled:\tfalse",
    "task:\tslept",
  },

  ["future.lua"] = lines {
    "done:\tfalse",
    "thinking ...",
    "the answer:\t42",
    "done:\ttrue",
  },

  ["timed.lua"] = lines { "fetched\t0.1\t0.05", "save is slow", "saved\t0.1" },

  ["cpu_bound.lua"] = lines {
    "tick\t1",
    "computing",
    "computed",
    "tick\t2",
    "tick\t3",
  },

  ["blocking_library.lua"] = lines { "ada", "barbara", "the loop went on:\ttrue" },

  ["call_soon.lua"] = lines {
    "main goes on until it waits",
    "called soon",
    "called second, for the loop keeps the order",
    "called later",
    "the end",
  },

  ["run_until_complete.lua"] = lines {
    "arguments\tfollow",
    "false",
    "a task",
    "true\tfalse",
  },

  ["protocol_echo.lua"] = lines {
    "sent: hello",
    "received: hello",
    "the server has closed the connection",
  },
  ["echo_server.lua"] = lines {
    "sent\thello",
    "received\thello",
    "sent\tis anybody there?",
    "received\tis anybody there?",
    "sent\tgoodbye",
    "received\tgoodbye",
  },
}

-- What checks stderr, where it does not stay empty.
local STDERR <const> = {
  ["timed.lua"] = function(text)
    local call <const> = "asyncio: fetch started\nasyncio: fetch ended after (%d+%.%d+) s\n"
    local first <const>, second <const> = text:match("^" .. call .. call .. "$")
    assert.is_truthy(first, text)
    assert.is_true(tonumber(first) >= 0.1)
    assert.is_true(tonumber(second) >= 0.05)
  end,

  -- there are more lines where the machine halts for a while
  ["cpu_bound.lua"] = function(text)
    local pattern <const> = "asyncio: executing <Task [^\n]*name='computing'[^\n]* "
      .. "created at script:%d+> took (%d+%.%d+) seconds\n"
    local seconds <const> = text:match(pattern)
    assert.is_truthy(seconds, text)
    assert.is_true(tonumber(seconds) >= 0.1)
  end,
}

local function sorted_keys(map)
  local keys <const> = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

describe("the example", function()
  for _, name in ipairs(sorted_keys(STDOUT)) do
    it(name .. " prints what is expected", function()
      local result <const> = helper.run_script(web_server.read_file("examples/" .. name))
      assert.equal(STDOUT[name], result.stdout, result.stderr)
      if STDERR[name] then
        STDERR[name](result.stderr)
      else
        assert.equal("", result.stderr)
      end
      assert.equal(0, result.code)
    end)
  end
end)

describe("the examples", function()
  it("are all tested", function()
    local there <const> = {}
    for name in web_server.output("ls examples"):gmatch "[^\n]+" do
      there[name] = name:find "%.lua$" and true
    end
    local tested <const> = {}
    for name in pairs(STDOUT) do
      tested[name] = true
    end
    for _, name in ipairs(WITH_SPECS_OF_THEIR_OWN) do
      tested[name] = true
    end
    assert.same(sorted_keys(there), sorted_keys(tested))
  end)
end)

local function random_bytes(n)
  local file <close> = assert(io.open("/dev/urandom", "rb"))
  return file:read(n)
end

-- Sends all, then reads all.
local function exchange(port, data)
  local reader <const>, writer <close> = asyncio.open_connection(HOST, port)
  writer:write(data)
  writer:write_eof()
  return reader:read "a"
end

describe("echo_server.lua with a port", function()
  ait("serves many clients at once until Ctrl-C", function()
    local child <close> = program.start("echo_server.lua", { 0 })
    local greeting <const> = "^serving on 127%.0%.0%.1:(%d+)\n$"
    local port <const> = tonumber(child:read_until(greeting):match(greeting))

    -- one client stays while the others come and go
    local reader <const>, writer <close> = asyncio.open_connection(HOST, port)
    writer:write "one line\nand a half"
    assert.equal("one line\n", reader:readline())

    local sent <const> = { "", "1", "no end of line", "\0\r\n\0", random_bytes(1000000) }
    local received <const> = {}
    for i, data in ipairs(sent) do
      received[i] = asyncio.create_task(exchange, port, data)
    end
    for i, data in ipairs(asyncio.gather(received):await()) do
      assert.is_true(data == sent[i], "message " .. i)
    end

    writer:write " of one\n"
    assert.equal("and a half of one\n", reader:readline())

    child:interrupt()
    local text <const>, status <const> = child:wait()
    assert.equal(("serving on 127.0.0.1:%d\nstopped\n"):format(port), text)
    assert.equal(0, status)
    assert.is_nil(reader:read(1))
  end)

  it("says how it is used", function()
    for _, words in ipairs { { "no port" }, { "65536" }, { "-1" }, { "0", "0" } } do
      local source <const> = "arg[0] = 'examples/echo_server.lua' dofile(arg[0])"
      local result <const> = helper.run_script(source, { args = words })
      assert.equal("usage: lua5.4 echo_server.lua [PORT]\n", result.stderr)
      assert.equal(2, result.code)
    end
  end)

  ait("fails where another server has the port", function()
    local server <close> = asyncio.start_server(function() end, HOST, 0)
    local port <const> = server:sockets()[1].port
    local text <const>, status <const> = program.run("echo_server.lua", { port })
    local taken <const> = ("OSError: bind 127.0.0.1:%d: address already in use"):format(port)
    assert.is_truthy(text:find(taken, 1, true), text)
    assert.equal(1, status)
  end)
end)
