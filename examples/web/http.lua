-- A small web client: fetches one page, wherever redirects lead.

local asyncio = require "asyncio"
local errors = require "web.errors"
local response = require "web.response"
local url = require "web.url"

local http = {}

local MAX_REDIRECTS <const> = 10

local REQUEST <const> = table.concat({
  "GET %s HTTP/1.1",
  "Host: %s",
  "User-Agent: lua-asyncio-example",
  "Accept: */*",
  "Connection: close",
  "\r\n",
}, "\r\n")

local IS_REDIRECT <const> = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

-- One request over a connection of its own. However it ends (an answer, an
-- error, a timeout), the writer's scope closes the connection.
local function request(address)
  local reader, writer <close> = asyncio.open_connection(address.host, address.port)
  writer:write(REQUEST:format(address.target, address:authority()))
  return response.read(reader)
end

-- Fetches the page: its status, reason, headers and body, the url it came from
-- and the number of redirects that led there.
function http.get(text)
  local address = url.parse(text)
  local seen <const> = {}
  for redirects = 0, MAX_REDIRECTS do
    seen[tostring(address)] = true
    local page <const> = request(address)
    local location <const> = IS_REDIRECT[page.status] and page.headers.location
    if not location then
      page.url, page.redirects = tostring(address), redirects
      return page
    end
    address = url.resolve(address, location)
    if seen[tostring(address)] then
      errors.raise(errors.RedirectError, "the redirects go round in a circle at %s", address)
    end
  end
  errors.raise(errors.RedirectError, "more than %d redirects", MAX_REDIRECTS)
end

return http
