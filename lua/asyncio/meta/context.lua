---@meta _

-- Context variables: see init.lua.

---@class asyncio
local asyncio = {}

-- As contextvars.ContextVar.
---@class asyncio.ContextVar: asyncio.Class
---@overload fun(name: string, default?: any): asyncio.ContextVar
---@field name string
asyncio.ContextVar = {}

-- Raises LookupError where there is neither a value nor a default. As ContextVar.get.
---@param default? any
---@return any
function asyncio.ContextVar:get(default) end

-- As ContextVar.set.
---@param value any nil, too
---@return asyncio.Token
function asyncio.ContextVar:set(value) end

-- Puts the value back that `set` replaced. Raises RuntimeError for a token used
-- before. As ContextVar.reset.
---@param token asyncio.Token
function asyncio.ContextVar:reset(token) end

-- As contextvars.Token.
---@class asyncio.Token: asyncio.Class
---@field var asyncio.ContextVar
---@field old_value any nil where there was none
asyncio.Token = {}

-- As contextvars.Context.
---@class asyncio.Context: asyncio.Class
asyncio.Context = {}

-- Calls fn(...) in this context; it may suspend. Raises RuntimeError where it
-- is entered already. As Context.run.
---@param fn function
---@param ... any
---@return any ...
function asyncio.Context:run(fn, ...) end

-- As Context.get.
---@param var asyncio.ContextVar
---@param default? any
---@return any
function asyncio.Context:get(var, default) end

-- As Context.copy.
---@return asyncio.Context
function asyncio.Context:copy() end

-- A copy of the current context. As contextvars.copy_context.
---@return asyncio.Context
function asyncio.copy_context() end
