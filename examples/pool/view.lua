-- What is seen of the commands: when one has ended a line, and its output; on a
-- terminal besides a bar of how far they are, and what runs.

local drawing = require "shared.drawing"
local views = require "shared.views"

local view = {}

local Drawings <const>, Lines <const> = views.classes()

local COLOURS <const> = { succeeded = "green", failed = "red", ["timed out"] = "yellow" }

-- The line of a command that has ended, and those of its output.
local function lines_of(look, job)
  local how <const> = drawing.paint(look, COLOURS[job.how] or "red", job.how)
  local lines <const> = { ("%s after %.2f s: %s"):format(how, job.seconds, job.command) }
  for line in job.output:gmatch "[^\n]+" do
    lines[#lines + 1] = "  | " .. line
  end
  return lines
end

-- {====== Lines ======

function Lines:ended(job)
  for _, line in ipairs(lines_of({}, job)) do
    self.out:write(line, "\n")
  end
end

-- }======

-- {====== Drawings ======

local MOST_BAR <const> = 40

function Drawings:ended(job)
  for _, line in ipairs(lines_of(self.screen.look, job)) do
    self.screen:print(line)
  end
end

local function bar_line(self)
  local pool <const> = self.pool
  local total <const> = #pool.opts.commands
  local text <const> = (" %d of %d commands"):format(pool.ended, total)
  local width <const> = math.max(4, math.min(self.screen.columns - #text, MOST_BAR))
  return drawing.bar(self.screen.look, pool.ended / math.max(total, 1), width, "green") .. text
end

function Drawings:follow()
  self.screen:follow(function()
    local lines <const> = { bar_line(self) }
    for _, job in ipairs(self.pool.jobs) do
      if job.since and not job.how then
        local seconds <const> = self.pool.loop:time() - job.since
        lines[#lines + 1] = ("%6.1f s  %s"):format(seconds, job.command)
      end
    end
    return lines
  end)
end

-- }======

-- A view of the pool, to be kept in a <close> variable.
function view.open(pool)
  return views.open(Drawings, Lines, { pool = pool })
end

return view
