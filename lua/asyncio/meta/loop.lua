---@meta _

-- The event loop: see init.lua.

---@class asyncio
local asyncio = {}

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

-- As loop.run_in_executor.
---@param executor? asyncio.ThreadPoolExecutor|table with a method 'submit'
---@param fn function|string a function that can cross, or "module:function"
---@param ... any
---@return asyncio.Future
function asyncio.EventLoop:run_in_executor(executor, fn, ...) end

-- As loop.set_default_executor.
---@param executor asyncio.ThreadPoolExecutor|table
function asyncio.EventLoop:set_default_executor(executor) end

-- As loop.shutdown_default_executor.
---@async
---@param timeout? number seconds
function asyncio.EventLoop:shutdown_default_executor(timeout) end

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
---@field transport? asyncio.Transport | asyncio.DatagramTransport with its protocol
---@field protocol? asyncio.Protocol

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
---@param fd asyncio.FileDescriptor
---@param fn function
---@param ... any
function asyncio.EventLoop:add_reader(fd, fn, ...) end

-- As loop.remove_reader.
---@param fd asyncio.FileDescriptor
---@return boolean removed whether there was one
function asyncio.EventLoop:remove_reader(fd) end

-- Calls fn(...) whenever the descriptor can be written to, until it is removed.
-- Raises OSError for a bad descriptor. POSIX only. As loop.add_writer.
---@param fd asyncio.FileDescriptor
---@param fn function
---@param ... any
function asyncio.EventLoop:add_writer(fd, fn, ...) end

-- As loop.remove_writer.
---@param fd asyncio.FileDescriptor
---@return boolean removed whether there was one
function asyncio.EventLoop:remove_writer(fd) end

-- Calls fn(...) whenever the signal arrives; it replaces the function that was
-- there. Raises OSError. As loop.add_signal_handler.
---@param signal asyncio.Signal
---@param fn function
---@param ... any
function asyncio.EventLoop:add_signal_handler(signal, fn, ...) end

-- As loop.remove_signal_handler.
---@param signal asyncio.Signal
---@return boolean removed whether there was one
function asyncio.EventLoop:remove_signal_handler(signal) end

-- As asyncio.getaddrinfo, in a task of this loop. As loop.getaddrinfo.
---@async
---@param host string?
---@param port? integer | string
---@param options? asyncio.GetaddrinfoOptions
---@return asyncio.AddressInfo[]
function asyncio.EventLoop:getaddrinfo(host, port, options) end

-- As asyncio.getnameinfo, in a task of this loop. As loop.getnameinfo.
---@async
---@param host string
---@param port integer
---@param options? asyncio.GetnameinfoOptions
---@return string host
---@return string service
function asyncio.EventLoop:getnameinfo(host, port, options) end

-- Returns when connection_made was called. Raises OSError. As loop.create_connection.
---@async
---@param factory fun(): asyncio.Protocol
---@param host string
---@param port integer
---@param options? asyncio.ConnectOptions
---@return asyncio.Transport
---@return asyncio.Protocol
function asyncio.EventLoop:create_connection(factory, host, port, options) end

-- Raises OSError. As loop.create_server.
---@async
---@param factory fun(): asyncio.Protocol
---@param host string | string[] | nil nil or "": every interface
---@param port integer 0: any
---@param options? asyncio.ServerOptions
---@return asyncio.Server
function asyncio.EventLoop:create_server(factory, host, port, options) end

-- Raises OSError. POSIX only. As loop.create_unix_connection.
---@async
---@param factory fun(): asyncio.Protocol
---@param path string
---@param options? asyncio.UnixConnectOptions
---@return asyncio.Transport
---@return asyncio.Protocol
function asyncio.EventLoop:create_unix_connection(factory, path, options) end

-- Raises OSError. POSIX only. As loop.create_unix_server.
---@async
---@param factory fun(): asyncio.Protocol
---@param path string
---@param options? asyncio.UnixServerOptions
---@return asyncio.Server
function asyncio.EventLoop:create_unix_server(factory, path, options) end

-- Returns when connection_made was called. Raises OSError. As
-- loop.create_datagram_endpoint.
---@async
---@param factory fun(): asyncio.DatagramProtocol
---@param options? asyncio.DatagramOptions
---@return asyncio.DatagramTransport
---@return asyncio.DatagramProtocol
function asyncio.EventLoop:create_datagram_endpoint(factory, options) end

-- What can be given as a pipe; only a number becomes the transport's own.
---@alias asyncio.PipeEnd integer | file* | asyncio.File | { fileno: fun(self: any): integer }

-- Only reads. Raises OSError. POSIX only. As loop.connect_read_pipe.
---@async
---@param factory fun(): asyncio.Protocol
---@param pipe asyncio.PipeEnd
---@return asyncio.Transport
---@return asyncio.Protocol
function asyncio.EventLoop:connect_read_pipe(factory, pipe) end

-- Only writes. Raises OSError. POSIX only. As loop.connect_write_pipe.
---@async
---@param factory fun(): asyncio.Protocol
---@param pipe asyncio.PipeEnd
---@return asyncio.Transport
---@return asyncio.Protocol
function asyncio.EventLoop:connect_write_pipe(factory, pipe) end

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
