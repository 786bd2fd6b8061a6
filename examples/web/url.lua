-- Addresses of web pages: taken apart, and found relative to one another as
-- RFC 3986 says. Fragments are the reader's own business: they are dropped.

local errors = require "web.errors"

local URL <const> = {}
URL.__index = URL

local url = {}

local function bad(text, why, ...)
  errors.raise(errors.URLError, "bad URL '%s': " .. why, text, ...)
end

-- Spaces and bytes beyond ASCII travel as %XX; what is encoded stays so.
local function encode(target)
  return (target:gsub("[^\x21-\x7e]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

-- "[::1]:8080" -> "::1", "8080"
local function split_authority(text, authority)
  if authority:find "@" then
    bad(text, "user names are not supported")
  end
  local host, rest = authority:match "^%[([%x:.]+)%](.*)$"
  if host then
    if not host:find ":" then
      bad(text, "'%s' is no IPv6 address", host)
    end
  else
    host, rest = authority:match "^([%w%-._]+)(.*)$"
  end
  if not host then
    bad(text, "no host")
  end
  local port <const> = rest:match "^:(%d*)$"
  if rest ~= "" and not port then
    bad(text, "'%s' after the host is no port", rest)
  end
  return host:lower(), port
end

local function check_port(text, digits)
  if not digits or digits == "" then
    return 80
  end
  local port <const> = math.tointeger(tonumber(digits))
  if not port or port < 1 or port > 65535 then
    bad(text, "port %s is out of range", digits)
  end
  return port
end

-- Takes an http:// address apart: host, port, target (path and query).
function url.parse(text)
  if text:find "%c" then
    bad(text:gsub("%c", "?"), "control character")
  end
  local scheme, rest = text:match "^(%a[%w+.-]*):(.*)$"
  if not scheme or not rest:find "^//" then
    bad(text, "it does not start with http://")
  elseif scheme:lower() ~= "http" then
    bad(text, "%s:// is not supported, only http://", scheme:lower())
  end
  local authority, target = rest:match "^//([^/?#]*)([^#]*)"
  local host, digits = split_authority(text, authority)
  if target:sub(1, 1) ~= "/" then
    target = "/" .. target
  end
  local self <const> = { host = host, port = check_port(text, digits), target = encode(target) }
  return setmetatable(self, URL)
end

-- What the Host field says, and what stands between "http://" and the path.
function URL:authority()
  local host <const> = self.host:find ":" and "[" .. self.host .. "]" or self.host
  return self.port == 80 and host or host .. ":" .. self.port
end

function URL:__tostring()
  return "http://" .. self:authority() .. self.target
end

-- "/a/b/../c/./d" -> "/a/c/d"
local function remove_dots(path)
  local kept <const> = {}
  local last
  for segment in path:gmatch "/([^/]*)" do
    last = segment
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
  end
  if last == "." or last == ".." then
    kept[#kept + 1] = ""
  end
  return "/" .. table.concat(kept, "/")
end

-- The path and query that a reference without a host means on this page.
local function resolve_target(base, reference)
  local path <const>, query <const> = reference:match "^([^?]*)(.*)$"
  local base_path <const>, base_query <const> = base.target:match "^([^?]*)(.*)$"
  if path == "" then
    return base_path .. (query ~= "" and query or base_query)
  elseif path:sub(1, 1) == "/" then
    return remove_dots(path) .. query
  end
  return remove_dots(base_path:match "^.*/" .. path) .. query
end

-- The address that a reference (a Location, say) means on the page at base.
function url.resolve(base, reference)
  reference = reference:match "^[^#]*"
  if reference:find "^%a[%w+.-]*:" then
    return url.parse(reference)
  elseif reference:find "^//" then
    return url.parse("http:" .. reference)
  end
  return url.parse("http://" .. base:authority() .. resolve_target(base, reference))
end

return url
