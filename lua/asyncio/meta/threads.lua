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

-- Runs fn(...) in a thread of the default executor. As asyncio.to_thread.
---@async
---@param fn function|string a function that can cross, or "module:function"
---@param ... any
---@return any ... what it returns
function asyncio.to_thread(fn, ...) end

-- How many cores this process may use. As os.process_cpu_count.
---@return integer
function asyncio.cpu_count() end

---@class asyncio.ThreadPoolOptions
---@field max_workers? integer default: cpu_count()
---@field initializer? function|string called first in each state
---@field name? string of the threads, for debuggers
---@field interrupt? boolean default true: cancelled jobs are interrupted

-- A pool of threads, each with a Lua state of its own; a `<close>` variable shuts
-- it down. As concurrent.futures.ThreadPoolExecutor.
---@class asyncio.ThreadPoolExecutor: asyncio.Class
---@overload fun(options?: integer|asyncio.ThreadPoolOptions): asyncio.ThreadPoolExecutor
asyncio.ThreadPoolExecutor = {}

-- As Executor.submit.
---@param fn function|string
---@param ... any
---@return asyncio.Future
function asyncio.ThreadPoolExecutor:submit(fn, ...) end

-- An iterator over the results of fn for all items, in order. As Executor.map.
---@param fn function|string
---@param list table|function
---@param ... table|function more lists, then {chunksize: integer?, buffersize: integer?}
---@return fun(): any ...
function asyncio.ThreadPoolExecutor:map(fn, list, ...) end

-- As Executor.shutdown.
---@async
---@param options? {wait: boolean?, cancel_futures: boolean?}
function asyncio.ThreadPoolExecutor:shutdown(options) end

-- What it is like at the moment.
---@return {max_workers: integer, workers: integer, running: integer, queued: integer}
function asyncio.ThreadPoolExecutor:statistics() end
