-- asyncio.coroutine beside Lua's own library.

local asyncio = require "asyncio"
local helper = require "spec.helper"

local ait <const> = helper.ait
local co <const> = asyncio.coroutine

local function closing(fn)
  return setmetatable({}, {
    __close = function(_, err)
      return fn(err)
    end,
  })
end

local function pause(n)
  for _ = 1, n or 1 do
    asyncio.sleep(0)
  end
end

-- Programs that know only 'coroutine', 'say' and 'closing'; each must say the
-- same whichever library it has.
local programs <const> = {
  ["yields and results"] = [[
    local c = coroutine.create(function(...)
      say("start", ...)
      say("got", coroutine.yield(1, nil, 3))
      say("got", coroutine.yield())
      return "end", nil
    end)
    say(coroutine.status(c), coroutine.resume(c, "a", nil))
    say(coroutine.status(c), coroutine.resume(c, "b"))
    say(coroutine.status(c), coroutine.resume(c))
    say(coroutine.status(c), coroutine.resume(c))
    say(coroutine.status(c), coroutine.close(c))
  ]],
  ["many values"] = [[
    local list = {}
    for i = 1, 250 do list[i] = i end
    local c = coroutine.create(function(...)
      local n = select("#", coroutine.yield(...))
      return n, table.unpack(list)
    end)
    say(select("#", coroutine.resume(c, table.unpack(list))))
    say(select("#", coroutine.resume(c, table.unpack(list))))
  ]],
  ["too many values"] = [[
    local c = coroutine.create(function() coroutine.yield() return 1 end)
    local ok, err = pcall(function()
      return coroutine.resume(c, table.unpack({}, 1, 999990))
    end)
    say(ok, err)
    say(coroutine.resume(c))
    c = coroutine.create(function() return table.unpack({}, 1, 999000) end)
    say(pcall(function() return select("#", coroutine.resume(c)) end))
  ]],
  ["errors"] = [[
    local object = setmetatable({}, { __tostring = function() return "object" end })
    for _, value in ipairs { "text", 12, true, object } do
      local c = coroutine.create(function() error(value) end)
      say(coroutine.resume(c))
      say(coroutine.status(c), coroutine.resume(c))
      say(debug.traceback(c):gsub("%s+", " "))
      say(coroutine.close(c))
      say(coroutine.status(c), coroutine.close(c))
      say(pcall(coroutine.wrap(function() error(value) end)))
      say(pcall(coroutine.wrap(function() error(value, 0) end)))
    end
    say(coroutine.resume(coroutine.create(error)))
  ]],
  ["a wrapped coroutine that is dead"] = [[
    local f = coroutine.wrap(function() end)
    say(f())
    say(pcall(f))
    local g = coroutine.wrap(function() error("oops") end)
    say(pcall(g))
    say(pcall(g))
  ]],
  ["generators"] = [[
    local function count(n)
      return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, -i) end end)
    end
    for a, b in count(4) do say(a, b) end
    local function walk(tree)
      if tree then
        walk(tree.left)
        coroutine.yield(tree.value)
        walk(tree.right)
      end
    end
    local tree = { value = 2, left = { value = 1 }, right = { value = 3 } }
    for value in coroutine.wrap(function() walk(tree) end) do say(value) end
  ]],
  ["who runs"] = [[
    local outer
    outer = coroutine.create(function()
      local thread, is_main = coroutine.running()
      say(thread == outer, is_main, coroutine.isyieldable())
      local inner = coroutine.create(function()
        say(coroutine.status(outer), coroutine.resume(outer))
        say(pcall(coroutine.close, outer))
        say(coroutine.isyieldable(outer))
      end)
      say(coroutine.resume(inner))
      say(coroutine.status(outer), coroutine.resume(outer))
      say(pcall(coroutine.close, outer))
    end)
    say(coroutine.isyieldable(outer), coroutine.status(outer))
    say(coroutine.resume(outer))
  ]],
  ["closing"] = [[
    local function open(err)
      local c = coroutine.create(function()
        local _ <close> = closing(function(e) say("outer", e) end)
        local _ <close> = closing(function(e) say("inner", e) if err then error(err, 0) end end)
        coroutine.yield(1)
      end)
      coroutine.resume(c)
      return c
    end
    local c = open()
    say(coroutine.close(c), coroutine.status(c))
    c = open "wrong"
    say(coroutine.close(c))
    say(coroutine.status(c), coroutine.close(c))
    say(coroutine.close(coroutine.create(print)))
  ]],
  ["<close> variables after an error"] = [[
    local function body()
      local _ <close> = closing(function(e) say("closed", e) end)
      coroutine.yield()
      error "failed"
    end
    local c = coroutine.create(body)
    coroutine.resume(c)
    say(coroutine.resume(c))
    say(coroutine.status(c))
    say(coroutine.close(c))
    local f = coroutine.wrap(body)
    f()
    say(pcall(f))
    local g = coroutine.wrap(function()
      local _ <close> = closing(function() error("instead", 0) end)
      error "first"
    end)
    say(pcall(g))
  ]],
  ["yields across pcall, metamethods and iterators"] = [[
    local mt = { __index = function(_, k) return coroutine.yield(k) end,
      __lt = function() return coroutine.yield "lt" end }
    local c = coroutine.wrap(function()
      local t = setmetatable({}, mt)
      say(pcall(function() return t.x, t < t end))
      say(xpcall(coroutine.yield, say, "in xpcall"))
      for v in coroutine.yield, nil do say(v) end
      return "done"
    end)
    say(c()) say(c(1)) say(c(true)) say(c(3)) say(c("v")) say(c(nil))
  ]],
  ["no yield across a C function"] = [[
    local c = coroutine.create(function()
      table.sort({ 1, 2 }, function() coroutine.yield() end)
    end)
    say(coroutine.resume(c))
    say(coroutine.resume(coroutine.create(function()
      table.sort({ 2, 1 }, function(a, b)
        local f = coroutine.wrap(function() coroutine.yield(a < b) end)
        return f()
      end)
      return "sorted"
    end)))
  ]],
  ["endless nesting"] = [[
    local depth = 0
    local function nest()
      depth = depth + 1
      local ok, err = coroutine.resume(coroutine.create(nest))
      return err
    end
    say(nest(), depth > 50)
    local function wrapped() return coroutine.wrap(wrapped)() end
    local ok, err = pcall(wrapped)
    say(ok, err:match "C stack overflow")
  ]],
  ["wrong arguments"] = [[
    -- which words there are depends on the version
    local function plain(err)
      return (err:gsub("asyncio%.", ""):gsub("thread expected", "coroutine expected"))
    end
    for _, name in ipairs { "create", "resume", "wrap", "status", "close" } do
      local fn = coroutine[name]
      for _, value in ipairs { 1, "x", true, {} } do
        local ok, err = pcall(fn, value)
        say(name, ok, plain(err))
      end
      say(name, plain(select(2, pcall(fn))))
    end
    say(plain(select(2, pcall(coroutine.isyieldable, 1))))
  ]],
}

