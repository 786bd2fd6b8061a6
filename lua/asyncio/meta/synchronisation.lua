---@meta _

-- Synchronisation: see init.lua.

---@class asyncio
local asyncio = {}

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
