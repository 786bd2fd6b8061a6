-- A client of chat_server.lua, with a line editor where it runs in a terminal.
--
--   lua5.4 examples/chat_client.lua --name NAME [HOST:PORT]
--
-- Keys: arrows, Home, End, Backspace, Delete, Ctrl-A, -E, -K, -U, -W; up and down
-- for older lines; Ctrl-C or Ctrl-D leaves. What others say comes above the line
-- that is being written.
--
-- It shows
-- * raw mode as a scope: the terminal is as before, however the program ends;
-- * two tasks of a group, for what is typed and for what arrives.

local here <const> = arg[0]:match "^(.*)[/\\][^/\\]*$" or "."
package.path = here .. "/?.lua;" .. package.path

local asyncio = require "asyncio"
local command_line = require "shared.options"
local editor = require "chat.editor"
local options = require "chat.options"

local USAGE <const> = [[
usage: lua5.4 chat_client.lua --name NAME [HOST:PORT]
  --name NAME  what others see
  HOST:PORT    where the server is (127.0.0.1:7777)
]]

local function parse(arguments)
  local opts <const> = options.parse(arguments, true)
  if not opts.help and not opts.name then
    command_line.wrong "a name is needed"
  end
  return opts
end

-- Edits lines until the user leaves, or the server.
local function in_terminal(input, reader, writer)
  local output <const> = asyncio.stdout()
  local line <const> = editor.new "> "
  local function draw()
    output:write(line:draw((output:get_winsize())))
  end
  local group <close> = asyncio.TaskGroup()
  group:create_task(function()
    for text in reader:lines() do
      output:write(line:print(text, (output:get_winsize())))
    end
    group:cancel "the server has gone"
  end)
  group:create_task(function()
    for _ in asyncio.signals "WINCH" do
      draw()
    end
  end)
  group:create_task(function()
    local leaves = false
    while not leaves do
      draw()
      local typed <const> = input:read(1024)
      leaves = not typed or line:type(typed, function(text)
        writer:write(text .. "\n")
      end)
    end
    group:cancel "the user leaves"
  end)
end

-- Sends what comes from a file or a pipe, and prints what arrives, to the end.
local function without_terminal(input, reader, writer)
  local group <close> = asyncio.TaskGroup()
  group:create_task(function()
    for text in reader:lines() do
      print(text)
    end
  end)
  for text in input:lines() do
    writer:write(text .. "\n")
    writer:drain()
  end
  writer:write_eof()
end

local function main(opts)
  local reader <const>, writer <close> = asyncio.open_connection(opts.host, opts.port)
  writer:write(opts.name .. "\n")
  local input <const> = asyncio.stdin()
  local is_terminal <const>, mode = asyncio.catch(asyncio.OSError, input.set_mode, input, "raw")
  if is_terminal then
    local _ <close> = mode
    in_terminal(input, reader, writer)
    asyncio.stdout():write "\r\27[K"
  else
    without_terminal(input, reader, writer)
  end
end

local opts <const> = command_line.read("chat_client.lua", USAGE, parse)
local failures <const> = { asyncio.OSError, asyncio.KeyboardInterrupt }
local ok <const>, err <const> = asyncio.catch(failures, asyncio.run, main, opts)
if not ok then
  io.stderr:write("chat_client.lua: ", err.message or "interrupted", "\n")
end
os.exit(ok, true)
