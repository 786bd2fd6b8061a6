-- Two tasks sleep at the same time while the main task goes on with its work;
-- then it awaits what they return.

local asyncio = require "asyncio"

local function delay(name, seconds)
  print(name .. " falls asleep")
  asyncio.sleep(seconds)
  print(name .. " wakes up")
  return seconds
end

local function main()
  local first <const> = asyncio.create_task(delay, "first", 0.1)
  local second <const> = asyncio.create_task(delay, "second", 0.2)
  print "main: two tasks are made, they start when I wait"
  asyncio.sleep(0)
  print "main: they sleep and I work"
  print("main: together they slept", first:await() + second:await())
end

asyncio.run(main)
