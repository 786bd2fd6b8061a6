---@meta asyncio

-- Declarations for the Lua language server: every public name, what it takes,
-- what it gives, what it raises. Times are seconds. Functions marked @async
-- suspend the running task and are to be called in one. Each declaration ends
-- with the function of Python's asyncio that it answers to, where there is one.

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

-- {====== Running ======

-- Makes a loop, runs `main` as its main task, then cancels and awaits what is
-- left and closes the loop. Raises what `main` raises; RuntimeError where a
-- loop runs already; KeyboardInterrupt after Ctrl-C; DeadlockError when nothing
-- can wake the main task. As asyncio.run.
---@param main asyncio.Awaitable
---@param ... any arguments of a function; after another awaitable {debug=, loop_factory=, name=}
---@return any ... what main returns
function asyncio.run(main, ...) end

---@class asyncio.RunnerOptions
---@field debug? boolean
---@field loop_factory? fun(): asyncio.EventLoop

-- Runs several main functions on one loop. To be closed. As asyncio.Runner.
---@class asyncio.Runner: asyncio.Class
---@overload fun(options?: asyncio.RunnerOptions): asyncio.Runner
asyncio.Runner = {}

-- Raises as asyncio.run does, and RuntimeError after close. As Runner.run.
---@param main asyncio.Awaitable
---@param ... any arguments of a function; after another awaitable the options {name=}
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

-- }======

-- {====== The event loop ======

-- Methods raise RuntimeError on a closed loop. As asyncio.AbstractEventLoop.
---@class asyncio.EventLoop: asyncio.Class
---@field slow_callback_duration number seconds after which debug mode reports a step; 0.1 at first
asyncio.EventLoop = {}

-- Raises what the awaitable raises, RuntimeError where a loop runs, and
-- DeadlockError when nothing can wake the loop. As loop.run_until_complete.
---@param aw asyncio.Awaitable
---@param ... any arguments of a function, or options as for create_task
---@return any ... the awaitable's results
function asyncio.EventLoop:run_until_complete(aw, ...) end

-- Runs until stop() is called. As loop.run_forever.
function asyncio.EventLoop:run_forever() end

-- Ends run_forever after this turn. As loop.stop.
function asyncio.EventLoop:stop() end

-- Raises RuntimeError while the loop runs. As loop.close.
function asyncio.EventLoop:close() end

-- As loop.is_running.
---@return boolean
function asyncio.EventLoop:is_running() end

-- As loop.is_closed.
---@return boolean
function asyncio.EventLoop:is_closed() end

-- A monotonic clock. As loop.time.
---@return number seconds
function asyncio.EventLoop:time() end

-- Calls fn(...) in the next turn. As loop.call_soon.
---@param fn function
---@param ... any
---@return asyncio.Handle
function asyncio.EventLoop:call_soon(fn, ...) end

-- As loop.call_soon_threadsafe.
---@param fn function
---@param ... any
---@return asyncio.Handle
function asyncio.EventLoop:call_soon_threadsafe(fn, ...) end

-- As loop.call_later.
---@param delay number seconds from now
---@param fn function
---@param ... any
---@return asyncio.TimerHandle
function asyncio.EventLoop:call_later(delay, fn, ...) end

-- As loop.call_at.
---@param when number seconds, on the clock of `loop:time()`
---@param fn function
---@param ... any
---@return asyncio.TimerHandle
function asyncio.EventLoop:call_at(when, fn, ...) end

-- As loop.create_future.
---@return asyncio.Future
function asyncio.EventLoop:create_future() end

-- As loop.create_task.
---@param fn asyncio.Awaitable not a Future
---@param ... any arguments of a function, or options: see asyncio.create_task
---@return asyncio.Task
function asyncio.EventLoop:create_task(fn, ...) end

-- As loop.set_task_factory.
---@param factory asyncio.TaskFactory? nil: the default
function asyncio.EventLoop:set_task_factory(factory) end

-- As loop.get_task_factory.
---@return asyncio.TaskFactory?
function asyncio.EventLoop:get_task_factory() end

---@class asyncio.ErrorContext: table
---@field message string
---@field exception? any the error value
---@field task? asyncio.Task
---@field future? asyncio.Future
---@field handle? asyncio.Handle

-- As loop.set_exception_handler.
---@param handler fun(loop: asyncio.EventLoop, context: asyncio.ErrorContext)? nil: the default
function asyncio.EventLoop:set_exception_handler(handler) end

-- As loop.get_exception_handler.
---@return function?
function asyncio.EventLoop:get_exception_handler() end

-- Writes the context to stderr, with its traceback. As loop.default_exception_handler.
---@param context asyncio.ErrorContext
function asyncio.EventLoop:default_exception_handler(context) end

-- Calls the handler set, or the default one. As loop.call_exception_handler.
---@param context asyncio.ErrorContext
function asyncio.EventLoop:call_exception_handler(context) end

-- As loop.set_debug.
---@param enabled boolean
function asyncio.EventLoop:set_debug(enabled) end

-- As loop.get_debug.
---@return boolean
function asyncio.EventLoop:get_debug() end

-- Calls fn(...) whenever the descriptor can be read, until it is removed.
-- Raises OSError for a bad descriptor. POSIX only. As loop.add_reader.
---@param fd integer | file*
---@param fn function
---@param ... any
function asyncio.EventLoop:add_reader(fd, fn, ...) end

-- As loop.remove_reader.
---@param fd integer | file*
---@return boolean removed whether there was one
function asyncio.EventLoop:remove_reader(fd) end

-- Calls fn(...) whenever the descriptor can be written to, until it is removed.
-- Raises OSError for a bad descriptor. POSIX only. As loop.add_writer.
---@param fd integer | file*
---@param fn function
---@param ... any
function asyncio.EventLoop:add_writer(fd, fn, ...) end

-- As loop.remove_writer.
---@param fd integer | file*
---@return boolean removed whether there was one
function asyncio.EventLoop:remove_writer(fd) end

-- As asyncio.Handle.
---@class asyncio.Handle: asyncio.Class
asyncio.Handle = {}

-- The callback will not be called. As Handle.cancel.
function asyncio.Handle:cancel() end

-- As Handle.cancelled.
---@return boolean
function asyncio.Handle:cancelled() end

-- As asyncio.TimerHandle.
---@class asyncio.TimerHandle: asyncio.Handle
asyncio.TimerHandle = {}

-- As TimerHandle.when.
---@return number seconds, on the clock of `loop:time()`
function asyncio.TimerHandle:when() end

-- }======

