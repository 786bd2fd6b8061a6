-- tail -f of many files: the end of each, then what is added to them, until
-- Ctrl-C. Each line has the name of its file before it.
--
--   lua5.4 examples/tail_f.lua FILE...
--
-- A file may be missing, be cut short or be replaced by a new one, as logs are
-- when they are rotated: nothing of the old one is lost, and the new one is shown
-- from its beginning.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"

local fs <const> = asyncio.fs

local USAGE <const> = "usage: lua5.4 tail_f.lua FILE...\n"

local LINES <const> = 10 -- of the end that are shown at first
local BLOCK <const> = 65536 -- bytes that are read at once

-- Returns what fn(...) returns, or nil if there is no such file.
local function if_there(fn, ...)
  local ok, result = asyncio.catch(asyncio.OSError, fn, ...)
  if ok then
    return result
  elseif result.code ~= "ENOENT" then
    error(result, 0)
  end
end

-- Shows all lines that are complete; the rest waits for its end.
local function show(tail, data)
  local lines <const> = {}
  tail.rest = (tail.rest .. data):gsub("([^\n]*)\n", function(line)
    lines[#lines + 1] = tail.prefix .. line .. "\n"
    return ""
  end)
  local out <const> = asyncio.stdout()
  out:writelines(lines)
  out:drain()
end

-- Shows what was added; a file that is shorter than before begins anew.
local function read_on(tail)
  if tail.file:stat().size < tail.file:seek() then
    tail.file:seek "set"
    tail.rest = ""
  end
  local data = tail.file:read(BLOCK)
  while data do
    show(tail, data)
    data = tail.file:read(BLOCK)
  end
end

local function open(tail)
  tail.file = if_there(fs.open, tail.path)
  tail.rest = ""
  if tail.file then
    local stat <const> = tail.file:stat()
    tail.id = stat.dev .. ":" .. stat.ino
  end
end

-- Shows what is new in the file, and in the one that took its place.
local function look(tail)
  if tail.file then
    read_on(tail)
  end
  local stat <const> = if_there(fs.stat, tail.path)
  if not stat or (tail.file and stat.dev .. ":" .. stat.ino == tail.id) then
    return
  elseif tail.file then
    tail.file:close()
  end
  open(tail)
  if tail.file then
    read_on(tail)
  end
end

-- Moves to the last lines; one block is enough to look for them.
local function skip(tail)
  local size <const> = tail.file:seek "end"
  local from <const> = math.max(0, size - BLOCK)
  tail.file:seek("set", from)
  local data <const> = tail.file:read(BLOCK) or ""
  local position = #data
  for _ = 1, LINES do
    position = data:sub(1, math.max(0, position - 1)):match ".*()\n" or 0
  end
  tail.file:seek("set", from + position)
end

-- The directory is watched: a file that is replaced would be lost.
local function follow(path, prefix)
  local directory <const>, name <const> = path:match "^(.*/)([^/]*)$"
  local tail <const> = { path = path, prefix = prefix }
  local watcher <close> = fs.watch(directory or ".")
  open(tail)
  if tail.file then
    skip(tail)
    read_on(tail)
  end
  for event in watcher do
    if event.type == "overflow" or event.filename == (name or path) then
      look(tail)
    end
  end
end

local function parse(arguments)
  local opts <const> = command_line.parse(arguments, { WORD = table.insert }, {})
  if not opts.help and #opts == 0 then
    command_line.wrong "a file is needed"
  end
  return opts
end

local function main(paths)
  local group <close> = asyncio.TaskGroup()
  for _, path in ipairs(paths) do
    group:create_task(follow, path, #paths > 1 and path .. ": " or "")
  end
end

local paths <const> = command_line.read("tail_f.lua", USAGE, parse)
if not asyncio.catch(asyncio.KeyboardInterrupt, asyncio.run, main, paths) then
  print "stopped"
end
