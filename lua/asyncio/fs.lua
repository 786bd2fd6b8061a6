-- asyncio.fs: what takes a path. The functions that are one request to the
-- system are in the C core; here are those that are made of several.

local core <const> = require "asyncio.core"

local system <const> = core.fs
local open <const>, lstat <const>, list <const> = system.open, system.lstat, system.scandir

local function argument_error(arg, fname, message)
  error(("bad argument #%d to '%s' (%s)"):format(arg, fname, message), 4)
end

local function check_type(value, expected, arg, fname)
  if type(value) ~= expected then
    argument_error(arg, fname, ("%s expected, got %s"):format(expected, type(value)))
  end
end

local function check_path(path, fname)
  if type(path) ~= "string" then
    argument_error(1, fname, "string expected, got " .. type(path))
  elseif path:find("\0", 1, true) then
    argument_error(1, fname, "path contains a zero byte")
  end
end

-- Checks the options, which have these names, and returns the table.
local function check_options(options, names, arg, fname)
  if options == nil then
    return {}
  end
  local wrong = type(options) ~= "table" and "table expected, got " .. type(options)
    or core.unknown_option(options, names)
  if wrong then
    argument_error(arg, fname, wrong)
  end
  return options
end

-- {====== Directories ======

-- The entries of a directory, which stands in the tree below 'prefix'.
local function read_directory(path, prefix)
  local names, types = list(path)
  return { path = path, prefix = prefix, names = names, types = types, last = 0 }
end

-- Some file systems do not tell types with the names.
local function type_of(path, known)
  return known == "unknown" and lstat(path).type or known
end

-- The next entry of the innermost directory, or of the one above when that is
-- over. A directory that was just given is read first.
local function next_entry(walk)
  local inner = walk.inner
  if inner then
    walk[#walk + 1] = read_directory(inner.path, inner.prefix)
    walk.inner = nil
  end
  local directory = walk[#walk]
  while directory and directory.last == #directory.names do
    walk[#walk] = nil
    directory = walk[#walk]
  end
  if not directory then
    return nil
  end
  local i = directory.last + 1
  local name = directory.names[i]
  local path = directory.path .. "/" .. name
  local kind = type_of(path, directory.types[i])
  directory.last = i
  if walk.recursive and kind == "directory" then
    walk.inner = { path = path, prefix = directory.prefix .. name .. "/" }
  end
  return directory.prefix .. name, kind
end

local function scandir(path, options)
  check_path(path, "scandir")
  options = check_options(options, { "recursive" }, 2, "scandir")
  core.check_await "scandir"
  local walk <const> = { recursive = options.recursive, read_directory(path, "") }
  return function()
    return next_entry(walk)
  end
end

-- }======

-- {====== Watching ======

-- The names and types of a directory, or nil if it has gone, or is none, or may
-- not be read.
local function list_or_nothing(path)
  local ok, names, types = core.catch(core.OSError, list, path)
  if ok then
    return names, types
  end
end

-- Watches all directories below; each is watched before it is read, so that
-- nothing falls in between. Those that appear meanwhile are the core's.
local function watch_all(watcher, root)
  local unread <const> = { "" }
  while #unread > 0 do
    local prefix = table.remove(unread)
    local names, types = list_or_nothing(root .. "/" .. prefix)
    for i, name in ipairs(names or {}) do
      local entry = prefix .. name
      local kind = types[i]
      if kind == "unknown" then
        local ok, stat = core.catch(core.OSError, lstat, root .. "/" .. entry)
        kind = ok and stat.type
      end
      if kind == "directory" and system.watch_below(watcher, entry) then
        unread[#unread + 1] = entry .. "/"
      end
    end
  end
end

-- Closes a watcher that has not come to be whole.
local unfinished <const> = {
  __close = function(self)
    if self.watcher then
      self.watcher:close()
    end
  end,
}

local function watch_tree(path, limit)
  core.check_await "watch"
  local ok, real = core.catch(core.OSError, system.realpath, path)
  local root <const> = ok and real or path -- then that is who tells the error
  local watcher <const> = system.watch(path, limit, false, root)
  local part <close> = setmetatable({ watcher = watcher }, unfinished)
  watch_all(watcher, root)
  part.watcher = nil
  return watcher, nil, nil, watcher
end

local function check_limit(limit)
  local number = math.tointeger(limit)
  if not number or number < 1 or number > 0x7fffffff then
    argument_error(2, "watch", "field 'limit' must be a positive integer")
  end
  return number
end

local function watch(path, options)
  check_path(path, "watch")
  options = check_options(options, { "recursive", "limit" }, 2, "watch")
  local limit = options.limit == nil and 1024 or check_limit(options.limit)
  if options.recursive and system.watches_trees then
    return watch_tree(path, limit)
  end
  return system.watch(path, limit, options.recursive)
end

-- }======

-- {====== Whole files ======

local function read_file(path)
  check_path(path, "read_file")
  core.check_await "read_file"
  local file <close> = open(path)
  return file:read "a"
end

-- Calls fn(...), and returns its result; nil if it raises that error of the
-- system.
local function unless(code, fn, ...)
  local ok, result = core.catch(core.OSError, fn, ...)
  if ok then
    return result
  elseif result.code ~= code then
    error(result, 0)
  end
end

local last_number = 0

-- Makes a new file beside the path; returns it and its name.
local function open_beside(path)
  while true do
    last_number = last_number + 1
    local name = ("%s.%x-%x.tmp"):format(path, os.time(), last_number)
    local file = unless("EEXIST", open, name, "wx")
    if file then
      return file, name
    end
  end
end

-- Removes what the rename has not taken. That must not wait: the loop may close.
local leftover <const> = {
  __close = function(self)
    if self.name then
      os.remove(self.name)
    end
  end,
}

-- Writes a file beside the one that it then replaces, which may be behind a
-- symbolic link.
local function write_atomic(path, data)
  local target = unless("ENOENT", system.realpath, path) or path
  local replaced = unless("ENOENT", system.stat, target)
  local temporary <close> = setmetatable({}, leftover)
  do
    local opened, name = open_beside(target)
    local file <close> = opened
    temporary.name = name
    file:write(data)
    if replaced then
      system.chmod(name, replaced.mode)
    end
    file:sync()
  end
  system.rename(temporary.name, target)
  temporary.name = nil
end

local function write_file(path, data, options)
  check_path(path, "write_file")
  check_type(data, "string", 2, "write_file")
  options = check_options(options, { "atomic" }, 3, "write_file")
  core.check_await "write_file"
  if options.atomic then
    return write_atomic(path, data)
  end
  local file <close> = open(path, "w")
  file:write(data)
end

-- }======

return {
  open = open,
  read = system.read,
  write = system.write,
  read_file = read_file,
  write_file = write_file,

  stat = system.stat,
  lstat = lstat,
  chmod = system.chmod,

  rename = system.rename,
  copyfile = system.copyfile,
  unlink = system.unlink,
  symlink = system.symlink,
  readlink = system.readlink,
  realpath = system.realpath,

  scandir = scandir,
  mkdir = system.mkdir,
  mkdtemp = system.mkdtemp,
  rmdir = system.rmdir,

  watch = watch,
}