-- {====== Awaitables ======

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

-- }======

-- {====== Waiting ======

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

-- }======

-- {====== Queues ======

-- Items handed from task to task, first in, first out; any value, nil too. As
-- asyncio.Queue.
---@class asyncio.Queue: asyncio.Class
---@overload fun(maxsize?: integer): asyncio.Queue
---@field maxsize integer how many items it holds at most; 0: no limit
asyncio.Queue = {}

-- Waits for room. Raises QueueShutDown, and RuntimeError outside a task where it
-- would wait. As Queue.put.
---@async
---@param item any
function asyncio.Queue:put(item) end

-- Waits for an item and removes it. Raises QueueShutDown when no more will come,
-- and RuntimeError outside a task where it would wait. As Queue.get.
---@async
---@return any item
function asyncio.Queue:get() end

-- Raises QueueFull where `put` would wait, QueueShutDown. As Queue.put_nowait.
---@param item any
function asyncio.Queue:put_nowait(item) end

-- Raises QueueEmpty where `get` would wait, QueueShutDown. As Queue.get_nowait.
---@return any item
function asyncio.Queue:get_nowait() end

-- Gets item after item, until the queue is shut down and empty. The iterator
-- suspends; it raises RuntimeError where the next item is nil, which stays.
---@return fun(): any
function asyncio.Queue:items() end

-- An item that was got is dealt with. Raises RuntimeError when called more often
-- than items were put. As Queue.task_done.
function asyncio.Queue:task_done() end

-- Waits until `task_done` was called for each item that was put. As Queue.join.
---@async
function asyncio.Queue:join() end

-- Nothing can be put any more; `get` takes what is there, and then raises
-- QueueShutDown. As Queue.shutdown.
---@param immediate? boolean true: drops what is there, as done
function asyncio.Queue:shutdown(immediate) end

-- How many items can be got without waiting. As Queue.qsize.
---@return integer
function asyncio.Queue:qsize() end

-- As Queue.empty.
---@return boolean
function asyncio.Queue:empty() end

-- As Queue.full.
---@return boolean
function asyncio.Queue:full() end

---@class asyncio.QueueStatistics
---@field qsize integer
---@field maxsize integer
---@field getters integer tasks that wait in `get` or `items`
---@field putters integer tasks that wait in `put`
---@field joiners integer tasks that wait in `join`
---@field unfinished integer items put for which `task_done` was not called
---@field shutdown boolean

-- Counts, for people and for tests.
---@return asyncio.QueueStatistics
function asyncio.Queue:statistics() end

-- The item first that came last. As asyncio.LifoQueue.
---@class asyncio.LifoQueue: asyncio.Queue
---@overload fun(maxsize?: integer): asyncio.LifoQueue
asyncio.LifoQueue = {}

-- The least item first, and of equal ones the oldest; by `<`, or by `less`. As
-- asyncio.PriorityQueue.
---@class asyncio.PriorityQueue: asyncio.Queue
---@overload fun(maxsize?: integer, less?: fun(a: any, b: any): boolean): asyncio.PriorityQueue
asyncio.PriorityQueue = {}

-- }======

