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

-- How many cores this process may use, and has the time for. As
-- os.process_cpu_count, and what its control group allows.
---@return integer
function asyncio.cpu_count() end

-- The class of both kinds of pools. As concurrent.futures.Executor.
---@class asyncio.Executor: asyncio.Class
asyncio.Executor = {}

-- As Executor.submit.
---@param fn function|string
---@param ... any
---@return asyncio.Future
function asyncio.Executor:submit(fn, ...) end

-- An iterator over the results of fn for all items, in order. As Executor.map.
---@param fn function|string
---@param list table|function
---@param ... table|function more lists, then {chunksize: integer?, buffersize: integer?}
---@return fun(): any ...
function asyncio.Executor:map(fn, list, ...) end

-- As Executor.shutdown.
---@async
---@param options? {wait: boolean?, cancel_futures: boolean?}
function asyncio.Executor:shutdown(options) end

-- What it is like at the moment.
---@return {max_workers: integer, workers: integer, running: integer, queued: integer}
function asyncio.Executor:statistics() end

---@class asyncio.ThreadPoolOptions
---@field max_workers? integer default: cpu_count()
---@field initializer? function|string called first in each state
---@field name? string of the threads, for debuggers
---@field interrupt? boolean default true: cancelled jobs are interrupted

-- A pool of threads, each with a Lua state of its own; a `<close>` variable shuts
-- it down. As concurrent.futures.ThreadPoolExecutor.
---@class asyncio.ThreadPoolExecutor: asyncio.Executor
---@overload fun(options?: integer|asyncio.ThreadPoolOptions): asyncio.ThreadPoolExecutor
asyncio.ThreadPoolExecutor = {}

---@class asyncio.ProcessPoolOptions: asyncio.ThreadPoolOptions
---@field executable? string the Lua interpreter; default: the program that runs

-- The same of processes. As concurrent.futures.ProcessPoolExecutor.
---@class asyncio.ProcessPoolExecutor: asyncio.Executor
---@overload fun(options?: integer|asyncio.ProcessPoolOptions): asyncio.ProcessPoolExecutor
asyncio.ProcessPoolExecutor = {}

-- Carries values between Lua states: a call waits by suspending the task where a
-- loop runs, else in its whole thread. Crosses as itself. As a loop over what
-- comes: `for a, b in channel do`.
---@class asyncio.Channel: asyncio.Class
---@overload fun(maxsize?: integer): asyncio.Channel
---@field maxsize integer how many items it holds at most; 0: no limit
asyncio.Channel = {}

-- Sends copies of the values as one item. Raises QueueShutDown.
---@async
---@param ... any
function asyncio.Channel:send(...) end

-- Waits for an item. Raises QueueShutDown when no more will come.
---@async
---@return any ... the values
function asyncio.Channel:recv() end

-- Raises QueueFull where `send` would wait, QueueShutDown.
---@param ... any
function asyncio.Channel:send_nowait(...) end

-- Raises QueueEmpty where `recv` would wait, QueueShutDown.
---@return any ... the values
function asyncio.Channel:recv_nowait() end

-- Nothing more can be sent.
function asyncio.Channel:close() end

-- Whether it was closed.
---@return boolean
function asyncio.Channel:is_closed() end

-- How many items it holds now; `#channel` is the same.
---@return integer
function asyncio.Channel:qsize() end

-- Makes a task of fn(...) in a loop of another Lua state. As
-- asyncio.run_coroutine_threadsafe.
---@param fn function a function that can cross
---@param loop asyncio.LoopReference|asyncio.EventLoop
---@param ... any
---@return asyncio.ConcurrentFuture|asyncio.Task
function asyncio.run_coroutine_threadsafe(fn, loop, ...) end

-- A loop of another Lua state.
---@class asyncio.LoopReference: asyncio.Class
asyncio.LoopReference = {}

-- Calls fn(...) in the loop. As loop.call_soon_threadsafe.
---@param fn function a function that can cross
---@param ... any
function asyncio.LoopReference:call_soon_threadsafe(fn, ...) end

-- Whether the loop is closed.
---@return boolean
function asyncio.LoopReference:is_closed() end

-- What comes back from a loop of another Lua state. As concurrent.futures.Future.
---@class asyncio.ConcurrentFuture: asyncio.Class
asyncio.ConcurrentFuture = {}

-- Waits, in the whole thread where no loop runs. Raises its error, TimeoutError.
---@async
---@param timeout? number seconds
---@return any ... results
function asyncio.ConcurrentFuture:result(timeout) end

-- The same for the error; nil when there is none.
---@async
---@param timeout? number seconds
---@return any
function asyncio.ConcurrentFuture:exception(timeout) end

-- Whether there is a result or an error.
---@return boolean
function asyncio.ConcurrentFuture:done() end

-- Cancels the task; false when it is done.
---@return boolean
function asyncio.ConcurrentFuture:cancel() end

-- Whether it is done, by cancellation.
---@return boolean
function asyncio.ConcurrentFuture:cancelled() end
