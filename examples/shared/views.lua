-- Two views of what a program does: on a terminal a drawing, elsewhere lines.

local screen = require "shared.screen"
local terminal = require "shared.terminal"

local views = {}

-- The classes Drawings and Lines, without methods but for the ends of their
-- scopes; 'follow', the body of a task, is for Drawings to define.
function views.classes()
  local Lines <const> = { __close = function() end, follow = function() end }
  Lines.__index = Lines
  local Drawings <const> = {}
  Drawings.__index = Drawings
  function Drawings:__close()
    local _ <close> = self.screen
  end
  return Drawings, Lines
end

-- Makes the table one of these, to be kept in a <close> variable: a drawing on
-- its 'screen', or lines that go to its 'out'.
function views.open(Drawings, Lines, self)
  if terminal.is_terminal(1) then
    self.screen = screen.open(io.stdout)
    return setmetatable(self, Drawings)
  end
  io.stdout:setvbuf "line"
  self.out = io.stdout
  return setmetatable(self, Lines)
end

return views
