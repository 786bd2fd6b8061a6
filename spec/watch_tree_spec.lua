-- asyncio.fs.watch of whole trees, where the core has a watch for each directory.

local asyncio = require "asyncio"
local core = require "asyncio.core"
local helper = require "spec.helper"
local streams = require "spec.streams"
local watching = require "spec.watching"

local ait <const>, raises <const> = helper.ait, helper.raises
local directory <const>, touch <const> = watching.directory, watching.touch
local fs <const> = asyncio.fs

-- Watches the tree. The function gives what comes for the operations of a shell
-- there, all of which happen before the loop looks.
local function watch(path, options)
  options = options or {}
  options.recursive = true
  local watcher = fs.watch(path, options)
  local marks = 0
  return watcher,
    function(commands)
      marks = marks + 1
      local mark = "mark" .. marks
      assert(os.execute(("cd %s && %s && mkdir %s"):format(path, commands, mark)))
      local list = watching.events_until(watcher, mark)
      assert.equal("rename " .. mark, table.remove(list))
      return list
    end
end

-- A tree with these directories, beside it the place of another one.
local function tree(...)
  local path, closing = directory()
  fs.mkdir(path .. "/tree")
  for _, name in ipairs { ... } do
    fs.mkdir(path .. "/tree/" .. name)
  end
  return path .. "/tree", closing
end

local function reading(path)
  local watcher <close> = fs.watch(path, { recursive = true })
  return watcher
end

local describe_trees = core.fs.watches_trees and describe or function() end

describe_trees("watch of a tree", function()
  ait("gives what happens in the directories below", function()
    local path <const>, _ <close> = tree("a", "a/b")
    touch(path .. "/a/b/old")
    local _ <close>, events = watch(path)
    assert.same({ "change a/b/old" }, events "echo >>a/b/old")
    assert.same({ "rename a/new", "change a/new", "rename a/b/old" }, events [[
      echo >a/new && rm a/b/old]])
    assert.same({}, events "true")
  end)

  ait("gives what is in a directory that appears, each once", function()
    local path <const>, _ <close> = tree "a"
    local _ <close>, events = watch(path)
    assert.same(
      { "rename a/b", "rename a/b/c", "rename a/b/f", "rename a/b/c/g" },
      events "mkdir -p a/b/c && touch a/b/f a/b/c/g"
    )
    assert.same({ "change a/b/c/g", "rename a/b/c/h" }, events [[
      echo >>a/b/c/g && mkdir a/b/c/h]])
    assert.same({ "rename a/b/c/h/i" }, events "mkdir a/b/c/h/i")
  end)

  ait("gives a new name to what moves in it", function()
    local path <const>, _ <close> = tree("a", "a/b", "c")
    touch(path .. "/a/b/f")
    local _ <close>, events = watch(path)
    assert.same({ "rename a", "rename c/a", "rename c/a/b", "rename c/a/b/f" }, events "mv a c/a")
    assert.same({ "rename c/a/b/g", "change c/a/b/g" }, events "echo >c/a/b/g")
    -- what moves between the events of its old and of its new name
    assert.same(
      { "rename c/a", "rename d", "rename d/b", "rename d/b/f", "rename d/b/g", "rename d/b/h" },
      events "mv c/a d && touch d/b/h"
    )
  end)

  ait("forgets what moves out of it, and takes what moves in", function()
    local path <const>, _ <close> = tree("a", "a/b")
    local _ <close>, events = watch(path)
    assert.same({ "rename a" }, events "mv a .. && touch ../a/b/f")
    assert.same({}, events "touch ../a/b/g")
    assert.same({ "rename a", "rename a/b", "rename a/b/f", "rename a/b/g" }, events "mv ../a a")
    assert.same({ "rename a/b/h" }, events "mkdir a/b/h")
  end)

  ait("watches a directory in the place of another", function()
    local path <const>, _ <close> = tree("a", "a/b", "c")
    local _ <close>, events = watch(path)
    events "rm -r a && mkdir -p a/b"
    assert.same({ "rename a/b/f", "change a/b/f" }, events "echo >a/b/f")
    events "mv a d && mv c a && mv d c"
    assert.same({ "rename a/g", "rename c/b/h" }, events "mkdir a/g c/b/h")
    events "rm -r c && echo >c"
    assert.same({ "change c" }, events "echo >>c")
  end)

  ait("knows a directory from an entry with its name", function()
    local path <const>, _ <close> = tree "tree"
    local _ <close>, events = watch(path)
    assert.same({ "rename tree/tree", "change tree/tree" }, events "echo >tree/tree")
    assert.same({ "rename tree/tree", "rename tree" }, events "rm -r tree")
    assert.same({ "rename tree" }, events "mkdir tree")
  end)

  ait("does not follow symbolic links", function()
    local path <const>, _ <close> = tree "a"
    local _ <close>, events = watch(path)
    assert.same({ "rename a/up", "rename a/loop" }, events "ln -s ../.. a/up && ln -s . a/loop")
    assert.same({ "rename f" }, events "touch ../f && mkdir f")
  end)

  ait("says when events were lost, and goes on", function()
    local path <const>, _ <close> = tree "a"
    local watcher <close> = watch(path, { limit = 2 })
    assert(os.execute(("mkdir -p %s/a/b/c && touch %s/a/b/c/f"):format(path, path)))
    asyncio.sleep(0.01)
    local list = watching.events_until(watcher, "nil")
    assert.same({ "rename a/b", "rename a/b/c", "overflow nil" }, list)
    touch(path .. "/a/b/c/g")
    assert.equal("a/b/c/g", watcher().filename)
  end)

  ait("watches a file as without it", function()
    local path <const>, _ <close> = tree()
    touch(path .. "/a")
    local watcher <close> = fs.watch(path .. "/a", { recursive = true })
    touch(path .. "/a")
    assert.same({ type = "change", filename = "a" }, watcher())
  end)

  ait("goes by a link to the tree, and by a path that is not absolute", function()
    local path <const>, _ <close> = tree "a"
    fs.symlink("tree", path .. "/../link")
    local _ <close>, events = watch(path .. "/../link")
    assert.same({ "rename a/b", "rename a/b/c" }, events "mkdir -p a/b/c")
    assert.same({ "rename a/b/c/d" }, events "mkdir a/b/c/d")
    local above = fs.realpath("."):gsub("[^/]+", ".."):sub(2) .. "/"
    local other <close> = fs.watch(above .. path:sub(2), { recursive = true })
    assert(os.execute(("mkdir -p %s/x/y"):format(path)))
    assert.same({ "rename x", "rename x/y" }, watching.events_until(other, "x/y"))
  end)

  ait("leaves nothing behind", function()
    local path <const>, _ <close> = tree("a", "a/b", "c")
    reading(path) -- the first one opens inotify
    local count <const> = streams.descriptors()
    local watcher, events = watch(path)
    events "mkdir -p d/e && rm -r a"
    watcher:close()
    assert.is_nil(watcher())
    assert.equal(count, streams.descriptors())
    local missing <const> = "watch /nonexistent: no such file or directory"
    raises(missing, fs.watch, "/nonexistent", { recursive = true })
  end)

  ait("can be cancelled while it reads the tree", function()
    local path <const>, _ <close> = tree("a", "a/b", "a/b/c")
    local turns = 0
    repeat
      local task = asyncio.create_task(reading, path)
      for _ = 0, turns do
        asyncio.sleep(0)
      end
      turns = turns + 1
      local cancelled = task:cancel()
      if cancelled then
        raises(asyncio.CancelledError, task.await, task)
      end
    until not cancelled
    helper.collect()
  end)

  it("ends with its loop", function()
    asyncio.run(function()
      local path <const>, _ <close> = tree("a", "a/b")
      local watcher = fs.watch(path, { recursive = true })
      asyncio.create_task(watching.take, watcher)
      asyncio.sleep(0)
    end)
    helper.collect()
  end)

  it("suspends", function()
    helper.run(function()
      raises("'watch' suspends", asyncio.atomic, fs.watch, ".", { recursive = true })
    end)
    raises(asyncio.RuntimeError, fs.watch, ".", { recursive = true })
  end)
end)

