-- What is seen while the workers work: on a terminal a drawing of who does what,
-- elsewhere a line for all that happens.

local drawing = require "shared.drawing"
local views = require "shared.views"

local view = {}

local Drawings <const>, Lines <const> = views.classes()

-- {====== Lines ======

function Lines:detail(text, ...)
  self.out:write(text:format(...), "\n")
end

function Lines:note(_, text, ...)
  self:detail(text, ...)
end

-- }======

-- {====== Drawings ======

local LABEL <const> = "%-12s"
local WORKER <const> = LABEL .. "%9s  "
local TOTALS <const> = "%d of %d jobs, %d failed, %d tried again"
local MOST_BAR <const> = 40

-- Drawn for all to see at once, so that nothing needs be said.
function Drawings.detail() end

-- Stays above the drawing.
function Drawings:note(colour, text, ...)
  self.screen:print(drawing.paint(self.screen.look, colour, text:format(...)))
end

local function worker_line(self, worker)
  local look <const> = self.screen.look
  local job <const> = worker.job
  if not job then
    return drawing.paint(look, "dim", WORKER:format(worker.name, "-"))
  end
  local seconds <const> = job[worker.attempt].seconds / self.bank.opts.speed
  local fraction <const> = (self.bank.loop:time() - worker.since) / seconds
  local label <const> = WORKER:format(worker.name, "job " .. job.number)
  local width <const> = math.max(4, math.min(self.screen.columns - #label - 28, MOST_BAR))
  local bar <const> = drawing.bar(look, fraction, width, "cyan")
  local again <const> = worker.attempt > 1 and (", attempt %d"):format(worker.attempt) or ""
  return label .. bar .. " " .. job.kind .. drawing.paint(look, "yellow", again)
end

local function total_lines(self)
  local bank <const> = self.bank
  local look <const> = self.screen.look
  local queue <const> = bank.queue
  local boxes <const> = drawing.boxes(look, queue:qsize(), queue.maxsize)
  local over <const> = bank.done + bank.failed
  local totals <const> = TOTALS:format(over, bank.opts.jobs, bank.failed, bank.retries)
  local width <const> = math.min(self.screen.columns - #totals - 14, MOST_BAR)
  local bar = ""
  if width >= 4 then
    bar = drawing.bar(look, over / math.max(bank.opts.jobs, 1), width, "green") .. " "
  end
  return LABEL:format "queue" .. boxes, LABEL:format "all" .. bar .. totals
end

function Drawings:follow()
  self.screen:follow(function()
    local queue <const>, all <const> = total_lines(self)
    local lines <const> = { queue, all }
    for _, worker in ipairs(self.bank.workers) do
      lines[#lines + 1] = worker_line(self, worker)
    end
    return lines
  end)
end

-- }======

-- A view of the bank, to be kept in a <close> variable.
function view.open(bank)
  return views.open(Drawings, Lines, { bank = bank })
end

return view