-- {====== Synchronisation ======

-- Waits are served in the order in which they began. A primitive belongs to the
-- loop on which somebody first waited for it: on another one a wait raises
-- RuntimeError. Where a method suspends, it needs a task even when there is
-- nothing to wait for.

-- One task at a time; it need not be the one that releases. A <close> variable
-- releases it: `local _ <close> = lock:acquire()`. As asyncio.Lock.
---@class asyncio.Lock: asyncio.Class
---@overload fun(): asyncio.Lock
asyncio.Lock = {}

-- Waits until the lock is free, or handed over. As Lock.acquire.
---@async
---@return asyncio.Lock self
function asyncio.Lock:acquire() end

-- Hands the lock to the task that has waited longest, if any does. Raises
-- RuntimeError when nobody holds it. As Lock.release.
function asyncio.Lock:release() end

-- As Lock.locked.
---@return boolean
function asyncio.Lock:locked() end

-- What it is like at the moment.
---@return {locked: boolean, tasks_waiting: integer}
function asyncio.Lock:statistics() end

-- A flag to wait for. As asyncio.Event.
---@class asyncio.Event: asyncio.Class
---@overload fun(): asyncio.Event
asyncio.Event = {}

-- Lets all go who wait. As Event.set.
function asyncio.Event:set() end

-- As Event.clear.
function asyncio.Event:clear() end

-- As Event.is_set.
---@return boolean
function asyncio.Event:is_set() end

-- Waits until the event is set. As Event.wait.
---@async
---@return true
function asyncio.Event:wait() end

-- What it is like at the moment.
---@return {is_set: boolean, tasks_waiting: integer}
function asyncio.Event:statistics() end

-- News for those who hold a lock. A <close> variable releases that. As
-- asyncio.Condition.
---@class asyncio.Condition: asyncio.Class
---@overload fun(lock?: asyncio.Lock): asyncio.Condition
asyncio.Condition = {}

-- Acquires the lock. As Condition.acquire.
---@async
---@return asyncio.Condition self
function asyncio.Condition:acquire() end

-- Releases the lock. Raises RuntimeError when nobody holds it. As Condition.release.
function asyncio.Condition:release() end

-- Whether the lock is locked. As Condition.locked.
---@return boolean
function asyncio.Condition:locked() end

-- Releases the lock, waits to be notified, and acquires it again, be it that the
-- task is cancelled. Raises RuntimeError when nobody holds the lock. As
-- Condition.wait.
---@async
---@return true
function asyncio.Condition:wait() end

-- Waits until predicate(...) is true. As Condition.wait_for.
---@async
---@param predicate fun(...): any it may suspend
---@param ... any
---@return any ... what it returned at last
function asyncio.Condition:wait_for(predicate, ...) end

-- Wakes the n tasks that have waited longest. Raises RuntimeError when nobody
-- holds the lock. As Condition.notify.
---@param n? integer 1 when missing
function asyncio.Condition:notify(n) end

-- Wakes all who wait. Raises RuntimeError when nobody holds the lock. As
-- Condition.notify_all.
function asyncio.Condition:notify_all() end

-- What it is like at the moment.
---@return {tasks_waiting: integer, lock_statistics: {locked: boolean, tasks_waiting: integer}}
function asyncio.Condition:statistics() end

-- A number of permits, 1 when missing. A <close> variable gives one back. As
-- asyncio.Semaphore.
---@class asyncio.Semaphore: asyncio.Class
---@overload fun(value?: integer): asyncio.Semaphore
asyncio.Semaphore = {}

-- Waits for a permit. As Semaphore.acquire.
---@async
---@return asyncio.Semaphore self
function asyncio.Semaphore:acquire() end

-- Hands a permit to the task that has waited longest, or adds it to those left.
-- As Semaphore.release.
function asyncio.Semaphore:release() end

-- Whether one would have to wait. As Semaphore.locked.
---@return boolean
function asyncio.Semaphore:locked() end

-- What it is like at the moment.
---@return {value: integer, tasks_waiting: integer, max_value: integer?} max_value of a bounded one
function asyncio.Semaphore:statistics() end

-- Never has more permits than at first: `release` raises RuntimeError instead.
-- As asyncio.BoundedSemaphore.
---@class asyncio.BoundedSemaphore: asyncio.Semaphore
---@overload fun(value?: integer): asyncio.BoundedSemaphore
asyncio.BoundedSemaphore = {}

-- A number of tasks that wait for one another. As asyncio.Barrier.
---@class asyncio.Barrier: asyncio.Class
---@overload fun(parties: integer): asyncio.Barrier
---@field parties integer
---@field n_waiting integer 0 unless it is filling
---@field broken boolean
asyncio.Barrier = {}

-- Waits until so many tasks do as the barrier has parties. Raises
-- BrokenBarrierError when the barrier is broken, aborted or reset. As Barrier.wait.
---@async
---@return integer index from 1 on, in the order in which they came
function asyncio.Barrier:wait() end

-- Makes it usable again; those who wait get BrokenBarrierError. As Barrier.reset.
function asyncio.Barrier:reset() end

-- Breaks it: who waits, now or later, gets BrokenBarrierError. As Barrier.abort.
function asyncio.Barrier:abort() end

-- What it is like at the moment.
---@return {parties: integer, n_waiting: integer, tasks_waiting: integer}
function asyncio.Barrier:statistics() end

-- }======

