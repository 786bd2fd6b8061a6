-- A first program on an installed asyncio.

local asyncio <const> = require "asyncio"

local function double(x)
  asyncio.sleep(0.001)
  return 2 * x
end

local function main()
  local tasks = {}
  for i = 1, 10 do
    tasks[i] = asyncio.create_task(double, i)
  end
  local sum = 0
  for _, value in ipairs(asyncio.gather(tasks):await()) do
    sum = sum + value
  end
  return sum
end

assert(asyncio.run(main) == 110)
print "1 passed, 0 failed"
