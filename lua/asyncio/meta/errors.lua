---@meta _

-- Errors: see init.lua.

---@class asyncio
local asyncio = {}

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
---@operator concat(any): string
asyncio.Error = {}

-- As asyncio.BrokenBarrierError.
---@class asyncio.BrokenBarrierError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.BrokenBarrierError
asyncio.BrokenBarrierError = {}

-- As concurrent.futures.BrokenExecutor.
---@class asyncio.BrokenExecutor: asyncio.RuntimeError
---@overload fun(message?: any, fields?: table): asyncio.BrokenExecutor
asyncio.BrokenExecutor = {}

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
---@field stream? string where there is no address: "stdout", "pipe"
---@field path? string of a file
---@field dest? string the other path, where there are two
---@field signal? string the name of a signal
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
