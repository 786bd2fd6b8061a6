-- Medians, and numbers made readable.

local stats = {}

function stats.median(list)
  table.sort(list)
  local n = #list
  if n == 0 then
    return nil
  end
  return (list[(n + 1) // 2] + list[n // 2 + 1]) / 2
end

-- The median of one value over samples, each a table of values.
function stats.median_of(samples, key)
  local list = {}
  for _, sample in ipairs(samples) do
    list[#list + 1] = sample[key]
  end
  return stats.median(list)
end

function stats.seconds(s)
  if s < 1e-6 then
    return string.format("%.0f ns", s * 1e9)
  elseif s < 1e-3 then
    return string.format("%.2f us", s * 1e6)
  elseif s < 1 then
    return string.format("%.1f ms", s * 1e3)
  end
  return string.format("%.2f s", s)
end

function stats.kib(kib)
  if kib < 1024 then
    return string.format("%.0f KiB", kib)
  elseif kib < 1024 * 1024 then
    return string.format("%.1f MiB", kib / 1024)
  end
  return string.format("%.2f GiB", kib / 1024 / 1024)
end

return stats
