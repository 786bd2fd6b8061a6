-- Programs written for LuaSocket as tasks: asyncio.luasocket.wrap for one of its
-- sockets, install for all that it makes from then on. LuaSocket is only needed
-- when these are called.

local core <const> = require "asyncio.core"
local object <const> = require "asyncio.luasocket_object"

local luasocket = { wrap = object.wrap }

-- The functions that install replaced, by the table they are in; nil when nothing
-- is installed.
local originals

-- {====== What takes the place of LuaSocket's functions ======

-- A constructor whose sockets are wrapped.
local function wrapping(create)
  return function(...)
    local sock, err = create(...)
    if not sock then
      return nil, err
    end
    return object.wrap(sock)
  end
end

-- socket.connect(host, port, local host, local port, family)
local function connect(socket)
  return function(host, port, localhost, localport, family)
    local create <const> = family == "inet6" and socket.tcp6
      or family == "inet" and socket.tcp4
      or socket.tcp
    local sock, err = create()
    local ok = sock
    if ok and localhost then
      ok, err = sock:bind(localhost, localport or 0)
    end
    if ok then
      ok, err = sock:connect(host, port)
    end
    if ok then
      return sock
    elseif sock then
      sock:close()
    end
    return nil, err
  end
end

local function sleep(blocking)
  return function(seconds)
    if core.current_task() then
      core.sleep(seconds)
    else
      blocking(seconds)
    end
  end
end

-- A protected call that knows exceptions of either kind of 'try': LuaSocket's own
-- tells them from other errors.
local function protect(original)
  local function finish(ok, ...)
    if ok then
      return ...
    end
    return original(error)((...), 0)
  end
  return function(fn)
    return function(...)
      return finish(pcall(fn, ...))
    end
  end
end

-- A 'try' whose finalizer may wait.
local function newtry(original)
  local raise <const> = original()
  return function(finalizer)
    return function(...)
      if not ... then
        if finalizer then
          core.pcall(finalizer)
        end
        raise(...)
      end
      return ...
    end
  end
end

-- socket.dns.getaddrinfo(host)
local function getaddrinfo(blocking)
  return function(host)
    if not core.current_task() or type(host) ~= "string" then
      return blocking(host)
    end
    local ok, list = core.catch(core.OSError, core.getaddrinfo, host, nil, { type = "stream" })
    if not ok then
      return nil, object.error_of(list)
    end
    for i, address in ipairs(list) do
      list[i] = { family = address.family, addr = address.host }
    end
    return list
  end
end

-- socket.dns.toip(host)
local function toip(blocking)
  return function(host)
    if not core.current_task() or type(host) ~= "string" then
      return blocking(host)
    end
    local options <const> = { type = "stream", family = "inet", canonname = true }
    local ok, list = core.catch(core.OSError, core.getaddrinfo, host, nil, options)
    if not ok then
      return nil, object.error_of(list)
    end
    local resolved <const> = { name = list[1].canonname or host, alias = {}, ip = {} }
    for i, address in ipairs(list) do
      resolved.ip[i] = address.host
    end
    return resolved.ip[1], resolved
  end
end

-- ======}

-- {====== select ======

-- Starts a task for each socket of the list that has a descriptor; returns
-- whether one has data already.
local function watch(tasks, sockets, wait)
  local dirty = false
  for _, sock in ipairs(sockets or {}) do
    if sock:getfd() >= 0 then
      tasks[#tasks + 1] = core.create_task(wait, sock)
      dirty = dirty or (wait == core.wait_readable and sock:dirty())
    end
  end
  return dirty
end

-- Cancels what still waits, and waits for its end.
local unwatching <const> = {
  __close = function(tasks)
    for _, task in ipairs(tasks) do
      task:cancel()
    end
    core.gather(tasks, { return_exceptions = true }):await()
  end,
}

-- Waits until a socket of the lists is ready, or the time is over.
local function wait_for_any(recvt, sendt, timeout)
  local tasks <close> = setmetatable({}, unwatching)
  local dirty <const> = watch(tasks, recvt, core.wait_readable)
  watch(tasks, sendt, core.wait_writable)
  if tasks[1] and not dirty then
    core.wait(tasks, { timeout = timeout, return_when = core.FIRST_COMPLETED })
  elseif not dirty then
    core.sleep(timeout or math.huge)
  end
end

-- socket.select(recvt, sendt, timeout)
local function select_sockets(blocking)
  return function(recvt, sendt, timeout)
    if core.current_task() and not (timeout and timeout == 0) then
      wait_for_any(recvt, sendt, timeout and timeout > 0 and timeout or nil)
      timeout = 0
    end
    return blocking(recvt, sendt, timeout)
  end
end

-- ======}

-- {====== Installing ======

local function replace(where, name, make)
  if where[name] then
    originals[#originals + 1] = { where, name, where[name] }
    where[name] = make(where[name])
  end
end

-- Puts the functions above in the place of LuaSocket's; again it does nothing.
function luasocket.install()
  if originals then
    return
  end
  local socket <const> = require "socket"
  originals = {}
  object.select = socket.select
  for _, name in ipairs { "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6" } do
    replace(socket, name, wrapping)
  end
  replace(socket, "connect", function()
    return connect(socket)
  end)
  replace(socket, "sleep", sleep)
  replace(socket, "select", select_sockets)
  replace(socket, "protect", protect)
  replace(socket, "newtry", newtry)
  replace(socket.dns, "getaddrinfo", getaddrinfo)
  replace(socket.dns, "toip", toip)
  if package.loaded["ssl"] then
    replace(package.loaded["ssl"], "wrap", wrapping)
  end
end

-- Puts LuaSocket's own back. Sockets that were made meanwhile stay as they are.
function luasocket.uninstall()
  for _, each in ipairs(originals or {}) do
    local where <const>, name <const>, original <const> = table.unpack(each)
    where[name] = original
  end
  originals = nil
  object.select = nil
end

-- ======}

return luasocket
