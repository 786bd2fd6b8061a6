---@meta _

-- Signals: see init.lua.

---@class asyncio
local asyncio = {}

-- "SIGTERM", "TERM", or a number.
---@alias asyncio.Signal string | integer

-- An iterator that suspends until one of the signals arrives, and gives the
-- names of those that do, in order. It listens until its loop is left. Raises
-- RuntimeError outside a running event loop, OSError.
---@param signal asyncio.Signal
---@param ... asyncio.Signal
---@return fun(): string iterator
---@return nil
---@return nil
---@return any closing
function asyncio.signals(signal, ...) end
