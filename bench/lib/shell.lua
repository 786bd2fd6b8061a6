-- Programs run one at a time, and what their one line of key=value pairs says.

local shell = {}

-- What a command prints, without the last newline; nil when it fails.
function shell.capture(command)
  local pipe <close> = assert(io.popen(command))
  local output = pipe:read("a"):gsub("%s+$", "")
  return pipe:close() and output or nil
end

function shell.works(command)
  return shell.capture("{ " .. command .. "; } >/dev/null 2>&1") ~= nil
end

local function parse(line)
  local values = {}
  for key, value in line:gmatch("([%w_]+)=([%d.]+)") do
    values[key] = tonumber(value)
  end
  return values
end

-- the longest that one measurement may take
local LIMIT <const> = 300
local limit

-- Runs a measurement; nil when it failed or took too long.
function shell.measure(command)
  limit = limit or shell.works("command -v timeout") and "timeout " .. LIMIT .. " " or ""
  local output = shell.capture(limit .. command)
  if not output then
    io.stderr:write("bench: failed or too slow: ", command, "\n")
    return nil
  end
  return parse(output)
end

-- Starts a server, which prints port=N once it listens.
function shell.start(command)
  local limit_files = "ulimit -Sn 16384 2>/dev/null || ulimit -Sn 8192 2>/dev/null"
  local pipe = assert(io.popen(limit_files .. "; echo $$; exec " .. command))
  local pid = pipe:read("l")
  local values = parse(pipe:read("l") or "")
  if not values.port then
    pipe:close()
    io.stderr:write("bench: does not start: ", command, "\n")
    return nil
  end
  return {pipe = pipe, pid = pid, port = values.port}
end

function shell.stop(server)
  os.execute("kill " .. server.pid)
  server.pipe:close()
end

-- The resident memory of another process in KiB.
function shell.rss_kib(pid)
  local file <close> = io.open("/proc/" .. pid .. "/status")
  local status = file and file:read("a") or ""
  return tonumber(status:match("VmRSS:%s*(%d+)"))
end

local on_terminal = os.execute("test -t 2")

-- Overwrites the line that says what is being measured.
function shell.progress(...)
  if on_terminal then
    local text = string.format(...)
    io.stderr:write("\r\27[K", text, text == "" and "" or " ...")
    io.stderr:flush()
  end
end

return shell
