-- Command lines: "--name VALUE", "--name=VALUE" and words without a name.

local options = {}

-- Wrong usage is an error of the program alone: a plain text.
function options.wrong(message, ...)
  error(message:format(...), 0)
end

-- A setter that takes an integer from the least to the most.
function options.integer(field, least, most)
  return function(opts, value, name)
    local number <const> = math.tointeger(tonumber(value))
    if not number or number < least or number > most then
      options.wrong("%s takes an integer from %d to %d, not '%s'", name, least, most, value)
    end
    opts[field] = number
  end
end

-- A setter that takes a number from the least to the most.
function options.number(field, least, most)
  return function(opts, value, name)
    local number <const> = tonumber(value)
    if not number or not (number >= least and number <= most) then -- nan is neither
      options.wrong("%s takes a number from %g to %g, not '%s'", name, least, most, value)
    end
    opts[field] = number
  end
end

local function no_word(_, word)
  options.wrong("there is no use for '%s'", word)
end

-- Sets what the list of arguments says in the table opts, and returns that.
-- A setter has the name of its option, or is called WORD, for what is no option;
-- it gets opts, the value and the name. --help sets opts.help. Raises a text
-- when the arguments make no sense.
function options.parse(arguments, setters, opts)
  local i = 1
  while i <= #arguments do
    local word <const> = arguments[i]
    local name <const>, joined <const> = word:match "^(%-%-%w+)=(.*)$"
    local set <const> = word ~= "WORD" and setters[name or word]
    if set then
      i = joined and i or i + 1
      set(opts, joined or arguments[i] or options.wrong("%s takes a value", word), name or word)
    elseif word == "--help" or word == "-h" then
      opts.help = true
    elseif word:sub(1, 1) == "-" then
      options.wrong("there is no option '%s'", word)
    else
      (setters.WORD or no_word)(opts, word)
    end
    i = i + 1
  end
  return opts
end

-- What parse(arg) returns. Wrong usage, or a wish for help, ends the program
-- here, with the text about its usage.
function options.read(program, usage, parse)
  local ok <const>, opts <const> = pcall(parse, arg)
  if not ok then
    io.stderr:write(program, ": ", opts, "\n", usage)
    os.exit(2, true)
  elseif opts.help then
    io.stdout:write(usage)
    os.exit(0, true)
  end
  return opts
end

return options
