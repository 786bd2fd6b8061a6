std = "lua54"
max_line_length = 100
max_cyclomatic_complexity = 15
exclude_files = { "build", ".rocks", "lua_modules" }

files[".luacheckrc"] = { std = "+luacheckrc" }
files["spec"] = { std = "+busted" }

-- The stub declares signatures for the language server: bodies are empty,
-- arguments unused, and what it declares is read by nobody here.
files["lua/asyncio/meta"] = {
  ignore = { "211", "212", "221", "241" },
}
