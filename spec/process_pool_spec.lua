-- examples/process_pool.lua, as a program.

local helper = require "spec.helper"
local processes = require "spec.processes"
local program = require "spec.program"

local NAME <const> = "process_pool.lua"

local function run(...)
  local text <const>, status <const> = program.run(NAME, { ... })
  return text:gsub("after %d+%.%d+ s", "after ... s"), status
end

-- A command that says who it is in a file, and goes on until it is ended.
local ENDLESS <const> = "trap 'exit 5' TERM; echo $$ >>'%s'; while :; do sleep 0.02; done"

describe("process_pool.lua", function()
  it("runs its commands, and shows what they wrote", function()
    local text <const>, status <const> = run("--jobs=1", "echo one", "echo two; echo more >&2")
    assert.equal([[
succeeded after ... s: echo one
  | one
succeeded after ... s: echo two; echo more >&2
  | two
  | more
2 commands: 2 succeeded, 0 failed, 0 timed out, 0 left
]], text)
    assert.equal(0, status)
  end)

  it("says which fail, and which take too long", function()
    local text, status = run("--jobs", "3", "exit 3", "true")
    assert.is_truthy(text:find("failed after ... s: exit 3\n", 1, true))
    assert.is_truthy(text:find "\n2 commands: 1 succeeded, 1 failed, 0 timed out, 0 left\n$")
    assert.equal(1, status)
    text, status = run("--timeout=0.05", "exec sleep 100")
    assert.equal([[
timed out after ... s: exec sleep 100
1 commands: 0 succeeded, 0 failed, 1 timed out, 0 left
]], text)
    assert.equal(1, status)
  end)

  it("reads commands from its input", function()
    local source <const> = ("arg[0] = 'examples/%s' dofile(arg[0])"):format(NAME)
    local out <const> = helper.check_script(source, { stdin = "echo a\n\n  true\n" })
    assert.is_truthy(out:find "\n2 commands: 2 succeeded, 0 failed, 0 timed out, 0 left\n$")
    assert.is_truthy(out:find("\n  | a\n", 1, true))
  end)

  it("ends what runs at Ctrl-C, and begins no more", function()
    local path <const> = os.tmpname()
    local endless <const> = ENDLESS:format(path)
    local arguments <const> = { "--jobs=2", "echo first", endless, endless, "echo no" }
    local pool <close> = program.start(NAME, arguments)
    pool:read_until "| first"
    local pids
    repeat
      pids = {}
      for pid in io.lines(path) do
        pids[#pids + 1] = { pid = math.tointeger(tonumber(pid)) }
      end
    until #pids == 2
    pool:interrupt()
    local text <const>, status <const> = pool:wait()
    os.remove(path)
    assert.is_truthy(text:find "4 commands: 1 succeeded, 0 failed, 0 timed out, 3 left\n$", text)
    assert.equal(130, status)
    assert.is_true(processes.are_gone(pids))
  end)

  it("draws a bar on a terminal", function()
    if not program.has_terminals() then
      return
    end
    for _, locale in ipairs { "C", "C.UTF-8" } do
      local opts <const> = { columns = 60, rows = 10, locale = locale }
      local arguments <const> = { "--jobs=2", "sleep 0.1", "echo hello", "exit 1" }
      local pool <close> = program.start_in_terminal(NAME, arguments, opts)
      local text <const>, status <const> = pool:wait()
      program.check_drawing(text, opts)
      assert.is_truthy(text:find " 3 of 3 commands")
      assert.is_truthy(text:find "  | hello")
      assert.equal(1, status)
    end
  end)

  it("explains itself, and refuses what it does not understand", function()
    program.check_usage(NAME, {
      ["--jobs takes an integer from 1 to 1000, not '0'"] = { "--jobs", "0" },
      ["--timeout takes a number from 0.001 to 1e+06, not 'x'"] = { "--timeout=x" },
      ["--grace takes a value"] = { "--grace" },
      ["there is no option '--lazy'"] = { "--lazy" },
    })
  end)
end)
