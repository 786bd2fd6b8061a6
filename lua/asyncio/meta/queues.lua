---@meta _

-- Queues: see init.lua.

---@class asyncio
local asyncio = {}

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
