-- The server's side of SOCKS 5 (RFC 1928): CONNECT, without authentication.

local asyncio = require "asyncio"

local socks = { Error = asyncio.exception "SocksError" }

local VERSION <const> = 5
local SUCCEEDED <const>, FAILED <const>, REFUSED <const> = 0, 1, 5
local NO_COMMAND <const>, NO_ADDRESS_TYPE <const> = 7, 8

local function reply(writer, code)
  writer:write(string.pack(">BBBB I4 I2", VERSION, code, 0, 1, 0, 0))
  writer:drain()
end

local function fail(writer, code, message)
  reply(writer, code)
  error(socks.Error(message))
end

local function byte(reader)
  return reader:readexactly(1):byte()
end

local function greet(reader, writer)
  if byte(reader) ~= VERSION then
    error(socks.Error "not SOCKS 5")
  end
  local methods <const> = reader:readexactly(byte(reader))
  if not methods:find("\0", 1, true) then
    writer:write "\5\255"
    error(socks.Error "the client wants to authenticate")
  end
  writer:write "\5\0"
end

-- Readers of the kinds of addresses.
local HOSTS <const> = {
  [1] = function(reader)
    return ("%d.%d.%d.%d"):format(reader:readexactly(4):byte(1, -1))
  end,
  [3] = function(reader)
    return reader:readexactly(byte(reader))
  end,
  [4] = function(reader)
    local groups <const> = { string.unpack(">I2I2I2I2I2I2I2I2", reader:readexactly(16)) }
    return ("%x:%x:%x:%x:%x:%x:%x:%x"):format(table.unpack(groups, 1, 8))
  end,
}

-- Does what the client asks for; returns reader and writer of the connection.
function socks.connect(reader, writer)
  greet(reader, writer)
  local _, command <const>, _, kind <const> = reader:readexactly(4):byte(1, 4)
  local read_host <const> = HOSTS[kind]
  if not read_host then
    fail(writer, NO_ADDRESS_TYPE, "unknown kind of address")
  end
  local host <const> = read_host(reader)
  local port <const> = string.unpack(">I2", reader:readexactly(2))
  if command ~= 1 then
    fail(writer, NO_COMMAND, "unknown command")
  end
  local ok, there_reader, there_writer = asyncio.pcall(asyncio.open_connection, host, port)
  if not ok then
    local code <const> = there_reader.code == "ECONNREFUSED" and REFUSED or FAILED
    fail(writer, code, tostring(there_reader))
  end
  reply(writer, SUCCEEDED)
  return there_reader, there_writer
end

return socks
