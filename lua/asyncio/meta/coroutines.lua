---@meta _

-- Coroutines, generators, callbacks: see init.lua.

---@class asyncio
local asyncio = {}

-- Lua's coroutine library, in whose coroutines an await suspends the task. A
-- coroutine that waits in an await is "normal" for all others.
asyncio.coroutine = {}

-- Puts this library in the place of Lua's own, for all code of this Lua state.
---@return fun() undo
function asyncio.coroutine.install() end

-- As Lua's.
---@param fn function
---@return thread
function asyncio.coroutine.create(fn) end

-- As Lua's, but CancelledError and KeyboardInterrupt pass while a loop runs.
-- Suspends while the coroutine awaits.
---@async
---@param co thread
---@param ... any
---@return boolean ok
---@return any ... what it yields or returns, or the error
function asyncio.coroutine.resume(co, ...) end

-- As Lua's.
---@async
---@param ... any
---@return any ... the arguments of the next resume
function asyncio.coroutine.yield(...) end

-- As Lua's. What it returns suspends while the coroutine awaits; in a task its
-- <close> variables may suspend when an error ends it.
---@param fn function
---@return fun(...): ...
function asyncio.coroutine.wrap(fn) end

-- As Lua's.
---@param co thread
---@return "running"|"suspended"|"normal"|"dead"
function asyncio.coroutine.status(co) end

-- As Lua's.
---@return thread running
---@return boolean is_main
function asyncio.coroutine.running() end

-- As Lua's.
---@param co? thread the running one when missing
---@return boolean
function asyncio.coroutine.isyieldable(co) end

-- As Lua's: <close> variables cannot suspend here.
---@param co thread
---@return boolean ok
---@return any err
function asyncio.coroutine.close(co) end

-- An iterator whose body, fn(yield, ...), may suspend. When the loop is left,
-- yield raises a CancelledError in the body, whose <close> variables may suspend
-- then. Calling it raises RuntimeError while another task is in it. As an async
-- generator.
---@param fn fun(yield: fun(value: any, ...), ...)
---@param ... any
---@return asyncio.Generator iterator
---@return nil
---@return nil
---@return asyncio.Generator closing
function asyncio.generator(fn, ...) end

-- Called, it gives the next values, none at the end. To be closed. As an async
-- generator.
---@class asyncio.Generator: asyncio.Class
---@overload fun(): ...
asyncio.Generator = {}

-- Ends it, as leaving its loop does. Raises RuntimeError while it runs, or when
-- its body goes on to yield. As aclose.
---@async
function asyncio.Generator:close() end

-- Calls fn(...), in which no await is possible: it raises RuntimeError there. A
-- section that does not switch tasks.
---@param fn function
---@param ... any
---@return any ...
function asyncio.atomic(fn, ...) end

-- Calls fn(..., callback) and suspends until the callback is called. When that
-- wait is cancelled, calls the method `close` or else `cancel` of what fn
-- returned. A callback that is called again raises InvalidStateError there.
---@async
---@param fn function
---@param ... any
---@return any ... what the callback got
function asyncio.from_callback(fn, ...) end
