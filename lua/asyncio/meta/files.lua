---@meta _

-- Files: see init.lua.

---@class asyncio
local asyncio = {}

-- Files and directories, off the loop. Functions raise OSError with `path`, and
-- `dest` where there are two.
asyncio.fs = {}

---@alias asyncio.FileType
---| "file"
---| "directory"
---| "link"
---| "fifo"
---| "socket"
---| "char"
---| "block"
---| "unknown"

---@class asyncio.Stat
---@field type asyncio.FileType
---@field size integer
---@field mode integer permissions
---@field uid integer
---@field gid integer
---@field dev integer
---@field ino integer
---@field nlink integer
---@field atime number times are seconds since the epoch
---@field mtime number
---@field ctime number
---@field birthtime number

-- Modes are those of io.open, and "x" after "w": the file must be new.
---@async
---@param path string
---@param mode? string "r" when missing
---@param permissions? integer of a new file, tonumber("666", 8) when missing
---@return asyncio.File
function asyncio.fs.open(path, mode, permissions) end

-- As file:read, or at the offset, where the file's position does not move.
---@async
---@param file asyncio.File
---@param n? integer | "a"
---@param offset? integer
---@return string? data nil at the end; "" for read("a") there
function asyncio.fs.read(file, n, offset) end

-- As file:write, or at the offset, where the file's position does not move.
---@async
---@param file asyncio.File
---@param data string | number
---@param offset? integer
---@return asyncio.File file
function asyncio.fs.write(file, data, offset) end

-- All of a file.
---@async
---@param path string
---@return string data
function asyncio.fs.read_file(path) end

-- Writes a file in the place of what was there. `atomic`: others see the old
-- one or the new one, and nothing in between.
---@async
---@param path string
---@param data string
---@param options? {atomic?: boolean}
function asyncio.fs.write_file(path, data, options) end

-- What is known of a file.
---@async
---@param path string
---@return asyncio.Stat
function asyncio.fs.stat(path) end

-- The same of a symbolic link itself.
---@async
---@param path string
---@return asyncio.Stat
function asyncio.fs.lstat(path) end

-- Sets the permissions.
---@async
---@param path string
---@param permissions integer
function asyncio.fs.chmod(path, permissions) end

-- Renames a file or directory; a file that is there is replaced.
---@async
---@param path string
---@param dest string
function asyncio.fs.rename(path, dest) end

-- Copies a file; one that is there is replaced.
---@async
---@param path string
---@param dest string
function asyncio.fs.copyfile(path, dest) end

-- Removes a file or symbolic link.
---@async
---@param path string
function asyncio.fs.unlink(path) end

-- Makes a symbolic link.
---@async
---@param target string what it leads to
---@param path string
function asyncio.fs.symlink(target, path) end

-- Where a symbolic link leads.
---@async
---@param path string
---@return string target
function asyncio.fs.readlink(path) end

-- The absolute path, without symbolic links.
---@async
---@param path string
---@return string path
function asyncio.fs.realpath(path) end

-- Iterates over the entries of a directory. `recursive`: of those below, too.
---@async
---@param path string
---@param options? {recursive?: boolean}
---@return fun(): string?, asyncio.FileType? iterator of names and types
function asyncio.fs.scandir(path, options) end

-- Makes a directory.
---@async
---@param path string
---@param permissions? integer tonumber("777", 8) when missing
function asyncio.fs.mkdir(path, permissions) end

-- Makes a directory with a new name.
---@async
---@param template string ends with "XXXXXX"
---@return string path
function asyncio.fs.mkdtemp(template) end

-- Removes an empty directory.
---@async
---@param path string
function asyncio.fs.rmdir(path) end

---@class asyncio.FileEvent
---@field type "rename" | "change" | "overflow"
---@field filename? string nil with "overflow"

---@class asyncio.WatchOptions
---@field recursive? boolean what is below, too; on Linux the call suspends then
---@field limit? integer events that are kept, 1024 when missing

-- Watches a file, or what is in a directory: `for event in asyncio.fs.watch(path) do`.
---@param path string
---@param options? asyncio.WatchOptions
---@return asyncio.FileWatcher watcher
---@return nil
---@return nil
---@return asyncio.FileWatcher watcher
function asyncio.fs.watch(path, options) end

-- An iterator over events, and what closes it.
---@class asyncio.FileWatcher: asyncio.Class
---@overload async fun(): asyncio.FileEvent?
asyncio.FileWatcher = {}

-- Watches no more; the iterator ends.
function asyncio.FileWatcher:close() end

-- An open file. Methods raise RuntimeError on a closed one, and OSError; several
-- tasks take turns. A <close> variable closes it.
---@class asyncio.File: asyncio.Class
asyncio.File = {}

-- So many bytes, fewer before the end; all that is left with "a", -1 or no
-- argument.
---@async
---@param n? integer | "a"
---@return string? data nil at the end; "" for read("a") there
function asyncio.File:read(n) end

-- A line with its newline; the last may have none.
---@async
---@return string? line nil at the end
function asyncio.File:readline() end

-- Iterates over the lines, without their newlines.
---@return fun(): string?
function asyncio.File:lines() end

-- Writes all of it.
---@async
---@param data string | number
---@param ... string | number
---@return asyncio.File self
function asyncio.File:write(data, ...) end

-- Has the system bring what was written to the disk.
---@async
function asyncio.File:sync() end

-- Moves to the offset from the beginning, from here, or from the end.
---@async
---@param whence? "set" | "cur" | "end" "cur" when missing
---@param offset? integer 0 when missing
---@return integer position
function asyncio.File:seek(whence, offset) end

-- As asyncio.fs.stat.
---@async
---@return asyncio.Stat
function asyncio.File:stat() end

-- Waits for those whose turn is before, then closes it. Again: does nothing.
---@async
function asyncio.File:close() end
