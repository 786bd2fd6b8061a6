-- Hashes passwords by PBKDF2-HMAC-SHA256, all in Lua, on all cores, while the loop
-- goes on: it counts its ticks, and the longest time between two.
--
--   password_hashing.lua [--rounds N] [--workers N] [PASSWORD ...]

local directory <const> = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local options = require "shared.options"

local USAGE <const> = [[
usage: lua5.4 password_hashing.lua [--rounds N] [--workers N] [PASSWORD ...]
  --rounds N    of PBKDF2; 1000
  --workers N   threads; as many as there are cores
]]

local TICK <const> = 0.001

local function parse(arguments)
  local opts <const> = options.parse(arguments, {
    ["--rounds"] = options.integer("rounds", 1, 10000000),
    ["--workers"] = options.integer("workers", 1, 1000),
    WORD = function(opts, word)
      opts.passwords[#opts.passwords + 1] = word
    end,
  }, { rounds = 1000, workers = asyncio.cpu_count(), passwords = {} })
  if #opts.passwords == 0 then
    opts.passwords = { "correct", "horse", "battery", "staple" }
  end
  return opts
end

local function tick(seen)
  local loop <const> = asyncio.get_running_loop()
  local last = loop:time()
  while true do
    asyncio.sleep(TICK)
    local now <const> = loop:time()
    seen.n, seen.longest = seen.n + 1, math.max(seen.longest, now - last)
    last = now
  end
end

local function main(opts)
  local pool <close> = asyncio.ThreadPoolExecutor {
    max_workers = opts.workers,
    initializer = function()
      package.path = directory .. "/?.lua;" .. package.path
    end,
  }
  local seen <const> = { n = 0, longest = 0 }
  local ticking <const> = asyncio.create_task(tick, seen)
  local start <const> = asyncio.get_running_loop():time()
  local futures <const> = {}
  for i, password in ipairs(opts.passwords) do
    futures[i] = pool:submit("shared.sha256:pbkdf2", password, "salt", opts.rounds)
  end
  for i, future in ipairs(futures) do
    print(opts.passwords[i], future:await())
  end
  local seconds <const> = asyncio.get_running_loop():time() - start
  ticking:cancel()
  io.stderr:write(
    ("%.2f s; meanwhile the loop ticked %d times, %.1f ms apart at most\n"):format(
      seconds,
      seen.n,
      seen.longest * 1000
    )
  )
end

asyncio.run(main, options.read("password_hashing.lua", USAGE, parse))
