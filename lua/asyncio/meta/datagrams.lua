---@meta _

-- Datagrams: see init.lua.

---@class asyncio
local asyncio = {}

---@class asyncio.DatagramOptions
---@field local_addr? {host?: string, port?: integer} where to receive; without host every interface
---@field remote_addr? {host: string, port: integer} the only peer: the endpoint is connected
---@field family? "inet" | "inet6"
---@field reuse_port? boolean
---@field broadcast? boolean
---@field limit? integer bytes that the endpoint keeps for recv, 65536 when missing

-- Raises OSError. As loop.create_datagram_endpoint.
---@async
---@param options? asyncio.DatagramOptions
---@return asyncio.DatagramEndpoint
function asyncio.open_datagram(options) end

-- A <close> variable closes it. Methods raise OSError on a closed one. As
-- asyncio.DatagramTransport.
---@class asyncio.DatagramEndpoint: asyncio.Class
asyncio.DatagramEndpoint = {}

-- Sends one datagram; waits only while the system has no room for it. Raises
-- OSError. As DatagramTransport.sendto.
---@async
---@param data string
---@param host? string nil when connected
---@param port? integer nil when connected
function asyncio.DatagramEndpoint:send(data, host, port) end

-- Waits for the next datagram. Raises OSError. As DatagramProtocol.datagram_received.
---@async
---@return string data
---@return string host
---@return integer port
function asyncio.DatagramEndpoint:recv() end

-- Iterates over the datagrams until the endpoint is closed. Raises OSError.
---@return fun(): string?, string, integer
function asyncio.DatagramEndpoint:datagrams() end

-- Closes it at once; those who wait meet an OSError. As DatagramTransport.close.
function asyncio.DatagramEndpoint:close() end

-- As DatagramTransport.is_closing.
---@return boolean
function asyncio.DatagramEndpoint:is_closing() end

-- As DatagramTransport.get_extra_info.
---@param key "peername" | "sockname" | "socket" | "fd" | string
---@param default? any
---@return any value asyncio.Address; the descriptor's number for the last two
function asyncio.DatagramEndpoint:get_extra_info(key, default) end

-- Receives what is sent to the group, on one interface. Raises OSError. As
-- socket's IP_ADD_MEMBERSHIP.
---@param group string numeric
---@param interface? string numeric; nil: the system's choice
function asyncio.DatagramEndpoint:join_group(group, interface) end

-- Raises OSError when it is not in the group. As socket's IP_DROP_MEMBERSHIP.
---@param group string numeric
---@param interface? string numeric
function asyncio.DatagramEndpoint:leave_group(group, interface) end

-- Allows to send to broadcast addresses. As socket's SO_BROADCAST.
---@param on boolean
function asyncio.DatagramEndpoint:set_broadcast(on) end

-- How many routers a datagram passes. As socket's IP_TTL.
---@param ttl integer 1 to 255
function asyncio.DatagramEndpoint:set_ttl(ttl) end

-- The same for multicast. As socket's IP_MULTICAST_TTL.
---@param ttl integer 0 to 255
function asyncio.DatagramEndpoint:set_multicast_ttl(ttl) end

-- Whether members on this machine get what is sent. As socket's IP_MULTICAST_LOOP.
---@param on boolean
function asyncio.DatagramEndpoint:set_multicast_loop(on) end

-- Where multicast is sent. Raises OSError. As socket's IP_MULTICAST_IF.
---@param interface? string numeric; nil: the system's choice
function asyncio.DatagramEndpoint:set_multicast_interface(interface) end
