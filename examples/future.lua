-- A future is a result to come: one task awaits it, another one sets it.

local asyncio = require "asyncio"

local function answer(future)
  print "thinking ..."
  asyncio.sleep(0.1)
  future:set_result(42)
end

local function main()
  local future <const> = asyncio.Future()
  asyncio.create_task(answer, future)
  print("done:", future:done())
  print("the answer:", future:await())
  print("done:", future:done())
end

asyncio.run(main)
