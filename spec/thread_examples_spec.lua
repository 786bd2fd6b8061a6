-- The examples of threads: what they print is right.

local helper = require "spec.helper"
local program = require "spec.program"

-- Runs the example, and returns its stdout.
local function run(name, arguments)
  local source <const> = ("arg[0] = 'examples/%s' dofile(arg[0])"):format(name)
  local result <const> = helper.run_script(source, { args = arguments })
  assert.are.equal(0, result.code, result.stderr)
  return result.stdout, result.stderr
end

local function write_words(n)
  local name <const> = os.tmpname()
  local file <close> = assert(io.open(name, "wb"))
  local counts = {}
  for i = 1, n do
    local word = ("w"):rep(i % 7 + 1) .. string.char(97 + i % 26)
    counts[word] = (counts[word] or 0) + 1
    file:write(word, i % 10 == 0 and "\n" or ", ")
  end
  return name, counts
end

describe("word_count.lua", function()
  it("counts each word once, wherever the pieces end", function()
    local name <const>, counts <const> = write_words(400000)
    local out = run("word_count.lua", { "--workers", "3", name })
    os.remove(name)
    assert.matches("^400000 words, 182 different ones\n", out)
    local seen = 0
    for times, word in out:gmatch "%s(%d+)  (%a+)" do
      assert.are.equal(counts[word], math.tointeger(times))
      seen = seen + 1
    end
    assert.are.equal(10, seen)
  end)

  it("counts the same in processes", function()
    local name <const> = write_words(200000)
    local out = run("word_count.lua", { name })
    assert.are.equal(out, (run("word_count.lua", { "--processes", "2", name })))
    os.remove(name)
  end)

  it("writes a file where there is none", function()
    local out = run("word_count.lua", { "--size", "1" })
    assert.matches("^%d+ words, 512 different ones\n", out)
  end)

  it("explains itself", function()
    program.check_usage("word_count.lua", {
      ["--workers takes an integer from 1 to 1000, not 'x'"] = { "--workers", "x" },
      ["--processes takes an integer from 1 to 1000, not '0'"] = { "--processes", "0" },
      ["--workers and --processes exclude each other"] = { "--workers=2", "--processes=2" },
      ["--size is for a file that is written, not for a given one"] = { "--size=1", "README.md" },
      ["one file at a time, not 'LICENSE' too"] = { "README.md", "LICENSE" },
      ["nonexistent: No such file or directory"] = { "nonexistent" },
    })
  end)
end)

describe("password_hashing.lua", function()
  it("hashes as others do", function()
    local out, err = run("password_hashing.lua", { "--rounds", "20", "password", "secret" })
    assert.are.equal(
      "password\t83eb100b6a3a975f0fe3ffcdc241985232154e6868bdaf1b261ccb18fee4c908\n",
      (out:gsub("secret[^\n]*\n", ""))
    )
    assert.matches("the loop ticked %d+ times", err)
  end)

  it("explains itself", function()
    program.check_usage("password_hashing.lua", {
      ["--rounds takes an integer from 1 to 10000000, not '0'"] = { "--rounds", "0" },
    })
  end)
end)

describe("server_per_core.lua", function()
  it("answers all requests", function()
    local out, err = run("server_per_core.lua", { "--workers", "2", "--requests", "30" })
    assert.matches("^2 servers on http://127.0.0.1:%d+/\n30 requests were answered\n$", out)
    assert.matches("server [12]: %d+\n", err)
  end)

  it("ends by Ctrl-C", function()
    local running <close> = program.start("server_per_core.lua", { "--workers", "2" })
    running:read_until "servers on"
    running:interrupt()
    local _, status = running:wait()
    assert.are.equal(0, status)
  end)

  it("explains itself", function()
    program.check_usage("server_per_core.lua", {
      ["--port takes an integer from 0 to 65535, not '-1'"] = { "--port", "-1" },
    })
  end)
end)
