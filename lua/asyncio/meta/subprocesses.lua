---@meta _

-- Subprocesses: see init.lua.

---@class asyncio
local asyncio = {}

---@alias asyncio.Stdio
---| "inherit" what it is here
---| "pipe"
---| "null"
---| "stdout" for stderr alone
---| integer a descriptor
---| file*
---| asyncio.File
---| asyncio.StreamReader
---| asyncio.StreamWriter

---@class asyncio.ProcessOptions
---@field stdin? asyncio.Stdio
---@field stdout? asyncio.Stdio
---@field stderr? asyncio.Stdio
---@field cwd? string
---@field env? table<string, string | number> all of it
---@field start_new_session? boolean
---@field user? integer
---@field group? integer
---@field limit? integer of the readers, 65536 when missing
---@field grace? number seconds between SIGTERM and SIGKILL at the end of a scope, 5 when missing

-- Starts a program. Raises OSError. As asyncio.create_subprocess_exec.
---@param program string
---@param args? (string | number)[]
---@param options? asyncio.ProcessOptions
---@return asyncio.Process
function asyncio.create_subprocess_exec(program, args, options) end

-- Starts a shell. Raises OSError. As asyncio.create_subprocess_shell.
---@param cmd string
---@param options? asyncio.ProcessOptions
---@return asyncio.Process
function asyncio.create_subprocess_shell(cmd, options) end

-- A <close> variable ends the child. As asyncio.subprocess.Process.
---@class asyncio.Process: asyncio.Class
---@field pid integer
---@field returncode? integer nil while it runs; -15 after signal 15
---@field stdin? asyncio.StreamWriter
---@field stdout? asyncio.StreamReader
---@field stderr? asyncio.StreamReader
asyncio.Process = {}

-- Waits for its end. As Process.wait.
---@async
---@return integer returncode
function asyncio.Process:wait() end

-- Feeds it and reads it to the end, and waits for that. As Process.communicate.
---@async
---@param input? string
---@return string? stdout
---@return string? stderr
function asyncio.Process:communicate(input) end

-- Raises OSError when it has ended. As Process.send_signal.
---@param signal string | integer "SIGTERM", "TERM" or 15; 0: none
function asyncio.Process:send_signal(signal) end

-- Sends SIGTERM. As Process.terminate.
function asyncio.Process:terminate() end

-- Sends SIGKILL. As Process.kill.
function asyncio.Process:kill() end

-- As subprocess.CalledProcessError.
---@class asyncio.CalledProcessError: asyncio.Error
---@overload fun(message?: any, fields?: table): asyncio.CalledProcessError
---@field cmd string | (string | number)[]
---@field returncode integer
---@field stdout? string
---@field stderr? string
asyncio.CalledProcessError = {}

-- Commands from start to end.
asyncio.subprocess = {
  create_subprocess_exec = asyncio.create_subprocess_exec,
  create_subprocess_shell = asyncio.create_subprocess_shell,
  PIPE = "pipe",
  DEVNULL = "null",
  STDOUT = "stdout",
  CalledProcessError = asyncio.CalledProcessError,
  Process = asyncio.Process,
}

---@class asyncio.RunOptions: asyncio.ProcessOptions
---@field input? string
---@field capture? boolean true when missing
---@field check? boolean
---@field timeout? number

---@class asyncio.CompletedProcess
---@field args string | (string | number)[]
---@field returncode integer
---@field stdout? string
---@field stderr? string

-- Runs a command, a list of words or a line of the shell. Raises OSError,
-- CalledProcessError with `check`, TimeoutError. As subprocess.run.
---@async
---@param cmd string | (string | number)[]
---@param options? asyncio.RunOptions
---@return asyncio.CompletedProcess
function asyncio.subprocess.run(cmd, options) end
