-- What plain Lua does not know of the terminal: asked of the shell, and of the
-- environment.

local terminal = {}

-- Whether the descriptor (1 is stdout, 2 is stderr) is a terminal in which a
-- line can be drawn again.
function terminal.is_terminal(fd)
  return os.getenv "TERM" ~= "dumb" and os.execute("test -t " .. fd) == true
end

local function measured_width()
  local pipe <close> = io.popen "stty size 2>/dev/null </dev/tty"
  return pipe and (pipe:read "a"):match "^%d+ (%d+)"
end

-- How many columns there are; 80 where output goes to a file.
function terminal.width()
  local columns = os.getenv "COLUMNS"
  if not columns and terminal.is_terminal(1) then
    columns = measured_width()
  end
  local width <const> = math.tointeger(columns) or 80
  return math.max(60, math.min(width, 200))
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

return terminal
