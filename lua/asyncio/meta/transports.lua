---@meta _

-- Transports and protocols: see init.lua.

---@class asyncio
local asyncio = {}

-- Its methods are called in callbacks, and cannot suspend. As asyncio.Protocol.
---@class asyncio.Protocol: table
---@field connection_made? fun(self: any, transport: asyncio.Transport)
---@field data_received? fun(self: any, data: string)
---@field eof_received? fun(self: any): any true keeps the transport open
---@field pause_writing? fun(self: any)
---@field resume_writing? fun(self: any)
---@field connection_lost? fun(self: any, err: any)

-- The same for datagrams. As asyncio.DatagramProtocol.
---@class asyncio.DatagramProtocol: table
---@field connection_made? fun(self: any, transport: asyncio.DatagramTransport)
---@field datagram_received? fun(self: any, data: string, address: asyncio.Address)
---@field error_received? fun(self: any, err: any)
---@field pause_writing? fun(self: any)
---@field resume_writing? fun(self: any)
---@field connection_lost? fun(self: any, err: nil)

-- As asyncio.Transport.
---@class asyncio.Transport: asyncio.Class
asyncio.Transport = {}

-- Sends, or queues what cannot be sent now; ignored after the end. Raises
-- RuntimeError after write_eof. As WriteTransport.write.
---@param data string
function asyncio.Transport:write(data) end

-- As WriteTransport.writelines.
---@param list string[]
function asyncio.Transport:writelines(list) end

-- Ends the sending side once all is sent. As WriteTransport.write_eof.
function asyncio.Transport:write_eof() end

-- As WriteTransport.can_write_eof.
---@return boolean
function asyncio.Transport:can_write_eof() end

-- Closes the connection once all is sent. As BaseTransport.close.
function asyncio.Transport:close() end

-- Closes the connection at once. As WriteTransport.abort.
function asyncio.Transport:abort() end

-- As BaseTransport.is_closing.
---@return boolean
function asyncio.Transport:is_closing() end

-- As ReadTransport.pause_reading.
function asyncio.Transport:pause_reading() end

-- As ReadTransport.resume_reading.
function asyncio.Transport:resume_reading() end

-- As ReadTransport.is_reading.
---@return boolean
function asyncio.Transport:is_reading() end

-- As WriteTransport.get_write_buffer_size.
---@return integer bytes
function asyncio.Transport:get_write_buffer_size() end

-- As WriteTransport.get_write_buffer_limits.
---@return integer low
---@return integer high
function asyncio.Transport:get_write_buffer_limits() end

-- As WriteTransport.set_write_buffer_limits.
---@param high? integer
---@param low? integer
function asyncio.Transport:set_write_buffer_limits(high, low) end

-- As BaseTransport.set_protocol.
---@param protocol asyncio.Protocol
function asyncio.Transport:set_protocol(protocol) end

-- As BaseTransport.get_protocol.
---@return asyncio.Protocol
function asyncio.Transport:get_protocol() end

-- As BaseTransport.get_extra_info.
---@param key "peername" | "sockname" | "socket" | "fd" | string
---@param default? any
---@return any value
function asyncio.Transport:get_extra_info(key, default) end

-- As asyncio.DatagramTransport.
---@class asyncio.DatagramTransport: asyncio.Class
asyncio.DatagramTransport = {}

-- Sends a datagram, or queues it while the system has no room; ignored after the
-- end. Errors are the protocol's. As DatagramTransport.sendto.
---@param data string
---@param host? string numeric; nil when connected
---@param port? integer nil when connected
function asyncio.DatagramTransport:sendto(data, host, port) end

-- Closes it once all is sent. As BaseTransport.close.
function asyncio.DatagramTransport:close() end

-- Closes it at once. As DatagramTransport.abort.
function asyncio.DatagramTransport:abort() end

-- As BaseTransport.is_closing.
---@return boolean
function asyncio.DatagramTransport:is_closing() end

-- As WriteTransport.get_write_buffer_size.
---@return integer bytes
function asyncio.DatagramTransport:get_write_buffer_size() end

-- As WriteTransport.get_write_buffer_limits.
---@return integer low
---@return integer high
function asyncio.DatagramTransport:get_write_buffer_limits() end

-- As WriteTransport.set_write_buffer_limits.
---@param high? integer
---@param low? integer
function asyncio.DatagramTransport:set_write_buffer_limits(high, low) end

-- As BaseTransport.set_protocol.
---@param protocol asyncio.DatagramProtocol
function asyncio.DatagramTransport:set_protocol(protocol) end

-- As BaseTransport.get_protocol.
---@return asyncio.DatagramProtocol
function asyncio.DatagramTransport:get_protocol() end

-- As BaseTransport.get_extra_info.
---@param key "peername" | "sockname" | "socket" | "fd" | string
---@param default? any
---@return any value
function asyncio.DatagramTransport:get_extra_info(key, default) end
