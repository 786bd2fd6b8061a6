-- What plain Lua does not know of the terminal: asked of the shell, and of the
-- environment.

local terminal = {}

-- Whether the descriptor (1 is stdout, 2 is stderr) is a terminal in which a
-- line can be drawn again.
function terminal.is_terminal(fd)
  return os.getenv "TERM" ~= "dumb" and os.execute("test -t " .. fd) == true
end

local function measured()
  local pipe <close> = io.popen "stty size 2>/dev/null </dev/tty"
  if pipe then
    local rows <const>, columns <const> = pipe:read "a":match "^(%d+) (%d+)"
    return columns, rows
  end
end

-- A positive size, or nil: a terminal may not know its own, and say 0.
local function size(digits)
  local number <const> = math.tointeger(tonumber(digits))
  return number and number > 0 and number or nil
end

-- How many columns and rows there are; 80 and 24 where output goes to a file.
function terminal.size()
  local columns, rows = size(os.getenv "COLUMNS"), size(os.getenv "LINES")
  if not (columns and rows) and terminal.is_terminal(1) then
    local wide <const>, high <const> = measured()
    columns, rows = columns or size(wide), rows or size(high)
  end
  return columns or 80, rows or 24
end

-- Whether the locale is one in which bars can be drawn with block characters.
function terminal.is_utf8()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local locale <const> = os.getenv(name)
    if locale and locale ~= "" then
      return locale:lower():find "utf%-?8" ~= nil
    end
  end
  return false
end

-- Whether its user has nothing against colours: see no-color.org.
function terminal.has_colours()
  return (os.getenv "NO_COLOR" or "") == ""
end

return terminal
