-- A drawing of which request ran when.

local timeline = {}

local BLOCKS <const> = {
  bar = "█",
  failed = "░",
  levels = { [0] = " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
}
local ASCII <const> = {
  bar = "=",
  failed = "x",
  levels = { [0] = " ", ".", ":", "-", "=", "+", "*", "#", "@" },
}

local LABEL <const> = "%6s "

-- The first and the last of the list, and others evenly between them.
local function sample(list, rows)
  if #list <= rows then
    return list
  end
  local chosen <const> = {}
  for row = 1, rows do
    chosen[row] = list[1 + (row - 1) * (#list - 1) // (rows - 1)]
  end
  return chosen
end

local function span(records)
  local first, last = math.huge, -math.huge
  for _, record in ipairs(records) do
    first = math.min(first, record.start)
    last = math.max(last, record.finish)
  end
  return first, math.max(last - first, 1e-6)
end

-- The columns, from 1, in which a record ran.
local function columns_of(record, scale)
  local function column(time)
    return math.min(scale.width, 1 + math.floor((time - scale.first) / scale.total * scale.width))
  end
  return column(record.start), column(record.finish)
end

local function bar(record, scale, style)
  local first <const>, last <const> = columns_of(record, scale)
  local mark <const> = record.failure and style.failed or style.bar
  return LABEL:format("#" .. record.index) .. (" "):rep(first - 1) .. mark:rep(last - first + 1)
end

-- How many ran in each column, and the most of them.
local function count_running(records, scale)
  local counts <const> = {}
  for column = 1, scale.width do
    counts[column] = 0
  end
  local most = 0
  for _, record in ipairs(records) do
    local first <const>, last <const> = columns_of(record, scale)
    for column = first, last do
      counts[column] = counts[column] + 1
      most = math.max(most, counts[column])
    end
  end
  return counts, most
end

local function load_line(records, scale, style)
  local counts <const>, most <const> = count_running(records, scale)
  for column, count in ipairs(counts) do
    counts[column] = style.levels[math.ceil(count / most * #style.levels)]
  end
  return LABEL:format "load" .. table.concat(counts)
end

local function axis(scale)
  local total <const> = ("%.2f s"):format(scale.total)
  return LABEL:format "" .. "0" .. (" "):rep(scale.width - 1 - #total) .. total
end

-- The lines of the drawing; opts: width (in columns), rows (how many requests
-- at most), utf8.
function timeline.lines(records, opts)
  local style <const> = opts.utf8 and BLOCKS or ASCII
  local first <const>, total <const> = span(records)
  local scale <const> = { first = first, total = total, width = opts.width - #LABEL:format "" }
  local lines <const> = {}
  for _, record in ipairs(sample(records, opts.rows)) do
    lines[#lines + 1] = bar(record, scale, style)
  end
  lines[#lines + 1] = load_line(records, scale, style)
  lines[#lines + 1] = axis(scale)
  return lines
end

return timeline
