-- asyncio.fs.watch: events of files and directories.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local streams = require "spec.streams"
local watching = require "spec.watching"

local ait <const>, raises <const> = helper.ait, helper.raises
local fs <const> = asyncio.fs

local directory <const>, touch <const> = watching.directory, watching.touch
local take <const>, events_until <const> = watching.take, watching.events_until

describe("watch", function()
  ait("gives what happens in a directory, in order", function()
    local path <const>, _ <close> = directory()
    local watcher <close> = fs.watch(path)
    touch(path .. "/a")
    os.rename(path .. "/a", path .. "/b")
    os.remove(path .. "/b")
    assert.same({ "rename a", "change a", "rename b" }, events_until(watcher, "b"))
    touch(path .. "/c")
    assert.same({ "rename c" }, events_until(watcher, "c"))
  end)

  ait("gives what happens to a file, and that it disappears", function()
    local path <const>, _ <close> = directory()
    touch(path .. "/a")
    local watcher <close> = fs.watch(path .. "/a")
    touch(path .. "/a")
    assert.same({ "change a" }, events_until(watcher, "a"))
    os.remove(path .. "/a")
    local event = watcher()
    while event.type ~= "rename" do
      event = watcher()
    end
    assert.equal("a", event.filename)
    assert.equal(("<FileWatcher open '%s/a'>"):format(path), tostring(watcher))
  end)

  ait("waits for events, and closes when its loop is left", function()
    local path <const>, _ <close> = directory()
    local before <const> = fs.watch(path) -- the first one opens inotify
    before:close()
    local count <const> = streams.descriptors()
    local seen = helper.trace()
    local task = asyncio.create_task(function()
      for event in fs.watch(path) do
        seen(event.type, event.filename)
        if event.filename == "a" then
          break
        end
      end
    end)
    asyncio.sleep(0)
    seen "touch"
    touch(path .. "/a")
    task:await()
    assert.same({ "touch", "rename a" }, seen:list())
    assert.equal(count, streams.descriptors())
  end)

  ait("gives an event once that comes often", function()
    local path <const>, _ <close> = directory()
    touch(path .. "/a")
    local watcher <close> = fs.watch(path)
    for _ = 1, 100 do
      touch(path .. "/a")
    end
    asyncio.sleep(0.01)
    touch(path .. "/b")
    assert.same({ "change a", "rename b" }, events_until(watcher, "b"))
  end)

  ait("says when events were lost", function()
    local path <const>, _ <close> = directory()
    local watcher <close> = fs.watch(path, { limit = 2 })
    for _, name in ipairs { "a", "b", "c" } do
      assert(os.rename(os.tmpname(), path .. "/" .. name))
    end
    asyncio.sleep(0.01)
    local list = events_until(watcher, "nil")
    assert.same({ "rename a", "rename b", "overflow nil" }, list)
  end)

  ait("loses nothing when it is cancelled", function()
    local path <const>, _ <close> = directory()
    local watcher <close> = fs.watch(path)
    local task = asyncio.create_task(take, watcher)
    asyncio.sleep(0)
    task:cancel()
    raises(asyncio.CancelledError, task.await, task)
    raises(asyncio.TimeoutError, asyncio.wait_for, take, 0.01, watcher)
    local first, second = asyncio.create_task(take, watcher), asyncio.create_task(take, watcher)
    asyncio.sleep(0)
    touch(path .. "/a")
    os.remove(path .. "/a")
    touch(path .. "/b")
    while not first:done() do -- both are woken in the same turn
      asyncio.sleep(0)
      first:cancel()
    end
    assert.equal("a", second:await().filename)
    events_until(watcher, "b")
  end)

  ait("ends its loops when it is closed", function()
    local path <const>, _ <close> = directory()
    local watcher <const> = fs.watch(path)
    local tasks = { asyncio.create_task(take, watcher), asyncio.create_task(take, watcher) }
    asyncio.sleep(0)
    watcher:close()
    watcher:close()
    assert.same({ n = 2 }, asyncio.gather(tasks):await())
    assert.is_nil(watcher())
    assert.equal(("<FileWatcher closed '%s'>"):format(path), tostring(watcher))
  end)

  ait("refuses what cannot be watched", function()
    local err = raises(asyncio.OSError, fs.watch, "/nonexistent")
    assert.equal("watch /nonexistent: no such file or directory (ENOENT)", err.message)
    assert.equal("watch", err.syscall)
    assert.equal("ENOENT", err.code)
    assert.equal("/nonexistent", err.path)
    raises("bad argument #1", fs.watch)
    raises("bad argument #1", fs.watch, "a\0b")
    raises("bad argument #2", fs.watch, ".", 1)
    raises("bad argument #2.*'limit'", fs.watch, ".", { limit = 0 })
    raises("bad argument #2.*'limit'", fs.watch, ".", { limit = "x" })
    raises("bad argument #1", asyncio.FileWatcher.close)
    raises("made by the library only", asyncio.FileWatcher)
  end)

  it("belongs to a loop", function()
    local path <const> = os.tmpname() -- in which nothing happens
    raises(asyncio.RuntimeError, fs.watch, path)
    local watcher = asyncio.run(fs.watch, path)
    assert.is_nil(watcher())
    local loop <close> = setmetatable({ asyncio.new_event_loop() }, {
      __close = function(self)
        self[1]:close()
      end,
    })
    watcher = loop[1]:run_until_complete(function()
      return (fs.watch(path))
    end)
    helper.run(function()
      raises(asyncio.RuntimeError, watcher)
    end)
    os.remove(path)
  end)

  it("ends with its loop", function()
    asyncio.run(function()
      asyncio.create_task(take, (fs.watch "."))
      asyncio.create_task(function()
        for _ in fs.watch "." do
        end
      end)
      asyncio.sleep(0)
    end)
    helper.collect()
  end)
end)
