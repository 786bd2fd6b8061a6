-- Tells which ports of a host are open, many at a time.
--
--   lua5.4 examples/port_checker.lua [--limit N] [--timeout S] HOST PORT[-PORT]...
--
-- It shows
-- * a limit: so many workers share one iterator over the ports;
-- * a timeout for each attempt, which ends that attempt and nothing else;
-- * progress on stderr, where that is a terminal.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"
local terminal = require "shared.terminal"

local USAGE <const> = [[
usage: lua5.4 port_checker.lua [--limit N] [--timeout S] HOST PORT[-PORT]...
  --limit N    ports at the same time (100)
  --timeout S  seconds for each (1)
]]

local function add_range(opts, word)
  local first <const>, last <const> = word:match "^(%d+)%-(%d+)$"
  local from <const> = math.tointeger(tonumber(first or word:match "^%d+$"))
  local to <const> = last and math.tointeger(tonumber(last)) or from
  if not from or not to or from < 1 or from > to or to > 65535 then
    command_line.wrong("'%s' is no port, and no range of ports", word)
  end
  table.insert(opts.ranges, { from, to })
  opts.total = opts.total + to - from + 1
end

local function parse(arguments)
  local setters <const> = {
    ["--limit"] = command_line.integer("limit", 1, 10000),
    ["--timeout"] = command_line.number("timeout", 0.001, 3600),
    WORD = function(opts, word)
      if opts.host then
        add_range(opts, word)
      else
        opts.host = word
      end
    end,
  }
  local defaults <const> = { limit = 100, timeout = 1, ranges = {}, total = 0 }
  local opts <const> = command_line.parse(arguments, setters, defaults)
  if not opts.help and opts.total == 0 then
    command_line.wrong "a host and a port are needed"
  end
  return opts
end

-- An iterator over all ports, which several tasks may share.
local function each_port(ranges)
  local i, port = 1, ranges[1][1] - 1
  return function()
    port = port + 1
    if port > ranges[i][2] then
      if i == #ranges then
        return nil
      end
      i = i + 1
      port = ranges[i][1]
    end
    return port
  end
end

-- Returns "open", "closed" or "silent".
local function check(host, port, timeout)
  local late <const>, refused <const> = asyncio.TimeoutError, asyncio.OSError
  local ok, result =
    asyncio.catch({ late, refused }, asyncio.wait_for, asyncio.open_connection, timeout, host, port)
  if not ok then
    return asyncio.isinstance(result, late) and "silent" or "closed"
  end
  result:close()
  return "open"
end

-- Shows how far it is, until its task is cancelled.
local function show_progress(state, total)
  local _ <close> = setmetatable({}, {
    __close = function()
      io.stderr:write "\r\27[K"
    end,
  })
  while true do
    io.stderr:write(("\r%d of %d, %d open\27[K"):format(state.done, total, #state.open))
    asyncio.sleep(0.1)
  end
end

local function work(state, opts)
  for port in state.ports do
    local answer <const> = check(opts.host, port, opts.timeout)
    state[answer] = state[answer] or 0
    if answer == "open" then
      table.insert(state.open, port)
    else
      state[answer] = state[answer] + 1
    end
    state.done = state.done + 1
  end
end

local function main(opts)
  local addresses <const> = asyncio.getaddrinfo(opts.host, nil, { type = "stream" })
  local ports <const> = each_port(opts.ranges)
  local state <const> = { ports = ports, open = {}, closed = 0, silent = 0, done = 0 }
  opts.host = addresses[1].host -- looked up once
  do
    local progress <close> = asyncio.TaskGroup()
    if terminal.is_terminal(2) then
      progress:create_task(show_progress, state, opts.total)
    end
    do
      local workers <close> = asyncio.TaskGroup()
      for _ = 1, math.min(opts.limit, opts.total) do
        workers:create_task(work, state, opts)
      end
    end
    progress:cancel()
  end
  table.sort(state.open)
  for _, port in ipairs(state.open) do
    print(("%5d open"):format(port))
  end
  print(("%d open, %d closed, %d silent"):format(#state.open, state.closed, state.silent))
end

local opts <const> = command_line.read("port_checker.lua", USAGE, parse)
local ok <const>, err <const> =
  asyncio.catch({ asyncio.OSError, asyncio.KeyboardInterrupt }, asyncio.run, main, opts)
if not ok then
  io.stderr:write("port_checker.lua: ", err.message or "interrupted", "\n")
end
os.exit(ok, true)
