-- UDP endpoints for the specs of datagrams, on the loopback interface alone:
-- there a datagram is in the receiver's socket before send returns.

local asyncio = require "asyncio"

local HOST <const> = "127.0.0.1"

local datagrams = {}

-- An endpoint on a port of its own, and the port.
function datagrams.bound(opts)
  opts = opts or {}
  opts.local_addr = opts.local_addr or { host = HOST }
  local endpoint <const> = asyncio.open_datagram(opts)
  return endpoint, endpoint:get_extra_info("sockname").port
end

-- An endpoint, and one that is connected to it.
function datagrams.pair(opts)
  local endpoint, port = datagrams.bound(opts)
  return endpoint, asyncio.open_datagram { remote_addr = { host = HOST, port = port } }, port
end

-- Whether this machine has a loopback address of IPv6.
function datagrams.has_ipv6()
  local ok <const>, endpoint = pcall(asyncio.open_datagram, { local_addr = { host = "::1" } })
  if ok then
    endpoint:close()
  end
  return ok
end

-- How many sockets this process has open, or 0 where nothing tells.
function datagrams.sockets()
  local pipe <close> = io.popen "test -d /proc/$PPID/fd && ls -l /proc/$PPID/fd | grep -c socket:"
  return pipe:read "n" or 0
end

-- Waits until there are no more sockets than so many: what is closed is closed
-- in the next turn, and the system's resolver has some for a while.
function datagrams.await_sockets(n)
  while datagrams.sockets() > n do
    asyncio.sleep(0.001)
  end
end

-- Gives the loop time to receive what is there, and to close what is closing.
function datagrams.settle()
  asyncio.sleep(0.01)
end

-- A task that waits for a datagram of the endpoint by now.
function datagrams.receiver(endpoint)
  local task <const> = asyncio.create_task(endpoint.recv, endpoint)
  asyncio.sleep(0)
  return task
end

return datagrams
