-- The rockspec lists what there is: each C source and each Lua module.

local path <const> = "rockspec/lua-asyncio-scm-1.rockspec"

-- The files below `dir` whose name ends with `suffix`, sorted.
local function files(dir, suffix)
  local find <close> = assert(io.popen(("find %s -name '*%s' | LC_ALL=C sort"):format(dir, suffix)))
  local list = {}
  for name in find:lines() do
    list[#list + 1] = name
  end
  return list
end

-- lua/asyncio/init.lua is asyncio, lua/asyncio/errors.lua is asyncio.errors
local function module_name(file)
  return (file:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

describe("the rockspec", function()
  local rockspec = {}
  local modules

  setup(function()
    assert(loadfile(path, "t", rockspec))()
    modules = rockspec.build.modules
  end)

  it("is named after its package and version", function()
    local name = ("%s-%s.rockspec"):format(rockspec.package, rockspec.version)
    assert.are.equal(name, path:match "[^/]+$")
  end)

  it("compiles every C source", function()
    local listed <const> = { table.unpack(modules["asyncio.core"].sources) }
    table.sort(listed)
    local sources <const> = files("csrc", ".c")
    assert.is_true(#sources > 0)
    assert.are.same(sources, listed)
  end)

  it("installs every Lua module under its name", function()
    local expected, listed = {}, {}
    for _, file in ipairs(files("lua", ".lua")) do
      expected[module_name(file)] = file
    end
    for name, file in pairs(modules) do
      if type(file) == "string" then
        listed[name] = file
      end
    end
    assert.is_string(expected.asyncio)
    assert.are.same(expected, listed)
  end)

  it("needs Lua 5.4 and libuv", function()
    assert.are.same({ "lua >= 5.4" }, rockspec.dependencies)
    assert.are.same({ UV = { header = "uv.h", library = "uv" } }, rockspec.external_dependencies)
  end)
end)
