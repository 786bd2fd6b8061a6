-- The time in the supermarket: minutes since it opened, which pass quickly.

local asyncio = require "asyncio"

local Clock <const> = {}
Clock.__index = Clock

local clock = {}

local MINUTES <const> = 20 -- so many pass in a second
local OPENING <const> = 9 * 60

-- Starts at 0 now; to be called on a loop.
function clock.start(speed)
  local loop <const> = asyncio.get_running_loop()
  local self <const> = { loop = loop, rate = MINUTES * speed, zero = loop:time() }
  return setmetatable(self, Clock)
end

function Clock:now()
  return (self.loop:time() - self.zero) * self.rate
end

-- So many seconds take so many minutes.
function Clock:seconds(minutes)
  return minutes / self.rate
end

function Clock:sleep(minutes)
  asyncio.sleep(self:seconds(minutes))
end

-- Times that are over are no reason to wait, but let others run all the same.
function Clock:sleep_until(time)
  self:sleep(time - self:now())
end

-- As the clock on the wall shows it: 09:00 at first.
function Clock:__tostring()
  local minutes <const> = OPENING + math.floor(self:now())
  return ("%02d:%02d"):format(minutes // 60 % 24, minutes % 60)
end

return clock
