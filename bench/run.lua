-- Runs the workloads on every peer that is installed and compares:
--
--   lua5.4 bench/run.lua [--quick] [--reps=N] [--peers=a,b] [names...]
--
-- from the root of the project. Without names everything runs; `--list` shows
-- what there is. See bench/README.md.

local build = require "bench.lib.build"
local bulk = require "bench.lib.bulk"
local coroutines = require "bench.lib.coroutines"
local echo = require "bench.lib.echo"
local growth = require "bench.lib.growth"
local hold = require "bench.lib.hold"
local memory = require "bench.lib.memory"
local micro = require "bench.lib.micro"
local peers = require "bench.lib.peers"
local targets = require "bench.lib.targets"
local workloads = require "bench.lib.workloads"

local function parse(argv)
  local options = {names = {}, any = true}
  for _, word in ipairs(argv) do
    local key, value = word:match("^%-%-(%w+)=?(.*)$")
    if not key then
      options.names[word], options.any = true, false
    elseif key == "reps" then
      options.reps = assert(math.tointeger(tonumber(value)), "--reps needs a number")
    elseif key == "peers" then
      options.peers = {asyncio = true}
      for name in value:gmatch("[^,]+") do
        options.peers[name] = true
      end
    elseif key == "quick" or key == "list" then
      options[key] = true
    else
      error("unknown option " .. word, 0)
    end
  end
  return options
end

local function list()
  for _, workload in ipairs(workloads) do
    print(string.format("%-14s %s", workload.name, workload.title))
  end
  print(string.format("%-14s %s", "coroutine", coroutines.title))
  print(string.format("%-14s %s", "growth", growth.title))
  print(string.format("%-14s %s", "memory", memory.title))
  print(string.format("%-14s %s", "bulk", bulk.title))
  print(string.format("%-14s %s", "hold", hold.title))
  print(string.format("%-14s %s", "echo", echo.title))
  for _, name in ipairs(echo.names()) do
    print("  " .. name)
  end
end

local function check_names(options)
  local known = {coroutine = true, growth = true, memory = true, echo = true, bulk = true,
    hold = true}
  for _, workload in ipairs(workloads) do
    known[workload.name] = true
  end
  for _, name in ipairs(echo.names()) do
    known[name] = true
  end
  for name in pairs(options.names) do
    if not known[name] then
      error("no workload " .. name .. ": see --list", 0)
    end
  end
end

local function main(argv)
  local options = parse(argv)
  if options.list then
    return list()
  end
  check_names(options)
  function options.wants(name)
    return options.any or options.names[name]
  end
  build.all()
  local installed = peers.installed(options.peers)
  local results = {}
  micro.run(installed, options, results)
  coroutines.run(installed, options, results)
  growth.run(installed, options, results)
  memory.run(installed, options, results)
  bulk.run(installed, options, results)
  hold.run(installed, options, results)
  echo.run(installed, options, results)
  targets.print(results, options)
end

main(arg)
