-- The command line of web_requests.lua.

local shared = require "shared.options"

local options = {}

options.USAGE = [[
usage: lua5.4 web_requests.lua [OPTION...] [URL...]

Fetches http:// pages at the same time; with no URL, 200 pages of a small
server of its own.

  --file LIST     also fetch the URLs in this file, one a line ("-": stdin)
  --limit N       at most so many at once (50)
  --timeout S     give a page so many seconds (10)
  -o DIR          save each body to a file in this directory
  --help          show this

The exit status is 1 if a page could not be fetched, 2 for wrong usage.
]]

local wrong <const> = shared.wrong

local function read_urls(name, urls)
  local file, why = io.stdin
  if name ~= "-" then
    file, why = io.open(name)
  end
  if not file then
    wrong("%s", why)
  end
  for line in file:lines() do
    local url <const> = line:match "^%s*(.-)%s*$"
    if url ~= "" and url:sub(1, 1) ~= "#" then
      urls[#urls + 1] = url
    end
  end
  if file ~= io.stdin then
    file:close()
  end
end

local SETTERS <const> = {
  ["--limit"] = function(opts, value)
    opts.limit = math.tointeger(tonumber(value))
    if not opts.limit or opts.limit < 1 then
      wrong("--limit takes a positive integer, not '%s'", value)
    end
  end,
  ["--timeout"] = function(opts, value)
    opts.timeout = tonumber(value)
    if not opts.timeout or not (opts.timeout > 0 and opts.timeout < math.huge) then
      wrong("--timeout takes a positive number of seconds, not '%s'", value)
    end
  end,
  ["--file"] = function(opts, value)
    opts.listed = true
    read_urls(value, opts.urls)
  end,
  ["-o"] = function(opts, value)
    local dir <const> = io.open(value .. "/.")
    if not dir then
      wrong("-o takes a directory, and '%s' is none", value)
    end
    dir:close()
    opts.dir = value
  end,
  WORD = function(opts, word)
    opts.urls[#opts.urls + 1] = word
  end,
}

-- Options from the list of arguments: limit, timeout, urls, listed (they come
-- from a file), dir, help. Raises a text when they make no sense.
function options.parse(arguments)
  return shared.parse(arguments, SETTERS, { limit = 50, timeout = 10, urls = {} })
end

return options
