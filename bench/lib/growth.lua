-- Whether a task costs more where there are more of them: the same steps with
-- ten thousand tasks and with a million, each in a new process.

local grid = require "bench.lib.grid"
local shell = require "bench.lib.shell"
local stats = require "bench.lib.stats"

local growth = {title = "time per task with 1M tasks and with 10k"}

local STEPS <const> = {
  {name = "spawn", program = "spawn"},
  {name = "sleep", program = "asleep"},
  {name = "wake-up", program = "wake"},
  {name = "cancel", program = "cancel"},
}
local FEW <const>, MANY <const> = 10000, 1000000

local function each(peer, step, n, reps)
  local samples = {}
  for rep = 1, reps do
    shell.progress("growth %s %d %d/%d", step.name, n, rep, reps)
    samples[#samples + 1] = shell.measure(
      string.format("%s %s %d", peer.program, step.program, n))
  end
  shell.progress("")
  local seconds = stats.median_of(samples, "seconds")
  return seconds and seconds / n
end

function growth.run(installed, options, results)
  local ours = installed[1]
  if not options.wants("growth") or not ours or ours.name ~= "asyncio" then
    return
  end
  local many = options.quick and MANY // 10 or MANY
  local rows = {{"", "with " .. FEW, "with " .. many, "growth"}}
  results.growth = {}
  for _, step in ipairs(STEPS) do
    local small = each(ours, step, FEW, options.reps or options.quick and 3 or 15)
    local large = each(ours, step, many, options.reps or options.quick and 1 or 3)
    if small and large then
      results.growth[step.name] = large / small
      rows[#rows + 1] = {step.name, stats.seconds(small), stats.seconds(large),
        string.format("%.2fx", large / small)}
    end
  end
  print("\ngrowth: " .. growth.title .. " (lua-asyncio)")
  grid(rows)
end

return growth
