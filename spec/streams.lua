-- Connections between tasks of one process, for the specs of streams.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local streams = {}

-- Two connected ends, each with the reader and the writer. The server that
-- connected them is closed; its options are those of both ends.
function streams.pair(opts)
  local accepted <const> = asyncio.Future()
  local server <const> = asyncio.start_server(function(reader, writer)
    accepted:set_result { reader = reader, writer = writer }
  end, "127.0.0.1", 0, opts)
  local port <const> = server:sockets()[1].port
  local reader, writer = asyncio.open_connection("127.0.0.1", port, opts)
  local peer <const> = accepted:await()
  server:close()
  return { reader = reader, writer = writer }, peer
end

-- A reader that gets the given pieces, each in a turn of its own, then the end
-- of file. What is given after them are the options.
function streams.reader(pieces, opts)
  local here, there = streams.pair(opts)
  local feeder <const> = asyncio.create_task(function()
    for _, piece in ipairs(pieces) do
      there.writer:write(piece)
      there.writer:drain()
      asyncio.sleep(0.001)
    end
    there.writer:write_eof()
  end)
  return here.reader, feeder, here, there
end

-- How many descriptors this process has open, or nil where nothing tells.
function streams.descriptors()
  local n = 0
  for fd = 0, 1023 do
    local file <close> = io.open("/proc/self/fdinfo/" .. fd)
    n = n + (file and 1 or 0)
  end
  return n > 0 and n or nil
end

-- A path where there is nothing yet, removed at the end of a scope.
function streams.path()
  local name <const> = os.tmpname()
  os.remove(name)
  return name,
    setmetatable({}, {
      __close = function()
        os.remove(name)
      end,
    })
end

-- A port on which nobody listens: that of a server that is closed.
function streams.free_port()
  local server <const> = asyncio.start_server(function() end, "127.0.0.1", 0)
  local port <const> = server:sockets()[1].port
  server:close()
  return port
end

-- Writes more than the system's buffers can ever hold, so that the next bytes
-- have to wait in the writer; returns how many were written.
function streams.fill(writer)
  local n <const> = 1 << 25
  writer:write(("x"):rep(n))
  return n
end

-- Checks that the method refuses its n-th argument of those that follow. The
-- call is written as such, for Lua takes the name for the message from there.
function streams.refuses(n, object, method, ...)
  local source <const> = ("local object = ... object:%s(select(2, ...)) return"):format(method)
  local text <const> = ("bad argument #%d to '%s'"):format(n, method)
  helper.raises(text, assert(load(source)), object, ...)
end

return streams
