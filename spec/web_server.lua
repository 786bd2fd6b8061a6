-- Web servers in processes of their own, for the specs of web clients: one that
-- was not written here, and scripts. All in a directory that is removed.

local asyncio = require "asyncio"

local web_server = {}

local function shell(line, ...)
  assert(os.execute(line:format(...)), line)
end

local function read_line(name)
  local file <close> = io.open(name)
  return file and file:read "l"
end

function web_server.write_file(name, bytes)
  local file <close> = assert(io.open(name, "wb"))
  assert(file:write(bytes))
end

function web_server.read_file(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

-- What the command prints, without the end of the line.
function web_server.output(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read "a":gsub("\n$", ""))
end

-- A new directory, and the function that removes it.
function web_server.directory()
  local dir <const> = web_server.output "mktemp -d"
  assert(dir:find "^/.")
  return dir, function()
    shell("rm -r '%s'", dir)
  end
end

function web_server.installed(program)
  return web_server.output("command -v " .. program) ~= ""
end

-- Waits, within a time that no machine needs, until fn() is true.
local function wait_until(fn)
  local _ <close> = asyncio.timeout(60)
  while not fn() do
    asyncio.sleep(0.01)
  end
end

-- Runs the command in the background, in the directory; returns its pid, and a
-- function that tells whether it runs. Its output goes to the file "log" there.
-- (A shell waits for it and notes its end, for only a parent knows at once.)
local function start(dir, command)
  local script <const> = dir .. "/start"
  web_server.write_file(script, "echo $$ >pid\nexec " .. command .. "\n")
  local line <const> = "cd '%s' && rm -f pid log ended && "
    .. "({ sh start; echo >ended; } >log 2>&1 </dev/null &)"
  shell(line, dir)
  local pid
  wait_until(function()
    pid = tonumber(read_line(dir .. "/pid"))
    return pid
  end)
  return pid, function()
    return not read_line(dir .. "/ended")
  end
end

-- Ends a process that was started here, and waits until it is gone.
local function stop(pid, running)
  if running() then
    os.execute(("kill -KILL %d 2>/dev/null"):format(pid))
  end
  wait_until(function()
    return not running()
  end)
end

local function accepts(port)
  local ok <const>, _ <const>, writer <close> =
    asyncio.catch(asyncio.OSError, asyncio.open_connection, "127.0.0.1", port)
  return ok and writer ~= nil
end

local NGINX <const> = [[
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
  access_log off; client_body_temp_path tmp; proxy_temp_path tmp;
  fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {
    listen 127.0.0.1:%d;
    root root;
    location /chunked/ { ssi on; ssi_types *; alias %s/root/; }
  }
}
]]

local function free_port()
  local server <close> = asyncio.start_server(function() end, "127.0.0.1", 0)
  return server:sockets()[1].port
end

-- Nginx takes no port 0: another process may be faster with the one that was
-- free, and then nginx ends, and tries another.
local function start_nginx(dir)
  for _ = 1, 5 do
    local port <const> = free_port()
    web_server.write_file(dir .. "/nginx.conf", NGINX:format(port, dir))
    local pid <const>, running <const> = start(dir, ("nginx -p '%s' -c nginx.conf"):format(dir))
    wait_until(function()
      return not running() or accepts(port)
    end)
    if running() then
      return port, pid, running
    end
  end
  error(web_server.read_file(dir .. "/log"))
end

-- A command that prints its port in a line that has the pattern.
local function start_printing(dir, command, pattern)
  local pid <const>, running <const> = start(dir, command)
  local port
  wait_until(function()
    local log <const> = web_server.read_file(dir .. "/log")
    port = tonumber(log:match(pattern))
    assert(port or running(), log)
    return port
  end)
  return port, pid, running
end

local function stopper(pid, running)
  return function()
    asyncio.run(stop, pid, running)
  end
end

-- Serves the directory's folder "root" by a web server not written here;
-- returns its port, the function that stops it, and its name.
function web_server.serve(dir)
  local name <const> = web_server.installed "nginx" and "nginx" or "python3"
  local port <const>, pid <const>, running <const> = asyncio.run(function()
    if name == "nginx" then
      return start_nginx(dir)
    end
    local command <const> = "python3 -u -m http.server --bind 127.0.0.1 --directory root 0"
    return start_printing(dir, command, "port (%d+)")
  end)
  return port, stopper(pid, running), name
end

-- Runs a Lua script that prints its port; returns the port and the function
-- that stops it.
function web_server.script(dir, source)
  web_server.write_file(dir .. "/server.lua", source)
  local env <const> = ("env LUA_PATH='%s' LUA_CPATH='%s' "):format(web_server.paths())
  local lua <const> = os.getenv "ASYNCIO_TEST_LUA" or "lua5.4"
  local port <const>, pid <const>, running <const> =
    asyncio.run(start_printing, dir, env .. lua .. " server.lua", "port (%d+)")
  return port, stopper(pid, running)
end

-- The values of LUA_PATH and LUA_CPATH that hold in any directory.
function web_server.paths()
  local root <const> = web_server.output "pwd"
  local build <const> = os.getenv "ASYNCIO_TEST_BUILD" or "build"
  local path <const> = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(root, root)
  return path, ("%s/%s/?.so;;"):format(root, build)
end

return web_server
