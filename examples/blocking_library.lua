-- A library that blocks, here Lua's own io, is wrapped so that its calls are made in
-- a thread: there the objects stay, and the tasks of the loop go on.

local asyncio = require "asyncio"

-- One thread, so that all calls meet the same objects, which are globals there.
local database <const> = asyncio.ThreadPoolExecutor {
  max_workers = 1,
  name = "database",
  initializer = function()
    records = assert(io.tmpfile()) -- luacheck: ignore 111
  end,
}

local function insert(text)
  local file <const> = records -- luacheck: ignore 113
  file:seek "end"
  assert(file:write(text, "\n"))
end

local function select_like(pattern)
  local file <const>, found <const> = records, {} -- luacheck: ignore 113
  file:seek "set"
  for line in file:lines() do
    if line:find(pattern) then
      found[#found + 1] = line
    end
  end
  return found
end

asyncio.run(function()
  local _ <close> = database
  local loop <const> = asyncio.get_running_loop()
  local ticks = 0
  local ticking <const> = asyncio.create_task(function()
    while true do
      ticks = ticks + 1
      asyncio.sleep(0.001)
    end
  end)
  for _, name in ipairs { "ada", "grace", "barbara", "frances" } do
    loop:run_in_executor(database, insert, name):await()
  end
  for _, name in ipairs(database:submit(select_like, "^[a-c]"):await()) do
    print(name)
  end
  ticking:cancel()
  print("the loop went on:", ticks > 0)
end)
