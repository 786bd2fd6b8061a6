-- Times calls with a decorator, which writes to stderr, or tells a function of
-- one's own, when a call starts, when it ends and how long it took.

local asyncio = require "asyncio"

local function delay(seconds)
  asyncio.sleep(seconds)
  return seconds
end

-- Says no more than what took long.
local function report(name, event, seconds)
  if event == "end" and seconds > 0.05 then
    print(name .. " is slow")
  end
end

local function main()
  local fetch <const> = asyncio.timed(delay, "fetch")
  local first <const> = asyncio.create_task(fetch, 0.1)
  print("fetched", first:await(), fetch(0.05))

  local save <const> = asyncio.timed(delay, "save", report)
  print("saved", save(0.1))
end

asyncio.run(main)
