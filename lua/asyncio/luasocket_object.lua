-- Sockets of LuaSocket that let other tasks run while they wait. Such an object
-- has the methods of the one it is made of, with their results: nil, an error
-- such as "timeout" or "closed", and what there was until then. The socket
-- itself never blocks; what would, waits for its descriptor and tries again.

local core <const> = require "asyncio.core"

local object = {}

-- A socket that is always ready gives the others a turn after so many calls, and
-- moves no more bytes in one of these.
local CALLS <const> = 16
local CHUNK <const> = 65536

local FAILURES <const> = { core.TimeoutError, core.OSError }

local Stream <const>, Datagram <const> = {}, {}

-- {====== Waiting ======

local function in_task()
  return core.current_task() ~= nil
end

local function now()
  local task <const> = core.current_task()
  return task and task:get_loop():time() or require("socket").gettime()
end

-- Outside tasks it blocks, as LuaSocket does.
local function wait_blocking(self, side, limit)
  local list <const> = { self.raw }
  local select <const> = object.select or require("socket").select
  local _, _, err = select(side == "read" and list or nil, side == "write" and list or nil, limit)
  return err
end

-- Waits until the socket is ready for one side; returns nil then, or an error.
local function wait(self, side, deadline)
  local limit = self.block
  if deadline then
    limit = math.min(limit or math.huge, deadline - now())
  end
  if limit and limit <= 0 then
    return "timeout"
  elseif not in_task() then
    return wait_blocking(self, side, limit)
  end
  local ready <const> = side == "read" and core.wait_readable or core.wait_writable
  local ok, err = core.catch(FAILURES, core.wait_for, ready, limit, self.raw)
  if ok then
    return nil
  elseif core.isinstance(err, core.TimeoutError) then
    return "timeout"
  end
  return self.raw:getfd() < 0 and "closed" or err.message
end

-- Which side a socket wants that could not go on, those of LuaSec among them.
local WANTED <const> = { wantread = "read", wantwrite = "write" }

-- After a call that failed: waits if the socket only was not ready, and returns
-- nil when it is; else the error.
local function blocked(self, err, side, deadline)
  side = err == "timeout" and side or WANTED[err]
  if not side then
    return err
  end
  self.calls = 0
  return wait(self, side, deadline)
end

local function give_turn(self)
  self.calls = self.calls + 1
  if self.calls >= CALLS and in_task() then
    self.calls = 0
    core.sleep(0)
  end
end

-- Begins an operation; returns until when it may wait, if there is a limit.
local function begin(self)
  give_turn(self)
  return self.total and now() + self.total
end

-- Calls the socket's method until it need not wait.
local function repeated(self, side, method, ...)
  local deadline <const> = begin(self)
  while true do
    local results <const> = table.pack(self.raw[method](self.raw, ...))
    if results[1] then
      return table.unpack(results, 1, results.n)
    end
    local err <const> = blocked(self, results[2], side, deadline)
    if err then
      return nil, err
    end
  end
end

-- ======}

