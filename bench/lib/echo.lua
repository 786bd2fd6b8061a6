-- TCP echo: one load generator on one core, the servers in turn on another.

local build = require "bench.lib.build"
local cpus = require "bench.lib.cpus"
local grid = require "bench.lib.grid"
local shell = require "bench.lib.shell"
local stats = require "bench.lib.stats"

local echo = {title = "TCP echo, each of N connections awaiting its message before the next"}

local KEYS <const> = {"rate", "cpu_us", "p50_us", "p99_us", "load_cpu"}

local cases = {}
for _, connections in ipairs{1, 50, 1000} do
  for _, size in ipairs{64, 4096} do
    cases[#cases + 1] = {
      name = string.format("echo-%d-%d", connections, size),
      connections = connections, size = size,
      reps = connections == 50 and 5 or 3,
    }
  end
end

function echo.names()
  local names = {}
  for i, case in ipairs(cases) do
    names[i] = case.name
  end
  return names
end

-- The first connections, which find a cold cache, a cold compiler or a cold
-- allocator, come and go before the ones that are measured.
local WARM_UP <const> = 0.2

local function measure_one(peer, case, seconds, server_cpu, load_cpu)
  local server = shell.start(server_cpu .. peer.server)
  if not server then
    return nil
  end
  local load = string.format("%s%s %d %d %d", load_cpu, build.path("load"), server.port,
    case.connections, case.size)
  local sample = shell.measure(string.format("%s %g", load, WARM_UP))
    and shell.measure(string.format("%s %g %s", load, seconds, server.pid))
  shell.stop(server)
  return sample
end

local function measure(servers, case, options)
  local server_cpu, load_cpu = cpus()
  local reps = options.reps or options.quick and 1 or case.reps
  local samples = {}
  for rep = 1, reps do
    for _, peer in ipairs(servers) do
      shell.progress("%s %d/%d %s", case.name, rep, reps, peer.label)
      local list = samples[peer.name] or {}
      list[#list + 1] =
        measure_one(peer, case, options.quick and 0.5 or 1.5, server_cpu, load_cpu)
      samples[peer.name] = list
    end
  end
  shell.progress("")
  return samples
end

local function ratio(a, b)
  return b and string.format("%.2f", a / b) or ""
end

local function print_table(case, ranked, bare)
  local rows = {{"", "msg/s", "of C", "CPU/msg", "of C", "p50", "p99", "load's core"}}
  for _, r in ipairs(ranked) do
    rows[#rows + 1] = {
      r.peer.label,
      string.format("%.0f", r.rate), ratio(r.rate, bare and bare.rate),
      string.format("%.2f us", r.cpu_us), ratio(r.cpu_us, bare and bare.cpu_us),
      string.format("%.0f us", r.p50_us), string.format("%.0f us", r.p99_us),
      string.format("%.0f %%", r.load_cpu * 100),
    }
  end
  print(string.format("\n%s: %d connections, %d bytes", case.name, case.connections, case.size))
  grid(rows)
end

local function run_one(servers, case, options)
  local samples = measure(servers, case, options)
  local found, ranked = {}, {}
  for _, peer in ipairs(servers) do
    local list = samples[peer.name]
    if #list > 0 then
      local result = {peer = peer}
      for _, key in ipairs(KEYS) do
        result[key] = stats.median_of(list, key)
      end
      found[peer.name] = result
      ranked[#ranked + 1] = result
    end
  end
  table.sort(ranked, function(a, b)
    return a.cpu_us < b.cpu_us
  end)
  print_table(case, ranked, found.uv)
  return found
end

function echo.run(installed, options, results)
  local servers = {}
  for _, peer in ipairs(installed) do
    servers[#servers + 1] = peer.server and peer or nil
  end
  for _, case in ipairs(cases) do
    if options.wants("echo") or options.wants(case.name) then
      results[case.name] = run_one(servers, case, options)
    end
  end
end

return echo
