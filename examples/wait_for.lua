-- Gives a task no more than so many seconds: at the timeout it is cancelled, and
-- wait_for raises a TimeoutError.

local asyncio = require "asyncio"

local function delay(seconds)
  asyncio.sleep(seconds)
  return "slept"
end

local function main()
  print(asyncio.wait_for(delay, 60, 0.01))

  local task <const> = asyncio.create_task(delay, 3600)
  local ok <const>, err <const> = asyncio.catch(asyncio.TimeoutError, asyncio.wait_for, task, 0.1)
  print(ok, err)
  print("cancelled:", task:cancelled())
end

asyncio.run(main)
