---@meta _

-- Threads and processes: see init.lua.

---@class asyncio
local asyncio = {}

-- Lets tables with the metatable cross to other Lua states, which have registered
-- one under that name, or do so when the module of a "module:name" is required.
---@generic T : table
---@param name string
---@param metatable T
---@return T metatable
function asyncio.register_metatable(name, metatable) end
