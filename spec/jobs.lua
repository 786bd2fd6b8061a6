-- Jobs for workers, and waiting for these. As parts of a module the functions have
-- the globals of wherever they run.

local asyncio = require "asyncio"

local jobs = {}

function jobs.square(x)
  return x * x
end

-- Work that goes on until it is interrupted. It calls what allocates: under
-- ThreadSanitizer signals arrive only there.
function jobs.spin()
  local list
  while true do
    list = { list and #list }
  end
end

-- Waits until so many jobs of the pool run.
function jobs.until_running(pool, n)
  while pool:statistics().running ~= n do
    asyncio.sleep(0.001)
  end
end

return jobs