-- What the program says, a line per call; the addresses of values are left out.
local function run_program(source, library)
  local t = helper.trace()
  local function say(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i]):gsub("0x%x+", "ADDRESS")
    end
    t(table.concat(words, " "))
  end
  local env = setmetatable({ coroutine = library, say = say, closing = closing }, { __index = _G })
  assert(load(source, "=program", "t", env))()
  return t:list()
end

describe("asyncio.coroutine", function()
  it("has what Lua's library has", function()
    for name, value in pairs(coroutine) do
      assert.equal(type(value), type(co[name]), name)
    end
    for name in pairs(co) do
      assert.is_true(name == "install" or coroutine[name] ~= nil, name)
    end
  end)

  for name, source in pairs(programs) do
    it("does as Lua's does: " .. name, function()
      local expected = run_program(source, coroutine)
      assert.is_true(#expected > 0)
      assert.same(expected, run_program(source, co))
    end)

    ait("does so in a task: " .. name, function()
      assert.same(run_program(source, coroutine), run_program(source, co))
    end)

    ait("does so in a coroutine in a task: " .. name, function()
      local expected = run_program(source, coroutine)
      local found = co.wrap(function()
        pause()
        return run_program(source, co)
      end)()
      assert.same(expected, found)
    end)
  end

  it("works with the coroutines of the other library", function()
    local theirs = coroutine.create(function(a)
      return co.yield(a)
    end)
    assert.same({ true, 1 }, { co.resume(theirs, 1) })
    assert.same({ true, 2 }, { coroutine.resume(theirs, 2) })
    local ours = co.create(function(a)
      return coroutine.yield(a)
    end)
    assert.same({ true, 1 }, { coroutine.resume(ours, 1) })
    assert.same({ true, 2 }, { co.resume(ours, 2) })
  end)
end)

describe("asyncio.coroutine.install", function()
  it("puts the library in the place of Lua's, and takes it back", function()
    local old, create = coroutine, coroutine.create
    local undo = co.install()
    local globally, loaded, inside = coroutine, package.loaded.coroutine, old.create
    local undo_again = co.install()
    undo()
    undo()
    local still = coroutine
    undo_again()
    assert.equal(co, globally)
    assert.equal(co, loaded)
    assert.equal(co.create, inside)
    assert.equal(co, still)
    assert.equal(old, coroutine)
    assert.equal(old, package.loaded.coroutine)
    assert.equal(create, old.create)
    assert.is_nil(rawget(old, "install"))
  end)

  it("makes code that knows nothing of asyncio suspend", function()
    assert.equal("1 2 3\nfalse oops\ncancelled\nclosed\n", helper.check_script [[
      local captured = coroutine
      package.preload.iterators = function()
        local coroutine = require "coroutine"
        return function(fn)
          return coroutine.wrap(function()
            for i = 1, 3 do captured.yield(fn(i)) end
          end)
        end
      end
      local asyncio = require "asyncio"
      local undo = asyncio.coroutine.install()
      local iterate = require "iterators"
      asyncio.run(function()
        local list = {}
        for i in iterate(function(i) return asyncio.sleep(0.001, i) end) do
          list[#list + 1] = i
        end
        print(table.concat(list, " "))
        local ok, err = pcall(iterate(function() asyncio.sleep(0) error "oops" end))
        print(ok, (err:match ":%d+: (.*)"))
        local task = asyncio.create_task(function()
          local c = captured.create(function() asyncio.sleep(10) end)
          local ok, err = captured.resume(c)
          print("went on", ok, err)
        end)
        asyncio.sleep(0)
        task:cancel()
        asyncio.wait { task }
        print(task:cancelled() and "cancelled")
        local c = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = function() print "closed" end })
          coroutine.yield(asyncio.sleep(0))
        end)
        coroutine.resume(c)
        assert(coroutine.close(c))
      end)
      undo()
      assert(coroutine == captured)
    ]]:gsub("\t", " "))
  end)
end)
