local asyncio = require "asyncio"
local helper = require "spec.helper"

local ExceptionGroup <const> = asyncio.ExceptionGroup
local TimeoutError <const> = asyncio.TimeoutError

local MyError <const> = asyncio.exception "MyError"
local MyGroup <const> = asyncio.exception("MyGroup", ExceptionGroup)

local timeout <const>, mine <const>, text <const> = TimeoutError "late", MyError "mine", "text"

-- A group of all three, the last two in a group inside it.
local function tree()
  return ExceptionGroup("outer", { timeout, ExceptionGroup("inner", { mine, text }) })
end

describe("an ExceptionGroup", function()
  it("has a message and its errors", function()
    local list = { timeout, text }
    local group = ExceptionGroup("several", list)
    assert.equal("several", group.message)
    assert.equal(list, group.exceptions)
    helper.raises("an error at least", ExceptionGroup, "several", {})
    assert.is_true(asyncio.isinstance(group, ExceptionGroup))
    assert.is_true(asyncio.isinstance(group, asyncio.Error))
    helper.raises("table expected", ExceptionGroup, "several", timeout.message)
  end)

  it("prints as a tree", function()
    assert.equal([[
ExceptionGroup: outer (2 sub-exceptions)
|- TimeoutError: late
`- ExceptionGroup: inner (2 sub-exceptions)
   |- MyError: mine
   `- text]], tostring(tree()))
    assert.equal([[
ExceptionGroup (2 sub-exceptions)
|- MyGroup: several
|  lines (1 sub-exception)
|  `- false
`- one
   two]], tostring(ExceptionGroup(nil, { MyGroup("several\nlines", { false }), "one\ntwo" })))
  end)

  it("prints the tracebacks that it has", function()
    local with = MyError "with"
    with.traceback = "stack traceback:\n\there"
    local group = ExceptionGroup("x", { with, "without", text })
    group.tracebacks = { nil, nil, "stack traceback:\n\tthere" }
    assert.equal("ExceptionGroup: x (3 sub-exceptions)\n"
      .. "|- MyError: with\n|  stack traceback:\n|  \there\n"
      .. "|- without\n"
      .. "`- text\n   stack traceback:\n   \tthere", tostring(group))
  end)

  it("prints whatever is in it", function()
    local group = ExceptionGroup("x", { text })
    group.exceptions[2] = group
    assert.equal("ExceptionGroup: x (2 sub-exceptions)\n|- text\n`- (the group itself)",
      tostring(group))
    for _, value in ipairs { {}, "no list", false } do
      group.exceptions = value
      assert.equal("ExceptionGroup: x (0 sub-exceptions)", tostring(group))
    end
    assert.equal("MyGroup (0 sub-exceptions)", tostring(setmetatable({}, MyGroup)))
  end)
end)

describe("group:split()", function()
  it("takes a class", function()
    local match, rest = tree():split(TimeoutError)
    assert.same({ timeout }, match.exceptions)
    assert.equal("outer", match.message)
    assert.equal(1, #rest.exceptions)
    assert.same({ mine, text }, rest.exceptions[1].exceptions)
    assert.equal("inner", rest.exceptions[1].message)
  end)

  it("takes a list of classes", function()
    local match, rest = tree():split { TimeoutError, MyError }
    assert.equal([[
ExceptionGroup: outer (2 sub-exceptions)
|- TimeoutError: late
`- ExceptionGroup: inner (1 sub-exception)
   `- MyError: mine]], tostring(match))
    assert.equal([[
ExceptionGroup: outer (1 sub-exception)
`- ExceptionGroup: inner (1 sub-exception)
   `- text]], tostring(rest))
  end)

  it("takes a function, which is asked about groups first", function()
    local asked = {}
    local group = tree()
    local inner = group.exceptions[2]
    local match, rest = group:split(function(err)
      asked[#asked + 1] = err
      return err == inner
    end)
    assert.same({ group, timeout, inner }, asked)
    assert.equal(inner, match.exceptions[1])
    assert.same({ timeout }, rest.exceptions)
  end)

  it("gives the group itself where all of it matches, or nothing does", function()
    local group = tree()
    for _, class in ipairs { ExceptionGroup, asyncio.Error } do
      local match, rest = group:split(class)
      assert.equal(group, match)
      assert.is_nil(rest)
    end
    local match, rest = group:split(asyncio.OSError)
    assert.is_nil(match)
    assert.equal(tostring(group), tostring(rest))
    match, rest = group:split(function(err)
      return not asyncio.isinstance(err, ExceptionGroup)
    end)
    assert.equal(tostring(group), tostring(match))
    assert.is_nil(rest)
  end)

  it("keeps the class, the fields and the tracebacks", function()
    local group = MyGroup("mine", { text, timeout, text })
    group.host = "example.org"
    group.tracebacks = { "first", nil, "third" }
    local match, rest = group:split(TimeoutError)
    for _, part in ipairs { match, rest } do
      assert.is_true(asyncio.isinstance(part, MyGroup))
      assert.equal("example.org", part.host)
    end
    assert.same({}, match.tracebacks)
    assert.same({ "first", "third" }, rest.tracebacks)
    assert.same({ text, timeout, text }, group.exceptions) -- as it was
  end)

  it("of a group without errors gives nothing", function()
    local group = ExceptionGroup("x", { text })
    group.exceptions[1] = nil
    assert.same({ n = 2 }, table.pack(group:split(TimeoutError)))
    group.exceptions = nil
    assert.same({ n = 2 }, table.pack(group:split(TimeoutError)))
  end)

  it("checks its arguments", function()
    local group = tree()
    helper.raises("bad argument #2 to 'split' %(class, list", group.split, group)
    helper.raises("bad argument #2 to 'split'", group.split, group, "TimeoutError")
    helper.raises("bad argument #2 to 'split'", group.split, group, {})
    helper.raises("bad argument #1 to 'split' %(ExceptionGroup", group.split, timeout, MyError)
    helper.raises("bad argument #1 to 'split'", group.split)
    helper.raises("my fault", group.split, group, function()
      error "my fault"
    end)
  end)
end)

describe("group:subgroup()", function()
  it("gives what matches, alone", function()
    local group = tree()
    assert.same({ n = 1, group }, table.pack(group:subgroup(asyncio.Error)))
    assert.same({ timeout }, group:subgroup(TimeoutError).exceptions)
    assert.is_nil(group:subgroup(asyncio.OSError))
    helper.raises("bad argument #2 to 'subgroup'", group.subgroup, group)
    helper.raises("bad argument #1 to 'subgroup'", group.subgroup, 1, MyError)
  end)
end)

describe("an ExceptionGroup that nobody catches", function()
  it("is shown with all its errors", function()
    local result = helper.run_script [[
      local asyncio = require "asyncio"
      local function fetch(name)
        asyncio.sleep(0)
        error(name .. " failed")
      end
      asyncio.run(function()
        local group <close> = asyncio.TaskGroup()
        group:create_task(fetch, "one")
        group:create_task(fetch, "two")
      end)
    ]]
    assert.equal(1, result.code)
    assert.matches("ExceptionGroup: unhandled errors in a TaskGroup %(2 sub%-exceptions%)\n"
      .. "|%- script:4: one failed\n"
      .. "|  stack traceback:\n"
      .. "|  \t%[C%]: in function 'error'\n"
      .. "|  \tscript:4: in function <script:2>\n"
      .. "`%- script:4: two failed\n", result.stderr)
  end)
end)