-- Random operations, then each directory that is there must be watched, under
-- its name.
describe_trees("a tree in which much happens", function()
  local NAMES <const> = { "a", "b", "c" }

  local function place(random, root, depth)
    local path = root
    for _ = 1, random(depth) do
      path = path .. "/" .. NAMES[random(#NAMES)]
    end
    return path
  end

  local function step(random, root)
    local kind = random(6)
    if kind <= 3 then
      asyncio.pcall(fs.mkdir, place(random, root, 4))
    elseif kind == 4 then
      os.remove(place(random, root, 4))
    else
      os.rename(place(random, root, 3), place(random, root, 3))
    end
    if random(3) == 1 then
      asyncio.sleep(0)
    end
  end

  local function check(watcher, root)
    local expected, missing = { ["probe-at-root"] = true }, 1
    touch(root .. "/probe-at-root")
    for name, kind in fs.scandir(root, { recursive = true }) do
      if kind == "directory" then
        touch(("%s/%s/probe"):format(root, name))
        expected[name .. "/probe"], missing = true, missing + 1
      end
    end
    while missing > 0 do
      local name = watcher().filename
      if expected[name] then
        expected[name], missing = nil, missing - 1
      end
    end
  end

  ait("is watched in all its parts", function()
    local seed <const> = tonumber(os.getenv "WATCH_SEED") or 1
    local generator = seed
    local function random(n)
      generator = (generator * 1103515245 + 12345) % 0x80000000
      return generator // 65536 % n + 1
    end
    for _ = 1, tonumber(os.getenv "WATCH_RUNS") or 5 do
      local path <const>, _ <close> = tree()
      local watcher <close> = fs.watch(path, { recursive = true, limit = 100000 })
      for _ = 1, 60 do
        step(random, path)
      end
      check(watcher, path)
    end
  end)
end)
