-- sendfile: a part of a file goes out through a stream, a piece at a time, at the
-- pace of who receives it.

local core <const> = require "asyncio.core"

local PIECE <const> = 256 * 1024

local function check_class(value, class, name, arg)
  if not core.isinstance(value, class) then
    local message = "bad argument #%d to 'sendfile' (asyncio.%s expected, got %s)"
    error(message:format(arg, name, type(value)), 3)
  end
end

local function check_integer(value, least, arg)
  local number = math.tointeger(value)
  if number and number >= least then
    return number
  end
  local message = "bad argument #%d to 'sendfile' (integer from %d on expected, got %s)"
  error(message:format(arg, least, tostring(value)), 3)
end

local function sendfile(writer, file, offset, count)
  check_class(writer, core.StreamWriter, "StreamWriter", 1)
  check_class(file, core.File, "File", 2)
  offset = offset == nil and 0 or check_integer(offset, 0, 3)
  count = count == nil and math.maxinteger or check_integer(count, 1, 4)
  core.check_await "sendfile"
  file:seek("set", offset)
  local sent = 0
  while sent < count do
    writer:drain()
    local data = file:read(math.min(PIECE, count - sent))
    if not data then
      break
    end
    writer:write(data)
    sent = sent + #data
  end
  writer:drain()
  return sent
end

return sendfile
