-- Servers without a descriptor for the next connection.

local helper = require "spec.helper"

-- The program may open so many descriptors.
local function limited(n, source, opts)
  opts = opts or {}
  opts.shell = ("ulimit -n %d; exec %%s"):format(n)
  return helper.run_script(source, opts)
end

-- What the scripts share: a handler that echoes a line, 'reports' of the loop, and
-- 'exhaust', which takes all descriptors that are left.
local PRELUDE <const> = [[
  local asyncio = require "asyncio"
  local reports = {}
  local function echo(reader, writer)
    writer:write(reader:readline())
    writer:close()
  end
  local function exhaust()
    asyncio.pipe() -- libuv opens a spare descriptor with the first stream
    collectgarbage()
    asyncio.sleep(0)
    local files = {}
    repeat
      local file = io.open("/dev/null")
      files[#files + 1] = file
    until not file
    return files
  end
  local function watch_reports()
    asyncio.get_running_loop():set_exception_handler(function(_, context)
      reports[#reports + 1] = context.message .. ": " .. tostring(context.exception)
    end)
  end
  local function ask(reader, writer, line)
    writer:write(line .. "\n")
    return reader:readline()
  end
]]

local REPORT <const> =
  "connections wait to be accepted: OSError: accept %s: too many open files %%(EMFILE%%)"

describe("a server without descriptors", function()
  local function serves(prepare, address)
    local result <const> = limited(
      40,
      PRELUDE .. prepare .. [[
      asyncio.run(function()
        watch_reports()
        local server <close> = start()
        local clients = {}
        for i = 1, 3 do -- their ends are here, too: they wait in the queue
          clients[i] = {connect(server)}
        end
        asyncio.sleep(0.01)
        local files = exhaust()
        for i = 4, 5 do
          files[#files]:close()
          files[#files] = nil
          clients[i] = {connect(server)}
        end
        local tasks = {}
        for i, client in ipairs(clients) do
          tasks[i] = asyncio.create_task(ask, client[1], client[2], "line " .. i)
        end
        local used = os.clock()
        asyncio.sleep(0.3)
        print(os.clock() - used < 0.2)
        print(table.concat(reports, "\n"))
        for _, file in ipairs(files) do
          file:close()
        end
        for _, line in ipairs(asyncio.gather(tasks):await()) do
          io.write(line)
        end
        print(#reports)
      end)
    ]]
    )
    assert.equal("", result.stderr)
    assert.equal(0, result.code)
    assert.matches("^true\n" .. REPORT:format(address) .. "\n", result.stdout)
    assert.matches("\nline 1\nline 2\nline 3\nline 4\nline 5\n1\n$", result.stdout)
  end

  it("lets connections wait, and accepts them when there are some", function()
    serves(
      [[
      local function start() return asyncio.start_server(echo, "127.0.0.1", 0) end
      local function connect(server)
        return asyncio.open_connection("127.0.0.1", server:sockets()[1].port)
      end
    ]],
      "127%.0%.0%.1:%d+"
    )
  end)

  it("does so on Unix sockets", function()
    serves(
      [[
      local path = os.tmpname()
      os.remove(path)
      local function start() return asyncio.start_unix_server(echo, path) end
      local function connect() return asyncio.open_unix_connection(path) end
    ]],
      "/%S+"
    )
  end)

  it("goes on at once when one of its own connections ends", function()
    local result <const> = limited(
      40,
      PRELUDE .. [[
      asyncio.run(function()
        watch_reports()
        local served, most = 0, 0
        local server <close> = asyncio.start_server(function(reader, writer)
          echo(reader, writer)
          writer:wait_closed()
          served = served + 1
        end, "127.0.0.1", 0)
        local port = server:sockets()[1].port
        local tasks = {}
        for i = 1, 25 do -- more than half of what there are
          tasks[i] = asyncio.create_task(function()
            local reader, writer <close> = asyncio.open_connection("127.0.0.1", port)
            return ask(reader, writer, "x")
          end)
        end
        for _, line in ipairs(asyncio.gather(tasks):await()) do
          assert(line == "x\n")
        end
        print(#reports)
      end)
    ]]
    )
    assert.equal("", result.stderr)
    assert.equal(0, result.code)
    assert.equal("1\n", result.stdout)
  end)

  it("reports it again when it has caught up meanwhile", function()
    local result <const> = limited(
      40,
      PRELUDE .. [[
      asyncio.run(function()
        watch_reports()
        local server <close> = asyncio.start_server(echo, "127.0.0.1", 0)
        local port = server:sockets()[1].port
        for round = 1, 2 do
          local files = exhaust()
          files[#files]:close()
          local reader, writer = asyncio.open_connection("127.0.0.1", port)
          repeat asyncio.sleep(0.01) until #reports == round
          files[#files] = nil
          for _, file in ipairs(files) do
            file:close()
          end
          assert(ask(reader, writer, "x") == "x\n")
          writer:close()
          local more, last = asyncio.open_connection("127.0.0.1", port)
          assert(ask(more, last, "x") == "x\n")
          last:close()
        end
        print(#reports)
      end)
    ]]
    )
    assert.equal("", result.stderr)
    assert.equal(0, result.code)
    assert.equal("2\n", result.stdout)
  end)

  it("can be closed meanwhile, and so can its loop", function()
    local endings <const> = { "server:close() server:wait_closed()", "", "error 'x'" }
    for _, ending in ipairs(endings) do
      local result <const> = limited(
        40,
        PRELUDE .. [[
        print(pcall(asyncio.run, function()
          watch_reports()
          local server = asyncio.start_server(echo, "127.0.0.1", 0)
          local port = server:sockets()[1].port
          local files = exhaust()
          files[#files]:close()
          local reader, writer = asyncio.open_connection("127.0.0.1", port)
          repeat asyncio.sleep(0.01) until #reports == 1
          ]] .. ending .. [[
        end))
      ]]
      )
      assert.equal("", result.stderr)
      assert.equal(0, result.code)
    end
  end)
end)
