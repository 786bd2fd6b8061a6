-- Runs Lua code in a process of its own, for what goes to stderr and for what
-- happens when a state is closed.

local helper = require "spec.helper"

local child = {}

-- The interpreter; the Makefile names another one for its special builds.
local lua <const> = os.getenv "ASYNCIO_TEST_LUA" or "lua5.4"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function read_and_remove(name)
  local file <close> = assert(io.open(name))
  local text = file:read "a"
  os.remove(name)
  return text
end

-- Runs the code, in which 'asyncio' is there, with the environment variables
-- given; returns what it wrote to stdout and to stderr, where the file is called
-- "script", and its exit status.
function child.run(code, env)
  local script, out, err = os.tmpname(), os.tmpname(), os.tmpname()
  do
    local file <close> = assert(io.open(script, "w"))
    file:write(helper.script 'local asyncio = require "asyncio" ', code)
  end
  local words = { "LUA_PATH=" .. quote(package.path), "LUA_CPATH=" .. quote(package.cpath) }
  for name, value in pairs(env or {}) do
    words[#words + 1] = name .. "=" .. quote(value)
  end
  words[#words + 1] = ("%s %s >%s 2>%s"):format(lua, script, out, err)
  local _, _, status = os.execute(table.concat(words, " "))
  os.remove(script)
  local place = script:gsub("%p", "%%%0")
  return read_and_remove(out), (read_and_remove(err):gsub(place, "script")), status
end

-- The same for code that succeeds; returns stdout and stderr.
function child.check(code, env)
  local out, err, status = child.run(code, env)
  if status ~= 0 then
    error(("the script ended with %s:\n%s"):format(tostring(status), err), 2)
  end
  return out, err
end

return child
