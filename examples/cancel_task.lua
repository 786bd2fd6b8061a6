-- Looks again and again whether a task is done, and cancels it at the third time.

local asyncio = require "asyncio"

local function main()
  local task <const> = asyncio.create_task(asyncio.sleep, 3600)
  local looks = 0
  while not task:done() do
    looks = looks + 1
    print("not done yet:", looks)
    if looks == 3 then
      task:cancel "this takes too long"
    end
    asyncio.sleep(0.01)
  end

  local ok <const>, err <const> = asyncio.catch(asyncio.CancelledError, asyncio.await, task)
  print("done:", task:done(), "cancelled:", task:cancelled())
  print(ok, err)
end

asyncio.run(main)
