-- Two processors that share no core, for a server and for its load.

local shell = require "bench.lib.shell"

local function siblings(cpu)
  local file <close> = io.open(
    "/sys/devices/system/cpu/cpu" .. cpu .. "/topology/thread_siblings_list")
  return file and file:read("l") or tostring(cpu)
end

-- the numbers in a list like 0-2,5
local function expand(list)
  local numbers = {}
  for first, last in list:gmatch("(%d+)%-?(%d*)") do
    for cpu = tonumber(first), tonumber(last) or tonumber(first) do
      numbers[#numbers + 1] = cpu
    end
  end
  return numbers
end

-- Two prefixes for commands, empty where nothing can be pinned. The last ones
-- are taken: the first serves most interrupts.
return function()
  local status = shell.capture("taskset -cp $$ 2>/dev/null") or ""
  local allowed = expand(status:match(": ([%d,-]+)") or "")
  local last = allowed[#allowed]
  for i = #allowed - 1, 1, -1 do
    if siblings(allowed[i]) ~= siblings(last) then
      return "taskset -c " .. allowed[i] .. " ", "taskset -c " .. last .. " "
    end
  end
  io.stderr:write("bench: cannot pin server and load to different cores\n")
  return "", ""
end
