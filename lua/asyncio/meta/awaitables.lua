---@meta _

-- Awaitables: see init.lua.

---@class asyncio
local asyncio = {}

-- Suspends until the awaitable is done. Raises its error, CancelledError, or
-- RuntimeError outside a task. As the expression `await aw`.
---@async
---@param aw asyncio.Awaitable
---@param ... any arguments of a function
---@return any ... its results
function asyncio.await(aw, ...) end

-- Makes a coroutine function: calling it runs nothing and returns a Coroutine
-- object. As `async def`.
---@param fn function
---@return fun(...): asyncio.Coroutine
function asyncio.async(fn) end

-- As inspect.iscoroutinefunction.
---@param value any
---@return boolean
function asyncio.iscoroutinefunction(value) end

-- As asyncio.iscoroutine.
---@param value any
---@return boolean
function asyncio.iscoroutine(value) end

-- As inspect.isawaitable.
---@param value any
---@return boolean
function asyncio.isawaitable(value) end

-- As asyncio.isfuture.
---@param value any
---@return boolean
function asyncio.isfuture(value) end

-- Safe on any value; an argument error where there is no class. As isinstance.
---@param value any
---@param class asyncio.Classes
---@return boolean
function asyncio.isinstance(value, class) end

-- A call that has not run yet. As a coroutine object.
---@class asyncio.Coroutine: asyncio.Class
asyncio.Coroutine = {}

-- Runs it in the current task. Raises RuntimeError the second time. As `await coro`.
---@async
---@return any ...
function asyncio.Coroutine:await() end

-- It is not to run any more. As coroutine.close.
function asyncio.Coroutine:close() end

-- A result to come. As asyncio.Future.
---@class asyncio.Future: asyncio.Class
---@overload fun(): asyncio.Future
asyncio.Future = {}

-- Suspends until it is done. Raises its error or CancelledError. As `await future`.
---@async
---@return any ... its values
function asyncio.Future:await() end

-- As Future.done.
---@return boolean
function asyncio.Future:done() end

-- As Future.cancelled.
---@return boolean
function asyncio.Future:cancelled() end

-- Raises its error, CancelledError, or InvalidStateError while pending. As Future.result.
---@return any ... its values
function asyncio.Future:result() end

-- Raises CancelledError, or InvalidStateError while pending. As Future.exception.
---@return any error nil when it has values
function asyncio.Future:exception() end

-- Raises InvalidStateError when it is done, RuntimeError for a task. As Future.set_result.
---@param ... any the values
function asyncio.Future:set_result(...) end

-- Raises InvalidStateError when it is done, RuntimeError for a task. As Future.set_exception.
---@param err any any value but nil; a class is instantiated
function asyncio.Future:set_exception(err) end

-- As Future.cancel.
---@param msg? any the message of the CancelledError
---@return boolean cancelled false when it was done already
function asyncio.Future:cancel(msg) end

-- Has fn(future) called soon after the future is done. As Future.add_done_callback.
---@param fn fun(future: asyncio.Future)
function asyncio.Future:add_done_callback(fn) end

-- As Future.remove_done_callback.
---@param fn function
---@return integer removed how many there were
function asyncio.Future:remove_done_callback(fn) end

-- As Future.get_loop.
---@return asyncio.EventLoop
function asyncio.Future:get_loop() end

---@class asyncio.TaskOptions
---@field name? any its tostring is the name
---@field context? asyncio.Context the context itself, not a copy
---@field eager_start? boolean run the first step at once

-- What makes the tasks of a loop, as asyncio.Task(coro, options) does.
---@alias asyncio.TaskFactory
---| fun(loop: asyncio.EventLoop, coro: asyncio.Coroutine, options?: table): asyncio.Task

-- A function that runs beside others. As asyncio.Task.
---@class asyncio.Task: asyncio.Future
---@overload fun(coro: asyncio.Coroutine, options?: asyncio.TaskOptions): asyncio.Task
asyncio.Task = {}

-- As Task.get_name.
---@return string
function asyncio.Task:get_name() end

-- As Task.set_name.
---@param name any its tostring is the name
---@return asyncio.Task self
function asyncio.Task:set_name(name) end

-- What the task runs. As Task.get_coro.
---@return any
function asyncio.Task:get_coro() end

-- As Task.get_context.
---@return asyncio.Context
function asyncio.Task:get_context() end

-- How many cancellations were asked for and not taken back. As Task.cancelling.
---@return integer
function asyncio.Task:cancelling() end

-- Takes one cancellation back. As Task.uncancel.
---@return integer left how many are left
function asyncio.Task:uncancel() end

-- Where it waits, where it is, or where it failed.
---@return string? traceback nil when it succeeded
function asyncio.Task:traceback() end

-- Writes the traceback. As Task.print_stack.
---@param options? {limit?: integer, file?: table|file*} stderr without a file
function asyncio.Task:print_stack(options) end

-- Starts a task: it runs from the next turn on. Raises RuntimeError where no
-- loop runs. As asyncio.create_task.
---@param fn asyncio.Awaitable not a Future
---@param ... any arguments of a function; after another awaitable asyncio.TaskOptions
---@return asyncio.Task
function asyncio.create_task(fn, ...) end

-- A future as it is; a task of any other awaitable. As asyncio.ensure_future.
---@param aw asyncio.Awaitable
---@param ... any as for create_task
---@return asyncio.Future
function asyncio.ensure_future(aw, ...) end

-- As asyncio.current_task.
---@param loop? asyncio.EventLoop
---@return asyncio.Task? task nil outside a task
function asyncio.current_task(loop) end

-- The unfinished tasks, in the order in which they were made. As asyncio.all_tasks.
---@param loop? asyncio.EventLoop the running one when missing
---@return asyncio.Task[]
function asyncio.all_tasks(loop) end

-- A task factory: tasks run at once, up to their first suspension. As
-- asyncio.eager_task_factory.
---@param loop asyncio.EventLoop
---@param coro asyncio.Coroutine
---@param options? asyncio.TaskOptions
---@return asyncio.Task
function asyncio.eager_task_factory(loop, coro, options) end

-- Makes such a factory of what makes the tasks. As asyncio.create_eager_task_factory.
---@param constructor fun(coro: asyncio.Coroutine, options: table): asyncio.Task
---@return asyncio.TaskFactory
function asyncio.create_eager_task_factory(constructor) end
