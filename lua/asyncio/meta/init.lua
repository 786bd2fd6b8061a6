---@meta asyncio

-- Declarations for the Lua language server: every public name, what it takes,
-- what it gives, what it raises. Times are seconds. Functions marked @async
-- suspend the running task and are to be called in one. Each declaration ends
-- with the function of Python's asyncio that it answers to, where there is one.
-- Each concept is in a file of its own; the server puts them together.

---@class asyncio
---@field _VERSION string
---@field FIRST_COMPLETED "FIRST_COMPLETED" for `wait`: until one is done
---@field FIRST_EXCEPTION "FIRST_EXCEPTION" for `wait`: until one fails, or all are done
---@field ALL_COMPLETED "ALL_COMPLETED" for `wait`: until all are done
local asyncio = {
  _VERSION = "",
  FIRST_COMPLETED = "FIRST_COMPLETED",
  FIRST_EXCEPTION = "FIRST_EXCEPTION",
  ALL_COMPLETED = "ALL_COMPLETED",
}

-- What can be awaited; any value with a metamethod __await is one, too.
---@alias asyncio.Awaitable asyncio.Future | asyncio.Coroutine | function | thread | table

---@class asyncio.Class: table a class, for `isinstance` and `catch`
---@field name string

---@alias asyncio.Classes asyncio.Class | asyncio.Class[]

return asyncio
