-- Unix sockets without files, as Linux has them.

local asyncio = require "asyncio"
local busted = require "busted"
local helper = require "spec.helper"

local file <const> = io.open "/proc/net/unix"
if file then
  file:close()
end

-- A test that runs as a task where there are abstract names, with one that
-- nobody else has.
local function ait(name, fn)
  busted.it(name, function()
    if file then
      helper.run(fn, ("\0asyncio spec %p"):format(coroutine.running()))
    else
      busted.pending "there are no abstract names"
    end
  end)
end

local function echo(reader, writer)
  writer:write(reader:read "a")
  writer:close()
end

describe("an abstract name", function()
  ait("leads to a server, and is its address", function(name)
    local shown <const> = "@" .. name:sub(2)
    local accepted <const> = asyncio.Future()
    local server <close> = asyncio.start_unix_server(function(reader, writer)
      accepted:set_result(writer)
      echo(reader, writer)
    end, name)
    assert.same({ name }, server:sockets())
    assert.equal("<Server serving " .. shown .. ">", tostring(server))
    local reader, writer <close> = asyncio.open_unix_connection(name)
    writer:write "hello"
    writer:write_eof()
    assert.equal("hello", reader:read "a")
    assert.equal(name, writer:get_extra_info "peername")
    assert.is_nil(writer:get_extra_info "sockname")
    assert.equal(name, accepted:await():get_extra_info "sockname")
    assert.equal("<StreamWriter open to " .. shown .. ">", tostring(writer))
  end)

  ait("is taken as long as its server is there", function(name)
    local server = asyncio.start_unix_server(echo, name)
    local err = helper.raises(asyncio.OSError, asyncio.start_unix_server, echo, name)
    assert.equal("EADDRINUSE", err.code)
    assert.equal("@" .. name:sub(2), err.address)
    server:close()
    err = helper.raises(asyncio.OSError, asyncio.open_unix_connection, name)
    assert.equal("ECONNREFUSED", err.code)
    assert.equal("@" .. name:sub(2), err.address)
    local again <close> = asyncio.start_unix_server(echo, name)
    assert.is_true(again:is_serving())
  end)

  ait("serves protocols", function(name)
    local loop <const> = asyncio.get_running_loop()
    local function upper()
      return {
        connection_made = function(self, transport)
          self.transport = transport
        end,
        data_received = function(self, data)
          self.transport:write(data:upper())
        end,
      }
    end
    local _ <close> = loop:create_unix_server(upper, name)
    local got <const> = asyncio.Future()
    local transport <const> = loop:create_unix_connection(function()
      return {
        data_received = function(_, data)
          got:set_result(data)
        end,
      }
    end, name)
    transport:write "hello"
    assert.equal("HELLO", got:await())
    transport:close()
  end)

  ait("makes who connects wait while too many do", function(name)
    local server <close> = asyncio.start_unix_server(nil, name, { backlog = 1 })
    local tasks = {}
    for i = 1, 10 do
      tasks[i] = asyncio.create_task(function()
        local reader, _ <close> = asyncio.open_unix_connection(name)
        return reader:read "a"
      end)
    end
    local cancelled = asyncio.create_task(asyncio.open_unix_connection, name)
    while not tostring(cancelled):find "waits for connect" do
      asyncio.sleep(0)
    end
    cancelled:cancel()
    local n = 0
    for _, writer in server:connections() do
      writer:write "x"
      writer:close()
      n = n + 1
      if n == 10 then
        break
      end
    end
    asyncio.gather(tasks):await()
    assert.is_true(cancelled:cancelled())
  end)

  ait("is refused when it is wrong", function()
    local open <const>, start <const> = asyncio.open_unix_connection, asyncio.start_unix_server
    for _, name in ipairs { "\0a\0", "\0\0", "\0a\0b" } do
      helper.raises("#1.*zero", open, name)
      helper.raises("#2.*zero", start, echo, name)
    end
    helper.raises("#1.*empty name", open, "\0")
    local long <const> = "\0" .. ("x"):rep(200)
    local errors <const> = {
      helper.raises(asyncio.OSError, open, long),
      helper.raises(asyncio.OSError, start, echo, long),
    }
    for _, err in ipairs(errors) do
      assert.equal("ENAMETOOLONG", err.code)
      assert.equal("@" .. long:sub(2), err.address)
    end
  end)
end)
