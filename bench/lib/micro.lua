-- The workloads without input and output, peers in turn in every repetition.

local grid = require "bench.lib.grid"
local shell = require "bench.lib.shell"
local stats = require "bench.lib.stats"
local workloads = require "bench.lib.workloads"

local micro = {}

local function takes_part(peer, workload)
  if not peer.program or peer.only and not peer.only[workload.name] then
    return false
  end
  return not workload.on or workload.on[peer.name] == true
end

-- Samples of each peer by its name: one process per measurement.
local function measure(installed, workload, n, reps)
  local samples = {}
  for rep = 1, reps do
    for _, peer in ipairs(installed) do
      local list = samples[peer.name] or {}
      if takes_part(peer, workload) and #list == rep - 1 then
        shell.progress("%s %d/%d %s", workload.name, rep, reps, peer.label)
        list[rep] = shell.measure(
          string.format("%s %s %d", peer.program, workload.program or workload.name, n))
        samples[peer.name] = list
      end
    end
  end
  shell.progress("")
  return samples
end

-- What the samples of one peer come to.
local function sum_up(peer, list, workload, n)
  local seconds = stats.median_of(list, "seconds") - (workload.over or 0)
  local result = {peer = peer, seconds = seconds, each = seconds / n}
  if list[1].peak_kib then
    result.peak_kib = stats.median_of(list, "peak_kib")
    result.task_kib = (result.peak_kib - stats.median_of(list, "base_kib")) / n
  end
  return result
end

local function print_table(workload, n, ranked, ours)
  local rows = {{"", workload.over and "over" or "total", "each", "ours is", "peak memory"}}
  rows[1][6] = workload.over and "per task" or nil
  for i, r in ipairs(ranked) do
    rows[i + 1] = {
      r.peer.label,
      stats.seconds(r.seconds),
      stats.seconds(r.each),
      ours and r ~= ours and string.format("%.2fx", r.seconds / ours.seconds) or "",
      r.peak_kib and stats.kib(r.peak_kib) or "",
      workload.over and string.format("%.0f B", r.task_kib * 1024) or nil,
    }
  end
  print(string.format("\n%s: %s (n = %d)", workload.name, workload.title, n))
  grid(rows)
end

local function run_one(installed, workload, options)
  local n = options.quick and workload.n // 10 or workload.n
  local reps = options.reps or options.quick and 1 or workload.reps
  local samples = measure(installed, workload, n, reps)
  local found, ranked = {}, {}
  for _, peer in ipairs(installed) do
    local list = samples[peer.name]
    if list and #list > 0 then
      found[peer.name] = sum_up(peer, list, workload, n)
      ranked[#ranked + 1] = found[peer.name]
    end
  end
  table.sort(ranked, function(a, b)
    return a.seconds < b.seconds
  end)
  print_table(workload, n, ranked, found.asyncio)
  return found
end

function micro.run(installed, options, results)
  for _, workload in ipairs(workloads) do
    if options.wants(workload.name) and not (options.quick and workload.long) then
      results[workload.name] = run_one(installed, workload, options)
    end
  end
end

return micro
