-- A small web server with pages of many sizes and kinds, some slower than
-- others: what there is to fetch when no URL is given.

local asyncio = require "asyncio"

local server = {}

local LINE <const> = "All work and no play makes a long page, and page %d is one of them.\n"

-- Numbers from 0 up to 1 that look random and are the same in each run.
local function scatter(i, salt)
  local n <const> = i * 7919 + salt * 104729
  return ((n ~ (n >> 7)) * 2654435761 & 0xffffffff) / 0x100000000
end

local function body_of(i)
  local line <const> = LINE:format(i)
  return line:rep(1 + math.floor(scatter(i, 1) * 175))
end

local function send(writer, status, fields, body)
  writer:write(("HTTP/1.1 %s\r\nContent-Type: text/plain\r\n%s\r\n"):format(status, fields))
  writer:write(body)
  writer:drain()
end

local function send_sized(writer, body, status)
  send(writer, status or "200 OK", ("Content-Length: %d\r\n"):format(#body), body)
end

-- The body in pieces, each of which says how long it is.
local function send_chunked(writer, body)
  send(writer, "200 OK", "Transfer-Encoding: chunked\r\n", "")
  for first = 1, #body, 4000 do
    local piece <const> = body:sub(first, first + 3999)
    writer:write(("%x\r\n%s\r\n"):format(#piece, piece))
    writer:drain()
    asyncio.sleep(0) -- another task's turn
  end
  writer:write "0\r\n\r\n"
  writer:drain()
end

local function send_redirect(writer, location)
  send(writer, "302 Found", ("Location: %s\r\nContent-Length: 0\r\n"):format(location), "")
end

local function send_page(writer, i)
  asyncio.sleep(0.02 + 0.2 * scatter(i, 2)) -- as if it took some work
  if i % 3 == 0 then
    send_chunked(writer, body_of(i))
  elseif i % 7 == 0 then
    send(writer, "200 OK", "", body_of(i)) -- it ends where the connection ends
  else
    send_sized(writer, body_of(i))
  end
end

local function answer(writer, target, pages)
  local kind, digits = target:match "^/(%a+)/(%d+)$"
  local i <const> = math.tointeger(digits) or 0
  if i < 1 or i > pages or i % 40 == 0 then
    send_sized(writer, "There is no such page.\n", "404 Not Found")
  elseif kind == "page" and i % 10 == 5 then
    send_redirect(writer, "../moved/" .. i)
  else
    send_page(writer, i)
  end
end

-- One request for each connection.
local function handle(reader, writer, pages)
  local _ <close> = writer
  local head <const> = reader:readuntil "\r\n\r\n"
  local target <const> = head:match "^GET (%S+) HTTP/1%.%d\r\n"
  if target then
    answer(writer, target, pages)
  else
    send_sized(writer, "GET is all that I understand.\n", "400 Bad Request")
  end
end

-- Clients may leave when they like; what else goes wrong is reported.
local GONE <const> = { asyncio.OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError }

-- Starts a server of that many pages on a free port of this computer; returns
-- it and the addresses of its pages. The server is a scope: it closes itself.
function server.start(pages)
  local started <const> = asyncio.start_server(function(reader, writer)
    asyncio.catch(GONE, handle, reader, writer, pages)
  end, "127.0.0.1", 0)
  local root <const> = ("http://%s"):format(started:sockets()[1])
  local urls <const> = {}
  for i = 1, pages do
    urls[i] = ("%s/page/%d"):format(root, i)
  end
  return started, urls
end

return server
