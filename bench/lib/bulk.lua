-- A large transfer over one connection, to each server and from it.

local build = require "bench.lib.build"
local cpus = require "bench.lib.cpus"
local grid = require "bench.lib.grid"
local shell = require "bench.lib.shell"
local stats = require "bench.lib.stats"

local bulk = {title = "1 GiB over one connection, received and sent by the server"}

local MIB <const> = 1024
local KEYS <const> = {"rate", "cpu", "growth_kib"}

-- Each transfer has a server of its own, so that the peak is that of one.
local function measure_one(peer, way, mib, server_cpu, client_cpu)
  local server = shell.start(server_cpu .. peer.bulk)
  if not server then
    return nil
  end
  local sample = shell.measure(string.format("%s%s %d %s %d %s", client_cpu, build.path("bulk"),
    server.port, way, mib, server.pid))
  shell.stop(server)
  if sample then
    sample.rate = mib / sample.seconds
    sample.growth_kib = sample.peak_kib - sample.base_kib
  end
  return sample
end

local function print_table(way, ranked, bare)
  local rows = {{"", "MiB/s", "of C", "CPU", "of C", "memory rises by"}}
  for _, r in ipairs(ranked) do
    rows[#rows + 1] = {
      r.peer.label,
      string.format("%.0f", r.rate), bare and string.format("%.2f", r.rate / bare.rate) or "",
      stats.seconds(r.cpu), bare and string.format("%.2f", r.cpu / bare.cpu) or "",
      stats.kib(r.growth_kib),
    }
  end
  print(string.format("\n%s: the server %s", way, way == "upload" and "receives" or "sends"))
  grid(rows)
end

local function run_one(servers, way, options)
  local server_cpu, client_cpu = cpus()
  local reps = options.reps or options.quick and 1 or 5
  local samples, found, ranked = {}, {}, {}
  for rep = 1, reps do
    for _, peer in ipairs(servers) do
      shell.progress("%s %d/%d %s", way, rep, reps, peer.label)
      local list = samples[peer.name] or {}
      list[#list + 1] =
        measure_one(peer, way, options.quick and MIB // 10 or MIB, server_cpu, client_cpu)
      samples[peer.name] = list
    end
  end
  shell.progress("")
  for _, peer in ipairs(servers) do
    if #samples[peer.name] > 0 then
      local result = {peer = peer}
      for _, key in ipairs(KEYS) do
        result[key] = stats.median_of(samples[peer.name], key)
      end
      found[peer.name] = result
      ranked[#ranked + 1] = result
    end
  end
  table.sort(ranked, function(a, b)
    return a.rate > b.rate
  end)
  print_table(way, ranked, found.uv)
  return found
end

function bulk.run(installed, options, results)
  local servers = {}
  for _, peer in ipairs(installed) do
    servers[#servers + 1] = peer.bulk and peer or nil
  end
  results.bulk = {}
  for _, way in ipairs{"upload", "download"} do
    if options.wants("bulk") and #servers > 0 then
      results.bulk[way] = run_one(servers, way, options)
    end
  end
end

return bulk