-- {====== Protected calls ======

-- Lua's pcall, through which CancelledError and KeyboardInterrupt pass. As
-- `except Exception`.
---@param fn function
---@param ... any
---@return boolean ok
---@return any ... results, or the error
function asyncio.pcall(fn, ...) end

-- Lua's xpcall, through which CancelledError and KeyboardInterrupt pass.
---@param fn function
---@param handler fun(err: any): any
---@param ... any
---@return boolean ok
---@return any ... results, or what the handler returned
function asyncio.xpcall(fn, handler, ...) end

-- A pcall that catches instances of the class alone. As `except Class`.
---@param class asyncio.Classes
---@param fn function
---@param ... any
---@return boolean ok
---@return any ... results, or the error
function asyncio.catch(class, fn, ...) end

-- }======

-- {====== Coroutines, generators, callbacks ======

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

-- }======

-- {====== Context variables ======

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

-- }======

-- {====== Streams ======

---@class asyncio.Address
---@field host string numeric
---@field port integer
---@field family "inet" | "inet6"

---@class asyncio.ConnectOptions
---@field limit? integer bytes that a reader buffers, 65536 when missing
---@field family? "inet" | "inet6"
---@field local_addr? {host: string, port?: integer}
---@field happy_eyeballs_delay? number seconds until another address is tried too, default 0.25

-- Raises OSError. As asyncio.open_connection.
---@async
---@param host string
---@param port integer
---@param options? asyncio.ConnectOptions
---@return asyncio.StreamReader
---@return asyncio.StreamWriter
function asyncio.open_connection(host, port, options) end

---@class asyncio.ServerOptions
---@field limit? integer bytes that a reader buffers, 65536 when missing
---@field family? "inet" | "inet6"
---@field backlog? integer connections that wait to be accepted, 100 when missing
---@field reuse_port? boolean
---@field start_serving? boolean false: not before `start_serving()`

-- Raises OSError. As asyncio.start_server.
---@async
---@param handler fun(reader: asyncio.StreamReader, writer: asyncio.StreamWriter)
---@param host string | string[] | nil nil: every interface
---@param port integer 0: any
---@param options? asyncio.ServerOptions
---@return asyncio.Server
function asyncio.start_server(handler, host, port, options) end

-- Methods that wait raise OSError when the connection broke, and RuntimeError
-- when another task reads. As asyncio.StreamReader.
---@class asyncio.StreamReader: asyncio.Class
asyncio.StreamReader = {}

-- Up to n bytes, as soon as there are some; all until the end with "a", -1 or
-- no argument. As StreamReader.read.
---@async
---@param n? integer | "a"
---@return string? data nil at the end; "" for read("a") there
function asyncio.StreamReader:read(n) end

-- A line with its newline; the last may have none. Raises LimitOverrunError. As
-- StreamReader.readline.
---@async
---@return string? line nil at the end
function asyncio.StreamReader:readline() end

-- Raises IncompleteReadError at the end. As StreamReader.readexactly.
---@async
---@param n integer
---@return string
function asyncio.StreamReader:readexactly(n) end

-- Raises IncompleteReadError at the end, LimitOverrunError. As StreamReader.readuntil.
---@async
---@param separator? string | string[] "\n" when missing
---@return string data with its separator
function asyncio.StreamReader:readuntil(separator) end

-- Iterates over the lines, without their newlines. Raises LimitOverrunError. As
-- `async for line in reader`.
---@return fun(): string?
function asyncio.StreamReader:lines() end

-- As StreamReader.at_eof.
---@return boolean
function asyncio.StreamReader:at_eof() end

-- A <close> variable closes it and waits for that. As asyncio.StreamWriter.
---@class asyncio.StreamWriter: asyncio.Class
asyncio.StreamWriter = {}

-- Sends, or queues what cannot be sent now; does not wait. Raises OSError after
-- close, RuntimeError after write_eof. As StreamWriter.write.
---@param data string
function asyncio.StreamWriter:write(data) end

-- As StreamWriter.writelines.
---@param list string[]
function asyncio.StreamWriter:writelines(list) end

-- Waits while too much is queued. Raises OSError. As StreamWriter.drain.
---@async
function asyncio.StreamWriter:drain() end

-- Closes the sending side once all is sent. As StreamWriter.write_eof.
function asyncio.StreamWriter:write_eof() end

-- Closes the connection once all is sent. As StreamWriter.close.
function asyncio.StreamWriter:close() end

-- Raises OSError when the connection broke. As StreamWriter.wait_closed.
---@async
function asyncio.StreamWriter:wait_closed() end

-- As StreamWriter.is_closing.
---@return boolean
function asyncio.StreamWriter:is_closing() end

-- As StreamWriter.get_extra_info.
---@param key "peername" | "sockname" | "fd" | string
---@param default? any
---@return any value asyncio.Address; the descriptor's number for "fd"
function asyncio.StreamWriter:get_extra_info(key, default) end

-- A <close> variable closes it and its connections, and waits for that. As
-- asyncio.Server.
---@class asyncio.Server: asyncio.Class
asyncio.Server = {}

-- Accepts no more connections; those there are stay. As Server.close.
function asyncio.Server:close() end

-- Until it is closed and its connections are. As Server.wait_closed.
---@async
function asyncio.Server:wait_closed() end

-- As Server.is_serving.
---@return boolean
function asyncio.Server:is_serving() end

-- Raises RuntimeError on a closed server, OSError. As Server.start_serving.
function asyncio.Server:start_serving() end

-- Until the server is closed or the task cancelled: raises CancelledError then.
-- RuntimeError when it runs already. As Server.serve_forever.
---@async
function asyncio.Server:serve_forever() end

-- As Server.sockets.
---@return asyncio.Address[] addresses it listens on
function asyncio.Server:sockets() end

-- Closes the connections once all is sent. As Server.close_clients.
function asyncio.Server:close_clients() end

-- Closes the connections at once. As Server.abort_clients.
function asyncio.Server:abort_clients() end

-- }======

