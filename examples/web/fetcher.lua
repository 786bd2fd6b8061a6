-- Fetches many pages at the same time, though never more than a limit.

local asyncio = require "asyncio"
local errors = require "web.errors"
local http = require "web.http"

local fetcher = {}

-- What may befall one page without stopping the others. Anything else is a
-- mistake in this program, and ends it with a traceback.
local FAILURES <const> = { errors.PageError, asyncio.OSError, asyncio.TimeoutError }

local function reason(err, timeout)
  if asyncio.isinstance(err, asyncio.TimeoutError) then
    return ("timed out after %g s"):format(timeout)
  end
  return err.message
end

-- Fetches one page into its record; save(record, page), if given, is part of it.
local function fetch(record, opts)
  local loop <const> = asyncio.get_running_loop()
  record.start = loop:time()
  local ok, result = asyncio.catch(FAILURES, function()
    local page <const> = asyncio.wait_for(http.get, opts.timeout, record.url)
    if opts.save then
      opts.save(record, page)
    end
    return page
  end)
  record.finish = loop:time()
  if ok then
    record.status, record.bytes, record.redirects = result.status, #result.body, result.redirects
  else
    record.failure = reason(result, opts.timeout)
  end
end

-- Fetches every URL of the list; opts: limit (how many at once), timeout (for
-- each, in seconds), save, and progress, a table in which the numbers of those
-- done and of those running are kept. Returns a list of records in the order
-- of the URLs: url, start and finish, and either status, bytes and redirects,
-- or failure, a text.
function fetcher.fetch_all(urls, opts)
  local records <const> = {}
  local progress <const> = opts.progress or { done = 0, running = 0 }

  -- Each worker takes the next URL as soon as its last one is done. The
  -- workers share the list without a lock: a task is only left at an await,
  -- and none lies between looking at the list and taking from it.
  local function worker()
    while #records < #urls do
      local record <const> = { index = #records + 1, url = urls[#records + 1] }
      records[record.index] = record
      progress.running = progress.running + 1
      fetch(record, opts)
      progress.running, progress.done = progress.running - 1, progress.done + 1
    end
  end

  local workers <const> = {}
  for i = 1, math.min(opts.limit, #urls) do
    workers[i] = asyncio.create_task(worker):set_name("worker " .. i)
  end
  asyncio.gather(workers):await()
  return records
end

return fetcher
