-- Directories that are watched, for the specs of asyncio.fs.watch.

local asyncio = require "asyncio"

local watching = {}

-- A directory that is removed at the end of a scope.
function watching.directory()
  local path <const> = asyncio.fs.mkdtemp "/tmp/watch-XXXXXX"
  return path,
    setmetatable({}, {
      __close = function()
        os.execute("rm -rf " .. path)
      end,
    })
end

function watching.touch(path)
  local file <close> = assert(io.open(path, "a"))
  file:write "x"
end

function watching.take(watcher)
  return watcher()
end

-- What comes, up to the first event of that name, as a list of "type name".
function watching.events_until(watcher, name)
  local list = {}
  for event in watcher do
    list[#list + 1] = event.type .. " " .. tostring(event.filename)
    if tostring(event.filename) == name then
      break
    end
  end
  return list
end

return watching
