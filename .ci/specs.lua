-- Runs the specs, in whichever interpreter runs this file:
--
--   lua5.4 .ci/specs.lua [busted's options] [spec files]
--
-- The output ends with the line "N passed, N failed".
-- ASYNCIO_TEST_BUILD   the directory of the build to test (build)
-- ASYNCIO_TEST_GC      incremental or generational: the most eager collector
-- ASYNCIO_TEST_TIMEOUT seconds after which a test, or a script of one, hangs (120)

local build <const> = os.getenv "ASYNCIO_TEST_BUILD" or "build"

package.path = package.path .. ";./.rocks/share/lua/5.4/?.lua;./.rocks/share/lua/5.4/?/init.lua"
package.cpath = package.cpath .. ";./.rocks/lib/lua/5.4/?.so"

local ok, runner = pcall(require, "busted.runner")
if not ok then
  io.stderr:write(runner, "\nbusted is missing: make deps\n")
  os.exit(1, true)
end

-- Busted puts its paths before ours, those of .busted unless told otherwise.
local options = { "--ignore-lua", "--output=.ci/report.lua", "--cpath=./" .. build .. "/?.so" }
table.move(options, 1, #options, 1, table.move(arg, 1, #arg, #options + 1, arg))

-- Every few bytes the collector takes a step, and no cycle waits for garbage.
local function collect_eagerly(mode)
  if mode == "incremental" then
    collectgarbage("incremental", 1, 1000, 1)
    collectgarbage("setpause", 0)
  else
    collectgarbage("generational", 1, 1)
  end
end

local mode <const> = os.getenv "ASYNCIO_TEST_GC"
if mode == "incremental" or mode == "generational" then
  collect_eagerly(mode)
elseif mode and mode ~= "" then
  error("ASYNCIO_TEST_GC is " .. mode)
end

runner { standalone = false }