-- {====== Names ======

-- LuaSocket's words for what the system says.
local RESOLVER <const> = { EAI_NONAME = "host or service not provided, or not known" }

-- LuaSocket's error for one of the resolver.
function object.error_of(err)
  return RESOLVER[err.code] or err.message
end

local function is_numeric(host)
  return host == "*" or host:find "^[%d.]+$" or host:find(":", 1, true)
end

-- The addresses of a host, for sockets of that family or of any: a list of
-- strings, or nil and LuaSocket's error.
function object.resolve(host, family, kind, limit)
  if type(host) ~= "string" or is_numeric(host) or not in_task() then
    return { host }
  end
  local options <const> = { family = family, type = kind }
  local ok, list = core.catch(FAILURES, core.wait_for, core.getaddrinfo, limit, host, 0, options)
  if not ok then
    local late <const> = core.isinstance(list, core.TimeoutError)
    return nil, late and "timeout" or object.error_of(list)
  end
  for i, address in ipairs(list) do
    list[i] = address.host
  end
  return list
end

-- A socket that has no descriptor yet takes any family. One that must not wait
-- does so here all the same, as LuaSocket's do.
local function addresses_of(self, host, kind)
  if self.raw.getfamily == nil then -- a Unix socket: the host is a path
    return { host }
  end
  local family
  if self.raw:getfd() >= 0 then
    family = self.raw:getfamily() == "inet6" and "inet6" or "inet"
  end
  local limit <const> = self.block or self.total
  return object.resolve(host, family, kind, limit ~= 0 and limit or nil)
end

-- Calls the method with one address of the host after the other, until one will
-- do.
local function with_address(self, kind, method, host, ...)
  local list, err = addresses_of(self, host, kind)
  for i = 1, list and math.max(#list, 1) or 0 do
    local ok
    ok, err = self.raw[method](self.raw, list[i], ...)
    if ok then
      return ok
    end
  end
  return nil, err
end

-- ======}

-- {====== What all have ======

local shared <const> = {}

-- As sock:settimeout(value, mode); the socket itself never waits.
function shared:settimeout(value, mode)
  if value ~= nil and not tonumber(value) then
    local text <const> = "bad argument #1 to 'settimeout' (number expected, got %s)"
    error(text:format(type(value)), 2)
  end
  value = tonumber(value)
  local limit <const> = value and value >= 0 and value or nil
  mode = mode or "b"
  if mode:find "^b" then
    self.block = limit
  elseif mode:find "^[rt]" then
    self.total = limit
  else
    error("bad argument #2 to 'settimeout' (invalid timeout mode)", 2)
  end
  return 1
end

function shared:gettimeout()
  return self.block or -1, self.total or -1
end

-- Whoever waits for the socket is told.
function shared:close()
  self.pieces = {}
  pcall(core.notify_closing, self.raw) -- there may be no loop, or no descriptor
  return self.raw:close()
end

-- Whether something was received that nobody took yet.
function shared:dirty()
  return self.pieces[1] ~= nil or self.raw:dirty()
end

-- ======}

-- {====== Streams ======

local UNDER_WAY <const> = { timeout = true, ["Operation already in progress"] = true }

-- Connects to one address; returns nil, or an error. Asked again, the system says
-- how it ended.
local function connect_to(self, deadline, ...)
  local ok, err = self.raw:connect(...)
  while not ok and UNDER_WAY[err] do
    local failure <const> = wait(self, "write", deadline)
    if failure then
      return failure
    end
    ok, err = self.raw:connect(...)
    ok = ok or err == "already connected"
  end
  return not ok and err or nil
end

-- As sock:connect(host, port): to the first of the host's addresses that will.
function Stream:connect(host, ...)
  local deadline <const> = begin(self)
  local list, err = addresses_of(self, host, "stream")
  for i = 1, list and math.max(#list, 1) or 0 do -- LuaSocket says what is no host
    err = connect_to(self, deadline, list[i], ...)
    if not err then
      return 1
    elseif err == "timeout" or err == "closed" then
      break
    end
  end
  return nil, err
end

function Stream:bind(host, ...)
  return with_address(self, "stream", "bind", host, ...)
end

function Stream:accept()
  local client, err = repeated(self, "read", "accept")
  if not client then
    return nil, err
  end
  return object.wrap(client)
end

-- As sock:send(data, i, j): returns the last index sent; else nil, an error and
-- that index.
function Stream:send(data, i, j)
  if type(data) == "number" then
    data = tostring(data)
  elseif type(data) ~= "string" then
    return self.raw:send(data) -- which says what is wrong
  end
  i, j = i or 1, j or -1
  i = math.max(i < 0 and #data + i + 1 or i, 1)
  j = math.min(j < 0 and #data + j + 1 or j, #data)
  local deadline <const> = begin(self)
  local sent = i - 1
  while sent < j do
    local last, err, partial = self.raw:send(data, sent + 1, math.min(j, sent + CHUNK))
    sent = last or partial or sent
    if last then
      give_turn(self)
    else
      err = blocked(self, err, "write", deadline)
      if err then
        return nil, err, sent
      end
    end
  end
  return sent
end

-- What a receive that was cancelled left, if it is all that is wanted: so many
-- bytes, or a line.
local function take(self, line, size)
  local held <const> = table.concat(self.pieces)
  local last = size
  if held == "" or not (line or size) or (size and size > #held) then
    return nil
  elseif line then
    last = held:find("\n", 1, true)
    if not last then
      return nil
    end
  end
  self.pieces = { #held > last and held:sub(last + 1) or nil }
  local data <const> = held:sub(1, last)
  return line and data:gsub("[\r\n]", "") or data
end

-- Receives once; what came is in self.pieces. Returns how much that was, and an
-- error unless it was all that was asked for.
local function receive_some(self, pattern)
  local data, err, partial = self.raw:receive(pattern)
  local piece <const> = data or partial or ""
  if piece ~= "" then
    self.pieces[#self.pieces + 1] = piece
  end
  return #piece, err
end

-- Receives until there is what is wanted; it is in self.pieces, where it stays if
-- the task is cancelled. Returns nil, or an error.
local function collect(self, pattern, size)
  local deadline <const> = begin(self)
  local to_end <const> = pattern == "*a"
  local got = #table.concat(self.pieces)
  while true do
    local chunk <const> = size and math.min(size - got, CHUNK) or to_end and CHUNK
    local more, err = receive_some(self, chunk or pattern)
    got = got + more
    if err then
      err = blocked(self, err, "read", deadline)
    elseif not chunk or got == size then
      return nil
    else
      give_turn(self)
    end
    if err then
      return (err ~= "closed" or not to_end or got == 0) and err or nil
    end
  end
end

-- As sock:receive(pattern, prefix): returns what was received behind the prefix;
-- else nil, an error, and as much as there was.
function Stream:receive(pattern, prefix)
  pattern, prefix = pattern or "*l", prefix or ""
  local size = math.tointeger(tonumber(pattern))
  if size then
    size = size - #prefix
    if size <= 0 and #prefix > 0 then
      return prefix
    end
  end
  local data <const> = take(self, pattern == "*l", size)
  if data then
    return prefix .. data
  end
  local err <const> = collect(self, pattern, size)
  local all <const> = prefix .. table.concat(self.pieces)
  self.pieces = {}
  if err then
    return nil, err, all
  end
  return all
end

-- LuaSec's.
function Stream:dohandshake()
  return repeated(self, "read", "dohandshake")
end

-- ======}

-- {====== Datagrams ======

function Datagram:send(...)
  return repeated(self, "write", "send", ...)
end

function Datagram:sendto(...)
  return repeated(self, "write", "sendto", ...)
end

function Datagram:receive(...)
  return repeated(self, "read", "receive", ...)
end

function Datagram:receivefrom(...)
  return repeated(self, "read", "receivefrom", ...)
end

function Datagram:setpeername(host, ...)
  return with_address(self, "dgram", "setpeername", host, ...)
end

function Datagram:setsockname(host, ...)
  return with_address(self, "dgram", "setsockname", host, ...)
end

-- ======}

-- {====== The objects ======

-- A method that is called as it is.
local function forwarding(name)
  return function(self, ...)
    return self.raw[name](self.raw, ...)
  end
end

-- The metatables of the objects, by the tables of their sockets' methods.
local classes <const> = setmetatable({}, { __mode = "k" })

-- The methods are those of the socket, in our own way where it might wait.
local function class_of(sock)
  local theirs <const> = getmetatable(sock).__index
  if classes[theirs] then
    return classes[theirs]
  end
  local kind <const> = tostring(sock)
  local is_datagram <const> = kind:find "^udp" or kind:find "^unixdgram"
  local ours <const>, methods <const> = is_datagram and Datagram or Stream, {}
  for name, method in pairs(theirs) do
    if type(method) == "function" then
      methods[name] = ours[name] or shared[name] or forwarding(name)
    end
  end
  local meta <const> = { __name = "asyncio.luasocket", __index = methods, __close = methods.close }
  function meta:__tostring()
    return tostring(self.raw)
  end
  classes[theirs] = meta
  return meta
end

local function is_socket(sock)
  local meta <const> = type(sock) == "userdata" and getmetatable(sock)
  local methods <const> = type(meta) == "table" and meta.__index
  return type(methods) == "table" and methods.settimeout ~= nil and methods.getfd ~= nil
end

local function is_wrapped(value)
  return type(value) == "table" and (getmetatable(value) or {}).__name == "asyncio.luasocket"
end

-- The object for a socket of LuaSocket; one that is such an object already is
-- returned as it is.
function object.wrap(sock)
  if is_wrapped(sock) then
    return sock
  elseif not is_socket(sock) then
    local text <const> = "bad argument #1 to 'wrap' (socket of LuaSocket expected, got %s)"
    error(text:format(type(sock)), 2)
  end
  local self <const> = { raw = sock, calls = 0, pieces = {} }
  if sock.gettimeout then
    local block <const>, total <const> = sock:gettimeout()
    self.block = block >= 0 and block or nil
    self.total = total >= 0 and total or nil
  end
  sock:settimeout(0)
  return setmetatable(self, class_of(sock))
end

-- ======}

return object
