-- Has plain functions called by the loop: in its next turn, or after a while.

local asyncio = require "asyncio"

local function main()
  local loop <const> = asyncio.get_running_loop()
  local future <const> = loop:create_future()

  loop:call_later(0.05, print, "called later")
  loop:call_later(0.1, future.set_result, future, "the end")
  loop:call_soon(print, "called soon")
  loop:call_soon(print, "called second, for the loop keeps the order")
  local handle <const> = loop:call_soon(print, "never called")
  handle:cancel()

  print "main goes on until it waits"
  print(future:await())
end

asyncio.run(main)
