-- An echo server on luv: a coroutine per connection, which writes at once what
-- the socket takes.

local uv = require "luv"

local function resume(co, ...)
  local ok, err = coroutine.resume(co, ...)
  if not ok then
    error(debug.traceback(co, err), 0)
  end
end

-- Reading goes on while the coroutine runs, and is stopped only while a write
-- has to wait.
local function serve(client)
  local co = coroutine.running()
  local function on_read(err, data)
    resume(co, not err and data or nil)
  end
  client:read_start(on_read)
  for data in coroutine.yield do
    local sent = client:try_write(data) or 0
    if sent < #data then
      client:read_stop()
      client:write(data:sub(sent + 1), function(err)
        resume(co, err)
      end)
      if coroutine.yield() then
        break
      end
      client:read_start(on_read)
    end
  end
  client:close()
end

local function accept(server)
  local client = uv.new_tcp()
  if not server:accept(client) then
    return client:close()
  end
  client:nodelay(true)
  resume(coroutine.create(serve), client)
end

local server = uv.new_tcp()
server:bind("127.0.0.1", 0)
server:listen(1024, function(err)
  if not err then
    accept(server)
  end
end)
print("port=" .. server:getsockname().port)
io.stdout:flush()
uv.run()
