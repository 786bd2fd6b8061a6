---@meta _

-- Descriptors of other libraries: see init.lua.

---@class asyncio
local asyncio = {}

-- An object that has a descriptor: one of the two methods is enough.
---@class asyncio.HasFileno
---@field fileno? fun(self): integer
---@field getfd? fun(self): integer

-- The number of a descriptor, an open file, or an object that has one, such as a
-- socket of LuaSocket.
---@alias asyncio.FileDescriptor integer | file* | asyncio.HasFileno

-- Suspends until there is something to read from the descriptor, or its end is
-- reached. Raises OSError for one that is not open or cannot be watched,
-- RuntimeError for that of a stream. POSIX only.
---@async
---@param fd asyncio.FileDescriptor
function asyncio.wait_readable(fd) end

-- Suspends until the descriptor can be written to. Raises as wait_readable.
---@async
---@param fd asyncio.FileDescriptor
function asyncio.wait_writable(fd) end

-- To be called before the program closes a descriptor that may be watched: who
-- waits for it gets an OSError, callbacks of add_reader and add_writer go.
---@param fd asyncio.FileDescriptor
function asyncio.notify_closing(fd) end

-- For programs written for LuaSocket.
asyncio.luasocket = {}

-- The same socket, with the same methods and results; in a task these suspend
-- instead of blocking.
---@param sock any a socket of LuaSocket
---@return any sock
function asyncio.luasocket.wrap(sock) end

-- From now on LuaSocket makes such sockets, and its functions suspend in tasks.
-- Again it does nothing. Raises where LuaSocket is not installed.
function asyncio.luasocket.install() end

-- Puts LuaSocket's own functions back.
function asyncio.luasocket.uninstall() end

return asyncio
