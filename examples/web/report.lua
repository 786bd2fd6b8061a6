-- What is said at the end: a table of the pages, a timeline, the totals.

local timeline = require "web.timeline"

local report = {}

local ALL_ROWS <const> = 20 -- a table of up to so many pages shows them all
local FAILED_ROWS <const> = 10
local SLOWEST_ROWS <const> = 10
local TIMELINE_ROWS <const> = 20

local UNITS <const> = { "B", "kB", "MB", "GB", "TB" }

local function size(bytes)
  local unit = 1
  while bytes >= 1000 and unit < #UNITS do
    bytes, unit = bytes / 1000, unit + 1
  end
  return (unit == 1 and "%d %s" or "%.1f %s"):format(bytes, UNITS[unit])
end

local function count(n, word)
  return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

local function duration(record)
  return record.finish - record.start
end

-- Text from elsewhere, made safe for a terminal.
local function printable(text)
  return (text:gsub("%c", "?"))
end

local function shorten(text, width)
  if #text <= width then
    return text
  end
  local start <const> = text:sub(1, width - 3)
  return start:gsub("[\xc0-\xff][\x80-\xbf]*$", "") .. "..." -- no half character
end

local ROW <const> = "%6s %9s %9s  %s"

local function row(record, width)
  local url = printable(record.url)
  local time <const> = ("%.3f s"):format(duration(record))
  if record.failure then
    local reason <const> = (" "):rep(28) .. printable(record.failure)
    return ROW:format("failed", "-", time, shorten(url, width - 28)) .. "\n" .. reason
  elseif record.redirects > 0 then
    url = ("%s (%s)"):format(url, count(record.redirects, "redirect"))
  end
  return ROW:format(record.status, size(record.bytes), time, shorten(url, width - 28))
end

-- Up to n records that the filter lets through, in the order of the list.
local function pick(records, n, filter)
  local picked <const> = {}
  for _, record in ipairs(records) do
    if #picked < n and filter(record) then
      picked[#picked + 1] = record
    end
  end
  return picked
end

local function failed(record)
  return record.failure ~= nil
end

local function answered(record)
  return record.failure == nil
end

-- Of many records those worth a row: failures, then the slowest.
local function choose(records)
  if #records <= ALL_ROWS then
    return records
  end
  local by_time <const> = table.move(records, 1, #records, 1, {})
  table.sort(by_time, function(a, b)
    return duration(a) > duration(b)
  end)
  local chosen <const> = pick(records, FAILED_ROWS, failed)
  local slowest <const> = pick(by_time, SLOWEST_ROWS, answered)
  return table.move(slowest, 1, #slowest, #chosen + 1, chosen)
end

local function write_table(out, records, width, failures)
  out:write(ROW:format("status", "size", "time", "page"), "\n")
  local chosen <const> = choose(records)
  for _, record in ipairs(chosen) do
    out:write(row(record, width), "\n")
  end
  if #chosen < #records then
    local rest <const> = failures > FAILED_ROWS and "some of which failed" or "none of them slower"
    out:write(("       and %d more, %s\n"):format(#records - #chosen, rest))
  end
end

local function sum(records)
  local totals <const> = { bytes = 0, seconds = 0, failed = 0, errors = 0 }
  local first, last = math.huge, -math.huge
  for _, record in ipairs(records) do
    totals.bytes = totals.bytes + (record.bytes or 0)
    totals.seconds = totals.seconds + duration(record)
    first, last = math.min(first, record.start), math.max(last, record.finish)
    if record.failure then
      totals.failed = totals.failed + 1
    elseif record.status >= 400 then
      totals.errors = totals.errors + 1
    end
  end
  totals.elapsed = last - first
  return totals
end

local function write_totals(out, records, totals)
  local line <const> = "%s, %s in %.2f s; one after the other they would take %.2f s (%.0fx)\n"
  local gain <const> = totals.seconds / math.max(totals.elapsed, 1e-6)
  local pages <const> = count(#records - totals.failed, "page")
  out:write(line:format(pages, size(totals.bytes), totals.elapsed, totals.seconds, gain))
  if totals.errors > 0 then
    out:write(("%s with an error status (400 and above)\n"):format(count(totals.errors, "page")))
  end
  if totals.failed > 0 then
    out:write(("%d failed\n"):format(totals.failed))
  end
end

-- Writes it all; opts: width, utf8. Returns how many pages failed.
function report.write(out, records, opts)
  local totals <const> = sum(records)
  write_table(out, records, opts.width, totals.failed)
  local drawing <const> =
    timeline.lines(records, { width = opts.width, rows = TIMELINE_ROWS, utf8 = opts.utf8 })
  out:write("\n", table.concat(drawing, "\n"), "\n\n")
  write_totals(out, records, totals)
  return totals.failed
end

return report
