-- The command line of process_pool.lua.

local shared = require "shared.options"

local options = {}

options.USAGE = [[
usage: lua5.4 process_pool.lua [OPTION...] [COMMAND...]

Runs shell commands, several at the same time, and shows the output of each
when it has ended. Without commands it reads them from standard input, one a
line. Ctrl-C ends those that run and starts no more.

  --jobs N        so many run at the same time (4)
  --timeout X     each may take X seconds (none)
  --grace X       X seconds to end when it is asked to, before it is killed (2)
  --help          show this

The exit status is 1 if a command failed, 2 for wrong usage, 130 after Ctrl-C.
]]

local SETTERS <const> = {
  ["--jobs"] = shared.integer("jobs", 1, 1000),
  ["--timeout"] = shared.number("timeout", 0.001, 1000000),
  ["--grace"] = shared.number("grace", 0, 1000000),
  WORD = function(opts, word)
    table.insert(opts.commands, word)
  end,
}

-- Options from the list of arguments: jobs, timeout, grace, commands, help.
-- Raises a text when they make no sense.
function options.parse(arguments)
  return shared.parse(arguments, SETTERS, { jobs = 4, grace = 2, commands = {} })
end

return options
