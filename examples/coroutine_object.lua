-- Calling a coroutine function runs nothing: it makes a coroutine object, which
-- runs, once, when it is awaited.

local asyncio = require "asyncio"

local add_one <const> = asyncio.async(function(n)
  print("adding one to", n)
  return n + 1
end)

local function main()
  local coro <const> = add_one(41)
  print("a coroutine object:", asyncio.iscoroutine(coro))
  print("its result:", coro:await())

  local _, err <const> = asyncio.catch(asyncio.RuntimeError, asyncio.await, coro)
  print("a second time:", err.message)
end

asyncio.run(main)
