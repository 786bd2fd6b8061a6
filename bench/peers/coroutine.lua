-- A generator that never suspends its task, on asyncio.coroutine and on Lua's
-- own library, in turn; in a task, where ours has more to look after.
--
-- coroutine.lua N

local asyncio = require "asyncio"

local ROUNDS <const> = 9

local function generator(library)
  local yield <const> = library.yield
  return function()
    while true do
      yield(1)
    end
  end
end

local calls <const> = {}

function calls.resume(library, n)
  local resume <const>, co <const> = library.resume, library.create(generator(library))
  local start = os.clock()
  for _ = 1, n do
    resume(co)
  end
  return os.clock() - start
end

function calls.wrap(library, n)
  local start = os.clock()
  for _ in library.wrap(generator(library)) do
    n = n - 1
    if n == 0 then
      break
    end
  end
  return os.clock() - start
end

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local function report(n)
  local line = {}
  for name, call in pairs(calls) do
    local ours, theirs = {}, {}
    for i = 1, ROUNDS do
      theirs[i] = call(coroutine, n)
      ours[i] = call(asyncio.coroutine, n)
    end
    line[#line + 1] = string.format("%s_ours=%.6f %s_theirs=%.6f", name, median(ours), name,
      median(theirs))
  end
  print(table.concat(line, " "))
end

asyncio.run(report, assert(math.tointeger(tonumber(arg[1]))))
