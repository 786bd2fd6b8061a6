-- Children for the specs of subprocesses, and what the system says of them.

local asyncio = require "asyncio"

local processes = {}

-- Whether none of these children is there any more, not even as a zombie: a
-- process or a list of them.
function processes.are_gone(list)
  local words <const> = {}
  for _, process in ipairs(list.pid and { list } or list) do
    words[#words + 1] = process.pid
  end
  local line <const> = "for pid in %s; do kill -0 $pid 2>/dev/null && exit 1; done; true"
  return os.execute(line:format(table.concat(words, " "))) == true
end

-- A shell that runs the code with pipes for stdin and stdout, and its first line:
-- when that is there, what stands before its echo has been done.
function processes.shell(code, opts)
  local options <const> = { stdin = "pipe", stdout = "pipe" }
  for name, value in pairs(opts or {}) do
    options[name] = value
  end
  local process <const> = asyncio.create_subprocess_shell(code, options)
  return process, process.stdout:readline()
end

-- A child that does nothing until its stdin ends.
function processes.idle(opts)
  return (processes.shell("echo ready; exec cat", opts))
end

-- One that goes on, and ignores SIGTERM; its grace is a number of seconds.
function processes.stubborn(grace)
  local opts <const> = { stdin = "null", grace = grace }
  return (processes.shell("trap '' TERM; echo ready; exec sleep 1000", opts))
end

return processes
