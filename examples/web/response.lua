-- The answer of a web server, read from a stream: status line, header fields,
-- and the body in each of the ways in which HTTP/1.1 marks its end.

local asyncio = require "asyncio"
local errors = require "web.errors"

local response = {}

local MAX_FIELDS <const> = 200
local PIECE <const> = 65536

local function malformed(message, ...)
  errors.raise(errors.ProtocolError, "malformed response: " .. message, ...)
end

local function truncated(message, ...)
  errors.raise(errors.TruncatedError, "truncated response: " .. message, ...)
end

-- One line without its end; where names what is cut off if there is none.
local function read_line(reader, where)
  local ok, line = asyncio.catch(asyncio.LimitOverrunError, reader.readline, reader)
  if not ok then
    malformed("a line without end in the %s", where)
  elseif not line or line:sub(-1) ~= "\n" then
    truncated("the connection ended in the %s", where)
  end
  return (line:gsub("\r?\n$", ""))
end

local function add_field(headers, line)
  local name, value = line:match "^([%w!#$%%&'*+.^_`|~-]+):[ \t]*(.-)[ \t]*$"
  if not name then
    malformed("'%s' is no header field", line:sub(1, 60))
  end
  name = name:lower()
  headers[name] = headers[name] and headers[name] .. ", " .. value or value
  return name
end

-- Header fields by their names in lower case; several of one name are joined.
local function read_headers(reader)
  local headers <const> = {}
  local last
  for _ = 1, MAX_FIELDS do
    local line <const> = read_line(reader, "header")
    if line == "" then
      return headers
    elseif last and line:find "^[ \t]" then -- a folded line
      headers[last] = headers[last] .. " " .. line:match "^%s*(.-)%s*$"
    else
      last = add_field(headers, line)
    end
  end
  malformed("more than %d header fields", MAX_FIELDS)
end

local function read_head(reader)
  local line <const> = read_line(reader, "status line")
  local status <const>, reason <const> = line:match "^HTTP/1%.%d ([1-5]%d%d) ?(.*)$"
  if not status then
    malformed("'%s' is no status line", line:sub(1, 60))
  end
  return { status = math.tointeger(status), reason = reason, headers = read_headers(reader) }
end

-- Adds the next n bytes to the pieces. Piece by piece, so that a huge n takes
-- no memory before its bytes are there.
local function read_bytes(reader, n, pieces)
  local left = n
  while left > 0 do
    local piece <const> = reader:read(math.min(left, PIECE))
    if not piece then
      truncated("%d bytes of %d are missing", left, n)
    end
    pieces[#pieces + 1] = piece
    left = left - #piece
  end
end

local function read_chunked(reader)
  local pieces <const> = {}
  while true do
    local line <const> = read_line(reader, "chunked body")
    local digits <const> = line:match "^(%x+)[ \t]*$" or line:match "^(%x+)[ \t]*;"
    if not digits or #digits > 15 then
      malformed("'%s' is no chunk size", line:sub(1, 60))
    end
    local size <const> = math.tointeger(tonumber(digits, 16))
    if size == 0 then
      read_headers(reader) -- the trailer
      return table.concat(pieces)
    end
    read_bytes(reader, size, pieces)
    if read_line(reader, "chunked body") ~= "" then
      malformed "a chunk longer than its size"
    end
  end
end

-- The number that Content-Length says, even if it says the same one twice.
local function content_length(field)
  local length
  for item in (field .. ","):gmatch "[ \t]*(.-)[ \t]*," do
    if not item:find "^%d+$" or #item > 18 or (length and length ~= item) then
      malformed("Content-Length '%s'", field:sub(1, 60))
    end
    length = item
  end
  return math.tointeger(length)
end

local function read_body(reader, head)
  local coding <const> = head.headers["transfer-encoding"]
  local length <const> = head.headers["content-length"]
  if head.status == 204 or head.status == 304 then
    return ""
  elseif coding then
    if coding:lower() ~= "chunked" then
      malformed("transfer coding '%s' is not supported", coding:sub(1, 60))
    end
    return read_chunked(reader)
  elseif length then
    local pieces <const> = {}
    read_bytes(reader, content_length(length), pieces)
    return table.concat(pieces)
  end
  return reader:read "a"
end

-- Reads one answer to a GET: status, reason, headers, body.
function response.read(reader)
  local head
  repeat
    head = read_head(reader)
  until head.status >= 200 -- those below only announce it
  head.body = read_body(reader, head)
  return head
end

return response
