-- Lines at the lower end of a terminal, drawn in place again and again; above
-- them lines that stay.

local asyncio = require "asyncio"
local drawing = require "shared.drawing"
local terminal = require "shared.terminal"

local Screen <const> = {}
Screen.__index = Screen

local screen = {}

-- The cursor would flicker, and a line too long must not become two.
local ENTER <const> = "\27[?25l\27[?7l"
local LEAVE <const> = "\27[?7h\27[?25h"

local INTERVAL <const> = 0.05 -- seconds between two drawings

local UP <const> = "\27[%dA"
local CLEAR_LINE <const> = "\27[K"
local CLEAR_BELOW <const> = "\r\27[J"

-- Draws on the file, which must be stdout and a terminal. To be kept in a
-- <close> variable: however the program ends, the cursor is shown again.
function screen.open(out)
  local columns <const>, rows <const> = terminal.size()
  local look <const> = { utf8 = terminal.is_utf8(), colours = terminal.has_colours() }
  out:setvbuf "full" -- what is flushed at once is seen at once
  out:write(ENTER)
  out:flush()
  local self <const> = { out = out, look = look, columns = columns, rows = rows, lines = {} }
  return setmetatable(self, Screen)
end

-- To the first of the lines drawn last.
local function go_back(self)
  if #self.lines > 0 then
    self.out:write(UP:format(#self.lines))
  end
  self.out:write "\r"
end

local function write_line(self, line)
  self.out:write(drawing.cut(line, self.columns), CLEAR_LINE, "\n")
end

local function write_lines(self)
  for _, line in ipairs(self.lines) do
    write_line(self, line)
  end
  self.out:write(CLEAR_BELOW)
  self.out:flush()
end

-- Draws the list of lines in the place of those drawn before; no more of them
-- than the terminal has rows.
function Screen:draw(lines)
  go_back(self)
  self.lines = table.move(lines, 1, math.min(#lines, self.rows - 1), 1, {})
  write_lines(self)
end

-- Writes a line above those drawn.
function Screen:print(line)
  go_back(self)
  write_line(self, line)
  write_lines(self)
end

-- The body of a task: draws the lines that fn() returns, again and again; when
-- the task is cancelled once more, for that is what stays.
function Screen:follow(fn)
  local _ <close> = setmetatable({}, {
    __close = function()
      self:draw(fn())
    end,
  })
  while true do
    self:draw(fn())
    asyncio.sleep(INTERVAL)
  end
end

function Screen:__close()
  self.out:write(LEAVE)
  self.out:flush()
end

return screen
