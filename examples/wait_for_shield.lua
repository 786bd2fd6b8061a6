-- Loses patience with a task but does not stop it: the timeout cancels the
-- shield alone. The task goes on, and is awaited later.

local asyncio = require "asyncio"

local function delay(seconds)
  asyncio.sleep(seconds)
  return "slept"
end

local function main()
  local task <const> = asyncio.create_task(delay, 0.2)
  local shield <const> = asyncio.shield(task)
  if not asyncio.catch(asyncio.TimeoutError, asyncio.wait_for, shield, 0.05) then
    print "this takes longer than I thought"
    print("shield cancelled:", shield:cancelled())
    print("task cancelled:", task:cancelled())
    print("task:", task:await())
  end
end

asyncio.run(main)
