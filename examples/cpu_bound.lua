-- A task that computes without ever waiting starves the others: the loop cannot
-- interrupt it. Debug mode tells, on stderr, which task took how long.

local asyncio = require "asyncio"

-- Keeps the processor busy, as computing does.
local function compute(seconds)
  print "computing"
  local stop <const> = os.clock() + seconds
  repeat
  until os.clock() >= stop
  print "computed"
end

local function tick()
  for i = 1, 3 do
    print("tick", i)
    asyncio.sleep(0.01)
  end
end

local main <const> = asyncio.async(function()
  local ticking <const> = asyncio.create_task(tick)
  local computing <const> = asyncio.create_task(compute, 0.15):set_name "computing"
  asyncio.gather(ticking, computing):await()
end)

asyncio.run(main(), { debug = true })
