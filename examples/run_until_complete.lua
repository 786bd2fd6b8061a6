-- What asyncio.run does, by hand: a loop of one's own runs one awaitable after
-- the other, and is closed at the end.

local asyncio = require "asyncio"

local function delay(seconds, ...)
  asyncio.sleep(seconds)
  return ...
end

local loop <close> = asyncio.new_event_loop() -- closed at the end

print(loop:run_until_complete(delay, 0.01, "arguments", "follow"))

local task <const> = loop:create_task(delay, 0.01, "a task")
print(task:done())
print(loop:run_until_complete(task))
print(task:done(), loop:is_running())
