-- examples/tail_f.lua, as a program.

local program = require "spec.program"

local NAME <const> = "tail_f.lua"

local function append(path, text)
  local file <close> = assert(io.open(path, "a"))
  assert(file:write(text))
end

local function replace(path, text)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
end

-- Calls fn with paths of files that are not there yet, in a directory that is
-- removed then.
local function with_files(fn)
  local directory <const> = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. directory))
  local _ <close> = setmetatable({}, {
    __close = function()
      os.execute("rm -r " .. directory)
    end,
  })
  fn(directory .. "/a.log", directory .. "/b.log")
end

local function stop(tail)
  tail:interrupt()
  local text <const>, status <const> = tail:wait()
  assert.equal(0, status, text)
  assert.matches("\nstopped\n$", text)
  return text
end

describe("examples/tail_f.lua", function()
  it("shows the end of many files, and what is added", function()
    with_files(function(a, b)
      local lines = {}
      for i = 1, 12 do
        lines[i] = "line " .. i .. "\n"
      end
      replace(a, table.concat(lines))
      replace(b, "")
      local tail <close> = program.start(NAME, { a, b })
      tail:read_until(a .. ": line 12\n")
      append(b, "first\nsec")
      tail:read_until(b .. ": first\n")
      append(b, "ond\n")
      tail:read_until(b .. ": second\n")
      append(a, "line 13\n")
      tail:read_until(a .. ": line 13\n")
      local text <const> = stop(tail)
      assert.is_nil(text:find "line 2\n")
      assert.equal(a .. ": line 3\n", text:match "^[^\n]*\n")
    end)
  end)

  it("goes on with a file that was cut short", function()
    with_files(function(a)
      replace(a, "one\ntwo\nhalf a line")
      local tail <close> = program.start(NAME, { a })
      tail:read_until "^two\n"
      replace(a, "three\n")
      tail:read_until "^three\n"
      stop(tail)
    end)
  end)

  it("goes on with the file that took the place of another", function()
    with_files(function(a, b)
      replace(a, "one\n")
      local tail <close> = program.start(NAME, { a })
      tail:read_until "^one\n"
      append(a, "the last one\n")
      os.rename(a, b)
      replace(a, "anew\n")
      tail:read_until "^anew\n"
      append(b, "unseen\n")
      append(a, "more\n")
      tail:read_until "^more\n"
      assert.equal("one\nthe last one\nanew\nmore\nstopped\n", stop(tail))
    end)
  end)

  it("waits for a file that is not there", function()
    with_files(function(a, b)
      replace(b, "here\n")
      local tail <close> = program.start(NAME, { a, b })
      tail:read_until ": here\n"
      replace(a, "here, too\n")
      tail:read_until(a .. ": here, too\n")
      os.remove(a)
      append(b, "still here\n")
      tail:read_until(b .. ": still here\n")
      replace(a, "again\n")
      tail:read_until(a .. ": again\n")
      stop(tail)
    end)
  end)

  it("explains itself", function()
    program.check_usage(NAME, {
      ["a file is needed"] = {},
      ["there is no option '--lines'"] = { "--lines", "3" },
    })
  end)
end)
