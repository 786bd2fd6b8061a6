-- Whether memory stays where it was: after many tasks one after the other, and
-- in an echo server under load.

local build = require "bench.lib.build"
local grid = require "bench.lib.grid"
local shell = require "bench.lib.shell"
local stats = require "bench.lib.stats"

local memory = {title = "memory after 10M tasks in sequence, and of a busy echo server"}

local TASKS <const> = 10000000
local WARM_UP <const> = 2 -- rounds
local ROUNDS <const> = 12

local function sequential(ours, options)
  local n = options.quick and TASKS // 10 or TASKS
  shell.progress("memory: %d tasks in sequence", n)
  local sample = shell.measure(string.format("%s sequential %d", ours.program, n))
  return sample and {early = sample.early_kib, late = sample.rss_kib}
end

-- Each round opens connections of its own. The server has its working size when
-- those of a round are there beside what is left of the round before.
local function busy_server(ours, options)
  local server = shell.start(ours.server)
  if not server then
    return nil
  end
  local result = {}
  for round = 1, ROUNDS do
    shell.progress("memory: echo server, round %d/%d", round, ROUNDS)
    shell.measure(string.format("%s %d 200 4096 %g", build.path("load"), server.port,
      options.quick and 0.5 or 1))
    result.late = shell.rss_kib(server.pid)
    result.early = round <= WARM_UP and result.late or result.early
  end
  shell.stop(server)
  return result.late and result
end

function memory.run(installed, options, results)
  local ours = installed[1]
  if not options.wants("memory") or not ours or ours.name ~= "asyncio" then
    return
  end
  results.memory = {
    sequential = sequential(ours, options),
    echo = busy_server(ours, options),
  }
  shell.progress("")
  local rows = {{"", "early", "at the end"}}
  for _, name in ipairs{"sequential", "echo"} do
    local r = results.memory[name]
    rows[#rows + 1] = r and {name, stats.kib(r.early), stats.kib(r.late)}
  end
  print("\nmemory: " .. memory.title .. " (lua-asyncio)")
  grid(rows)
end

return memory
