-- What is aimed at, as ratios within one run, and whether it was reached.

local stats = require "bench.lib.stats"

local targets = {}

local list = {}

-- Each check returns nil where the run has not measured it, else whether it
-- holds and what was found.
local function target(text, check)
  list[#list + 1] = {text = text, check = check}
end

local function seconds(results, workload, name)
  local found = results[workload] and results[workload][name]
  return found and found.seconds
end

local function times_faster(workload, factor, than)
  target(string.format("%s: at least %gx %s", workload, factor, than), function(results)
    local ours, theirs = seconds(results, workload, "asyncio"), seconds(results, workload, than)
    if ours and theirs then
      return theirs / ours >= factor, string.format("%.1fx", theirs / ours)
    end
  end)
end

times_faster("spawn", 10, "uvloop")
times_faster("group", 8, "uvloop")
times_faster("switch", 6, "uvloop")
times_faster("handover", 8, "uvloop")
times_faster("waitfor", 8, "uvloop")
times_faster("waitfuture", 8, "uvloop")
times_faster("timeout", 8, "uvloop")
times_faster("cancel", 10, "uvloop")
times_faster("queue", 10, "uvloop")
times_faster("queue", 2.5, "luv")
times_faster("tothread", 3, "cpython")
times_faster("executor", 3, "cpython")
times_faster("processes", 3, "cpython")

target("twojobs: within 1.15x of one, where there are two cores", function(results)
  local one, two = seconds(results, "onejob", "asyncio"), seconds(results, "twojobs", "asyncio")
  if one and two then
    return two <= 1.15 * one, string.format("%.2fx", two / one)
  end
end)

target("ticks: under 5 ms", function(results)
  local p99 = seconds(results, "ticks", "asyncio")
  if p99 then
    return p99 < 0.005, stats.seconds(p99)
  end
end)

times_faster("crossing", 1, "cpython")

target("spawn: first of all", function(results)
  local ours = seconds(results, "spawn", "asyncio")
  if not ours then
    return nil
  end
  local first, label = math.huge, nil
  for name, result in pairs(results.spawn) do
    if name ~= "asyncio" and result.seconds < first then
      first, label = result.seconds, result.peer.label
    end
  end
  if label then
    return ours <= first, string.format("%.2fx %s", first / ours, label)
  end
end)

target("switch: within 1.5x of bare resume/yield", function(results)
  local ours, floor = seconds(results, "switch", "asyncio"), seconds(results, "switch", "floor")
  if ours and floor then
    return ours <= 1.5 * floor, string.format("%.2fx", ours / floor)
  end
end)

target("lock: at most 150 ns", function(results)
  local ours = results.lock and results.lock.asyncio
  if ours then
    return ours.each <= 150e-9, stats.seconds(ours.each)
  end
end)

target("contended: within 2x of a switch", function(results)
  local ours = results.contended and results.contended.asyncio
  local switch = results.switch and results.switch.asyncio
  if ours and switch then
    local ratio = ours.each / switch.each
    return ratio <= 2, string.format("%.2fx", ratio)
  end
end)

local function sleepers(workload, most)
  target(string.format("%s: within %g s of the second, or 10x closer than uvloop", workload, most),
    function(results)
      local ours = seconds(results, workload, "asyncio")
      local theirs = seconds(results, workload, "uvloop")
      if ours then
        return ours <= most or theirs and ours <= theirs / 10, stats.seconds(ours)
      end
    end)
  target(workload .. ": at most 1.5 KiB per task", function(results)
    local ours = results[workload] and results[workload].asyncio
    if ours then
      return ours.task_kib <= 1.5, string.format("%.0f B", ours.task_kib * 1024)
    end
  end)
end

sleepers("sleepers100k", 0.15)
sleepers("sleepers1m", 1.3)

target("sleepers1m: within 1.6 GiB", function(results)
  local ours = results.sleepers1m and results.sleepers1m.asyncio
  if ours then
    return ours.peak_kib <= 1.6 * 1024 * 1024, stats.kib(ours.peak_kib)
  end
end)

-- Servers are compared by processor time per message, and by the rate only as
-- far as it is out of the noise: the load can be what bounds it.
local function behind(name, ours, theirs)
  if name:find("^echo") then
    return ours.cpu_us > theirs.cpu_us or ours.rate < 0.97 * theirs.rate
  end
  return ours.seconds > theirs.seconds
end

local function ahead_everywhere(than)
  target("every row: ahead of " .. than, function(results)
    local rows, lost = 0, {}
    for name, row in pairs(results) do
      local timed = row.asyncio and (row.asyncio.seconds or row.asyncio.cpu_us)
      if timed and row[than] then
        rows = rows + 1
        lost[#lost + 1] = behind(name, row.asyncio, row[than]) and name or nil
      end
    end
    table.sort(lost)
    if rows > 0 then
      return #lost == 0, #lost == 0 and rows .. " rows" or "behind in " .. table.concat(lost, " ")
    end
  end)
end

ahead_everywhere("luv")
ahead_everywhere("cqueues")

local function echo_against(case, than, form)
  local name = form == "protocol" and ": protocols ahead of " or ": ahead of "
  target(case .. name .. than, function(results)
    local ours = results[case] and results[case][form]
    local theirs = results[case] and results[case][than]
    if ours and theirs then
      return not behind(case, ours, theirs),
        string.format("rate %.2f, CPU %.2f", ours.rate / theirs.rate, ours.cpu_us / theirs.cpu_us)
    end
  end)
end

for _, case in ipairs{"echo-50-64", "echo-50-4096"} do
  target(case .. ": 0.95 of the rate and 1.15 of the CPU time of C", function(results)
    local ours, bare = results[case] and results[case].asyncio, results[case] and results[case].uv
    if ours and bare then
      local rate, cpu = ours.rate / bare.rate, ours.cpu_us / bare.cpu_us
      return rate >= 0.95 and cpu <= 1.15, string.format("rate %.2f, CPU %.2f", rate, cpu)
    end
  end)
  for _, form in ipairs{"asyncio", "protocol"} do
    echo_against(case, "uvloop_protocol", form)
    echo_against(case, "node", form)
  end
end

for _, way in ipairs{"upload", "download"} do
  local function found(results, name)
    return results.bulk and results.bulk[way] and results.bulk[way][name]
  end
  target("bulk: " .. way .. " at 0.9 of the rate of C", function(results)
    local ours, bare = found(results, "asyncio"), found(results, "uv")
    if ours and bare then
      return ours.rate >= 0.9 * bare.rate, string.format("%.2f", ours.rate / bare.rate)
    end
  end)
  target("bulk: " .. way .. " needs at most 1 MiB", function(results)
    local ours = found(results, "asyncio")
    if ours then
      return ours.growth_kib <= 1024, stats.kib(ours.growth_kib)
    end
  end)
end

target("hold: at most 8 KiB for each connection", function(results)
  local ours = results.hold and results.hold.asyncio
  if ours then
    return ours.used_kib <= 8, string.format("%.1f KiB", ours.used_kib)
  end
end)

for _, call in ipairs{"resume", "wrap"} do
  target("coroutine: " .. call .. " within 1.3x of Lua's own", function(results)
    local found = results.coroutine and results.coroutine[call]
    if found then
      return found <= 1.3, string.format("%.2fx", found)
    end
  end)
end

for _, step in ipairs{"spawn", "sleep", "wake-up", "cancel"} do
  target("growth: " .. step .. " within 2x", function(results)
    local found = results.growth and results.growth[step]
    if found then
      return found <= 2, string.format("%.2fx", found)
    end
  end)
end

-- flat: no more than what an allocator may keep in hand
for _, kind in ipairs{"sequential", "echo"} do
  target("memory: " .. kind .. " is flat", function(results)
    local found = results.memory and results.memory[kind]
    if found then
      return found.late <= 1.05 * found.early + 256,
        stats.kib(found.early) .. ", then " .. stats.kib(found.late)
    end
  end)
end

function targets.print(results, options)
  print("\ntargets" .. (options.quick and " (--quick: sizes too small to judge by)" or ""))
  local measured, reached = 0, 0
  for _, entry in ipairs(list) do
    local holds, found = entry.check(results)
    if holds ~= nil then
      measured = measured + 1
      reached = reached + (holds and 1 or 0)
      print(string.format("  [%s] %-66s %s", holds and "pass" or "MISS", entry.text, found))
    end
  end
  print(string.format("  %d of %d reached; %d not measured", reached, measured, #list - measured))
end

return targets
