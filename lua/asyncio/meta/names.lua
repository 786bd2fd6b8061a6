---@meta _

-- Host names: see init.lua.

---@class asyncio
local asyncio = {}

---@class asyncio.AddressInfo: asyncio.Address
---@field type "stream" | "dgram"
---@field proto integer
---@field canonname? string the host's full name, in the first one if it was asked for

---@class asyncio.GetaddrinfoOptions
---@field family? "inet" | "inet6"
---@field type? "stream" | "dgram"
---@field passive? boolean addresses to listen on, where the host is nil
---@field canonname? boolean ask for the host's full name
---@field numerichost? boolean refuse a host that is a name
---@field numericserv? boolean refuse a port that is a name
---@field addrconfig? boolean only families that this machine has addresses of

-- Raises OSError. As loop.getaddrinfo.
---@async
---@param host string? nil: this machine
---@param port? integer | string a number, or the name of a service
---@param options? asyncio.GetaddrinfoOptions
---@return asyncio.AddressInfo[]
function asyncio.getaddrinfo(host, port, options) end

---@class asyncio.GetnameinfoOptions
---@field numerichost? boolean do not look up the host's name
---@field numericserv? boolean do not look up the service's name
---@field namereqd? boolean raise an error when the host has no name
---@field dgram? boolean the service is one of datagrams

-- Raises OSError. As loop.getnameinfo.
---@async
---@overload fun(address: asyncio.Address, options?: asyncio.GetnameinfoOptions): string, string
---@param host string numeric
---@param port integer
---@param options? asyncio.GetnameinfoOptions
---@return string host
---@return string service
function asyncio.getnameinfo(host, port, options) end