-- {====== Seeing inside ======

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
---@field file? table | file* for print_call_graph, stdout when missing

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
---@param options? asyncio.CallGraphOptions
function asyncio.print_call_graph(future, options) end

-- }======

-- {====== Errors ======

-- Makes an exception class of one's own.
---@param name string
---@param base? asyncio.Error a class, asyncio.Error when missing
---@return asyncio.Error
function asyncio.exception(name, base) end

-- The class of all exceptions. As BaseException.
---@class asyncio.Error: asyncio.Class
---@overload fun(message?: any, fields?: table): asyncio.Error
---@field message any nil without one
---@field traceback? string once it has crossed a task
asyncio.Error = {}

-- As asyncio.BrokenBarrierError.
---@class asyncio.BrokenBarrierError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.BrokenBarrierError
asyncio.BrokenBarrierError = {}

-- As asyncio.CancelledError.
---@class asyncio.CancelledError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.CancelledError
asyncio.CancelledError = {}

-- Nothing can wake the loop; the message says which task waits for what.
---@class asyncio.DeadlockError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.DeadlockError
asyncio.DeadlockError = {}

-- As ExceptionGroup.
---@class asyncio.ExceptionGroup: asyncio.Error
---@overload fun(message: any, exceptions: any[]): asyncio.ExceptionGroup
---@field exceptions any[]
---@field tracebacks? table<integer, string> of those errors that have none themselves
asyncio.ExceptionGroup = {}

-- Two groups of the same shape: of the errors that match, and of the others. As
-- ExceptionGroup.split.
---@param condition asyncio.Classes | fun(err: any): boolean it is asked about the groups, too
---@return asyncio.ExceptionGroup? match nil where nothing matches
---@return asyncio.ExceptionGroup? rest nil where all match
function asyncio.ExceptionGroup:split(condition) end

-- The first of these alone. As ExceptionGroup.subgroup.
---@param condition asyncio.Classes | fun(err: any): boolean
---@return asyncio.ExceptionGroup? match
function asyncio.ExceptionGroup:subgroup(condition) end

-- As asyncio.IncompleteReadError.
---@class asyncio.IncompleteReadError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.IncompleteReadError
---@field partial string what was read
---@field expected? integer
asyncio.IncompleteReadError = {}

-- As asyncio.InvalidStateError.
---@class asyncio.InvalidStateError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.InvalidStateError
asyncio.InvalidStateError = {}

-- As KeyboardInterrupt.
---@class asyncio.KeyboardInterrupt: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.KeyboardInterrupt
asyncio.KeyboardInterrupt = {}

-- As asyncio.LimitOverrunError.
---@class asyncio.LimitOverrunError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.LimitOverrunError
---@field consumed integer
asyncio.LimitOverrunError = {}

-- As LookupError.
---@class asyncio.LookupError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.LookupError
asyncio.LookupError = {}

-- As OSError.
---@class asyncio.OSError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.OSError
---@field code string such as "ECONNREFUSED"
---@field errno integer
---@field syscall string
---@field address? string
---@field errors? asyncio.OSError[] where several addresses were tried
asyncio.OSError = {}

-- As asyncio.QueueEmpty.
---@class asyncio.QueueEmpty: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.QueueEmpty
asyncio.QueueEmpty = {}

-- As asyncio.QueueFull.
---@class asyncio.QueueFull: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.QueueFull
asyncio.QueueFull = {}

-- As asyncio.QueueShutDown.
---@class asyncio.QueueShutDown: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.QueueShutDown
asyncio.QueueShutDown = {}

-- As RuntimeError.
---@class asyncio.RuntimeError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.RuntimeError
asyncio.RuntimeError = {}

-- As asyncio.TimeoutError.
---@class asyncio.TimeoutError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.TimeoutError
asyncio.TimeoutError = {}

-- }======

return asyncio
