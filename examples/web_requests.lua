-- Fetches many web pages at the same time, and shows which ran when.
--
--   lua5.4 examples/web_requests.lua [--limit N] [--timeout S] [-o DIR]
--     [--file LIST] [URL...]
--
-- With no URL it starts a small server of its own and fetches 200 pages.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"
local errors = require "web.errors"
local fetcher = require "web.fetcher"
local options = require "web.options"
local progress = require "web.progress"
local report = require "web.report"
local server = require "web.server"
local terminal = require "shared.terminal"

local DEMO_PAGES <const> = 200

-- A function that saves bodies: 007-example.org_index.html
local function saver(dir)
  return function(record, page)
    local tail <const> = record.url:gsub("^%a+://", ""):gsub("[^%w._-]", "_"):sub(1, 100)
    record.file = ("%s/%03d-%s"):format(dir, record.index, tail)
    local file <close>, why = io.open(record.file, "wb")
    local done = file ~= nil
    if file then
      done, why = file:write(page.body)
    end
    if not done then
      errors.raise(errors.SaveError, "%s", why)
    end
  end
end

local function fetch_all(urls, opts)
  local settings <const> = { limit = opts.limit, timeout = opts.timeout }
  settings.save = opts.dir and saver(opts.dir)
  if not terminal.is_terminal(2) then
    return fetcher.fetch_all(urls, settings)
  end
  local _ <close>, counts = progress.show(#urls, io.stderr)
  settings.progress = counts
  return fetcher.fetch_all(urls, settings)
end

local function fetch_own(opts)
  local _ <close>, urls = server.start(DEMO_PAGES)
  return fetch_all(urls, opts)
end

-- Returns the exit status.
local function main(opts)
  local records
  if #opts.urls > 0 then
    records = fetch_all(opts.urls, opts)
  elseif opts.listed then
    io.stderr:write "no URLs\n"
    return 0
  else
    records = fetch_own(opts)
  end
  local width <const> = math.max(60, math.min(terminal.size(), 200))
  local look <const> = { width = width, utf8 = terminal.is_utf8() }
  return report.write(io.stdout, records, look) > 0 and 1 or 0
end

local opts <const> = command_line.read("web_requests.lua", options.USAGE, options.parse)
local finished <const>, status <const> =
  asyncio.catch(asyncio.KeyboardInterrupt, asyncio.run, main, opts)
if not finished then
  io.stderr:write "interrupted\n"
end
os.exit(finished and status or 130, true)
