-- The line on stderr that tells how far the work has come.

local asyncio = require "asyncio"

local progress = {}

local CLEAR <const> = "\r\27[K"

local function draw(counts, out)
  local line <const> = "%s%d of %d pages, %d under way, %.1f s"
  local seconds <const> = asyncio.get_running_loop():time() - counts.start
  out:write(line:format(CLEAR, counts.done, counts.total, counts.running, seconds))
  out:flush()
end

-- Shows the counts as they change, in a task of its own. The scope it returns
-- ends the task and wipes the line.
function progress.show(total, out)
  local counts <const> = { done = 0, running = 0, total = total }
  counts.start = asyncio.get_running_loop():time()
  local task <const> = asyncio.create_task(function()
    while true do
      draw(counts, out)
      asyncio.sleep(0.05)
    end
  end)
  task:set_name "progress"
  return setmetatable({}, {
    __close = function()
      task:cancel()
      out:write(CLEAR)
      out:flush()
    end,
  }), counts
end

return progress
