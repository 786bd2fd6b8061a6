-- Programs of examples/ in processes of their own: run to their end, or watched
-- line by line and interrupted, also in a terminal.

local busted = require "busted"
local helper = require "spec.helper"
local web_server = require "spec.web_server"

local program = {}

local lua <const> = os.getenv "ASYNCIO_TEST_LUA" or "lua5.4"

local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

-- What an environment may say of terminals, unset or set for each program.
local ENVIRONMENT <const> = "env -u COLUMNS -u LINES -u NO_COLOR TERM=xterm SHELL=/bin/sh "
  .. "LC_ALL=%s LUA_PATH=%s LUA_CPATH=%s timeout -k 5 120 "

local function environment(locale)
  return ENVIRONMENT:format(locale, quote(package.path), quote(package.cpath))
end

-- A shell's line that prints its process id and becomes the program, before
-- which it runs the Lua code.
local function line(name, arguments, code)
  local words <const> = { "echo $$; exec", lua }
  words[#words + 1] = "-e " .. quote(helper.script(code or ""))
  words[#words + 1] = "examples/" .. name
  for _, argument in ipairs(arguments) do
    words[#words + 1] = quote(argument)
  end
  return table.concat(words, " ")
end

-- A running program, to be kept in a <close> variable.
local Program <const> = {}
Program.__index = Program

local function start(command)
  local pipe <const> = io.popen(command .. " </dev/null 2>&1")
  local pid <const> = math.tointeger(tonumber((pipe:read "l" or ""):match "^%d+"))
  return setmetatable({ pid = assert(pid, command), pipe = pipe, text = "" }, Program)
end

-- Starts a program with a list of arguments. What it writes to stderr is read
-- with its output, wherefore tests know each line that there may be.
function program.start(name, arguments)
  return start(environment "C" .. "sh -c " .. quote(line(name, arguments)))
end

-- Whether there are terminals: they come from util-linux's "script". If there are
-- none the test is pending.
function program.has_terminals()
  local text <const> = web_server.output "script --version 2>&1 || true"
  return text:find "util%-linux" ~= nil or busted.pending "there is no 'script' of util-linux"
end

-- The same on a terminal of that size; opts: columns, rows, locale (C), code (Lua
-- that runs first).
function program.start_in_terminal(name, arguments, opts)
  local size <const> = ("stty cols %d rows %d; "):format(opts.columns, opts.rows)
  local shell <const> = quote(size .. line(name, arguments, opts.code))
  return start(environment(opts.locale or "C") .. ("script -qec %s /dev/null"):format(shell))
end

-- Reads up to a line in which the pattern is found, and returns that; fails if
-- there is none.
function Program:read_until(pattern)
  for text in self.pipe:lines "L" do
    self.text = self.text .. text
    if text:find(pattern) then
      return text
    end
  end
  error(("no line has '%s':\n%s"):format(pattern, self.text), 2)
end

-- Presses Ctrl-C.
function Program:interrupt()
  assert(os.execute("kill -INT " .. self.pid))
end

-- Waits for its end; returns all its output, and its exit status.
function Program:wait()
  self.text = self.text .. self.pipe:read "a"
  local _, how <const>, status <const> = self.pipe:close()
  assert(how == "exit", self.text)
  return self.text, status
end

function Program:__close()
  if io.type(self.pipe) == "file" then
    os.execute(("kill -KILL %d 2>/dev/null"):format(self.pid))
    self.pipe:close()
  end
end

-- The same from start to end.
function program.run(name, arguments)
  local running <close> = program.start(name, arguments)
  return running:wait()
end

-- Checks that a program explains itself, and refuses each of the wrong command
-- lines (a message, and a list of arguments) with nothing but that and its usage.
function program.check_usage(name, wrong)
  local source <const> = ("arg[0] = 'examples/%s' dofile(arg[0])"):format(name)
  local help <const> = helper.check_script(source, { args = { "--help" } })
  assert(help:find("^usage: lua5.4 " .. name), help)
  for message, arguments in pairs(wrong) do
    local result <const> = helper.run_script(source, { args = arguments })
    local expected <const> = ("%s: %s\n%s"):format(name, message, help)
    assert(result.stderr == expected, result.stderr)
    assert(result.code == 2 and result.stdout == "", result.stdout)
  end
end

local function columns_of(text)
  return assert(utf8.len((text:gsub("\27%[[%d;?]*%a", ""))))
end

-- Checks what was written to a terminal: it is drawn within its size, in ASCII
-- where the locale asks for it, and left as it was found.
function program.check_drawing(text, opts)
  local hidden <const>, shown <const> = text:match "^.*()\27%[%?25l.*()\27%[%?25h"
  assert(hidden and hidden < shown, "the cursor is not shown again")
  assert(text:find("\27[?7h", hidden, true), "lines are not wrapped again")
  assert(not text:find("\27[?25l", shown, true), "the cursor is hidden again")
  for up in text:gmatch "\27%[(%d+)A" do
    assert(tonumber(up) < opts.rows, "higher than the terminal")
  end
  for each in text:sub(hidden, shown):gmatch "[^\r\n]+" do
    assert(columns_of(each) <= opts.columns, each)
  end
  assert((opts.locale == "C.UTF-8") == (text:find "[\x80-\xff]" ~= nil), "the wrong characters")
end

return program
