-- Text that is drawn on a terminal: colours, bars, and lines cut to a width. A
-- look says what the terminal is like: utf8 and colours, both booleans.

local drawing = {}

local COLOURS <const> = { bold = 1, dim = 2, red = 31, green = 32, yellow = 33, cyan = 36 }

local BLOCKS <const> = { full = "━", empty = "─", item = "■", none = "·" }
local ASCII <const> = { full = "#", empty = "-", item = "#", none = "." }

function drawing.paint(look, colour, text)
  if not look.colours or text == "" then
    return text
  end
  return ("\27[%dm%s\27[m"):format(COLOURS[colour], text)
end

-- A bar so many columns wide, of which a fraction is full.
function drawing.bar(look, fraction, width, colour)
  local style <const> = look.utf8 and BLOCKS or ASCII
  local full <const> = math.floor(math.max(0, math.min(fraction, 1)) * width + 0.5)
  local rest <const> = drawing.paint(look, "dim", style.empty:rep(width - full))
  return drawing.paint(look, colour, style.full:rep(full)) .. rest
end

-- One mark for each that is there, and one for each that there is room for.
function drawing.boxes(look, there, room)
  local style <const> = look.utf8 and BLOCKS or ASCII
  return style.item:rep(there) .. style.none:rep(room - there)
end

-- The text cut to so many columns. Colours take none, and are not cut off.
function drawing.cut(text, width)
  local left = width
  local function count()
    left = left - 1
    return left < 0 and "" or nil
  end
  local start <const> = "\27[m"
  local cut <const> = (start .. text):gsub("(\27%[[%d;]*m)([^\27]*)", function(colour, part)
    return colour .. part:gsub(utf8.charpattern, count)
  end)
  return cut:sub(#start + 1)
end

return drawing
