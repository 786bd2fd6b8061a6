-- The command line of supermarket.lua.

local shared = require "shared.options"

local options = {}

options.USAGE = [[
usage: lua5.4 supermarket.lua [OPTION...]

A day in a supermarket: customers come, queue at the checkouts, and leave when
they have paid, or when they have lost patience. Checkouts open and close as
they are needed. Who has a card or only a few items goes first.

  --customers N   so many come (60)
  --checkouts N   so many there are (4)
  --seed N        other customers for each number (1)
  --speed X       let time pass X times as fast (1)
  --help          show this

The exit status is 2 for wrong usage, 130 after Ctrl-C.
]]

local SETTERS <const> = {
  ["--customers"] = shared.integer("customers", 0, 10000),
  ["--checkouts"] = shared.integer("checkouts", 1, 100),
  ["--seed"] = shared.integer("seed", math.mininteger, math.maxinteger),
  ["--speed"] = shared.number("speed", 0.001, 100000),
}

-- Options from the list of arguments: customers, checkouts, seed, speed, help.
-- Raises a text when they make no sense.
function options.parse(arguments)
  return shared.parse(arguments, SETTERS, { customers = 60, checkouts = 4, seed = 1, speed = 1 })
end

return options
