-- asyncio.coroutine.install: the library in the place of Lua's own, for code
-- that knows nothing of asyncio. The library itself is in the C core.

local core <const> = require "asyncio.core"

local lib <const> = core.coroutine

local installed = 0
local saved -- what was there before the first install

local function replace()
  saved = { global = _G.coroutine, loaded = package.loaded.coroutine, functions = {} }
  _G.coroutine, package.loaded.coroutine = lib, lib
  -- who keeps the old table finds our functions in it
  for _, old in pairs { saved.global, saved.loaded } do
    if type(old) == "table" and old ~= lib and not saved.functions[old] then
      saved.functions[old] = {}
      for name, fn in pairs(lib) do
        saved.functions[old][name] = old[name]
        old[name] = old[name] and fn
      end
    end
  end
end

local function restore()
  _G.coroutine, package.loaded.coroutine = saved.global, saved.loaded
  for old, functions in pairs(saved.functions) do
    for name, fn in pairs(functions) do
      old[name] = fn
    end
  end
  saved = nil
end

-- Installed twice, it stays until both have been undone.
function lib.install()
  if installed == 0 then
    replace()
  end
  installed = installed + 1
  local undone = false
  return function()
    if not undone then
      undone = true
      installed = installed - 1
      if installed == 0 then
        restore()
      end
    end
  end
end

return lib
