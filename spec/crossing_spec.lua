-- What crosses to another Lua state, and what is refused. The copies are made in
-- this state, by the functions of the core that are for that.

local asyncio = require "asyncio"
local core = require "asyncio.core"
local helper = require "spec.helper"

local raises <const>, catch <const> = helper.raises, helper.catch
local copy <const>, pack <const>, unpack <const> =
  core.crossing_copy, core.crossing_pack, core.crossing_unpack

-- The collector is so eager, or the stack moves so often, that large values take
-- long.
local EAGER <const> = os.getenv "ASYNCIO_TEST_GC"
  or (os.getenv "ASYNCIO_TEST_BUILD" or ""):find "apicheck"

-- Whether two numbers have the same type and bits.
local function same_number(a, b)
  return math.type(a) == math.type(b) and string.pack("n", a) == string.pack("n", b)
end

-- Fails unless the copy has the values and the shape of the original; 'met' maps
-- the tables of one to those of the other.
local function check_same(original, made, met)
  if type(original) ~= "table" then
    if math.type(original) == "float" then
      assert(same_number(original, made))
    else
      assert.are.equal(original, made)
      assert.are.equal(math.type(original), math.type(made))
    end
    return
  end
  met = met or {}
  if met[original] then
    assert(rawequal(met[original], made), "an identity is lost")
    return
  end
  assert.is_table(made)
  assert(not rawequal(original, made))
  met[original] = made
  local n = 0
  for key, value in next, original do
    n = n + 1
    if type(key) ~= "table" then
      check_same(value, rawget(made, key), met)
    end
  end
  for _ in next, made do
    n = n - 1
  end
  assert.are.equal(0, n)
end

