---@meta _

-- Streams: see init.lua.

---@class asyncio
local asyncio = {}

---@class asyncio.Address
---@field host string numeric
---@field port integer
---@field family "inet" | "inet6"

---@class asyncio.ConnectOptions
---@field limit? integer bytes that a reader buffers, 65536 when missing
---@field family? "inet" | "inet6"
---@field local_addr? {host: string, port?: integer}
---@field happy_eyeballs_delay? number seconds until another address is tried too, default 0.25
---@field nodelay? boolean false: small writes may wait for others
---@field keepalive? boolean | integer true, or seconds until a silent peer is asked

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
---@field nodelay? boolean false: small writes may wait for others
---@field keepalive? boolean | integer true, or seconds until a silent peer is asked
---@field start_serving? boolean false: not before `start_serving()`

-- Raises OSError. As asyncio.start_server.
---@async
---@param handler? fun(reader: asyncio.StreamReader, writer: asyncio.StreamWriter)
---@param host string | string[] | nil nil or "": every interface
---@param port integer 0: any
---@param options? asyncio.ServerOptions
---@return asyncio.Server
function asyncio.start_server(handler, host, port, options) end

---@class asyncio.UnixConnectOptions
---@field limit? integer bytes that the reader buffers, 65536 when missing

-- Raises OSError. As asyncio.open_unix_connection. POSIX only.
---@async
---@param path string
---@param options? asyncio.UnixConnectOptions
---@return asyncio.StreamReader
---@return asyncio.StreamWriter
function asyncio.open_unix_connection(path, options) end

---@class asyncio.UnixServerOptions
---@field limit? integer bytes that a reader buffers, 65536 when missing
---@field backlog? integer connections that wait to be accepted, 100 when missing
---@field start_serving? boolean false: not before `start_serving()`

-- A socket that is there already is removed first; the server's own is removed
-- when it closes. Raises OSError. As asyncio.start_unix_server. POSIX only.
---@async
---@param handler? fun(reader: asyncio.StreamReader, writer: asyncio.StreamWriter)
---@param path string
---@param options? asyncio.UnixServerOptions
---@return asyncio.Server
function asyncio.start_unix_server(handler, path, options) end

---@class asyncio.PipeOptions
---@field limit? integer bytes that a reader buffers, 65536 when missing

-- The two ends of a pipe. Raises OSError, RuntimeError when no loop runs.
---@param options? asyncio.PipeOptions
---@return asyncio.StreamReader
---@return asyncio.StreamWriter
function asyncio.pipe(options) end

-- Two connected ends, each with a reader and a writer. Raises OSError,
-- RuntimeError when no loop runs. As socket.socketpair.
---@param options? asyncio.PipeOptions
---@return asyncio.StreamReader reader1
---@return asyncio.StreamWriter writer1
---@return asyncio.StreamReader reader2
---@return asyncio.StreamWriter writer2
function asyncio.socketpair(options) end

-- Sends a part of a file through a stream, at the pace of who receives it. The
-- file's position is then behind what was sent. Raises OSError, RuntimeError when
-- no loop runs. As loop.sendfile.
---@param writer asyncio.StreamWriter
---@param file asyncio.File
---@param offset? integer # where to begin, counted from 0: the default
---@param count? integer # how many bytes, at least 1; to the end when missing
---@return integer sent # how many bytes these were: fewer where the file ends
function asyncio.sendfile(writer, file, offset, count) end

-- Standard input, whatever it is; the same reader at each call while a loop
-- lives. Raises OSError, RuntimeError when no loop runs.
---@return asyncio.StreamReader
function asyncio.stdin() end

-- Standard output. What was written is out when `run` returns. Raises OSError,
-- RuntimeError when no loop runs.
---@return asyncio.StreamWriter
function asyncio.stdout() end

-- Standard error; see `stdout`.
---@return asyncio.StreamWriter
function asyncio.stderr() end

---@class asyncio.ReaderOptions
---@field limit? integer bytes that a reader buffers, 65536 when missing

-- Methods that wait raise OSError when the connection broke, and RuntimeError
-- when another task reads. A <close> variable closes it. As asyncio.StreamReader.
---@class asyncio.StreamReader: asyncio.Class
---@overload fun(options?: asyncio.ReaderOptions): asyncio.StreamReader
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

-- Closes what it reads from, a connection once all is sent.
function asyncio.StreamReader:close() end

-- The mode of a terminal: "raw" gives each key as it is typed, without echo, line
-- editing and Ctrl-C. The mode that was before is put back by the end of the
-- scope, at the latest when the loop closes. Raises OSError for what is no
-- terminal.
---@param mode "raw" | "normal"
---@return any scope
function asyncio.StreamReader:set_mode(mode) end

-- As `writer:get_extra_info`.
---@param key "peername" | "sockname" | "socket" | "fd" | string
---@param default? any
---@return any value
function asyncio.StreamReader:get_extra_info(key, default) end

-- Raises RuntimeError after feed_eof. As StreamReader.feed_data.
---@param data string
function asyncio.StreamReader:feed_data(data) end

-- As StreamReader.feed_eof.
function asyncio.StreamReader:feed_eof() end

-- The transport that waits while too much is here. Raises RuntimeError when there
-- is one. As StreamReader.set_transport.
---@param transport asyncio.Transport
function asyncio.StreamReader:set_transport(transport) end

-- Reads fail with it from now on. As StreamReader.set_exception.
---@param err any
function asyncio.StreamReader:set_exception(err) end

-- As StreamReader.exception.
---@return any err nil when there is none
function asyncio.StreamReader:exception() end

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

-- Closes the sending side once all is sent; a pipe's writer is closed then. As
-- StreamWriter.write_eof.
function asyncio.StreamWriter:write_eof() end

-- Closes the connection once all is sent. As StreamWriter.close.
function asyncio.StreamWriter:close() end

-- Raises OSError when the connection broke. As StreamWriter.wait_closed.
---@async
function asyncio.StreamWriter:wait_closed() end

-- As StreamWriter.is_closing.
---@return boolean
function asyncio.StreamWriter:is_closing() end

-- The size of a terminal. Raises OSError for what is none.
---@return integer columns
---@return integer rows
function asyncio.StreamWriter:get_winsize() end

-- As StreamWriter.get_extra_info.
---@param key "peername" | "sockname" | "socket" | "fd" | string
---@param default? any
---@return any value asyncio.Address or a path; the descriptor's number for the last two
function asyncio.StreamWriter:get_extra_info(key, default) end

-- A <close> variable closes it and its connections, and waits for that. As
-- asyncio.Server.
---@class asyncio.Server: asyncio.Class
asyncio.Server = {}

-- Accepts no more connections; those there are stay. Removes the file of a Unix
-- socket, unless another has taken its place. As Server.close.
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

-- Iterates over the connections of a server without a handler, until it closes.
-- Raises RuntimeError when it has one, OSError.
---@return fun(): asyncio.StreamReader?, asyncio.StreamWriter?
function asyncio.Server:connections() end

-- As Server.sockets.
---@return (asyncio.Address | string)[] addresses it listens on, the path of a Unix socket
function asyncio.Server:sockets() end

-- Closes the connections once all is sent. As Server.close_clients.
function asyncio.Server:close_clients() end

-- Closes the connections at once. As Server.abort_clients.
function asyncio.Server:abort_clients() end
