---@meta _

-- Running: see init.lua.

---@class asyncio
local asyncio = {}

-- Makes a loop, runs `main` as its main task, then cancels and awaits what is
-- left and closes the loop. Raises what `main` raises; RuntimeError where a
-- loop runs already; KeyboardInterrupt after Ctrl-C; DeadlockError when nothing
-- can wake the main task. As asyncio.run.
---@param main asyncio.Awaitable
---@param ... any arguments of a function; after another awaitable an asyncio.MainOptions
---@return any ... what main returns
function asyncio.run(main, ...) end

---@class asyncio.RunnerOptions
---@field debug? boolean
---@field loop_factory? fun(): asyncio.EventLoop

-- Of run: those of a Runner, and of the main task.
---@class asyncio.MainOptions: asyncio.RunnerOptions, asyncio.TaskOptions

-- Runs several main functions on one loop. To be closed. As asyncio.Runner.
---@class asyncio.Runner: asyncio.Class
---@overload fun(options?: asyncio.RunnerOptions): asyncio.Runner
asyncio.Runner = {}

-- Raises as asyncio.run does, and RuntimeError after close. As Runner.run.
---@param main asyncio.Awaitable
---@param ... any arguments of a function; after another awaitable an asyncio.TaskOptions
---@return any ... what main returns
function asyncio.Runner:run(main, ...) end

-- The loop, made when it is first needed. Raises RuntimeError after close. As Runner.get_loop.
---@return asyncio.EventLoop
function asyncio.Runner:get_loop() end

-- Cancels and awaits what is left, and closes the loop. As Runner.close.
function asyncio.Runner:close() end

-- As asyncio.new_event_loop.
---@return asyncio.EventLoop
function asyncio.new_event_loop() end

-- Raises RuntimeError where no loop runs. As asyncio.get_running_loop.
---@return asyncio.EventLoop
function asyncio.get_running_loop() end

-- The running loop; outside a run this Lua state's current one, made on first
-- use. As asyncio.get_event_loop.
---@return asyncio.EventLoop
function asyncio.get_event_loop() end

-- Sets this Lua state's current loop. As asyncio.set_event_loop.
---@param loop asyncio.EventLoop? nil: none
function asyncio.set_event_loop(loop) end
