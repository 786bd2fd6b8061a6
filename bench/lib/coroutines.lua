-- asyncio.coroutine beside Lua's own library, in one process.

local grid = require "bench.lib.grid"
local shell = require "bench.lib.shell"
local stats = require "bench.lib.stats"

local coroutines = {title = "generators on asyncio.coroutine and on Lua's own library"}

local CALLS <const> = 1000000

function coroutines.run(installed, options, results)
  local ours = installed[1]
  if not options.wants("coroutine") or not ours or ours.name ~= "asyncio" then
    return
  end
  local n = options.quick and CALLS // 10 or CALLS
  shell.progress("coroutine: %d calls", n)
  local found = shell.measure(string.format("%s %d", ours.coroutine, n))
  shell.progress("")
  if not found then
    return
  end
  results.coroutine = {}
  local rows = {{"", "ours", "Lua's", "ratio"}}
  for _, name in ipairs{"resume", "wrap"} do
    local mine, theirs = found[name .. "_ours"], found[name .. "_theirs"]
    results.coroutine[name] = mine / theirs
    rows[#rows + 1] = {name, stats.seconds(mine / n), stats.seconds(theirs / n),
      string.format("%.2fx", mine / theirs)}
  end
  print(string.format("\ncoroutine: %s (n = %d)", coroutines.title, n))
  grid(rows)
end

return coroutines
