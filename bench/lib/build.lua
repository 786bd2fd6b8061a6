-- Compiles the C programs of bench/c into build/bench.

local shell = require "bench.lib.shell"

local build = {}

local PROGRAMS <const> = {
  {name = "switch", package = "lua5.4", otherwise = "-I/usr/include/lua5.4 -llua5.4"},
  {name = "uv_echo", package = "libuv", otherwise = "-luv"},
  {name = "uv_bulk", package = "libuv", otherwise = "-luv"},
  {name = "load"},
  {name = "bulk"},
  {name = "hold"},
}

local function flags_of(program)
  if not program.package then
    return ""
  end
  return shell.capture("pkg-config --cflags --libs " .. program.package .. " 2>/dev/null")
    or program.otherwise
end

function build.path(name)
  return "build/bench/" .. name
end

function build.all()
  local cc = os.getenv("CC") or "cc"
  assert(os.execute("mkdir -p build/bench"))
  for _, program in ipairs(PROGRAMS) do
    local command = string.format("%s -std=gnu11 -O2 -o %s bench/c/%s.c %s -lm", cc,
      build.path(program.name), program.name, flags_of(program))
    if not os.execute(command) then
      io.stderr:write("bench: cannot compile ", program.name, ", its rows are left out\n")
      os.remove(build.path(program.name))
    end
  end
end

return build
