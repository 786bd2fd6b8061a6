-- What a server's process needs for each of many connections, its own memory
-- only: what the kernel needs is the same for all.

local build = require "bench.lib.build"
local grid = require "bench.lib.grid"
local shell = require "bench.lib.shell"

local hold = {title = "memory of an echo server per open connection"}

local CONNECTIONS <const> = 10000

local function measure_one(peer, n)
  local server = shell.start(peer.server)
  if not server then
    return nil
  end
  local sample = shell.measure(
    string.format("%s %d %d %s", build.path("hold"), server.port, n, server.pid))
  shell.stop(server)
  if sample then
    sample.idle_kib = (sample.idle_kib - sample.base_kib) / n
    sample.used_kib = (sample.used_kib - sample.base_kib) / n
  end
  return sample
end

function hold.run(installed, options, results)
  if not options.wants("hold") then
    return
  end
  local n = options.quick and CONNECTIONS // 10 or CONNECTIONS
  local ranked = {}
  results.hold = {}
  for _, peer in ipairs(installed) do
    if peer.server then
      shell.progress("hold: %s", peer.label)
      local sample = measure_one(peer, n)
      if sample then
        sample.peer = peer
        results.hold[peer.name] = sample
        ranked[#ranked + 1] = sample
      end
    end
  end
  shell.progress("")
  table.sort(ranked, function(a, b)
    return a.used_kib < b.used_kib
  end)
  local rows = {{"", "opened", "after a message"}}
  for _, r in ipairs(ranked) do
    rows[#rows + 1] = {r.peer.label, string.format("%.1f KiB", r.idle_kib),
      string.format("%.1f KiB", r.used_kib)}
  end
  print(string.format("\nhold: %s (n = %d)", hold.title, n))
  grid(rows)
end

return hold
