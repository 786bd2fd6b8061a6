---@meta _

-- Seeing inside: see init.lua.

---@class asyncio
local asyncio = {}

---@class asyncio.Frame
---@field source string
---@field name? string
---@field line? integer
---@field linedefined? integer

---@class asyncio.CallGraph
---@field future asyncio.Future
---@field task? asyncio.Task
---@field frames asyncio.Frame[] the innermost first
---@field awaited_by asyncio.CallGraph[]

---@class asyncio.CallGraphOptions
---@field depth? integer frames of the caller to leave out, of the running task
---@field limit? integer so many frames; the last ones when negative

---@class asyncio.PrintCallGraphOptions: asyncio.CallGraphOptions
---@field file? table | file* stdout when missing

-- As asyncio.capture_call_graph.
---@param future? asyncio.Future the running task when missing
---@param options? asyncio.CallGraphOptions
---@return asyncio.CallGraph? graph nil outside a task
function asyncio.capture_call_graph(future, options) end

-- As asyncio.format_call_graph.
---@param future? asyncio.Future
---@param options? asyncio.CallGraphOptions
---@return string
function asyncio.format_call_graph(future, options) end

-- As asyncio.print_call_graph.
---@param future? asyncio.Future
---@param options? asyncio.PrintCallGraphOptions
function asyncio.print_call_graph(future, options) end
