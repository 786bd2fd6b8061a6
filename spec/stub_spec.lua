-- The stub for the language server declares what there is, all of it, and
-- nothing else.

local asyncio = require "asyncio"
local public = require "spec.public"

local sorted_keys <const> = public.sorted_keys

-- Each function of the stub's text: its name, its parameters, and the comment
-- above it.
local function declarations(text)
  local list, comment = {}, {}
  for line in text:gmatch "([^\n]*)\n" do
    local name, parameters = line:match "^function asyncio%.([%w_.:]+)%((.*)%) end$"
    if line:find "^%-%-" then
      comment[#comment + 1] = line
    else
      if name then
        list[#list + 1] = {
          name = name,
          parameters = parameters,
          comment = table.concat(comment, "\n"),
        }
      end
      comment = {}
    end
  end
  return list
end

describe("the stub", function()
  local stub <const>, text <const> = public.stub()

  it("begins with the name of the module", function()
    assert.are.equal("---@meta asyncio", text:match "^[^\n]*")
  end)

  it("declares every public name, and no other", function()
    assert.are.same(sorted_keys(asyncio), sorted_keys(stub))
  end)

  it("declares each as what it is", function()
    for name, value in pairs(asyncio) do
      assert.are.equal(type(value), type(stub[name]), name)
    end
  end)

  it("has the constants' values", function()
    for _, name in ipairs { "FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED" } do
      assert.are.equal(asyncio[name], stub[name])
    end
  end)

  it("declares every function of every table of functions, and no other", function()
    for name, functions in pairs(asyncio) do
      if type(functions) == "table" and not public.is_class(functions) then
        assert.are.same(sorted_keys(functions), sorted_keys(stub[name]), name)
      end
    end
  end)

  it("declares every method of every class, and no other", function()
    local seen = 0
    for name, class in pairs(asyncio) do
      if public.is_class(class) then
        local methods = public.own_methods(class)
        assert.are.same(methods, sorted_keys(stub[name], public.is_method), name)
        seen = seen + #methods
      end
    end
    assert.is_true(seen > 60)
  end)

  it("gives each class the base that it has", function()
    for name, class in pairs(asyncio) do
      if public.is_class(class) then
        local base = class.__base and class.__base.name or "Class"
        local line = ("\n---@class asyncio.%s: asyncio.%s\n"):format(name, base)
        assert.is_truthy(text:find(line, 1, true), line)
      end
    end
  end)

  it("says of each function what it does, and describes each parameter once", function()
    local list = declarations(text)
    assert.is_true(#list > 100)
    for _, declaration in ipairs(list) do
      local described_at = declaration.comment:find "^%-%- %u"
      assert.is_truthy(described_at, declaration.name .. " has no description")
      local described = {}
      for parameter in declaration.comment:gmatch "\n%-%-%-@param ([%w_.]+)" do
        described[#described + 1] = parameter
      end
      assert.are.equal(declaration.parameters, table.concat(described, ", "), declaration.name)
    end
  end)
end)
