-- The command lines of the chat's programs: an address, and perhaps a name.

local command_line = require "shared.options"

local options = {}

local function set_address(opts, word)
  local host <const>, port <const> = word:match "^%[?(.-)%]?:(%d+)$"
  if not host or tonumber(port) > 65535 then
    command_line.wrong("'%s' is not HOST:PORT", word)
  end
  if opts.given then
    command_line.wrong("one address is enough: there is no use for '%s'", word)
  end
  opts.host, opts.port, opts.given = host, math.tointeger(tonumber(port)), true
end

local function set_name(opts, value)
  opts.name = value
end

function options.parse(arguments, named)
  local setters <const> = { WORD = set_address, ["--name"] = named and set_name or nil }
  return command_line.parse(arguments, setters, { host = "127.0.0.1", port = 7777 })
end

return options
