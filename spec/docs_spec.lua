-- The documentation: its programs run and print what stands there, the
-- reference has each public name and no other, and links lead somewhere.

local asyncio = require "asyncio"
local helper = require "spec.helper"
local markdown = require "spec.markdown"
local public = require "spec.public"

local INDEX <const>, REFERENCE <const> = "docs/README.md", "^docs/reference/"

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

-- All pages by name, and their names in order.
local function read_pages()
  local pages, names = {}, {}
  local list <const> = "{ ls *.md; find docs bench examples -name '*.md'; } | LC_ALL=C sort"
  local find <close> = assert(io.popen(list))
  for name in find:lines() do
    names[#names + 1] = name
    pages[name] = markdown.parse(read(name))
  end
  return pages, names
end

local pages <const>, names <const> = read_pages()

-- Calls fn(name, page) for the pages of which the name has the pattern.
local function each_page(pattern, fn)
  for _, name in ipairs(names) do
    if name:find(pattern) then
      fn(name, pages[name])
    end
  end
end

local function place(name, element)
  return ("%s:%d"):format(name, element.line)
end

-- Fails with the message alone.
local function check(value, message)
  if not value then
    error(message, 0)
  end
end

-- {====== Programs ======

-- What a program needs of its first line.
local function complete(source)
  if source:find "require%s*%(?%s*[\"']asyncio[\"']" then
    return source
  end
  return 'local asyncio = require "asyncio" ' .. source
end

local function arrows(source)
  local list = {}
  for text in source:gmatch "%-%->([^\n]*)" do
    list[#list + 1] = text
  end
  return #list > 0 and table.concat(list, "\n") or nil
end

-- What stands in the blocks behind a program, by their info strings.
local function written(block)
  local texts, following = {}, block.next
  while following and (following.info == "output" or following.info == "stderr") do
    check(texts[following.info] == nil, "two blocks of what is written")
    texts[following.info] = following.text
    following = following.next
  end
  local marked = arrows(block.text)
  check(not (marked and texts.output), "both --> and a block of what is printed")
  return marked or texts.output or "", texts.stderr or ""
end

-- Without what is not looked at: how wide the space between words is, and space
-- at the ends of lines and of the whole.
local function squeeze(text)
  return (text:gsub("[ \t]+", " "):gsub(" ?\n ?", "\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end

-- Whether the text is what is expected, in which "..." stands for anything.
local function is_like(expected, text)
  local pattern = squeeze(expected):gsub("%p", "%%%0"):gsub("%%%.%%%.%%%.", ".-")
  return squeeze(text):find("^" .. pattern .. "$") ~= nil
end

local function check_written(what, expected, text)
  check(is_like(expected, text),
    ("%s\n-- expected:\n%s\n-- written:\n%s"):format(what, expected, text))
end

local function check_program(block)
  local stdout, stderr = written(block)
  local result = helper.run_script(complete(block.text), { env = { ASYNCIO_DEBUG = "" } })
  check(result.code == 0, "the program fails:\n" .. result.stderr)
  check_written("stdout differs", stdout, result.stdout)
  check_written("stderr differs", stderr, result.stderr)
end

describe("a program in", function()
  local count = 0
  each_page("", function(name, page)
    for _, block in ipairs(page.blocks) do
      if block.info == "lua" then
        count = count + 1
        it(place(name, block) .. " runs and prints what stands there", function()
          if block.text:find 'require "socket' and not pcall(require, "socket") then
            pending "LuaSocket is not installed"
          end
          check_program(block)
        end)
      end
    end
  end)

  it("the documentation is found", function()
    assert.is_true(count > 0)
  end)

  it("any page is marked as lua, and nothing else of Lua is", function()
    each_page("", function(name, page)
      for _, block in ipairs(page.blocks) do
        local is_other = block.info ~= "lua" and block.info:lower():find "^lua"
        assert.is_falsy(is_other, place(name, block))
      end
    end)
  end)

  it("no page leaves its block open, nor what it prints without a program", function()
    each_page("", function(name, page)
      local owned = {}
      for _, block in ipairs(page.blocks) do
        local is_program = block.info == "lua" or owned[block]
        if is_program and block.next then
          owned[block.next] = block.next.info == "output" or block.next.info == "stderr"
        end
        local is_written = block.info == "output" or block.info == "stderr"
        assert.is_true(not is_written or owned[block] == true, place(name, block))
        assert.is_true(block.closed, place(name, block))
      end
    end)
  end)
end)

-- }======

-- {====== The reference ======

-- Variables that could be of several classes.
local class_names <const> = {
  datagrams = "DatagramTransport",
  errors = "ExceptionGroup",
  group = "TaskGroup",
  loop = "EventLoop",
}

-- The name of the class of which a variable of that name is: in small letters
-- it is that name, or the one class that begins or ends with it.
local function class_of(variable)
  local found = {}
  for name, class in pairs(asyncio) do
    local lower = public.is_class(class) and name:lower() or ""
    if lower == variable then
      return name
    elseif lower:sub(1, #variable) == variable or lower:sub(-#variable) == variable then
      found[#found + 1] = name
    end
  end
  return class_names[variable] or #found == 1 and found[1] or nil
end

local _ <const>, stub <const> = public.stub()

-- The parameters that the stub gives the function, or the method of a class or
-- of its base.
local function parameters_of(function_name, class)
  local at = ("\nfunction asyncio.%s("):format(function_name)
  local _, last = stub:find(at, 1, true)
  if not last and class and class.__base then
    local method = function_name:match ":(.*)$"
    return parameters_of(class.__base.name .. ":" .. method, class.__base)
  end
  return last and stub:match("^[^)]*", last + 1)
end

-- Whether the stub gives the class such a field.
local function has_field(class_name, field)
  local current
  for line in stub:gmatch "[^\n]+" do
    current = line:match "^%-%-%-@class asyncio%.(%w+)" or current
    if current == class_name and line:match "^%-%-%-@field ([%w_]+)" == field then
      return true
    end
  end
  return false
end

local function check_parameters(entry, function_name, parameters, class)
  local declared = parameters_of(function_name, class)
  check(not declared or parameters == declared,
    ("%s: the stub has (%s)"):format(entry, declared))
end

-- What an entry of the reference names, such as "sleep" or "Task:cancel"; it is
-- an error when there is no such thing.
--   asyncio.sleep(delay, ...)    task:cancel(msg)    var.name
--   asyncio.coroutine.create(fn)
local function resolve(entry)
  local name, rest = entry:match "^asyncio%.([%w_.]+)(.*)$"
  if name then
    local value = asyncio
    for part in name:gmatch "[^.]+" do
      value = value and value[part]
    end
    check(value ~= nil, "there is no " .. entry)
    local parameters = rest:match "^%((.*)%)$"
    check(parameters or rest == "", "not a name: " .. entry)
    check(parameters or type(value) ~= "function", entry .. " has no parameters")
    check_parameters(entry, name, parameters)
    return name
  end
  local variable, operator, member
  variable, operator, member, rest = entry:match "^(%a+)([:.])([%w_]+)(.*)$"
  check(variable, "not a name: " .. entry)
  local class_name = class_of(variable)
  local class = asyncio[class_name or ""]
  check(class, "of which class is " .. entry)
  local full = class_name .. operator .. member
  if operator == "." then
    check(rest == "" and has_field(class_name, member), "there is no field " .. entry)
    return full
  end
  local parameters = rest:match "^%((.*)%)$"
  check(public.is_method(member, public.methods(class)[member]), "there is no method " .. entry)
  check(parameters, entry .. " has no parameters")
  check_parameters(entry, full, parameters, class)
  return full
end

-- The entries of a heading: its pieces of code, or all of it.
local function entries_of(heading)
  local list = {}
  for code in heading.text:gmatch "`([^`]+)`" do
    list[#list + 1] = code
  end
  return #list > 0 and list or { heading.text }
end

-- The places of all entries, by what they name.
local function read_reference()
  local found, errors = {}, {}
  each_page(REFERENCE, function(name, page)
    for _, heading in ipairs(page.headings) do
      for _, entry in ipairs(heading.level == 3 and entries_of(heading) or {}) do
        local ok, what = pcall(resolve, entry)
        if not ok then
          errors[#errors + 1] = place(name, heading) .. ": " .. what
        elseif found[what] then
          errors[#errors + 1] = place(name, heading) .. ": stands at " .. found[what] .. ", too"
        else
          found[what] = place(name, heading)
        end
      end
    end
  end)
  return found, errors
end

describe("the reference", function()
  local found, errors = read_reference()

  it("names what there is, each once, with the parameters of the stub", function()
    assert.equal("", table.concat(errors, "\n"))
  end)

  it("has every public name and every method of every class", function()
    local missing = {}
    local function look(name)
      if not found[name] then
        missing[#missing + 1] = name
      end
    end
    for _, name in ipairs(public.sorted_keys(asyncio)) do
      look(name)
      local value = asyncio[name]
      if public.is_class(value) then
        for _, method in ipairs(public.own_methods(value)) do
          look(name .. ":" .. method)
        end
      elseif type(value) == "table" then
        for _, fn in ipairs(public.sorted_keys(value)) do
          look(name .. "." .. fn)
        end
      end
    end
    assert.same({}, missing)
  end)

  it("begins each page alike: title, purpose, program", function()
    local count = 0
    each_page(REFERENCE, function(name, page)
      count = count + 1
      local title, first = page.headings[1], page.blocks[1]
      assert.is_true(title.level == 1 and title.line == 1, name)
      assert.is_true(first.info == "lua" and first.line < page.headings[2].line, name)
    end)
    assert.is_true(count > 0)
  end)
end)

-- }======

-- {====== Links ======

-- The file that a link of a page means; nil for one that leads out of here.
local function target_of(name, target)
  local path, anchor = target:match "^([^#]*)#?(.*)$"
  if path:find "^%a[%w+.-]*:" then
    return nil
  elseif path == "" then
    return name, anchor
  end
  local joined = (name:match "^(.*/)" or "") .. path
  repeat
    local n
    joined, n = joined:gsub("[^/]+/%.%./", "", 1)
  until n == 0
  return joined, anchor
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

describe("a link", function()
  it("leads to a file that is there, and to a heading of it", function()
    local broken = {}
    each_page("", function(name, page)
      for _, link in ipairs(page.links) do
        local path, anchor = target_of(name, link.target)
        local is_there = path == nil or exists(path)
        if is_there and path and anchor ~= "" then
          is_there = pages[path] ~= nil and markdown.anchors(pages[path])[anchor]
        end
        if not is_there then
          broken[#broken + 1] = place(name, link) .. ": " .. link.target
        end
      end
    end)
    assert.same({}, broken)
  end)

  it("leads from the index to every page of the documentation", function()
    local linked = { [INDEX] = true }
    for _, link in ipairs(pages[INDEX].links) do
      local path = target_of(INDEX, link.target)
      linked[path or ""] = true
    end
    each_page("^docs/", function(name)
      assert.is_true(linked[name], name)
    end)
  end)
end)

-- }======
