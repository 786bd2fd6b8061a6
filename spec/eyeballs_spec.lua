-- Connecting to a host that has several addresses. For that a process gets a file
-- of hosts of its own, where the system lets it.

local helper = require "spec.helper"

local MOUNT <const> = "mount --bind /tmp/%s /etc/hosts"
local hosts <const> = os.tmpname()

local function write_hosts()
  local file <close> = assert(io.open(hosts, "w"))
  file:write "::1 twofold\n127.0.0.1 twofold localhost\n"
end

-- Runs the script where the host 'twofold' is ::1 and 127.0.0.1, or says that it
-- cannot.
local function run(script)
  local mount <const> = MOUNT:format(hosts:match "[^/]+$")
  write_hosts()
  local known <close> = io.popen(
    ("unshare -rm sh -c '%s && getent ahosts twofold' 2>/dev/null"):format(mount)
  )
  local first <const> = known:read "l"
  if not (first and first:find("::1 ", 1, true)) then
    os.remove(hosts)
    return nil
  end
  local result <const> = helper.run_script(script, {
    shell = ("exec unshare -rm sh -c '%s && exec '\"%%s\""):format(mount),
  })
  os.remove(hosts)
  return result
end

describe("a host with several addresses", function()
  it("is reached by the next one when the first refuses", function()
    local result <const> = run [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local server <close> = asyncio.start_server(function(_, writer)
          writer:write "hello"
          writer:close()
        end, "127.0.0.1", 0)
        local port = server:sockets()[1].port
        local options = { happy_eyeballs_delay = 3600 }
        local reader, writer <close> = asyncio.open_connection("twofold", port, options)
        print(writer:get_extra_info("peername").host, reader:read "a")
        options = { family = "inet6" }
        local ok, err = pcall(asyncio.open_connection, "twofold", port, options)
        print(ok, err.code, #err.errors)
      end) ]]
    if not result then
      return pending "no host with two addresses can be made here"
    end
    assert.equal("", result.stderr)
    assert.equal("127.0.0.1\thello\nfalse\tECONNREFUSED\t1\n", result.stdout)
  end)

  it("that are all refused has the error of each", function()
    local result <const> = run [[
      local asyncio = require "asyncio"
      asyncio.run(function()
        local server = asyncio.start_server(nil, "127.0.0.1", 0)
        local port = server:sockets()[1].port
        server:close()
        local ok, err = pcall(asyncio.open_connection, "twofold", port)
        print(ok, err.code, err.address == "[::1]:" .. port, #err.errors)
        print(err.errors[2].code, err.errors[2].address == "127.0.0.1:" .. port)
      end) ]]
    if not result then
      return pending "no host with two addresses can be made here"
    end
    assert.equal("", result.stderr)
    assert.equal("false\tECONNREFUSED\ttrue\t2\nECONNREFUSED\ttrue\n", result.stdout)
  end)
end)
