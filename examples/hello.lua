-- Hello, and a sleep that blocks nobody else.

local asyncio = require "asyncio"

local function main()
  print "hello ..."
  asyncio.sleep(0.1)
  print "... world"
end

asyncio.run(main)
