---@meta _

-- Protected calls: see init.lua.

---@class asyncio
local asyncio = {}

-- Lua's pcall, through which CancelledError and KeyboardInterrupt pass. As
-- `except Exception`.
---@param fn function
---@param ... any
---@return boolean ok
---@return any ... results, or the error
function asyncio.pcall(fn, ...) end

-- Lua's xpcall, through which CancelledError and KeyboardInterrupt pass.
---@param fn function
---@param handler fun(err: any): any
---@param ... any
---@return boolean ok
---@return any ... results, or what the handler returned
function asyncio.xpcall(fn, handler, ...) end

-- A pcall that catches instances of the class alone. As `except Class`.
---@param class asyncio.Classes
---@param fn function
---@param ... any
---@return boolean ok
---@return any ... results, or the error
function asyncio.catch(class, fn, ...) end
