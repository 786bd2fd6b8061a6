---@meta _

-- Waiting: see init.lua.

---@class asyncio
local asyncio = {}

-- Never returns early; 0 gives every other ready task a turn. As asyncio.sleep.
---@async
---@param delay number seconds
---@param ... any
---@return any ... the values after the delay
function asyncio.sleep(delay, ...) end

-- Cancels the awaitable at the timeout, waits for its end and raises
-- TimeoutError. As asyncio.wait_for.
---@async
---@param aw asyncio.Awaitable
---@param timeout number? seconds; nil: no limit
---@param ... any arguments of a function
---@return any ... its results
function asyncio.wait_for(aw, timeout, ...) end

-- A future that can be cancelled while the inner one goes on. As asyncio.shield.
---@param aw asyncio.Awaitable
---@param ... any as for create_task
---@return asyncio.Future
function asyncio.shield(aw, ...) end

-- One future of all results: of a list in the order given, with its length `n`,
-- or, given awaitables, of so many values. As asyncio.gather.
---@param list asyncio.Awaitable[] | asyncio.Awaitable
---@param ... any the options {return_exceptions=} after a list; more awaitables
---@return asyncio.Future
function asyncio.gather(list, ...) end

-- Waits for futures, and cancels nothing. As asyncio.wait.
---@async
---@param list asyncio.Future[] not empty
---@param options? {timeout?: number, return_when?: string} seconds
---@return asyncio.Future[] done
---@return asyncio.Future[] pending
function asyncio.wait(list, options) end

-- Iterates over the futures of the awaitables as they end. The iterator
-- suspends; it raises TimeoutError. As asyncio.as_completed.
---@param list asyncio.Awaitable[]
---@param options? {timeout?: number} seconds
---@return fun(): asyncio.Future?
function asyncio.as_completed(list, options) end

-- A scope, to be kept in a <close> variable, that ends with TimeoutError when
-- its time is over. RuntimeError outside a task. As asyncio.timeout.
---@param delay number? seconds from now; nil: no limit
---@return asyncio.Timeout
function asyncio.timeout(delay) end

-- The same with a time on the clock of `loop:time()`. As asyncio.timeout_at.
---@param when number? seconds; nil: no limit
---@return asyncio.Timeout
function asyncio.timeout_at(when) end

-- As asyncio.Timeout.
---@class asyncio.Timeout: asyncio.Class
asyncio.Timeout = {}

-- As Timeout.when.
---@return number? when seconds, on the clock of `loop:time()`
function asyncio.Timeout:when() end

-- Raises RuntimeError when the scope is over or has expired. As Timeout.reschedule.
---@param when number? seconds, on the clock of `loop:time()`; nil: no limit
function asyncio.Timeout:reschedule(when) end

-- As Timeout.expired.
---@return boolean
function asyncio.Timeout:expired() end

-- A scope, to be kept in a <close> variable, that waits for the tasks made in
-- it. The first that fails cancels the others and the body; the scope then
-- raises an ExceptionGroup. RuntimeError outside a task. As asyncio.TaskGroup.
---@class asyncio.TaskGroup: asyncio.Class
---@overload fun(): asyncio.TaskGroup
asyncio.TaskGroup = {}

-- Makes a task that the scope waits for. Raises RuntimeError when the group is
-- finished or shutting down. As TaskGroup.create_task.
---@param fn asyncio.Awaitable not a Future
---@param ... any arguments of a function, or options: see asyncio.create_task
---@return asyncio.Task
function asyncio.TaskGroup:create_task(fn, ...) end

-- Makes a task of fn(ready, ...) and waits until that calls `ready`. Raises what
-- fn raises before, and RuntimeError when it returns before.
---@async
---@param fn fun(ready: fun(...: any), ...: any): any
---@param ... any further arguments
---@return any ... what `ready` was given
function asyncio.TaskGroup:start(fn, ...) end

-- Cancels the tasks, and the body when somebody else calls it. As TaskGroup.cancel.
---@param reason? any the message of their CancelledError
function asyncio.TaskGroup:cancel(reason) end

-- The unfinished tasks, in the order in which they were made.
---@return asyncio.Task[]
function asyncio.TaskGroup:tasks() end

-- Makes a function that reports its calls, by default to stderr.
---@param fn function
---@param name? string where it was defined, when missing
---@param report? fun(name: string, event: "start"|"end", seconds: number)
---@return function
function asyncio.timed(fn, name, report) end
