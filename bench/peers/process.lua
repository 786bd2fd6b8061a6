-- What a workload reports of its process: memory, and the line itself.

local process = {}

local function status_kib(key)
  local file <close> = io.open("/proc/self/status")
  local status = file and file:read("a") or ""
  return tonumber(status:match(key .. ":%s*(%d+)")) or 0
end

function process.rss_kib()
  return status_kib("VmRSS")
end

function process.report(seconds, base, more)
  print(string.format("seconds=%.6f base_kib=%d rss_kib=%d peak_kib=%d %s", seconds, base,
    status_kib("VmRSS"), status_kib("VmHWM"), more or ""))
end

return process