describe("what crosses", function()
  it("is nil, booleans and several values", function()
    assert.are.same(table.pack(nil, true, false, nil), table.pack(copy(nil, true, false, nil)))
    assert.are.equal(0, select("#", copy()))
  end)

  it("keeps integers and floats apart, to the last bit", function()
    local numbers = { 0, -1, 87, 88, -16, -17, 1 << 28, -(1 << 28), (1 << 28) - 1, 1 << 40 }
    for _, n in ipairs { math.maxinteger, math.mininteger, 0.0, -0.0, 1.5, 3.0, 1 / 0, -1 / 0 } do
      numbers[#numbers + 1] = n
    end
    numbers[#numbers + 1] = 5e-324
    for _, n in ipairs(numbers) do
      assert(same_number(n, copy(n)), n)
    end
    local nan = copy(0 / 0)
    assert(nan ~= nan)
  end)

  it("is strings of any bytes and length", function()
    for _, s in ipairs { "", "\0", "a\0b", "\xff\xfe", ("x"):rep(255), ("y"):rep(256) } do
      assert.are.equal(s, copy(s))
    end
    local large = ("0123456789abcdef"):rep(1 << 16)
    local a, b = copy({ large, large, "x" }, large)
    assert(a[1] == large and a[2] == large and a[3] == "x" and b == large)
    assert(#pack { large, large, large } < 2 * #large)
  end)

  it("is tables, which stay the same ones within one parcel", function()
    local shared, self = { 1 }, {}
    self.self, self[self] = self, "key"
    local list = { 1, 2, nil, 4, shared, [10] = shared, [2.5] = true, [true] = { shared } }
    list.n = 0
    local a, b, c = copy(list, shared, self)
    check_same(list, a)
    assert(a[5] == b and a[10] == b and a[true][1] == b and b[1] == 1)
    assert(c.self == c and c[c] == "key")
  end)

  it("is tables with holes, many elements and many fields", function()
    local list, sparse, fields = {}, {}, {}
    for i = 1, 1000 do
      list[i], sparse[i * 7 % 1009], fields["field" .. i] = i % 3 == 0 and {} or i, i, -i
    end
    list[500], list[1000] = nil, nil
    check_same({ list, sparse, fields, list }, (copy { list, sparse, fields, list }))
  end)

  it("is tables nested deep", function()
    local deep, keyed, depth, n = {}, {}, EAGER and 1000 or 100000, 0
    for _ = 1, depth do
      deep, keyed = { deep }, { [keyed] = true }
    end
    local a, b = copy(deep, keyed)
    while a[1] do
      a, b, n = a[1], next(b), n + 1
    end
    assert.are.equal(depth, n)
  end)

  it("is not tables nested deeper than the stack of Lua", function()
    if EAGER then
      return
    end
    local deep = {}
    for _ = 1, 600000 do
      deep = { deep }
    end
    raises("argument 1: table nested that deep cannot cross", copy, deep)
  end)

  it("does not call metamethods of what is inside", function()
    local key = asyncio.register_metatable("spec.silent", {
      __index = error, __newindex = error, __pairs = error, __len = error, __eq = error,
      __gc = false,
    })
    local a = copy(setmetatable({ 1, x = 2 }, key))
    assert(rawget(a, 1) == 1 and rawget(a, "x") == 2 and getmetatable(a) == key)
  end)
end)

describe("a function that crosses", function()
  it("takes its upvalues along", function()
    local n, t = 5, { 1 }
    local f, u = copy(function()
      n = n + 1
      return n, t
    end, t)
    local m, v = f()
    assert(m == 6 and n == 5 and v == u and v ~= t)
  end)

  it("shares variables with those that cross with it", function()
    local n = 0
    local function add(x)
      n = n + x
    end
    local function get()
      return n
    end
    local t = copy { add = add, get = get, again = get }
    t.add(3)
    assert(t.get() == 3 and n == 0 and t.get == t.again)
  end)

  it("may be recursive, and refer to others that refer to it", function()
    local function factorial(k)
      return k < 2 and 1 or k * factorial(k - 1)
    end
    local even
    local function odd(k)
      return k ~= 0 and even(k - 1)
    end
    function even(k)
      return k == 0 or odd(k - 1)
    end
    assert.are.equal(3628800, copy(factorial)(10))
    local e, o = copy(even, odd)
    assert(e(10) and not o(10) and o(7))
  end)

  it("sees the globals of the other side, whatever its _ENV was", function()
    local source <const> = "local _ENV = ... return function() return _VERSION end"
    assert.are.equal(_VERSION, copy(load(source)(_G))())
    assert.are.equal(_VERSION, copy(load(source) { _VERSION = "none" })())
    local globals = load "return _G" ()
    assert.are.equal(globals, copy(function()
      return globals
    end)())
  end)

  it("keeps its names and lines for tracebacks", function()
    local function fails()
      error "here"
    end
    assert.matches("crossing_spec.lua:%d+: here", catch(copy(fails)))
  end)

  it("may have as many upvalues as there can be", function()
    local source = {}
    for i = 1, 180 do
      source[i] = ("local v%d = %d "):format(i, i)
    end
    source[#source + 1] = "return function() return "
    for i = 1, 180 do
      source[#source + 1] = ("v%d%s"):format(i, i < 180 and "+" or "")
    end
    source[#source + 1] = " end"
    assert.are.equal(180 * 181 // 2, copy(load(table.concat(source))())())
  end)

  it("may be a coroutine function", function()
    local again
    again = asyncio.async(function(n)
      return n == 0 and "end" or again(n - 1):await()
    end)
    local one, other = copy(again, { again })
    assert(one == other[1] and one ~= again and asyncio.iscoroutinefunction(one))
    assert.are.equal("end", asyncio.run(one, 3))
    local pipe = io.stdout
    local function get()
      return pipe
    end
    local place <const> = "^argument 1: %[1%]: coroutine function: upvalue 'pipe' of function"
    assert.matches(place, catch(copy, { asyncio.async(get) }))
  end)

  it("may be stripped", function()
    local n = 2
    local stripped = load(string.dump(function(x)
      return x + (n or 0)
    end, true))
    debug.setupvalue(stripped, 1, 40)
    assert.are.equal(42, copy(stripped)(2))
  end)
end)

describe("what crosses by its name", function()
  it("is loaded modules and what is in them", function()
    local values = { string, asyncio, _G, package, helper, print, string.format, io.open }
    table.move({ asyncio.sleep, asyncio.Future, asyncio.Queue, asyncio.run }, 1, 4, 9, values)
    for _, value in ipairs(values) do
      assert.are.equal(value, (copy(value)))
    end
    assert.are.equal("7", copy(function()
      return string.format("%d", 7)
    end)())
  end)

  it("is required when it is not loaded", function()
    package.loaded["spec.crossing_sample"] = { name = "sample" }
    local sample = package.loaded["spec.crossing_sample"]
    local bytes = pack(sample, sample)
    package.loaded["spec.crossing_sample"] = nil
    raises("module 'spec.crossing_sample' not found", unpack, bytes)
    package.preload["spec.crossing_sample"] = function()
      return sample
    end
    local a, b = unpack(bytes)
    package.preload["spec.crossing_sample"], package.loaded["spec.crossing_sample"] = nil, nil
    assert(a == sample and b == sample)
  end)

  it("must be there", function()
    package.loaded["spec.crossing_sample"] = { fn = coroutine.wrap(print) }
    local bytes = pack(package.loaded["spec.crossing_sample"].fn)
    package.loaded["spec.crossing_sample"] = {}
    local err = raises("module 'spec.crossing_sample' has no 'fn'", unpack, bytes)
    package.loaded["spec.crossing_sample"] = nil
    assert.is_string(err)
  end)

  it("is exceptions with their fields", function()
    local err = asyncio.OSError("refused", { code = "ECONNREFUSED", traceback = "stack" })
    local made = copy(err)
    assert(made ~= err and asyncio.isinstance(made, asyncio.OSError))
    assert.are.equal(tostring(err), tostring(made))
    assert(made.code == "ECONNREFUSED" and made.traceback == "stack")
    local group = copy(asyncio.ExceptionGroup("several", { err, asyncio.TimeoutError() }))
    assert.are.equal(2, #group.exceptions)
    assert(asyncio.isinstance(group.exceptions[2], asyncio.TimeoutError))
  end)

  it("is exception classes, one's own too", function()
    local Base = asyncio.exception "SpecBase"
    local NotFound = asyncio.exception("SpecNotFound", Base)
    for _, class in ipairs { asyncio.TimeoutError, asyncio.Error, Base, NotFound } do
      assert.are.equal(class, (copy(class)))
      assert.are.equal(class, getmetatable(copy(class "x")))
    end
  end)

  it("is an exception class that is made where there is none such", function()
    local bytes
    do
      local Base = asyncio.exception("SpecGone", asyncio.OSError)
      bytes = pack(asyncio.exception("SpecGoneToo", Base)("x", { code = "E" }), Base)
    end
    helper.collect()
    local err, Base = unpack(bytes)
    assert.are.equal("SpecGoneToo: x", tostring(err))
    assert(asyncio.isinstance(err, Base) and asyncio.isinstance(err, asyncio.OSError))
    assert.are.equal("E", err.code)
    local again = unpack(bytes)
    assert.are.equal(getmetatable(err), getmetatable(again))
  end)

  it("tells classes of one name apart by those above them", function()
    local a = asyncio.exception("SpecSame", asyncio.OSError)
    local b = asyncio.exception("SpecSame", asyncio.TimeoutError)
    assert(copy(a) == a and copy(b) == b)
  end)
end)

describe("a registered metatable", function()
  local Point = asyncio.register_metatable("spec.Point", {})
  Point.__index = Point

  it("is that of the copy", function()
    local p = setmetatable({ x = 1 }, Point)
    local a, b = copy({ p, p }, Point)
    assert(a[1] == a[2] and a[1].x == 1 and getmetatable(a[1]) == Point)
    assert(b ~= Point and b.__index == b)
  end)

  it("comes from its module", function()
    local Shape = asyncio.register_metatable("spec.crossing_shape:Shape", {})
    local bytes = pack(setmetatable({ 1 }, Shape))
    bytes = bytes:gsub("crossing_shape", "crossing_other")
    package.preload["spec.crossing_other"] = function()
      asyncio.register_metatable("spec.crossing_other:Shape", Shape)
    end
    local shape = unpack(bytes, true)
    package.preload["spec.crossing_other"], package.loaded["spec.crossing_other"] = nil, nil
    assert(getmetatable(shape) == Shape and shape[1] == 1)
  end)

  it("must be registered on the other side", function()
    local bytes = pack(setmetatable({}, Point)):gsub("spec.Point", "spec.Paint")
    raises("no metatable is registered as 'spec.Paint'", unpack, bytes, true)
    bytes = pack(setmetatable({}, Point)):gsub("spec.Point", "nodir:Poin")
    raises("module 'nodir' not found", unpack, bytes, true)
  end)

  it("has a name and is a table", function()
    raises("bad argument #1 to '.*register_metatable'", asyncio.register_metatable, nil, {})
    raises("bad argument #2 to '.*register_metatable'", asyncio.register_metatable, "x", 1)
  end)
end)

describe("what does not cross", function()
  local thread = coroutine.create(print)

  it("is named by the way to it", function()
    local function message(...)
      return (catch(copy, ...):gsub(" cannot cross to another Lua state$", ""))
    end
    assert.are.equal("argument 1: thread", message(thread))
    assert.are.equal("argument 2: userdata (FILE*)", message(1, io.stdout))
    assert.are.equal("argument 1: field 'conn': userdata (FILE*)", message { conn = io.stdout })
    assert.are.equal("argument 1: [2]: field 'x': thread", message { 1, { x = thread } })
    assert.are.equal("argument 1: [2.5]: thread", message { [2.5] = thread })
    assert.are.equal("argument 1: key: thread", message { [thread] = 1 })
    assert.are.equal("argument 1: key: [1]: thread", message { [{ thread }] = 1 })
    local function get()
      return thread
    end
    local place <const> = "upvalue 'thread' of function .*crossing_spec.lua:%d+: thread$"
    assert.matches("^argument 1: %[true%]: " .. place, message { [true] = get })
    assert.are.equal("argument 1: C function", message(coroutine.wrap(print)))
    assert.are.equal("argument 1: table with a metatable that is not registered",
      message(setmetatable({}, {})))
    assert.are.equal("argument 1: userdata (asyncio.Queue)", message(asyncio.Queue()))
  end)

  it("is told in short where the way is long", function()
    local deep = { thread }
    for _ = 1, 1000 do
      deep = { deep }
    end
    local text = catch(copy, deep)
    assert(#text < 200 and text:find "%.%.%.: " and text:find "%[1%]: thread cannot cross")
  end)

  it("says where the call is", function()
    local text = catch(function()
      copy(thread)
    end)
    assert.matches("^spec/crossing_spec.lua:%d+: argument 1: thread", text)
  end)

  it("is another thing for another process", function()
    raises("argument 1: thread cannot cross to another process", pack, thread)
  end)
end)

-- {====== Random values ======

-- A random value; 'made' has the tables to which it may refer.
local function random_value(random, depth, made)
  local kind = random(0, depth > 0 and 9 or 6)
  if kind == 0 then
    return random(0, 1) == 1
  elseif kind == 1 then
    return random(-200, 200)
  elseif kind == 2 then
    return random(math.mininteger, math.maxinteger) >> random(0, 63)
  elseif kind == 3 then
    return string.unpack("n", string.pack("j", random(math.mininteger, math.maxinteger))) or 0
  elseif kind == 4 then
    return ("k"):rep(random(0, 3)) .. random(1, 9)
  elseif kind == 5 then
    return string.char(random(0, 255)):rep(random(0, 300))
  elseif kind == 6 and #made > 0 then
    return made[random(1, #made)]
  end
  local t = {}
  made[#made + 1] = t
  for i = 1, random(0, 6) do
    t[i] = random_value(random, depth - 1, made)
  end
  for _ = 1, random(0, 6) do
    local key = random_value(random, depth - 1, made)
    if key == key then
      t[key] = random_value(random, depth - 1, made)
    end
  end
  return t
end

-- A generator of numbers that gives the same ones for a seed.
local function seeded(seed)
  local state = seed * 2 + 1
  return function(low, high)
    state = state * 6364136223846793005 + 1442695040888963407
    local span = high - low
    local n = state >> 11
    if span <= -1 then -- all integers
      return state ~ state << 21
    end
    return low + n % (span + 1)
  end
end

describe("random values", function()
  local RUNS <const> = EAGER and 20 or 150

  it("cross as they are", function()
    for seed = 1, RUNS do
      local value = random_value(seeded(seed), 4, {})
      check_same({ value }, (copy { value }))
      check_same({ value }, (unpack(pack { value })))
    end
  end)

  it("are an error when their bytes were damaged", function()
    for seed = 1, RUNS do
      local random = seeded(seed)
      local bytes = pack(random_value(random, 3, {}))
      local at = random(1, #bytes)
      local other = string.char((bytes:byte(at) + random(1, 255)) % 256)
      raises("malformed", unpack, bytes:sub(1, at - 1) .. other .. bytes:sub(at + 1))
      raises("malformed", unpack, bytes:sub(1, random(0, #bytes - 1)))
      raises("malformed", unpack, bytes .. "\0")
    end
  end)

  it("do no harm even when nobody looks at the sum", function()
    for seed = 1, RUNS * 5 do
      local random = seeded(seed)
      -- of C functions only: damaged bytecode does harm
      local bytes = pack(random_value(random, 3, {}), asyncio.TimeoutError "x", string.format,
        asyncio.async(string.rep))
      for _ = 1, random(1, 3) do
        local at = random(17, #bytes)
        local other = string.char(random(0, 255))
        bytes = bytes:sub(1, at - 1) .. other .. bytes:sub(at + 1)
      end
      pcall(unpack, random(1, 4) == 1 and bytes:sub(1, random(0, #bytes)) or bytes, true)
    end
  end)
end)

-- }======
