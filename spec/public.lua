-- What the library shows to its users: the names of require "asyncio", and the
-- methods of its classes. For the specs of the stub and of the reference.

local asyncio = require "asyncio"

local public = {}

-- The string keys of a table, or those that 'wanted' takes, in order.
function public.sorted_keys(t, wanted)
  local list = {}
  for key in pairs(t) do
    if type(key) == "string" and (wanted == nil or wanted(key, t[key])) then
      list[#list + 1] = key
    end
  end
  table.sort(list)
  return list
end

function public.is_method(name, value)
  return type(value) == "function" and not name:find "^__"
end

-- Whether the table is a class; a table that is none holds functions.
function public.is_class(value)
  return type(value) == "table" and rawget(value, "name") ~= nil
end

-- The methods of a class, those of its bases among them: a Runner and
-- exceptions have them themselves.
function public.methods(class)
  if asyncio.Runner == class or rawget(class, "__index") then
    return class
  end
  return getmetatable(class).__index
end

-- The names of a class' own methods, without those of its base.
function public.own_methods(class)
  local base = class.__base and public.methods(class.__base) or {}
  return public.sorted_keys(public.methods(class), function(name, value)
    return public.is_method(name, value) and base[name] == nil
  end)
end

-- The files of the stub, the one that names the module first.
local function stub_files()
  local find <close> = assert(io.popen "find lua/asyncio/meta -name '*.lua' | LC_ALL=C sort")
  local list = { "lua/asyncio/meta/init.lua" }
  for name in find:lines() do
    list[#list + 1] = name ~= list[1] and name or nil
  end
  return list
end

-- The stub as the language server sees it: the text of all its files, and what
-- they declare in one table.
function public.stub()
  local texts, declared = {}, {}
  for i, name in ipairs(stub_files()) do
    local file <close> = assert(io.open(name))
    texts[i] = file:read "a"
    local body = texts[i]:gsub("\nreturn asyncio\n$", "\n") .. "return asyncio\n"
    for key, value in pairs(assert(load(body, "=" .. name))()) do
      assert(declared[key] == nil, key)
      declared[key] = value
    end
  end
  return declared, table.concat(texts)
end

return public
